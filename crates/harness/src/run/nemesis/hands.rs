//! The hands of the nemesis: what each fault does to the nodes, and how it is undone.

use std::collections::BTreeMap;

use kvs_core::protocol::NodeId;
use kvs_load::nemesis::{self, Deafness, Fault, PacketFault};
use kvs_node::node::{Command, NodeError};
use kvs_node::storage::DiskFault;
use kvs_node::transport::faults::{NetworkFaults, PacketFaults};

use super::{Active, Nemesis};
use crate::run::error::one_line;

/// The strength of packet faults: Jepsen's.
const CHANCE: f64 = 0.2;
const DELAY_NS: u64 = 50_000_000;
const JITTER_NS: u64 = 10_000_000;
const BYTES_PER_S: u64 = 125_000;

impl Nemesis<'_> {
    pub(super) async fn kill(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            self.cluster.kill(node).await;
            self.down.insert(node);
            self.paused.remove(&node);
        }
        Ok(())
    }

    /// Brings nodes back, unless another fault keeps them down.
    pub(super) async fn revive(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut failed = Ok(());
        for &node in nodes {
            let held = |active: &Active| matches!(&active.fault, Fault::Kill(nodes) if nodes.contains(&node));
            if !self.down.contains(&node) || self.active.iter().any(held) {
                continue;
            }
            if let Err(error) = self.cluster.launcher().revive(node).await {
                // The others can come back all the same.
                failed = Err(one_line(&error.into()));
                continue;
            }
            self.down.remove(&node);
            self.networks.remove(&node);
            let addresses = self.cluster.addresses();
            let address = addresses.iter().find(|address| address.node == node);
            self.load.node_moved(*address.expect("it was revived"));
        }
        // Who is deaf to a node is so wherever it is, and the new life has no faults yet.
        let network = self.set_networks().await;
        let clocks = self.turn_clocks().await;
        failed.and(network).and(clocks)
    }

    pub(super) async fn set_disks(
        &mut self,
        fault: nemesis::DiskFault,
        nodes: &[NodeId],
    ) -> Result<(), String> {
        let fault = storage_fault(fault);
        for &node in nodes {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            if self.paused.contains(&node) {
                handle.tell(Command::Disk { fault });
                continue;
            }
            match handle.disk(fault).await {
                Ok(()) | Err(NodeError::Exited { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Mends disks, and brings back the nodes that their faults have ended, as they should.
    pub(super) async fn mend_disks(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut ended = Vec::new();
        for &node in nodes {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            let fault = DiskFault::None;
            if self.paused.contains(&node) {
                handle.tell(Command::Disk { fault });
                continue;
            }
            match handle.disk(fault).await {
                Ok(()) => {}
                Err(NodeError::Exited { .. }) => ended.push(node),
                Err(error) => return Err(error.to_string()),
            }
        }
        self.kill(&ended).await?;
        self.revive(&ended).await
    }

    pub(super) async fn pause(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            match handle.pause().await {
                Ok(()) => drop(self.paused.insert(node)),
                // It has ended by itself, which its fate will say.
                Err(NodeError::Exited { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Lets nodes go on, unless another fault stops them.
    pub(super) async fn resume(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut resumed = Vec::new();
        for &node in nodes {
            let held = |active: &Active| matches!(&active.fault, Fault::Pause(nodes) if nodes.contains(&node));
            if self.active.iter().any(held) || !self.paused.remove(&node) {
                continue;
            }
            if let Some(handle) = self.cluster.launcher().node(node) {
                match handle.resume().await {
                    Ok(()) => resumed.push(node),
                    Err(NodeError::Exited { .. }) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        }
        // Their clocks may have been turned, or put right, while they stood still.
        self.right_clocks(&resumed).await
    }

    /// Tells each node what is wrong with its network, if that has changed.
    pub(super) async fn set_networks(&mut self) -> Result<(), String> {
        let mut done = Ok(());
        let ids: Vec<NodeId> = self.cluster.ports().nodes().collect();
        for node in ids {
            let faults = self.network_of(node);
            let told = self.networks.get(&node);
            if self.down.contains(&node) || told.cloned().unwrap_or_default() == faults {
                continue;
            }
            let paused = self.paused.contains(&node);
            let launcher = self.cluster.launcher();
            match launcher.set_network(node, faults.clone(), paused).await {
                Ok(()) => drop(self.networks.insert(node, faults)),
                Err(error) => done = Err(one_line(&error.into())),
            }
        }
        done
    }

    /// All that is wrong with the network of a node now.
    fn network_of(&self, node: NodeId) -> NetworkFaults {
        let addresses = self.cluster.addresses();
        let address = |node: &NodeId| {
            let found = addresses.iter().find(|address| address.node == *node);
            found.map(|found| found.address)
        };
        let mut faults = NetworkFaults::default();
        for active in &self.active {
            match &active.fault {
                Fault::Partition { deafness, .. } => {
                    for deafness in deafness {
                        match deafness {
                            Deafness::Node(listener, speakers) if *listener == node => {
                                faults.deaf_to.extend(speakers.iter().filter_map(address));
                            }
                            Deafness::Clients(cut) if *cut == node => {
                                let clients = self.cluster.client_endpoint().local_addr();
                                faults.deaf_to.extend(clients.as_ref().ok());
                                faults.mute_to.extend(clients.ok());
                            }
                            Deafness::Node(..) | Deafness::Clients(_) => {}
                        }
                    }
                }
                Fault::Packet(packet, nodes) if nodes.contains(&node) => {
                    worsen(&mut faults.sent, *packet);
                }
                Fault::Packet(..)
                | Fault::Kill(_)
                | Fault::Pause(_)
                | Fault::Clock(..)
                | Fault::Disk(..) => {}
            }
        }
        faults
    }

    /// Has each clock that is wrong read what it should by now.
    pub(super) async fn turn_clocks(&mut self) -> Result<(), String> {
        let now_ns = self.times.clock.now_ns();
        let mut offsets: BTreeMap<NodeId, i64> = BTreeMap::new();
        for active in &self.active {
            if let Fault::Clock(clock, nodes) = &active.fault {
                for &node in nodes {
                    let offset_ns = clock.offset_ns(now_ns - active.since_ns);
                    let offset = offsets.entry(node).or_default();
                    *offset = offset.saturating_add(offset_ns);
                }
            }
        }
        self.set_clocks(offsets).await
    }

    pub(super) async fn right_clocks(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        self.set_clocks(nodes.iter().map(|node| (*node, 0)).collect())
            .await?;
        self.turn_clocks().await
    }

    async fn set_clocks(&mut self, offsets: BTreeMap<NodeId, i64>) -> Result<(), String> {
        for (node, offset_ns) in offsets {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            // It is told when it goes on; until then commands would only heap up.
            if self.paused.contains(&node) {
                continue;
            }
            match handle.clock_offset(offset_ns).await {
                Ok(()) | Err(NodeError::Exited { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

/// What the node's file does for a fault of the nemesis.
const fn storage_fault(fault: nemesis::DiskFault) -> DiskFault {
    match fault {
        nemesis::DiskFault::Full => DiskFault::Full,
        nemesis::DiskFault::SyncFails => DiskFault::SyncFails,
        nemesis::DiskFault::TornWrite => DiskFault::TornWrite,
    }
}

/// Adds a packet fault to what is wrong already.
fn worsen(sent: &mut PacketFaults, packet: PacketFault) {
    match packet {
        PacketFault::Delay => (sent.delay_ns, sent.jitter_ns) = (DELAY_NS, JITTER_NS),
        PacketFault::Loss => sent.loss = CHANCE,
        PacketFault::Duplicate => sent.duplicate = CHANCE,
        PacketFault::Reorder => sent.reorder = CHANCE,
        PacketFault::Corrupt => sent.corrupt = CHANCE,
        PacketFault::Rate => sent.bytes_per_s = BYTES_PER_S,
    }
}
