//! What the nemesis did to a run, and what the run's clients noticed of it.

use serde::{Deserialize, Serialize};

/// The faults of a run. Empty when there was no nemesis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultsRecord {
    /// Every fault that was installed, in the order of its start. Windows may overlap.
    pub windows: Vec<FaultWindow>,
    /// Faults that could not be installed or undone, each with the reason: failures of the
    /// harness, which are no fault of the store.
    pub failures: Vec<String>,
}

/// One fault, from its start to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultWindow {
    /// `partition`, `kill`, `pause`, `packet`, `clock` or `disk`.
    pub kind: String,
    /// What was done, in a few words: `partition majority: n0 | n1 n2`.
    pub fault: String,
    /// The nodes that it acted on.
    pub nodes: Vec<u32>,
    /// When it was installed, in ns since the run began, on the generator's clock.
    pub from_ns: u64,
    /// When it was healed.
    pub to_ns: u64,
    /// The measured part before it, back to the end of the fault before it or the start.
    pub before: PeriodRecord,
    /// While it lasted.
    pub during: PeriodRecord,
    /// After it, up to the start of the next fault or the end.
    pub after: PeriodRecord,
    /// From its end until operations succeed again as before it (docs/faults.md has the
    /// definition), in ns; absent when that was not before the next fault or the end.
    pub recovery_ns: Option<u64>,
}

/// What clients noticed in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeriodRecord {
    /// How long it was.
    pub seconds: f64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that failed or whose outcome is unknown.
    pub errors: u64,
    /// The 99th percentile of the latency of those that succeeded, in ns.
    pub p99_ns: Option<u64>,
    /// The largest latency of those that succeeded, in ns.
    pub max_ns: Option<u64>,
}
