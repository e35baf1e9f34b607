//! The nemesis: which faults hit a running cluster, which nodes they hit, and when.
//!
//! This is Jepsen's vocabulary as plain data, and schedules drawn from a seed. Nothing here acts:
//! `run` carries a schedule out through the launcher, and records what came of it.
//! docs/reference/faults.md says what each fault does and where it acts.

mod fault;
mod partition;
mod plan;
mod room;
mod schedule;
mod targets;
#[cfg(test)]
mod tests;
mod wanted;

pub use fault::{ClockFault, DiskFault, Fault, FaultKind, PacketFault};
pub use partition::{Deafness, PartitionShape};
pub use plan::{Plan, PlanError, Step};
pub use room::{INTERVAL_NS_MIN, Lack};
pub use schedule::{Schedule, ScheduledFault};
pub use targets::Target;
pub use wanted::{INTERVAL, Refusal, Site, Wanted};
