//! A zoo of key-value store architectures built from one small set of composable parts, and the
//! harness that measures and verifies them.
//!
//! The modules stand in the order in which data flows. `tests/it/layering.rs` keeps true which of
//! them may use which.

// What is asked.
pub mod workload;

// What clients and servers say to one another.
pub mod protocol;

// The store: sans-IO and deterministic.
pub mod bug;
pub mod replica;
pub mod server;
pub mod session;
pub mod trace;
pub mod values;

// The real world: sockets, clocks, processes, and what is done to them.
pub mod client;
pub mod nemesis;
pub mod node;
pub mod run;
pub mod storage;
pub mod transport;

// A world of virtual time.
pub mod sim;

// What happened, and was it right.
pub mod checker;
pub mod evidence;
pub mod history;
pub mod measure;
pub mod report;
pub mod serve;

pub mod cli;
