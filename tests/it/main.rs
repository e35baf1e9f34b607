//! Integration tests: one binary, one module for each thing that is tested.

mod transport;
//! Every integration test but the zoo's contract, in one binary.

mod measure;
mod workload;
//! The integration tests, one binary.

mod checker_corpus;
mod history;
//! The integration tests, as one binary.
