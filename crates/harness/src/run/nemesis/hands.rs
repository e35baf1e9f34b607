//! The hands of the nemesis: they reach the processes of a run, do to them what each fault is made
//! of, and undo it.

use std::collections::{BTreeMap, BTreeSet};

use kvs_core::protocol::NodeId;
use kvs_load::nemesis::{Deafness, DiskFault, Harm, Needs, Reach, Role};
use kvs_target::{Local, NodeNetwork, Target};

use crate::client::{NodeAddress, RunClock};

/// Reach the nodes of a target.
pub(super) struct Hands<'a> {
    pub(super) target: &'a mut dyn Target,
    /// Is told where a node is now that came back.
    moved: Box<dyn Fn(NodeAddress) + 'a>,
    clock: RunClock,
    /// All that is wrong now, the latest last.
    inflicted: Vec<Inflicted>,
    paused: BTreeSet<NodeId>,
    down: BTreeSet<NodeId>,
    /// What each node's network was told last.
    networks: BTreeMap<NodeId, NodeNetwork>,
}

/// A harm that was done, and not undone yet.
struct Inflicted {
    harm: Harm,
    since_ns: u64,
}

impl Reach for Hands<'_> {
    type Done<'a>
        = Local<'a, Result<(), String>>
    where
        Self: 'a;

    fn inflict<'a>(&'a mut self, harms: &'a [Harm]) -> Local<'a, Result<(), String>> {
        Box::pin(self.inflict_all(harms))
    }

    fn undo<'a>(&'a mut self, harms: &'a [Harm]) -> Local<'a, Result<(), String>> {
        Box::pin(self.undo_all(harms))
    }
}

impl<'a> Hands<'a> {
    pub(super) fn new(
        target: &'a mut dyn Target,
        moved: Box<dyn Fn(NodeAddress) + 'a>,
        clock: RunClock,
    ) -> Self {
        Self {
            target,
            moved,
            clock,
            inflicted: Vec::new(),
            paused: BTreeSet::new(),
            down: BTreeSet::new(),
            networks: BTreeMap::new(),
        }
    }

    /// Whether the process of a node is there, stopped or not.
    pub(super) fn is_running(&self, node: NodeId) -> bool {
        !self.down.contains(&node) && self.target.is_running(node)
    }

    /// The nodes of each group.
    pub(super) fn groups(&self) -> Vec<Vec<NodeId>> {
        let groups = self.target.facts().ports.groups().iter();
        groups.map(|group| group.members().collect()).collect()
    }

    /// The node that takes the writes, as the store says now, if it does.
    pub(super) async fn primary(&self) -> Option<NodeId> {
        self.target.leadership()?.primary().await
    }

    /// The node that leads the group of this one, as those of its nodes say now that can.
    pub(super) async fn leader(&mut self, of: NodeId) -> Option<NodeId> {
        let mut groups = self.groups().into_iter();
        let mut group = groups.find(|group| group.contains(&of))?;
        group.retain(|node| self.is_running(*node) && !self.paused.contains(node));
        Role::leader(self.target.leading(group).await)
    }

    /// Whether what a clock should read changes by itself.
    pub(super) fn has_moving_clocks(&self) -> bool {
        self.has(|harm| matches!(harm, Harm::Clock(clock, _) if clock.moves()))
    }

    fn has(&self, is_it: impl Fn(&Harm) -> bool) -> bool {
        self.inflicted
            .iter()
            .any(|inflicted| is_it(&inflicted.harm))
    }

    async fn inflict_all(&mut self, harms: &[Harm]) -> Result<(), String> {
        let since_ns = self.clock.now_ns();
        self.inflicted.extend(harms.iter().map(|harm| Inflicted {
            harm: harm.clone(),
            since_ns,
        }));
        let mut done = Ok(());
        let (mut networks, mut clocks) = (false, false);
        for harm in harms {
            match harm {
                Harm::Killed(node) => self.kill(*node).await,
                Harm::Paused(node) => done = done.and(self.pause(*node).await),
                Harm::Disk(fault, node) => {
                    done = done.and(self.set_disk(*node, Some(*fault)).await.map(drop));
                }
                Harm::Deaf(_) | Harm::Packets(..) => networks = true,
                Harm::Clock(..) => clocks = true,
                Harm::Wiped(_) | Harm::Disconnected(_) => {
                    done = done.and_then(|()| Err(format!("it needs {}", Needs::Simulation)));
                }
            }
        }
        if networks {
            done = done.and(self.set_networks().await);
        }
        if clocks {
            done = done.and(self.turn_clocks().await);
        }
        done
    }

