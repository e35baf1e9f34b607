//! The lives of nodes: how they start, start again, and end.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::task::JoinSet;

use super::{Durability, HostKind, LaunchError, Launcher, STORE_EXTENSION};
use crate::node::child::{NodeHandle, Recipe};
use crate::node::control::{Command, Start, TraceStart};
use kvs_core::protocol::NodeId;
use kvs_core::replica::ReplicaSpec;
use kvs_place::network::Network;
use kvs_place::{Place, Prefix};

impl Launcher {
    /// Starts every node that was given to this host and is not running, waits until all serve,
    /// and tells each where the others are. Call it on a
    /// [`transport::runtime`](crate::transport::runtime) that lives as long as the nodes are to.
    ///
    /// # Errors
    /// When a node does not start, the message having the end of its log, or has no namespace.
    pub async fn launch(&mut self) -> Result<(), LaunchError> {
        // It gets ready while the nodes' identities are made.
        if self.place.is_none() {
            self.place = Some(Place::start(&self.program, &Prefix::none())?);
        }
        if self.host == HostKind::Netns && self.network.is_none() {
            self.network = Some(Network::create(self.specs.keys().map(|node| node.0))?);
        }
        let mut starting = JoinSet::new();
        for (node, spec) in &self.specs {
            if !self.nodes.contains_key(node) {
                let (recipe, start) = self.prepare(spec.clone())?;
                starting.spawn_local(NodeHandle::start(recipe, start));
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
        let peers = Command::Peers { addresses };
        for other in self.nodes() {
            other.tell(&peers);
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

    /// Asks all nodes to exit, each within a few seconds, and kills those that do not. Says
    /// which had to be killed.
    pub async fn shutdown_all(mut self) -> Vec<NodeId> {
        let mut ending = JoinSet::new();
        while let Some((id, node)) = self.nodes.pop_first() {
            ending.spawn_local(async move { (id, node.shutdown().await) });
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

    /// How a node is started, and the line that it then reads.
    ///
    /// # Errors
    /// When it has no identity, or nothing was launched yet.
    fn prepare(&self, spec: ReplicaSpec) -> Result<(Recipe, Start), LaunchError> {
        let node = spec.node;
        let recipe = Recipe {
            node,
            incarnation: spec.incarnation,
            place: { self.place.clone() }.ok_or(LaunchError::Unknown(node))?,
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
