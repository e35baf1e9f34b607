//! The stores that the harness can drive, one folder each.
//!
//! `run` knows them as `dyn Target` alone. What only one of them needs stands in its folder. The zoo
//! is one of them; all others are a [`store`], a file that says how it is started and broken, and a
//! folder that knows how to speak to it.

pub mod adapter;
mod etcd;
mod redis;
pub mod store;
pub mod zoo;
