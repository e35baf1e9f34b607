//! The four session guarantees (Terry et al., *Session guarantees for weakly consistent
//! replicated data*, 1994), each on its own, by the best evidence that a history has: vectors,
//! versions, or only what clients saw. Contexts are per replica group.

mod along;
mod black_box;
mod contexts;
mod found;
mod vectors;
mod versions;

use super::index::Index;
use super::model::Model;
use super::property::Property;
use super::verdict::Check;
use crate::history::{Dominance, Evidence};

/// The guarantees in the order in which every check gives them.
pub(super) const PROPERTIES: [Property; 4] = [
    Property::ReadYourWrites,
    Property::MonotonicReads,
    Property::MonotonicWrites,
    Property::WritesFollowReads,
];

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
        (Judged::BlackBox, Dominance::Applied) => black_box::check(index),
        (Judged::BlackBox, Dominance::Context) => contexts::check(index),
    }
}
