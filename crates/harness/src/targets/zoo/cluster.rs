//! A deployment as real processes on this machine: nodes, router, and a way in for clients.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use super::connection::QuicConnector;
use crate::client::Client;
use kvs_core::bug::Bug;
use kvs_core::protocol::{Lattice, NodeId};
use kvs_core::server::{Architecture, KVSServer, ServerPorts};
use kvs_core::session::Policy;
use kvs_core::values::Value;
use kvs_node::node::{Durability, HostKind, Launcher, NodeError, NodeStatus};
use kvs_node::transport::Endpoint;
use kvs_place::Processes;
use kvs_target::NodeAddress;

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The composition.
    pub architecture: Architecture,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// A known mistake to build the store with.
    pub bug: Option<Bug>,
    /// The program that records what each replica is given (docs/guides/traces.md), beside the
    /// node's log; none records nothing.
    pub traced_by: Option<String>,
    /// Where the nodes run.
    pub host: HostKind,
    /// What they acknowledge.
    pub durability: Durability,
    /// Decides the nodes' choices of peers.
    pub seed: u64,
    /// Where the nodes' logs go; a temporary directory when absent.
    pub logs: Option<PathBuf>,
    /// The program that the nodes and the agent of their place are, if not this one. It must begin
    /// with
    /// [`node::run_if_node`](kvs_node::node::run_if_node).
    pub program: Option<PathBuf>,
}

impl ClusterConfig {
    /// The cluster that a type describes, such as
    /// `ShardedKVSServer<ReplicatedKVSServer<CausalString>>`.
    #[must_use]
    pub fn of<V: Value, S: KVSServer<V>>() -> Self {
        Self::new(S::architecture(), V::LATTICE)
    }

    /// A cluster of this composition without a planted bug, run by this program itself.
    #[must_use]
    pub const fn new(architecture: Architecture, lattice: Lattice) -> Self {
        Self {
            architecture,
            lattice,
            bug: None,
            traced_by: None,
            host: HostKind::Process,
            durability: Durability::Memory,
            seed: 1,
            logs: None,
            program: None,
        }
    }
}

/// A running deployment. Dropping it kills the nodes.
#[derive(Debug)]
pub struct Cluster {
    launcher: Launcher,
    ports: ServerPorts,
    endpoint: Endpoint,
    /// Kept until the nodes are gone.
    logs: Option<TempDir>,
}

impl Cluster {
    /// Starts every node and waits until all serve. Must be called on a
    /// [`transport::runtime`](kvs_node::transport::runtime).
    ///
    /// # Errors
    /// When a node does not start; the message has the end of its log.
    pub async fn start(config: &ClusterConfig) -> anyhow::Result<Self> {
        let (directory, logs) = match &config.logs {
            Some(directory) => (directory.clone(), None),
            None => {
                let logs = tempfile::tempdir().context("making a directory for the nodes' logs")?;
                (logs.path().to_owned(), Some(logs))
            }
        };
        let mut launcher = Launcher::new(&directory, config.seed)?;
        if let Some(program) = &config.program {
            launcher = launcher.with_program(program);
        }
        launcher = launcher
            .with_bug(config.bug)
            .with_traces(config.traced_by.clone())
            .with_host(config.host)
            .with_durability(config.durability);
        let ports = config.architecture.deploy(&mut launcher, config.lattice);
        launcher.launch().await?;
        let endpoint = launcher.client_endpoint()?;
        Ok(Self {
            launcher,
            ports,
            endpoint,
            logs,
        })
    }

    /// Which nodes serve which key.
    #[must_use]
    pub const fn ports(&self) -> &ServerPorts {
        &self.ports
    }

    /// Where each node is, in the order of their ids.
    #[must_use]
    pub fn addresses(&self) -> Vec<NodeAddress> {
        let address = |node: &kvs_node::node::NodeHandle| NodeAddress {
            node: node.id(),
            address: node.addr(),
            incarnation: node.incarnation(),
        };
        self.launcher.nodes().map(address).collect()
    }

    /// What clients dial with.
    #[must_use]
    pub const fn client_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes the connections of a load generator. One over which nothing comes for `patience`,
    /// though something was asked, is given up.
    #[must_use]
    pub fn connector(&self, patience: Duration) -> Rc<QuicConnector> {
        Rc::new(QuicConnector::new(self.endpoint.clone(), patience))
    }

    /// A convenient client, connected to every node.
    ///
    /// # Errors
    /// When a node refuses or does not answer.
    pub async fn client(&self, policy: Policy) -> anyhow::Result<Client> {
        Ok(Client::connect(
            &self.endpoint,
            &self.addresses(),
            self.ports.clone(),
            policy,
        )
        .await?)
    }

    /// How each node is, in the order of their ids, or why it does not say, in a few words.
    pub async fn statuses(&self) -> Vec<(NodeId, Result<NodeStatus, String>)> {
        let statuses = self.launcher.statuses().await.into_iter();
        let mut statuses: BTreeMap<NodeId, Result<NodeStatus, String>> = statuses
            .map(|(node, status)| (node, status.map_err(|error| in_short(&error))))
            .collect();
        for node in self.ports.nodes() {
            let not_running = || Err("is down, and was not started again".to_owned());
            statuses.entry(node).or_insert_with(not_running);
        }
        statuses.into_iter().collect()
    }

    /// The nodes that have exited without having been asked to since this was asked last, and with
    /// which status.
    pub fn exits(&mut self) -> BTreeMap<NodeId, String> {
        std::iter::from_fn(|| self.launcher.try_unexpected_exit())
            .map(|exit| (exit.node, exit.status))
            .collect()
    }

    /// Kills a node at once. That it is gone already is no error.
    pub async fn kill(&mut self, node: NodeId) {
        if let Some(node) = self.launcher.take(node) {
            node.kill().await;
        }
    }

    /// The ids of the nodes' processes, as they are now and from now on.
    #[must_use]
    pub fn processes(&self) -> Processes {
        self.launcher.processes()
    }

    /// The nodes, to look at them and tell them things.
    #[must_use]
    pub const fn nodes(&self) -> &Launcher {
        &self.launcher
    }

    /// The processes, to pause, kill and restart them.
    pub const fn launcher(&mut self) -> &mut Launcher {
        &mut self.launcher
    }

    /// Ends every node in good order, and returns those that had to be killed.
    pub async fn shutdown(self) -> Vec<NodeId> {
        let Self { launcher, logs, .. } = self;
        let killed = launcher.shutdown_all().await;
        drop(logs);
        killed
    }
}

/// Why a node does not say how it is. Its log lies beside the record, so that its end is not
/// repeated there.
fn in_short(error: &NodeError) -> String {
    match error {
        NodeError::Exited { .. } => "exited".to_owned(),
        NodeError::Silent { waited, .. } => format!("did not answer within {waited:?}"),
        NodeError::Failed { reason, .. } => reason.clone(),
        NodeError::Spawn { .. } => error.to_string(),
    }
}
