//! The integration tests, as one binary.

mod launcher;
mod transport;
mod replica_scripts;
