//! The integration tests but for the zoo's contract: one binary, one module a subject.

mod history;
mod layering;
mod measure;
mod transport;
mod workload;
//! The integration tests, as one binary.

mod launcher;
mod transport;
mod replica_scripts;
