//! The integration tests, as one binary.

mod replica_scripts;
