//! The four session guarantees (Terry et al., *Session guarantees for weakly consistent
//! replicated data*, 1994), each on its own, by the best evidence that a history has: vectors,
//! versions, or only what clients saw. Contexts are per replica group.
//!
//! If evidence covers only a part of the history, it refutes what it can, and the check by what
//! clients saw judges the whole. If that evidence is versions, the guarantee stays open: what
//! clients saw does not tell whether a store in which the last write wins has kept it.

mod along;
mod applied;
mod contexts;
mod found;
mod vectors;
mod versions;

use super::coverage::Coverage;
use super::happens_before::{Conflicts, Graph, order, spread};
use super::index::Index;
use super::property::Property;
use super::table::{Ask, Checker, Cost, Run};
use super::verdict::{Check, Verdict};
use crate::history::{Dominance, Evidence};
use found::Found;

/// The guarantees in the order in which every check gives them.
pub(super) const PROPERTIES: [Property; 4] = [
    Property::ReadYourWrites,
    Property::MonotonicReads,
    Property::MonotonicWrites,
    Property::WritesFollowReads,
];

/// What the four together are called while they are checked.
const GUARANTEES: &str = "session guarantees";

/// Up to this many operations the ladder judges them by what clients saw, even if the verdict does
/// not need it.
const UNASKED_MAX: usize = 200_000;

/// The row of the table.
pub(super) struct Guarantees;

impl Checker for Guarantees {
    fn properties(&self) -> &'static [Property] {
        &PROPERTIES
    }

    fn cost(&self, index: &Index<'_>) -> Cost {
        if Judged::of(index).is_searched() {
            Cost::Search {
                unasked_max: UNASKED_MAX,
                is_dear: false,
            }
        } else {
            Cost::Pass
        }
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        check(ask.index, Judged::of(ask.index)).to_vec()
    }

    /// What clients saw refutes none of them where a stronger model holds.
    fn settled_by(&self, ask: &Ask<'_, '_>) -> &'static [Property] {
        let is_searched = Judged::of(ask.index).is_searched();
        match (is_searched, ask.is_asked, ask.index.dominance) {
            (false, _, _) => &[],
            (true, false, Dominance::Applied) => &[
                Property::CausalBlackBox,
                Property::Linearizable,
                Property::CausalConsistency,
            ],
            (true, true, _) | (true, false, Dominance::Context) => &[Property::CausalBlackBox],
        }
    }

    /// Evidence may refute them all the same.
    fn once_settled(&self, ask: &Ask<'_, '_>) -> Option<Run> {
        let is_partial = Judged::of(ask.index) == Judged::PartlyByVectors;
        is_partial.then_some(|ask| by_evidence(ask.index).to_vec())
    }

    fn is_by_evidence(&self, index: &Index<'_>) -> bool {
        Judged::of(index) != Judged::BlackBox
    }

    fn coverage(&self, index: &Index<'_>) -> Option<(&'static str, Coverage)> {
        let is_partial = Judged::of(index).is_partial();
        is_partial.then(|| ("evidence", coverage(index)))
    }
}

/// What the guarantees are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// What a replica had applied.
    ByVectors,
    /// A replica may hold the session's put and rightly show another one, so versions decide.
    ByVersions,
    /// What clients saw, and nothing else.
    BlackBox,
    /// Vectors where there are any, and what clients saw everywhere.
    PartlyByVectors,
    /// Versions, and vectors, where there are any.
    PartlyByVersions,
}

impl Judged {
    /// By what evidence there is.
    pub(super) fn of(index: &Index<'_>) -> Self {
        *index.guarantees.get_or_init(|| Self::by_evidence(index))
    }

    fn by_evidence(index: &Index<'_>) -> Self {
        let columns = index.columns;
        let acknowledged = |row: &usize| {
            index.counts(*row) && columns.outcome[*row] == crate::history::Outcome::Ok
        };
        let mut rows = [0u64; 3];
        for row in (0..index.history.len()).filter(acknowledged) {
            rows[match columns.evidence[row] {
                Evidence::None => 0,
                Evidence::Causal => 1,
                Evidence::Versions => 2,
            }] += 1;
        }
        match rows {
            [_, 0, 0] => Self::BlackBox,
            [0, _, 0] => Self::ByVectors,
            [0, 0, _] => Self::ByVersions,
            [_, _, 0] => Self::PartlyByVectors,
            [_, _, _] => Self::PartlyByVersions,
        }
    }

    /// Whether evidence covers a part of the history only.
    pub(super) const fn is_partial(self) -> bool {
        matches!(self, Self::PartlyByVectors | Self::PartlyByVersions)
    }

    /// Whether what clients saw is looked at, which costs more than a pass.
    pub(super) const fn is_searched(self) -> bool {
        matches!(self, Self::BlackBox | Self::PartlyByVectors)
    }
}

/// Checks read-your-writes, monotonic reads, monotonic writes and writes-follow-reads.
pub(super) fn check(index: &Index<'_>, judged: Judged) -> [Check; 4] {
    match judged {
        Judged::ByVectors => vectors::check(index),
        Judged::ByVersions => versions::check(index),
        Judged::BlackBox => by_what_clients_saw(index, index.dominance),
        Judged::PartlyByVectors => worse(
            by_evidence(index),
            by_what_clients_saw(index, index.dominance),
        ),
        Judged::PartlyByVersions => by_evidence(index),
    }
}

/// What evidence of a part of the history says: it refutes a guarantee or leaves it open.
pub(super) fn by_evidence(index: &Index<'_>) -> [Check; 4] {
    let coverage = coverage(index);
    let left_open = |mut check: Check| {
        if !check.verdict.is_invalid() {
            check.verdict = Verdict::unknown(format!(
                "{coverage} carry evidence: nothing refutes those, and the others cannot be judged"
            ));
        }
        check
    };
    worse(vectors::check(index), versions::check(index)).map(left_open)
}

/// How many operations carry evidence, of whatever kind.
pub(super) fn coverage(index: &Index<'_>) -> Coverage {
    Coverage::of(index, |row| index.columns.evidence[row] != Evidence::None)
}

/// Of each two checks of a guarantee the one that refutes it, or else the second.
fn worse(first: [Check; 4], second: [Check; 4]) -> [Check; 4] {
    let mut second = second.into_iter();
    first.map(|first| match second.next() {
        Some(second) if !first.verdict.is_invalid() => second,
        Some(_) | None => first,
    })
}

fn by_what_clients_saw(index: &Index<'_>, dominance: Dominance) -> [Check; 4] {
    if let Some(key) = spread(index) {
        return PROPERTIES.map(|property| Check {
            property,
            checked: 0,
            verdict: Verdict::unknown(format!("{key} belongs to two replica groups")),
        });
    }
    let graph = match dominance {
        Dominance::Applied => Graph::new(index),
        Dominance::Context => Graph::with_contexts(index),
    };
    let causes = order(&graph, &Conflicts::default());
    let mut found = Found::new(&graph);
    let done = if causes.circles.is_empty() {
        match dominance {
            Dominance::Applied => applied::find(&graph, &causes.rows, &mut found),
            Dominance::Context => contexts::find(&graph, &causes.rows, &mut found),
        }
    } else {
        Err("causes and effects form a circle (see causal)".to_owned())
    };
    if let Err(reason) = done {
        found.leave_open(&reason);
    }
    found.checks()
}
