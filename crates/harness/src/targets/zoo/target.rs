//! A cluster of the zoo as a target.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use kvs_core::protocol::{Lattice, NodeId};
use kvs_core::replica::Status;
use kvs_core::server::Architecture;
use kvs_load::nemesis::{DiskFault, FaultKind, Part};
use kvs_measure::NodeRecord;
use kvs_node::node::{Command, Durability, NodeError, NodeStatus};
use kvs_node::storage;
use kvs_node::transport::faults::NetworkFaults;
use kvs_place::Processes;
use kvs_target::{
    Connector, Facts, FaultSupport, Local, NodeAddress, NodeNetwork, Operations, Quiet, Reads,
    Sessions, Target, Writes, packet_faults,
};

use super::cluster::{Cluster, ClusterConfig};
use super::connection::QuicConnector;
use crate::wording::one_line;

/// A running cluster of the zoo.
#[derive(Debug)]
pub struct Zoo {
    cluster: Cluster,
    facts: Facts,
    connector: Rc<QuicConnector>,
    /// How its replicas were when they were asked last whether they are quiet.
    seen: BTreeMap<NodeId, Status>,
}

impl Zoo {
    /// Starts every node and waits until all serve. A client gives an answer `patience`.
    ///
    /// # Errors
    /// When a node does not start; the message has the end of its log.
    pub async fn start(config: &ClusterConfig, patience: Duration) -> anyhow::Result<Self> {
        let cluster = Cluster::start(config).await?;
        let facts = Facts {
            ports: cluster.ports().clone(),
            ..facts(&config.architecture, config.lattice, config.durability)
        };
        let connector = cluster.connector(patience);
        Ok(Self {
            cluster,
            facts,
            connector,
            seen: BTreeMap::new(),
        })
    }
}

/// What is known of a store of the zoo before it is started.
#[must_use]
pub fn facts(architecture: &Architecture, lattice: Lattice, durability: Durability) -> Facts {
    let faults = FaultKind::ALL.map(|kind| (kind, support(kind, durability)));
    Facts {
        name: architecture.to_string(),
        promise: kvs_recording::promise(architecture, lattice),
        says: None,
        evidence: kvs_recording::evidence(architecture, lattice),
        ports: architecture.ports(),
        operations: Operations {
            compare_and_set: architecture.kind().facts().compares_and_sets(),
            delete: false,
        },
        writes: Writes::Any,
        has_primary: false,
        has_leader: architecture.kind().facts().has_leader(),
        reads: Reads::AsAsked,
        sessions: Sessions::Shared,
        faults: faults.to_vec(),
    }
}

/// Whether a store of the zoo can have a kind of fault.
#[must_use]
pub(super) fn support(kind: FaultKind, durability: Durability) -> FaultSupport {
    FaultSupport::of(kind, |part| match part {
        Part::Disk if durability == Durability::Memory => {
            FaultSupport::Needs("--durability disk".to_owned())
        }
        // A group of one is cut off from its clients.
        Part::Disk | Part::Network | Part::Process | Part::Clock => FaultSupport::Yes,
    })
}

impl Target for Zoo {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn connector(&self) -> Rc<dyn Connector> {
        Rc::<QuicConnector>::clone(&self.connector)
    }

    fn addresses(&self) -> Vec<NodeAddress> {
        self.cluster.addresses()
    }

    fn processes(&self) -> Processes {
        self.cluster.processes()
    }

