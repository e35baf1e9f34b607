//! The four session guarantees (Terry et al., *Session guarantees for weakly consistent
//! replicated data*, 1994), each on its own, by the best evidence that a history has: vectors,
//! versions, or only what clients saw. Contexts are per replica group.

mod along;
mod applied;
mod contexts;
mod found;
mod vectors;
mod versions;

use super::index::Index;
use super::model::Model;
use super::property::Property;
use super::single_value::graph::{Conflicts, Graph, order};
use super::single_value::spread;
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

/// The models that are made of one guarantee each.
pub(super) const MODELS: [Model; 4] = [
    Model::ReadYourWrites,
    Model::MonotonicReads,
    Model::MonotonicWrites,
    Model::WritesFollowReads,
];

/// What the guarantees are judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// What a replica had applied.
    ByVectors,
    /// A replica may hold the session's put and rightly show another one, so versions decide.
    ByVersions,
    /// What clients saw, and nothing else.
    BlackBox,
}

impl Judged {
    pub(super) fn of(index: &Index<'_>) -> Self {
        let evidence = &index.columns.evidence;
        if evidence.contains(&Evidence::Causal) {
            Self::ByVectors
        } else if evidence.contains(&Evidence::Lww) {
            Self::ByVersions
        } else {
            Self::BlackBox
        }
    }
}

/// Checks read-your-writes, monotonic reads, monotonic writes and writes-follow-reads.
pub(super) fn check(index: &Index<'_>, judged: Judged) -> [Check; 4] {
    match (judged, index.dominance) {
        (Judged::ByVectors, _) => vectors::check(index),
        (Judged::ByVersions, _) => versions::check(index),
        (Judged::BlackBox, dominance) => by_what_clients_saw(index, dominance),
    }
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
