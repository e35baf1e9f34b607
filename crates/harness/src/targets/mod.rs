//! The stores that the harness can drive, one folder each.
//!
//! `run` knows them as `dyn Target` alone. What only one of them needs stands in its folder.

pub mod zoo;
