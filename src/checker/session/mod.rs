//! The four session guarantees (Terry et al., *Session guarantees for weakly consistent
//! replicated data*, 1994), each on its own, by the best evidence that a history has: vectors,
//! versions, or only what clients saw. Contexts are per replica group.

mod black_box;
mod vectors;
mod versions;

use super::index::Index;
use super::model::Model;
use super::property::Property;
use super::verdict::{Check, Verdict};
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
    // What is missing may have been superseded by what the get returned, which contexts decide.
    if judged == Judged::BlackBox && index.dominance == Dominance::Context {
        return PROPERTIES.map(|property| Check {
            property,
            checked: 0,
            verdict: Verdict::unknown(
                "where a put supersedes its context only, the guarantees are judged by vectors, \
                 or with causal",
            ),
        });
    }
    match judged {
        Judged::ByVectors => vectors::check(index),
        Judged::ByVersions => versions::check(index),
        Judged::BlackBox => black_box::check(index),
    }
}
