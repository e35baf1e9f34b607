//! Causal consistency of multi-value registers by what clients saw, under either rule of dominance.
//!
//! If a put supersedes all that its replica had applied, visibility decides what superseded what:
//! `black_box/`. If it supersedes its context only (Dynamo, Riak; Almeida et al., *Dotted version
//! vectors*, 2012), the contexts decide that, whatever visibility is. Then the least visibility is
//! the best one: with less of it each value that a get returned stays a maximum, and what
//! superseded the others was returned. The least visibility is happens-before, contexts included,
//! so the check has nothing to guess. A get is refuted when it returned a put that a visible one
//! supersedes (`stale-read`), or when a visible put is missing that no visible one supersedes
//! (`missed-write`). O(n·k) for k sessions that wrote.

mod context;

pub(super) use context::{Contexts, Wrong};

use super::black_box;
use super::happens_before::{
    Clocks, Conflicts, Graph, NONE, Seen, TooMany, order, shortest_circle, spread, too_many,
};
use super::index::Index;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::time::{OVER, Time};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Dominance, Evidence};

/// Up to this many operations the ladder asks the black box, which saturates, even if the verdict
/// does not need it.
const UNASKED_MAX: usize = 200_000;

/// The row of the table.
pub(super) struct ByVisibility;

impl Checker for ByVisibility {
    fn properties(&self) -> &'static [Property] {
        &[Property::CausalBlackBox]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Search {
            unasked_max: UNASKED_MAX,
            is_dear: true,
        }
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check_within(ask.index, ask.time)]
    }

    fn obstacle(&self, ask: &Ask<'_, '_>) -> Option<String> {
        let is_lww = !ask.is_asked && ask.index.columns.evidence.contains(&Evidence::Versions);
        is_lww.then(|| "the last write wins, siblings are not kept".to_owned())
    }

    fn settled_by(&self, ask: &Ask<'_, '_>) -> &'static [Property] {
        match (ask.is_asked, ask.index.dominance) {
            (true, _) => &[],
            (false, Dominance::Applied) => &[Property::Linearizable, Property::Causal],
            (false, Dominance::Context) => &[Property::Causal],
        }
    }

    fn proved_by(&self) -> Option<Property> {
        Some(Property::Causal)
    }
}

/// Checks under the rule of the index.
pub(super) fn check(index: &Index<'_>) -> Check {
    check_within(index, &index.time)
}

/// The same in so much time.
pub(super) fn check_within(index: &Index<'_>, time: &Time) -> Check {
    match index.dominance {
        Dominance::Applied => black_box::check_in(index, black_box::Limits::default(), time),
        Dominance::Context => by_contexts(index, time),
    }
}

fn by_contexts(index: &Index<'_>, time: &Time) -> Check {
    let property = Property::CausalBlackBox;
    if let Some(key) = spread(index) {
        return Check {
            property,
            checked: 0,
            verdict: Verdict::unknown(format!("{key} belongs to two replica groups")),
        };
    }
    let graph = Graph::with_contexts(index);
    let checked = graph.rows.len() as u64;
    let mut judge = LeastVisibility {
        graph: &graph,
        time,
        findings: Findings::new(index.history, property),
        latest: vec![NONE; index.history.len()],
    };
    let open = judge.run().err();
    let refuted = !judge.findings.is_empty();
    let mut check = judge.findings.check(checked);
    if let (Some(reason), false) = (open, refuted) {
        check.verdict = Verdict::unknown(reason);
    }
    check
}

struct LeastVisibility<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    time: &'g Time,
    findings: Findings<'h>,
    /// Row to the put up to it that was invoked last, or [`NONE`].
    latest: Vec<u32>,
}

impl LeastVisibility<'_, '_, '_> {
    fn run(&mut self) -> Result<(), String> {
        let graph = self.graph;
        let causes = order(graph, &Conflicts::default());
        for component in &causes.circles {
            let circle = shortest_circle(graph, &Conflicts::default(), component);
            let rows: Vec<usize> = circle.iter().map(|row| *row as usize).collect();
            self.findings.add(AnomalyKind::CyclicHb, &rows, || {
                "what sessions did, what they read and what they said they had seen put each of \
                 these before the others: a circle"
                    .to_owned()
            });
        }
        if !causes.circles.is_empty() {
            return Ok(());
        }
        let mut contexts = Contexts::new(graph.index, graph.all_runs())?;
        let mut clocks = Clocks::new(graph);
        let mut ticker = self
            .time
            .ticker(Property::CausalBlackBox.name(), causes.rows.len());
        for row in &causes.rows {
            if ticker.is_over() {
                return Err(OVER.to_owned());
            }
            clocks.enter(*row).map_err(|TooMany| too_many(graph))?;
            self.real_time(*row);
            if !graph.is_put(*row) {
                self.get(*row, clocks.now(*row), &mut contexts)?;
            }
            clocks.leave(*row);
        }
        Ok(())
    }

    /// Nothing is visible to what had returned before it was invoked.
    fn real_time(&mut self, row: u32) {
        let (graph, index) = (self.graph, self.graph.index);
        let invoke = |put: u32| index.invoke(put as usize);
        let previous = graph.previous[row as usize];
        let causes = std::iter::once(previous).chain(graph.sources(row).iter().copied());
        let known = causes.filter(|cause| *cause != NONE);
        let latest = known
            .map(|cause| self.latest[cause as usize])
            .filter(|put| *put != NONE)
            .max_by_key(|put| invoke(*put));
        if let Some(put) = latest.filter(|put| invoke(*put) > index.returned(row as usize)) {
            let rows = [row as usize, put as usize];
            self.findings.add(AnomalyKind::CyclicVisibility, &rows, || {
                format!(
                    "{} has to be visible to {}, which had returned before",
                    index.name(put as usize),
                    index.name(row as usize)
                )
            });
        }
        let own = graph.is_put(row).then_some(row);
        let latest = latest.into_iter().chain(own).max_by_key(|put| invoke(*put));
        self.latest[row as usize] = latest.unwrap_or(NONE);
    }

    fn get(&mut self, get: u32, now: Seen<'_>, contexts: &mut Contexts<'_>) -> Result<(), String> {
        let graph = self.graph;
        let index = graph.index;
        let key = index.key[get as usize];
        let seen = graph.seen_on(key, now);
        let id = |put: u32| {
            index
                .history
                .value_name(index.columns.written[put as usize])
        };
        let name = || index.name(get as usize);
        for wrong in contexts.judge(index, key, &seen, index.puts_read(get as usize))? {
            match wrong {
                Wrong::Superseded { put, by } => {
                    let rows = [put, by, get].map(|row| row as usize);
                    self.findings.add(AnomalyKind::StaleRead, &rows, || {
                        format!(
                            "{} returned {} although {}, whose context has it, happened before that",
                            name(),
                            id(put),
                            id(by)
                        )
                    });
                }
                Wrong::Missing { put } => {
                    let returned = index.puts_read(get as usize).iter().copied();
                    let rows = std::iter::once(put).chain(returned).chain([get]);
                    let rows: Vec<usize> = rows.map(|row| row as usize).collect();
                    self.findings.add(AnomalyKind::MissedWrite, &rows, || {
                        format!(
                            "the put of {} happened before {}, which did not return it, and no \
                             context has it",
                            id(put),
                            name()
                        )
                    });
                }
            }
        }
        Ok(())
    }
}