    fn leading(&mut self, nodes: Vec<NodeId>) -> Local<'_, Vec<NodeId>> {
        Box::pin(async move {
            let mut leading = Vec::new();
            for node in nodes {
                let Some(handle) = self.cluster.nodes().node(node) else {
                    continue;
                };
                // Who does not answer leads nobody.
                let status = handle.status().await;
                leading.extend(
                    status
                        .is_ok_and(|status| status.replica.leads())
                        .then_some(node),
                );
            }
            leading
        })
    }

    fn quiet(&mut self) -> Local<'_, Quiet> {
        Box::pin(async {
            let mut statuses = BTreeMap::new();
            let mut unreachable = BTreeMap::new();
            for (node, status) in self.cluster.statuses().await {
                match status {
                    Ok(status) => drop(statuses.insert(node, status.replica)),
                    Err(reason) => drop(unreachable.insert(node, reason)),
                }
            }
            let converged = self.facts.ports.groups().iter().all(|group| {
                let told = |node: &NodeId| statuses.get(node);
                let mut replicas = group.nodes.iter().filter_map(told);
                let first = replicas.clone().next();
                let mut spares = group.spares.iter().filter_map(told);
                replicas.all(|replica| {
                    replica.is_quiet() && first.is_some_and(|first| first.agrees_with(replica))
                }) && spares.all(Status::is_quiet)
            });
            let lacking = { &statuses }
                .iter()
                .filter(|(_, status)| !status.is_whole())
                .map(|(node, _)| *node)
                .collect();
            let before = std::mem::replace(&mut self.seen, statuses);
            Quiet {
                converged,
                is_known: true,
                moved: before != self.seen,
                lacking,
                unreachable,
            }
        })
    }

    fn observe(&mut self) -> Local<'_, Vec<(NodeId, Result<NodeRecord, String>)>> {
        Box::pin(async {
            let statuses = self.cluster.statuses().await.into_iter();
            statuses
                .map(|(node, status)| (node, status.map(node_record)))
                .collect()
        })
    }

    fn is_running(&self, node: NodeId) -> bool {
        let handle = self.cluster.nodes().node(node);
        handle.is_some_and(|handle| !handle.has_exited())
    }

    fn exits(&mut self) -> BTreeMap<NodeId, String> {
        self.cluster.exits()
    }

    fn kill(&mut self, node: NodeId) -> Local<'_, ()> {
        Box::pin(self.cluster.kill(node))
    }

    fn revive(&mut self, node: NodeId) -> Local<'_, Result<(), String>> {
        Box::pin(async move {
            let revived = self.cluster.launcher().revive(node).await;
            revived.map_err(|error| one_line(&error.into()))
        })
    }

    fn pause(&mut self, node: NodeId) -> Local<'_, Result<bool, String>> {
        Box::pin(async move {
            match self.cluster.nodes().node(node) {
                None => Ok(false),
                Some(handle) => there(handle.pause().await),
            }
        })
    }

    fn resume(&mut self, node: NodeId) -> Local<'_, Result<bool, String>> {
        Box::pin(async move {
            match self.cluster.nodes().node(node) {
                None => Ok(false),
                Some(handle) => there(handle.resume().await),
            }
        })
    }

    fn set_network<'a>(
        &'a mut self,
        node: NodeId,
        faults: &'a NodeNetwork,
        paused: bool,
    ) -> Local<'a, Result<(), String>> {
        Box::pin(async move {
            let faults = self.network(faults);
            let launcher = self.cluster.launcher();
            let set = launcher.set_network(node, faults, paused).await;
            set.map_err(|error| one_line(&error.into()))
        })
    }

    fn set_clock(&mut self, node: NodeId, offset_ns: i64) -> Local<'_, Result<(), String>> {
        Box::pin(async move {
            match self.cluster.nodes().node(node) {
                None => Ok(()),
                Some(handle) => there(handle.clock_offset(offset_ns).await).map(drop),
            }
        })
    }

    fn set_disk(
        &mut self,
        node: NodeId,
        fault: Option<DiskFault>,
        paused: bool,
    ) -> Local<'_, Result<bool, String>> {
        let fault = storage_fault(fault);
        Box::pin(async move {
            let Some(handle) = self.cluster.nodes().node(node) else {
                return Ok(true);
            };
            if paused {
                handle.tell(&Command::Disk { fault });
                return Ok(true);
            }
            there(handle.disk(fault).await)
        })
    }

    fn stop(self: Box<Self>) -> Local<'static, Vec<NodeId>> {
        Box::pin(self.cluster.shutdown())
    }
}

impl Zoo {
    /// What goes wrong with the socket of a node.
    fn network(&self, faults: &NodeNetwork) -> NetworkFaults {
        let addresses = self.cluster.addresses();
        let address = |node: &NodeId| {
            let found = addresses.iter().find(|address| address.node == *node);
            found.map(|found| found.address)
        };
        let mut network = NetworkFaults {
            deaf_to: faults.deaf_to.iter().filter_map(address).collect(),
            sent: packet_faults(&faults.packets),
            ..NetworkFaults::default()
        };
        if faults.cut_from_clients {
            let clients = self.cluster.client_endpoint().local_addr();
            network.deaf_to.extend(clients.as_ref().ok());
            network.mute_to.extend(clients.ok());
        }
        network
    }
}

/// Whether a node was there to be told; that it has ended by itself, its fate will say.
fn there(told: Result<(), NodeError>) -> Result<bool, String> {
    match told {
        Ok(()) => Ok(true),
        Err(NodeError::Exited { .. }) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// What the node's file does for a fault of the nemesis.
const fn storage_fault(fault: Option<DiskFault>) -> storage::DiskFault {
    match fault {
        None => storage::DiskFault::None,
        Some(DiskFault::Full) => storage::DiskFault::Full,
        Some(DiskFault::SyncFails) => storage::DiskFault::SyncFails,
        Some(DiskFault::TornWrite) => storage::DiskFault::TornWrite,
    }
}

/// What a node says of itself, without who it is.
fn node_record(status: NodeStatus) -> NodeRecord {
    let NodeStatus {
        replica,
        counters,
        usage,
        faults: _,
        disk,
    } = status;
    NodeRecord {
        requests: counters.requests,
        messages_sent: counters.messages_out,
        message_bytes_sent: counters.message_bytes_out,
        refused_frames: counters.frames_malformed,
        refused_connections: counters.connections_refused,
        cpu_seconds: Some(usage.cpu_ns as f64 / 1e9),
        resident_bytes: Some(usage.resident_bytes_max),
        keys: Some(replica.keys),
        overhead_bytes_per_key: (replica.keys > 0).then(|| replica.overhead_bytes_per_key()),
        commits: disk.map(|disk| disk.commits),
        commit_ns_p50: disk.map(|disk| disk.commit_ns_p50),
        commit_ns_p99: disk.map(|disk| disk.commit_ns_p99),
        ..NodeRecord::default()
    }
}
