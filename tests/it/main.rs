//! Integration tests: one binary, one module for each thing that is tested.

mod history;
//! The integration tests, as one binary.
mod layering;
mod measure;
mod transport;
mod workload;
