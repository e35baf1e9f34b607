//! The replicas, values and compositions of kvs-zoo: state machines that do no I/O.
//!
//! This crate is to the harness what quinn-proto is to quinn. It owns no socket, file, clock,
//! thread or random source. Time, randomness and identity are arguments, so nodes, the simulator
//! and the models run the same code.

pub mod barrier;
pub mod bug;
pub mod drive;
pub mod protocol;
pub mod replica;
pub mod server;
pub mod session;
pub mod trace;
pub mod values;
