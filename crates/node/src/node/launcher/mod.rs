//! A host whose nodes are processes at a place on this machine.
//!
//! It has the place run the launcher's own program again with the argument `node`, gives each node
//! an identity, tells all where the others are, and leaves none behind: a node dies with the place,
//! which ends with the launcher's process, and with its [`NodeHandle`].

mod error;
mod kinds;
mod lives;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::child::NodeHandle;
use super::control::{Command, NodeStatus};
use super::failure::{NodeError, UnexpectedExit};
use crate::transport::faults::NetworkFaults;
use crate::transport::{CertificateAuthority, Endpoint, EndpointError, Identity};
use kvs_core::bug::Bug;
use kvs_core::protocol::NodeId;
use kvs_core::replica::{ReplicaSpec, Settings};
use kvs_core::server::Host;
use kvs_place::network::{LinkFaults, Network};
use kvs_place::{Place, Processes};

pub use error::LaunchError;
pub use kinds::{Durability, HostKind};

/// Exits that may wait to be heard of; what comes beyond shows in the nodes' logs alone.
const EXITS_MAX: usize = 4096;

/// What the name of a node's file ends with.
const STORE_EXTENSION: &str = "redb";
/// What the names of all files end with in which nodes store something.
pub const STORE_EXTENSIONS: [&str; 2] = [STORE_EXTENSION, "journal"];

/// Collects the replicas of a deployment, then runs each in a process of its own.
#[derive(Debug)]
pub struct Launcher {
    authority: CertificateAuthority,
    program: PathBuf,
    logs: PathBuf,
    seed: u64,
    settings: Settings,
    bug: Option<Bug>,
    traced_by: Option<String>,
    host: HostKind,
    durability: Durability,
    /// How often each node was started again.
    restarts: BTreeMap<NodeId, u32>,
    /// Where the nodes run, once they were launched.
    place: Option<Place>,
    /// Their namespaces, once they were launched, if they have any.
    network: Option<Network>,
    reserved: u16,
    specs: BTreeMap<NodeId, ReplicaSpec>,
    nodes: BTreeMap<NodeId, NodeHandle>,
    processes: Processes,
    exits: mpsc::Sender<UnexpectedExit>,
    exited: mpsc::Receiver<UnexpectedExit>,
}

impl Launcher {
    /// A launcher with an authority of its own. Each node's stderr goes to `logs/<id>.log`, a
    /// directory that is created when missing. `seed` decides the nodes' choices of peers.
    ///
    /// # Errors
    /// When no authority can be made or the directory cannot be.
    pub fn new(logs: &Path, seed: u64) -> Result<Self, LaunchError> {
        std::fs::create_dir_all(logs).map_err(|source| LaunchError::Logs {
            path: logs.to_owned(),
            source,
        })?;
        let (exits, exited) = mpsc::channel(EXITS_MAX);
        Ok(Self {
            authority: CertificateAuthority::new()?,
            program: std::env::current_exe().map_err(LaunchError::Program)?,
            logs: logs.to_owned(),
            seed,
            settings: Settings::default(),
            bug: None,
            traced_by: None,
            host: HostKind::default(),
            durability: Durability::default(),
            restarts: BTreeMap::new(),
            place: None,
            network: None,
            reserved: 0,
            specs: BTreeMap::new(),
            nodes: BTreeMap::new(),
            processes: Processes::default(),
            exits,
            exited,
        })
    }

    /// Runs `program` as nodes, and as the agent of their place, instead of this program again: it
    /// must begin with [`run_if_node`](super::run_if_node).
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Gives the replicas of this host these intervals and bounds instead of the default ones.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Builds every replica of this host with a planted bug.
    #[must_use]
    pub fn with_bug(mut self, bug: Option<Bug>) -> Self {
        self.bug = bug;
        self
    }

    /// Lets every node record what its replica is given, in `logs/<id>.trace`; after it was started
    /// again for the n-th time in `logs/<id>.<n>.trace`. `traced_by` is the program that the trace
    /// names as its recorder; none records nothing.
    #[must_use]
    pub fn with_traces(mut self, traced_by: Option<String>) -> Self {
        self.traced_by = traced_by;
        self
    }

