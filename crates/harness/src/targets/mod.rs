//! The stores that the harness can drive, one folder each.
//!
//! `run` knows them as `dyn Target` only. What only one store needs stands in its folder. The zoo
//! is one target. All others are a [`store`]: a file that says how to start and break it, and a
//! folder that speaks to it.

pub mod adapter;
mod etcd;
mod redis;
#[cfg(test)]
mod scripted;
pub mod store;
pub mod zoo;
