//! Integration tests: one binary, one module for each thing that is tested.

mod transport;
//! The integration tests, as one binary.
