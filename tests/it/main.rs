//! The integration tests, one binary.

mod checker_corpus;
mod history;
