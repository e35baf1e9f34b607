//! Every integration test but the zoo's contract, in one binary.

mod measure;
mod workload;
