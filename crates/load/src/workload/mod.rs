//! The load on a store: the workload file, and everything drawn from it and a seed.
//!
//! A [`Workload`] is a TOML file in YCSB's words. It and the run's seed decide the steps
//! ([`Generator`]), the intended start times of an open loop ([`Arrivals`]) and the bytes of every
//! value ([`payload`]). Nothing here knows who serves the requests. Nothing reads a clock or a
//! random source of its own, so the same seed gives the same run. Neighbours: `client`, which
//! carries the steps out, and `history`, which keeps the ids.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod alias;
mod arrivals;
mod catalogue;
mod chosen;
mod definition;
mod distribution;
mod error;
mod frontier;
mod generator;
mod key_sampler;
mod random;
mod scramble;
mod setting;
#[cfg(test)]
mod tests;
mod value_size;
mod zipf;

pub use crate::humane;
pub use arrivals::{ArrivalProcess, Arrivals};
pub use catalogue::{Catalogued, catalogue};
pub use chosen::Chosen;
pub use definition::{FaultStep, Mix, RATE_MAX, SESSIONS_MAX, Workload};
pub use distribution::Distribution;
pub use error::WorkloadError;
pub use frontier::UNACKNOWLEDGED_INSERTS_MAX;
pub use generator::{Generator, LoadSteps};
pub use kvs_core::drive::{
    KEY_COUNT_MAX, KEY_NAME_BYTES, Step, StepKind, key_name, key_number, payload,
};
pub use random::{FOREIGN_FIRST, Stream};
pub use setting::{Setting, settings};
pub use value_size::ValueSize;
