//! What the launcher and a node say to each other on the node's stdin and stdout. Each line is one
//! JSON value. Each command has one answer, in order.
//!
//! No fault of the network touches this channel: the node's place carries it. A node that sees it
//! close exits.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::counters::{Counters, DiskUsage, Usage};
use crate::storage::DiskFault;
use crate::transport::Identity;
use crate::transport::faults::{FaultCounts, NetworkFaults};
use kvs_core::protocol::NodeId;
use kvs_core::replica::{ReplicaSpec, Status};

/// The longest line either side accepts, in bytes, which is what a place carries: peers of a
/// deployment as large as node ids allow fit.
pub(super) const LINE_BYTES_MAX: u64 = kvs_place::channel::PROGRAM_LINE_BYTES_MAX as u64;

/// The first line a node reads: all that it needs to be a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The replica it is to run.
    pub spec: ReplicaSpec,
    /// Proof of who it is.
    pub identity: Identity,
    /// Where it is to serve; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// The seed of its choices of peers.
    pub seed: u64,
    /// How what its replica is given is to be recorded, if it is.
    pub trace: Option<TraceStart>,
    /// The file in which it keeps its state, if it does.
    pub disk: Option<PathBuf>,
}

/// The record of what a replica is given: docs/guides/traces.md.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceStart {
    /// The file.
    pub path: PathBuf,
    /// The program that the trace names as its recorder.
    pub program: String,
}

/// What the launcher asks of a running node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// These are the nodes and where they are. Replaces what was said before.
    Peers {
        /// Every node of the deployment, the node itself included.
        addresses: Vec<(NodeId, SocketAddr)>,
    },
    /// How is it going?
    Status,
    /// From now on the node's clock reads this much more than the machine's.
    ClockOffset {
        /// In ns; negative when it is to read less.
        offset_ns: i64,
    },
    /// From now on these faults meet what the node sends and receives, and no others.
    Network {
        /// What goes wrong.
        faults: NetworkFaults,
    },
    /// From now on this goes wrong with the node's disk, and nothing else.
    Disk {
        /// What.
        fault: DiskFault,
    },
    /// Answer, then exit in good order.
    Shutdown,
}

/// What a node answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// To [`Start`]: it serves at this address.
    Ready {
        /// Its address, the port chosen.
        addr: SocketAddr,
    },
    /// To [`Command::Status`].
    Status(Box<NodeStatus>),
    /// To every other command: it is done.
    Done,
    /// The line could not be understood, or not be done.
    Failed {
        /// Why.
        reason: String,
    },
}

/// How a node is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// What its replica says.
    pub replica: Status,
    /// What the node counted.
    pub counters: Counters,
    /// Datagrams that met a fault of the network.
    pub faults: FaultCounts,
    /// What its disk did, if it has one.
    pub disk: Option<DiskUsage>,
    /// What it has used of the machine.
    pub usage: Usage,
}
