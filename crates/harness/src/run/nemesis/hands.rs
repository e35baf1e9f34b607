//! What each fault does to the nodes, and how it is undone.

use std::collections::BTreeMap;

use kvs_core::protocol::NodeId;
use kvs_load::nemesis::{Deafness, DiskFault, Fault};
use kvs_target::NodeNetwork;

use super::{Active, Nemesis};

impl Nemesis<'_> {
    pub(super) async fn kill(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            self.target.kill(node).await;
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
            if let Err(reason) = self.target.revive(node).await {
                // The others can come back all the same.
                failed = Err(reason);
                continue;
            }
            self.down.remove(&node);
            self.networks.remove(&node);
            let addresses = self.target.addresses();
            let address = addresses.iter().find(|address| address.node == node);
            self.load.node_moved(*address.expect("it was revived"));
        }
        // A cut is between nodes, wherever they are, and the new life of a node has no faults yet:
        // tell it again.
        let network = self.set_networks().await;
        let clocks = self.turn_clocks().await;
        failed.and(network).and(clocks)
    }

    pub(super) async fn set_disks(
        &mut self,
        fault: DiskFault,
        nodes: &[NodeId],
    ) -> Result<(), String> {
        for &node in nodes {
            let paused = self.paused.contains(&node);
            self.target.set_disk(node, Some(fault), paused).await?;
        }
        Ok(())
    }

    /// Mends disks, and brings back the nodes that their faults have ended, as they should.
    pub(super) async fn mend_disks(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut ended = Vec::new();
        for &node in nodes {
            let paused = self.paused.contains(&node);
            if !self.target.set_disk(node, None, paused).await? {
                ended.push(node);
            }
        }
        self.kill(&ended).await?;
        self.revive(&ended).await
    }

    pub(super) async fn pause(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            // That it has ended by itself, its fate will say.
            if self.target.pause(node).await? {
                self.paused.insert(node);
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
            if self.target.resume(node).await? {
                resumed.push(node);
            }
        }
        // Their clocks may have been turned, or put right, while they stood still.
        self.right_clocks(&resumed).await
    }

    /// Tells each node what is wrong with its network, if that has changed.
    pub(super) async fn set_networks(&mut self) -> Result<(), String> {
        let mut done = Ok(());
        let ids: Vec<NodeId> = self.target.facts().ports.nodes().collect();
        for node in ids {
            let faults = self.network_of(node);
            let told = self.networks.get(&node);
            if self.down.contains(&node) || told.cloned().unwrap_or_default() == faults {
                continue;
            }
            let paused = self.paused.contains(&node);
            match self.target.set_network(node, &faults, paused).await {
                Ok(()) => drop(self.networks.insert(node, faults)),
                Err(reason) => done = Err(reason),
            }
        }
        done
    }

    /// All that is wrong with the network of a node now.
    fn network_of(&self, node: NodeId) -> NodeNetwork {
        let mut network = NodeNetwork::default();
        for active in &self.active {
            match &active.fault {
                Fault::Partition { deafness, .. } => {
                    for deafness in deafness {
                        match deafness {
                            Deafness::Node(listener, speakers) if *listener == node => {
                                network.deaf_to.extend(speakers);
                            }
                            Deafness::Clients(cut) if *cut == node => {
                                network.cut_from_clients = true;
                            }
                            Deafness::Node(..) | Deafness::Clients(_) => {}
                        }
                    }
                }
                Fault::Packet(packet, nodes) if nodes.contains(&node) => {
                    network.packets.push(*packet);
                }
                Fault::Packet(..)
                | Fault::Kill(_)
                | Fault::Pause(_)
                | Fault::Clock(..)
                | Fault::Disk(..) => {}
            }
        }
        network
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
            // The node hears of it when it goes on; until then commands would only pile up.
            if !self.paused.contains(&node) {
                self.target.set_clock(node, offset_ns).await?;
            }
        }
        Ok(())
    }
}
