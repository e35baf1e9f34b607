//! What shows that no visibility explains a history.

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
