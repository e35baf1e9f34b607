//! A host whose nodes are processes on this machine.
//!
//! It starts them by running its own program again with the argument `node`, gives each an
//! identity, tells all where the others are, and leaves none behind: a node dies with the
//! launcher's process, with the thread that launched it, and with its [`NodeHandle`].

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::child::{NodeError, NodeHandle, UnexpectedExit};
use super::control::{Command, NodeStatus, Start, TraceStart};
use super::owner::Recipe;
use crate::transport::faults::NetworkFaults;
use crate::transport::{CertificateAuthority, Endpoint, EndpointError, Identity, TlsError};
use kvs_core::bug::Bug;
use kvs_core::protocol::NodeId;
use kvs_core::replica::{ReplicaSpec, Settings};
use kvs_core::server::Host;
use kvs_place::Processes;
use kvs_place::network::{self, LinkFaults, Network, NetworkError};

/// Exits that may wait to be heard of; what comes beyond shows in the nodes' logs alone.
const EXITS_MAX: usize = 4096;

/// What the name of a node's file ends with.
pub const STORE_EXTENSION: &str = "redb";

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

/// What a node acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// What is in memory: a node that is killed comes back empty.
    #[default]
    Memory,
    /// What is synced to its disk: a node that is killed comes back with it.
    Disk,
}

impl Durability {
    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

/// Where the nodes run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// Processes of this machine that share its loopback interface.
    #[default]
    Process,
    /// Processes that each have a network namespace of their own: an address, a link and a
    /// firewall. Needs root.
    Netns,
}

impl HostKind {
    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Netns => "netns",
        }
    }

    /// Whether nodes can run here, with faults of their network if there are to be any.
    ///
    /// # Errors
    /// When this process may not have what the nodes need, or a program is missing.
    pub fn can_be_had(self, with_faults: bool) -> Result<(), NetworkError> {
        match self {
            Self::Process => Ok(()),
            Self::Netns => network::can_be_had(with_faults),
        }
    }
}

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
    /// The nodes' namespaces, once they were launched, if they have any.
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
            network: None,
            reserved: 0,
            specs: BTreeMap::new(),
            nodes: BTreeMap::new(),
            processes: Processes::default(),
            exits,
            exited,
        })
    }

    /// Runs `program` as nodes instead of this program again: it must begin with
    /// [`run_if_node`](super::run_if_node).
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

    /// Says what nodes acknowledge. Their files are `logs/<id>.redb`.
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

    /// Starts every node that was given to this host and is not running, waits until all serve,
    /// and tells each where the others are. Call it on a thread that lives as long as the nodes
    /// are to.
    ///
    /// # Errors
    /// When a node does not start, the message having the end of its log, or has no namespace.
    pub async fn launch(&mut self) -> Result<(), LaunchError> {
        if self.host == HostKind::Netns && self.network.is_none() {
            self.network = Some(Network::create(self.specs.keys().map(|node| node.0))?);
        }
        let mut starting = JoinSet::new();
        for (node, spec) in &self.specs {
            if !self.nodes.contains_key(node) {
                let (recipe, start) = self.prepare(spec.clone())?;
                starting.spawn(NodeHandle::start(recipe, start));
            }
        }
        while let Some(started) = starting.join_next().await {
            let handle = started.expect("starting a node does not panic")?;
            self.nodes.insert(handle.id(), handle);
        }
        self.note_processes();
        self.introduce().await
    }

    /// Starts `node` anew under another incarnation, in place of a process that is gone or is
    /// then killed, and tells every node where it is.
    ///
    /// # Errors
    /// When it is not part of the deployment, or does not start.
    pub async fn restart(&mut self, node: NodeId, incarnation: u16) -> Result<(), LaunchError> {
        if let Some(former) = self.nodes.remove(&node) {
            former.kill().await;
        }
        let spec = self
            .specs
            .get_mut(&node)
            .ok_or(LaunchError::Unknown(node))?;
        spec.incarnation = incarnation;
        let spec = spec.clone();
        *self.restarts.entry(node).or_default() += 1;
        let (recipe, start) = self.prepare(spec)?;
        let handle = NodeHandle::start(recipe, start).await?;
        let addresses: Vec<_> = { self.addresses().into_iter() }
            .chain([(node, handle.addr())])
            .collect();
        handle.peers(addresses.clone()).await?;
        self.nodes.insert(node, handle);
        self.note_processes();
        // A paused node hears of it when it goes on.
        for other in self.nodes() {
            let addresses = addresses.clone();
            other.tell(Command::Peers { addresses });
        }
        Ok(())
    }

    /// Starts `node` anew, as the life that follows from what it has kept: a node that keeps
    /// nothing is another incarnation.
    ///
    /// # Errors
    /// As [`Launcher::restart`].
    pub async fn revive(&mut self, node: NodeId) -> Result<(), LaunchError> {
        let spec = self.specs.get(&node).ok_or(LaunchError::Unknown(node))?;
        let incarnation = match self.durability {
            Durability::Memory => spec.incarnation + 1,
            Durability::Disk => spec.incarnation,
        };
        self.restart(node, incarnation).await
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
            handle.tell(Command::Network { faults });
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

    /// Asks all nodes to exit, each within a few seconds, and kills those that do not. Says
    /// which had to be killed.
    pub async fn shutdown_all(mut self) -> Vec<NodeId> {
        let mut ending = JoinSet::new();
        while let Some((id, node)) = self.nodes.pop_first() {
            ending.spawn(async move { (id, node.shutdown().await) });
        }
        let mut killed = Vec::new();
        while let Some(ended) = ending.join_next().await {
            let (id, in_good_order) = ended.expect("ending a node does not panic");
            if !in_good_order {
                killed.push(id);
            }
        }
        killed.sort_unstable();
        killed
    }

    fn prepare(&self, spec: ReplicaSpec) -> Result<(Recipe, Start), LaunchError> {
        let node = spec.node;
        let recipe = Recipe {
            node,
            incarnation: spec.incarnation,
            program: self.program.clone(),
            namespace: self
                .network
                .as_ref()
                .map(|network| network.namespace(node.0)),
            log: self.logs.join(format!("{node}.log")),
            exits: self.exits.clone(),
        };
        let life = match self.restarts.get(&node) {
            None => node.to_string(),
            Some(restarts) => format!("{node}.{restarts}"),
        };
        let addr = match &self.network {
            Some(network) => network.addr(node.0),
            None => Ipv4Addr::LOCALHOST,
        };
        let start = Start {
            spec,
            identity: self.authority.node(node)?,
            bind: SocketAddr::new(addr.into(), 0),
            seed: self.seed.wrapping_add(u64::from(node.0)),
            parent: Some(std::process::id()),
            trace: self.traced_by.clone().map(|program| TraceStart {
                path: self.logs.join(format!("{life}.trace")),
                program,
            }),
            disk: match self.durability {
                Durability::Memory => None,
                Durability::Disk => Some(self.logs.join(format!("{node}.{STORE_EXTENSION}"))),
            },
        };
        Ok((recipe, start))
    }

    async fn introduce(&self) -> Result<(), LaunchError> {
        let addresses: Vec<_> = self.addresses().into_iter().collect();
        for node in self.nodes() {
            node.peers(addresses.clone()).await?;
        }
        Ok(())
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
