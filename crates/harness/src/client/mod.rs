//! Drives sessions over the transport: the load of a run, honestly paced and recorded, and a
//! convenient client for examples and tests.
//!
//! It knows nodes by their address and what they promise by `server::ServerPorts`; it must not
//! know what a replica is. Neighbours: `workload` says what to do, `session` where to send it,
//! `history` and `measure` keep what happened, and `run` decides which phase is on.

mod driver;
mod handle;
mod lane;
mod load;
#[cfg(test)]
mod tests;
mod timer;
mod work;

pub use driver::{Driver, PAUSE_NS, Progress, Sent, Settings, Wire};
pub use handle::{Client, ClientError, ClientSession, Read};
pub use lane::LANES_MAX;
pub use load::{Clock, ConnectError, Load, LoadError, NodeAddress};
pub use work::{LATE_NS, Plan};
