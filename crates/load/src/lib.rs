//! The load on a store, and the faults meanwhile: [`workload`] draws the steps, their keys, sizes
//! and arrivals; [`nemesis`] draws the schedule of faults. Both are plain data, whose times and
//! rates [`humane`] reads and writes.

pub mod humane;
pub mod nemesis;
pub mod workload;