    async fn undo_all(&mut self, harms: &[Harm]) -> Result<(), String> {
        for harm in harms {
            let is_it = |inflicted: &Inflicted| inflicted.harm == *harm;
            if let Some(place) = self.inflicted.iter().position(is_it) {
                self.inflicted.remove(place);
            }
        }
        let mut done = Ok(());
        let (mut networks, mut back, mut right) = (false, Vec::new(), Vec::new());
        for harm in harms {
            match harm {
                Harm::Killed(node) => back.push(*node),
                Harm::Paused(node) => match self.resume(*node).await {
                    // Its clock may have been turned, or put right, while it stood still.
                    Ok(resumed) => right.extend(resumed.then_some(*node)),
                    Err(reason) => done = done.and(Err(reason)),
                },
                Harm::Disk(_, node) => match self.mend_disk(*node).await {
                    Ok(ended) => back.extend(ended.then_some(*node)),
                    Err(reason) => done = done.and(Err(reason)),
                },
                Harm::Deaf(_) | Harm::Packets(..) => networks = true,
                Harm::Clock(_, node) => right.push(*node),
                Harm::Wiped(_) | Harm::Disconnected(_) => {}
            }
        }
        if !back.is_empty() {
            done = done.and(self.revive(&back).await);
        }
        if networks {
            done = done.and(self.set_networks().await);
        }
        if !right.is_empty() {
            done = done.and(self.right_clocks(&right).await);
        }
        done
    }

    async fn kill(&mut self, node: NodeId) {
        self.target.kill(node).await;
        self.down.insert(node);
        self.paused.remove(&node);
    }

    /// Brings nodes back, unless another fault keeps them down.
    async fn revive(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut failed = Ok(());
        for &node in nodes {
            if !self.down.contains(&node) || self.has(|harm| *harm == Harm::Killed(node)) {
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
            (self.moved)(*address.expect("it was revived"));
        }
        // A cut is between nodes, wherever they are, and the new life of a node has no faults yet:
        // tell it again.
        let network = self.set_networks().await;
        let clocks = self.turn_clocks().await;
        failed.and(network).and(clocks)
    }

    /// Says whether the node was there.
    async fn set_disk(&mut self, node: NodeId, fault: Option<DiskFault>) -> Result<bool, String> {
        let paused = self.paused.contains(&node);
        self.target.set_disk(node, fault, paused).await
    }

    /// Mends a disk, as far as no other fault has it fail. Says whether the node has to be brought
    /// back, since it has ended by the fault, as it should.
    async fn mend_disk(&mut self, node: NodeId) -> Result<bool, String> {
        let left = { self.inflicted.iter().rev() }.find_map(|inflicted| match inflicted.harm {
            Harm::Disk(fault, at) if at == node => Some(fault),
            Harm::Disk(..)
            | Harm::Deaf(_)
            | Harm::Killed(_)
            | Harm::Wiped(_)
            | Harm::Disconnected(_)
            | Harm::Paused(_)
            | Harm::Packets(..)
            | Harm::Clock(..) => None,
        });
        let ended = !self.set_disk(node, left).await? && left.is_none();
        if ended {
            self.kill(node).await;
        }
        Ok(ended)
    }

    async fn pause(&mut self, node: NodeId) -> Result<(), String> {
        // That it has ended by itself, its fate will say.
        if self.target.pause(node).await? {
            self.paused.insert(node);
        }
        Ok(())
    }

    /// Lets a node go on, unless another fault stops it. Says whether it does.
    async fn resume(&mut self, node: NodeId) -> Result<bool, String> {
        if self.has(|harm| *harm == Harm::Paused(node)) || !self.paused.remove(&node) {
            return Ok(false);
        }
        self.target.resume(node).await
    }

    /// Tells each node what is wrong with its network, if that has changed.
    async fn set_networks(&mut self) -> Result<(), String> {
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
        for Inflicted { harm, .. } in &self.inflicted {
            match harm {
                Harm::Deaf(Deafness::Node(listener, speakers)) if *listener == node => {
                    network.deaf_to.extend(speakers);
                }
                Harm::Deaf(Deafness::Clients(cut) | Deafness::Client(_, cut)) if *cut == node => {
                    network.cut_from_clients = true;
                }
                Harm::Packets(packet, sender) if *sender == node => network.packets.push(*packet),
                Harm::Deaf(_)
                | Harm::Packets(..)
                | Harm::Killed(_)
                | Harm::Wiped(_)
                | Harm::Disconnected(_)
                | Harm::Paused(_)
                | Harm::Clock(..)
                | Harm::Disk(..) => {}
            }
        }
        network
    }

    /// Has each clock that is wrong read what it should by now.
    pub(super) async fn turn_clocks(&mut self) -> Result<(), String> {
        let now_ns = self.clock.now_ns();
        let mut offsets: BTreeMap<NodeId, i64> = BTreeMap::new();
        for inflicted in &self.inflicted {
            if let Harm::Clock(clock, node) = inflicted.harm {
                let offset_ns = clock.offset_ns(now_ns - inflicted.since_ns);
                let offset = offsets.entry(node).or_default();
                *offset = offset.saturating_add(offset_ns);
            }
        }
        self.set_clocks(offsets).await
    }

    async fn right_clocks(&mut self, nodes: &[NodeId]) -> Result<(), String> {
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
