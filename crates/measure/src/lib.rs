//! What a run cost: latency histograms, time series, and the run record that keeps them.
//!
//! [`Meter`] is the hot half, which `client` calls once an operation. A thread of its own folds
//! each interval into the totals and writes the HDR interval log. [`RunRecord`] is `run.json`:
//! everything that is known of a run, as plain data, from which `report` makes every page. Times
//! are nanoseconds since the run began, on the generator's clock. Nothing here reads a clock.

mod fault;
mod hgrm;
mod histogram;
mod interval;
mod interval_log;
mod kind;
mod machine;
mod measured_file;
mod meter;
mod pulse;
mod record;
mod record_file;
mod schedule;
mod series;
pub mod shell;
mod slo;
mod statistics;
#[cfg(test)]
mod tests;
mod verdict;

pub use fault::{FaultCoverage, FaultWindow, FaultsRecord, PeriodRecord, fault_colour};
pub use hgrm::write_hgrm;
pub use histogram::{Histogram, LATENCY_NS_MAX, SIGNIFICANT_DIGITS, Summary};
pub use interval::INTERVALS_QUEUED_MAX;
pub use interval_log::{IntervalLogError, merge_interval_log};
pub use kind::OperationKind;
pub use meter::{ErrorOutcome, ErrorRecord, Measured, Meter, MeterSettings, NOT_STARTED, Progress};
pub use pulse::Pulse;
pub use record::{
    Configuration, HistoryRecord, Machine, NodeRecord, PhaseRecord, PipeRecord, RUN_RECORD_VERSION,
    RunRecord, StalenessRecord, StoreRecord, Versions, WorkloadRecord,
};
pub use record_file::RunRecordError;
pub use series::{IntervalRow, IntervalSeries, KindRow, PlaceRow};
pub use slo::{ObjectiveRecord, ObjectiveUnit, Slo, SloError};
pub use statistics::{KindRecord, Statistics, Throughput, Unstarted};
pub use verdict::{
    AnomalyRecord, EngineRecord, ModelRecord, OperationRecord, VerdictRecord, VerdictWord,
};
