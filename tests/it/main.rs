//! The integration tests but for the zoo's contract: one binary, one module a subject.

mod history;
mod launcher;
mod layering;
mod measure;
mod replica_scripts;
mod transport;
mod workload;
mod replica_scripts;
mod transport;
