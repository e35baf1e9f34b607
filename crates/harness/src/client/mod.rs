//! Drives sessions over the transport: the load of a run, honestly paced and recorded, and a
//! convenient client for examples and tests.
//!
//! It knows nodes by their address and what they promise by `server::ServerPorts`; it must not
//! know what a replica is. Neighbours: `workload` says what to do, `session` where to send it,
//! `history` and `measure` keep what happened, and `run` decides which phase is on.

mod driver;
mod handle;
mod keeper;
mod load;
#[cfg(test)]
mod tests;
mod timer;
mod work;

pub use driver::{Driver, DriverSettings, Progress};
pub use handle::{Client, ClientError, ClientSession, Read};
pub use kvs_core::drive::{LANES_MAX, PAUSE_NS, Sent, Wire};
pub use kvs_target::NodeAddress;
pub use load::{ConnectError, Load, LoadError, RunClock};
pub use work::{LATE_NS, Plan};