    /// Says what nodes acknowledge. Their files are `logs/<id>.redb` and `logs/<id>.*.journal`.
    #[must_use]
    pub const fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Says where nodes run. Whatever is made for it is removed with the launcher.
    #[must_use]
    pub const fn with_host(mut self, host: HostKind) -> Self {
        self.host = host;
        self
    }

    /// Applies these faults, and no others, to what a node sends and receives. A node that is
    /// `paused` hears of it when it goes on.
    ///
    /// # Errors
    /// When the node does not answer. One that has exited is no error: nothing reaches it.
    pub async fn set_network(
        &self,
        node: NodeId,
        faults: NetworkFaults,
        paused: bool,
    ) -> Result<(), LaunchError> {
        let Some(handle) = self.nodes.get(&node) else {
            return Ok(());
        };
        let faults = match &self.network {
            Some(network) => NetworkFaults {
                sent: network.set(node.0, link_faults(&faults)).await?,
                ..NetworkFaults::default()
            },
            None => faults,
        };
        if paused {
            handle.tell(&Command::Network { faults });
            return Ok(());
        }
        match handle.network(faults).await {
            Ok(()) | Err(NodeError::Exited { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The node of that id, when it was launched.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&NodeHandle> {
        self.nodes.get(&id)
    }

    /// Takes the node out of the launcher's care, to kill it or shut it down alone.
    pub fn take(&mut self, id: NodeId) -> Option<NodeHandle> {
        let taken = self.nodes.remove(&id);
        self.note_processes();
        taken
    }

    /// The processes of the nodes, as they are now and from now on.
    #[must_use]
    pub fn processes(&self) -> Processes {
        self.processes.clone()
    }

    fn note_processes(&self) {
        let own = self.nodes().map(|node| (node.id().0, node.pid()));
        self.processes.set(own);
    }

    /// All nodes that were launched, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeHandle> {
        self.nodes.values()
    }

    /// Where each node serves.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<NodeId, SocketAddr> {
        self.nodes().map(|node| (node.id(), node.addr())).collect()
    }

    /// How each node is, in the order of their ids.
    pub async fn statuses(&self) -> Vec<(NodeId, Result<NodeStatus, NodeError>)> {
        let mut statuses = Vec::with_capacity(self.nodes.len());
        for node in self.nodes() {
            statuses.push((node.id(), node.status().await));
        }
        statuses
    }

    /// The next node that exits without having been asked to. Pends while there is none.
    pub async fn unexpected_exit(&mut self) -> UnexpectedExit {
        self.exited
            .recv()
            .await
            .expect("the launcher holds a sender itself")
    }

    /// A node that has exited without having been asked to, if there is one not yet told of.
    pub fn try_unexpected_exit(&mut self) -> Option<UnexpectedExit> {
        self.exited.try_recv().ok()
    }

    /// An identity with which a client may connect to these nodes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn client_identity(&self) -> Result<Identity, LaunchError> {
        Ok(self.authority.client()?)
    }

    /// An endpoint with which a client may connect to these nodes.
    ///
    /// # Errors
    /// When there is no identity or no socket for it.
    pub fn client_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let addr = match &self.network {
            Some(network) => network.clients_addr(),
            None => Ipv4Addr::LOCALHOST,
        };
        Endpoint::client_at(&self.authority.client()?, addr.into())
    }
}

/// Only collects: [`Launcher::launch`] runs what was collected.
impl Host for Launcher {
    fn reserve(&mut self) -> NodeId {
        let node = NodeId(self.reserved);
        assert!(node <= NodeId::MAX, "an architecture bounds its nodes");
        self.reserved += 1;
        node
    }

    fn start(&mut self, node: NodeId, replica: ReplicaSpec) {
        assert!(
            node.0 < self.reserved,
            "a node is reserved before it starts"
        );
        assert!(replica.node == node, "a replica is made for its node");
        self.specs.insert(node, replica);
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn bug(&self) -> Option<Bug> {
        self.bug
    }
}

/// What goes wrong with a link where each node has an address of its own.
fn link_faults(faults: &NetworkFaults) -> LinkFaults {
    let addresses = |sockets: &[SocketAddr]| sockets.iter().map(SocketAddr::ip).collect();
    LinkFaults {
        deaf_to: addresses(&faults.deaf_to),
        mute_to: addresses(&faults.mute_to),
        sent: faults.sent,
    }
}
