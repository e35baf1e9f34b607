//! What a run cost: latency histograms, time series, and the run record that keeps them.
//!
//! [`Recorder`] is the hot half, called once an operation by `client`; a thread of its own folds
//! each interval into the totals and writes the HDR interval log. [`RunRecord`] is `run.json`: all
//! that is known of a run, as plain data, from which `report` makes every page again.
//! Times are nanoseconds since the run began, on the generator's clock; nothing here reads a clock.

mod hgrm;
mod histogram;
mod interval;
mod kind;
mod machine;
mod record;
mod recorder;
mod series;

pub use hgrm::write_hgrm;
pub use histogram::{Histogram, LATENCY_NS_MAX, SIGNIFICANT_DIGITS, Summary};
pub use interval::INTERVALS_QUEUED_MAX;
pub use kind::OperationKind;
pub use record::{
    AnomalyRecord, Configuration, EngineRecord, HistoryRecord, KindRecord, Machine, ModelRecord,
    NodeRecord, PhaseRecord, RUN_RECORD_VERSION, RecordError, RunRecord, StalenessRecord,
    Statistics, Throughput, VerdictRecord, VerdictWord, Versions, WorkloadRecord,
};
pub use recorder::{ErrorRecord, Measured, Outcome, Progress, Recorder, RecorderSettings};
pub use series::{IntervalRow, IntervalSeries, KindRow};
