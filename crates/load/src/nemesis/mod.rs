//! The nemesis: which faults hit a running cluster, which nodes they hit, and when.
//!
//! This is Jepsen's vocabulary as plain data, and schedules drawn from a seed. Nothing here acts:
//! a fault is a list of [`Harm`]s, which whoever can [`Reach`] the nodes does to them. `run` carries
//! a schedule out so, and records what came of it; `sim` does it to its world.
//! docs/reference/faults.md says what each fault does and where it acts.

mod fault;
mod faults;
mod plan;
mod reach;
mod room;
mod schedule;
mod simulated;
mod targets;
#[cfg(test)]
mod tests;
mod wanted;

pub use fault::Fault;
pub use faults::{
    ClockFault, Deafness, DiskFault, FAULTS, FaultKind, FaultRow, PacketFault, Part, PartitionShape,
};
pub use plan::{Plan, PlanError, Step};
pub use reach::{Harm, Reach};
pub use room::{INTERVAL_NS_MIN, Lack};
pub use schedule::{Schedule, ScheduledFault};
pub use simulated::{Needs, OnlyProcesses, SimDraws, SimFault, SimRow, Strike};
pub use targets::{Role, Target};
pub use wanted::{INTERVAL, Refusal, Site, Wanted};
