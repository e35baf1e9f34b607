//! A zoo of key-value store architectures built from one small set of composable parts, and the
//! harness that measures and verifies them.
//!
//! This is the façade: every module lives in a crate of its own under `crates/`, and is known here
//! by the name that examples and users know. They stand in the order in which data flows.

// What is asked.
pub use kvs_load::workload;

// What clients and servers say to one another.
pub use kvs_core::protocol;

// The store: sans-IO and deterministic.
pub use kvs_core::{barrier, bug, drive, replica, server, session, trace, values};

// The real world: sockets, clocks, processes, and what is done to them.
pub use kvs_harness::{client, run, targets};
pub use kvs_load::nemesis;
pub use kvs_node::{node, storage, transport};
pub use kvs_place as place;
pub use kvs_target as target;

// A world of virtual time.
pub use kvs_sim as sim;

// What happened, and was it right.
pub use kvs_check::{checker, history};
pub use kvs_measure as measure;
pub use kvs_recording as recording;
pub use kvs_report::{report, web};

// Many runs with one question.
pub use kvs_campaign as campaign;

pub mod cli;
