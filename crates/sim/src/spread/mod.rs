//! How updates spread among replicas that gossip: watched in a simulation, beside theory.

mod probe;
mod scale;
mod theory;

pub(super) use probe::Probe;
pub use probe::{Spread, Traffic, UpdateSpread};
pub use scale::Scale;
pub use theory::{Repair, Rumour};
