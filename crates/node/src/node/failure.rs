//! Why a node does not do what was asked, or is no more.

use std::path::PathBuf;
use std::time::Duration;

use kvs_core::protocol::NodeId;
use kvs_place::PlaceError;

/// Why a node does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The program could not be run.
    #[error("cannot start node {node} by running {}", program.display())]
    Spawn {
        /// Which node.
        node: NodeId,
        /// What was run.
        program: PathBuf,
        /// What its place said.
        source: PlaceError,
    },
    /// It exited without being asked to.
    #[error("node {node} exited ({status}); the end of its log {}:\n{log}", path.display())]
    Exited {
        /// Which node.
        node: NodeId,
        /// How.
        status: String,
        /// Where its log is.
        path: PathBuf,
        /// The last lines of it.
        log: String,
    },
    /// It runs and does not answer: it may be paused, or the machine overloaded.
    #[error("node {node} did not answer within {waited:?}; the end of its log:\n{log}")]
    Silent {
        /// Which node.
        node: NodeId,
        /// How long was waited.
        waited: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// It answered that it cannot, or something that is no answer to this.
    #[error("node {node} failed: {reason}")]
    Failed {
        /// Which node.
        node: NodeId,
        /// What it said.
        reason: String,
    },
}

/// A node that exited without being asked to.
#[derive(Clone, Debug)]
pub struct UnexpectedExit {
    /// Which node.
    pub node: NodeId,
    /// How, in the words of the operating system.
    pub status: String,
    /// The last lines of its log.
    pub log: String,
}
