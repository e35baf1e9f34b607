//! What shows that no visibility explains a history.

use super::super::index::Table;
use super::saturation::Saturation;

/// What refutes a history, by rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Contradiction {
    /// Happens-before goes round in a circle, through this row.
    CyclicHb(Vec<u32>),
    /// `before` has to come before `after`, which comes before it.
    Cyclic {
        /// The put that has been superseded.
        before: u32,
        /// The put that has to have superseded it.
        after: u32,
        /// The get that forces it.
        get: u32,
    },
    /// The put is visible to the row, which returned before the put was invoked.
    Future {
        /// The put.
        put: u32,
        /// The row.
        row: u32,
    },
    /// The get returned `put` although it saw `later`.
    Stale {
        /// The put that was returned.
        put: u32,
        /// The put that follows it.
        later: u32,
        /// The get.
        get: u32,
    },
    /// The get saw the put, and nothing that it returned can have superseded it.
    Missed {
        /// The put.
        put: u32,
        /// The get.
        get: u32,
    },
    /// The get saw the put, and whatever of what it returned superseded it contradicts the rest.
    NoChoice {
        /// The put.
        put: u32,
        /// The get.
        get: u32,
    },
}

/// Contradictions that are counted at most.
const CONTRADICTIONS_MAX: usize = 10_000;

/// What was found to contradict.
#[derive(Default)]
pub(super) struct Refuted {
    /// Whether something does, be it in an attempt.
    pub(super) is_so: bool,
    /// What does outside of attempts, each once.
    pub(super) contradictions: Vec<Contradiction>,
    told: Table<Contradiction, ()>,
}

impl Saturation<'_, '_> {
    /// Notes that something contradicts; what only an attempt leads to is not kept.
    pub(super) fn contradict(&mut self, contradiction: Contradiction) {
        let is_attempt = self.attempt.is_some();
        let refuted = &mut self.refuted;
        refuted.is_so = true;
        if !is_attempt
            && refuted.contradictions.len() < CONTRADICTIONS_MAX
            && refuted.told.insert(contradiction.clone(), ()).is_none()
        {
            refuted.contradictions.push(contradiction);
        }
    }
}
