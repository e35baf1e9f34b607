//! The stores of the zoo: real node processes that talk QUIC.

mod cluster;
mod connection;
mod target;

pub use cluster::{Cluster, ClusterConfig};
pub use connection::QuicConnector;
pub use target::{Zoo, facts};
