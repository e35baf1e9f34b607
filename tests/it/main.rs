//! The integration tests but for the zoo's contract: one binary, one module a subject.

mod abuse;
mod arrivals;
mod bugs;
mod checker_corpus;
mod cli;
mod compare;
mod explanations;
mod fuzz_corpus;
mod history;
mod hostile_histories;
mod imports;
mod launcher;
mod layering;
mod measure;
mod namespaces;
mod nemesis;
mod open_loop;
mod program;
mod replica_scripts;
mod scale;
mod simulation;
mod traces;
mod transport;
mod trouble;
mod workload;
