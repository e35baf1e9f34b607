//! A node: the process that drives one replica, and the launcher that starts and controls nodes.
//!
//! A node has one thread. It decodes every request that a read brought, hands each to the replica,
//! encodes the answers into the connections' outboxes, pushes what is new to its peers, and goes
//! back to sleep. Here the wall clock and the random source are read; the replica never does.
//! What it must not do: decide anything about the store. Neighbours: `replica`, which it drives;
//! `transport`, which carries the bytes; `run`, which launches nodes.
//!
//! A node exits when its control channel closes. One that is stopped (SIGSTOP) sees no closed
//! channel: its place kills it, and the kernel does when the place's agent dies.

mod child;
mod connections;
mod control;
mod counters;
mod disk;
mod failure;
mod launcher;
mod peers;
mod process;
mod service;
mod talk;
mod timers;

pub use child::NodeHandle;
pub use control::{Answer, Command, NodeStatus, Start, TraceStart};
pub use counters::{Counters, DiskUsage, Usage};
pub use failure::{NodeError, UnexpectedExit};
pub use kvs_place::Processes;
pub use kvs_place::network::NetworkError;
pub use launcher::{Durability, HostKind, LaunchError, Launcher, STORE_EXTENSIONS};
pub use process::{run_if_node, run_node};

/// The argument that makes a program that calls [`run_if_node`] a node.
pub const NODE_ARGUMENT: &str = "node";

/// Writes a line to the node's log, which is its stderr.
fn log(message: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    // A log that cannot be written, its disk being full, must not stop the node.
    let _ = writeln!(std::io::stderr(), "{} {message}", jiff::Timestamp::now());
}
