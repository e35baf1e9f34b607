//! What clients notice when a node goes: how long nobody could write, and the second in which it
//! happened.

use serde::{Deserialize, Serialize};

use kvs_measure::VerdictWord;

/// A store under faults of one kind that meet the node which takes the writes, one after the other
/// in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailOver {
    /// What happened to the node: `kill`, `pause` or `cut off`.
    pub way: String,
    /// Arrivals a second, reads included.
    pub rate: f64,
    /// One for each fault, in the order in which they came.
    pub outages: Vec<Outage>,
    /// The longest time without a write in the second before each fault, in ns: what chance and the
    /// machine make of it.
    pub calm_ns: Vec<u64>,
    /// The course around a fault, over all of them.
    pub course: Course,
    /// Whether the promise was kept.
    pub verdict: VerdictWord,
    /// Whether the run's performance numbers are void.
    pub void: bool,
    /// The run.
    pub directory: String,
}

/// How long nobody could write because of one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// The longest time between two acknowledged writes in the group of the node, from the fault up
    /// to the next, in ns.
    pub without_writes_ns: u64,
    /// Whether a write was acknowledged at its end. Otherwise it lasted longer.
    pub ended: bool,
}

/// What clients saw around a fault: equal bins of time over all faults of a kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Where the first bin begins, in ns before the fault.
    pub before_ns: u64,
    /// How long each bin is, in ns.
    pub bin_ns: u64,
    /// Writes that were acknowledged in a bin, a second.
    pub writes_per_s: Vec<f64>,
    /// The 99th percentile of how long writes took that were meant to start in a bin, in ns. Absent
    /// where none was, or where more than one of a hundred was never acknowledged.
    pub p99_ns: Vec<Option<u64>>,
}

impl FailOver {
    /// The median outage, and the worst.
    #[must_use]
    pub fn outage(&self) -> Option<(Outage, Outage)> {
        let mut outages = self.outages.clone();
        outages.sort_unstable_by_key(|one| (one.without_writes_ns, !one.ended));
        let worst = outages.last()?;
        Some((outages[outages.len() / 2], *worst))
    }

    /// The median of the longest times without a write before faults, in ns.
    #[must_use]
    pub fn calm_ns(&self) -> Option<u64> {
        let mut calm_ns = self.calm_ns.clone();
        calm_ns.sort_unstable();
        calm_ns.get(calm_ns.len() / 2).copied()
    }
}
