//! The integration tests, as one binary.

mod launcher;
mod replica_scripts;
mod transport;
