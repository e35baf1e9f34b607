//! The integration tests but for the zoo's contract: one binary, one module a subject.

mod checker_corpus;
mod history;
mod launcher;
mod layering;
mod measure;
mod replica_scripts;
mod transport;
mod workload;
