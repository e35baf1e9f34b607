//! The integration tests, except that of the zoo's contract. They are one binary, with a module for
//! each subject.

mod abuse;
mod arrivals;
mod bugs;
mod checker_corpus;
mod cli;
mod compare;
mod dependencies;
mod edn;
mod explanations;
mod faulted_histories;
mod foreign_files;
mod foreign_values;
mod fuzz_corpus;
mod handed_in;
mod history;
mod hostile_histories;
mod imports;
mod input;
mod launcher;
mod layering;
mod measure;
mod namespaces;
mod nemesis;
mod open_loop;
mod pages;
mod planted_under_faults;
mod program;
mod replica_scripts;
mod scale;
mod simulation;
mod traces;
mod transport;
mod trouble;
mod workload;
