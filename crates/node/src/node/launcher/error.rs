//! Why nodes could not be launched.

use std::path::PathBuf;

use crate::node::NodeError;
use crate::transport::TlsError;
use kvs_core::protocol::NodeId;
use kvs_place::PlaceError;
use kvs_place::network::NetworkError;

/// Why nodes could not be launched. Those that had started are killed.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Identities could not be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no directory for the logs.
    #[error("cannot create {}: is its parent writable?", path.display())]
    Logs {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The program that is to be run again is not known.
    #[error("cannot find out which program this is: name the one to run as nodes")]
    Program(#[source] std::io::Error),
    /// The nodes have no place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A node did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The nodes' network namespaces could not be made.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// No such node was ever given to this host.
    #[error("node {0} is not part of this deployment")]
    Unknown(NodeId),
}
