//! Deploying an architecture on a host: the one interpreter.

use serde::{Deserialize, Serialize};

use super::paper::Paper;
use super::ports::{Group, Route, ServerPorts};
use super::{Architecture, ReplicaKind, ReplicaSpec, Settings, ShardStep};
use crate::bug::Bug;
use crate::protocol::{GroupId, Lattice, NodeId};

/// Where nodes come from: a process launcher, a simulator, a model.
pub trait Host {
    /// Names a new node. The ids of one deployment are distinct.
    fn reserve(&mut self) -> NodeId;

    /// Has the node, reserved before, run this replica.
    fn start(&mut self, node: NodeId, replica: ReplicaSpec);

    /// Intervals and bounds of the replicas.
    fn settings(&self) -> Settings {
        Settings::default()
    }

    /// The planted bug that this store is built with. None unless a host says otherwise.
    fn bug(&self) -> Option<Bug> {
        None
    }
}

/// The reserved nodes, nested like the architecture.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployment {
    /// The nodes of one group.
    Group(Vec<NodeId>),
    /// The deployments of the shards.
    Shards(Vec<Self>),
}

impl Deployment {
    /// All nodes, in the order of reservation.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Group(nodes) => nodes.clone(),
            Self::Shards(shards) => shards.iter().flat_map(Self::nodes).collect(),
        }
    }
}

impl Architecture {
    /// The nodes of each replica group, its spares among them, as every host numbers them.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<NodeId>> {
        let ports = self.ports();
        let groups = ports.groups().iter();
        groups.map(|group| group.members().collect()).collect()
    }

    /// Which nodes serve which key, as on every host.
    #[must_use]
    pub fn ports(&self) -> ServerPorts {
        // Which lattice it is makes no difference to that.
        self.deploy(&mut Paper::default(), Lattice::Causal)
    }

    /// Reserves the nodes, starts them with empty replicas, and tells how to reach them.
    pub fn deploy(&self, host: &mut impl Host, lattice: Lattice) -> ServerPorts {
        let deployment = self.reserve(host);
        self.run(host, &deployment, lattice)
    }

    /// Reserves the nodes.
    pub fn reserve(&self, host: &mut impl Host) -> Deployment {
        match self {
            Self::Group(kind) => {
                let nodes = 0..kind.facts().size();
                Deployment::Group(nodes.map(|_| host.reserve()).collect())
            }
            Self::Sharded(shards, inner) => {
                Deployment::Shards((0..*shards).map(|_| inner.reserve(host)).collect())
            }
        }
    }

    /// Starts the reserved nodes with empty replicas of incarnation 0, and tells how to reach them.
    ///
    /// # Panics
    /// When another architecture reserved them.
    pub fn run(
        &self,
        host: &mut impl Host,
        deployment: &Deployment,
        lattice: Lattice,
    ) -> ServerPorts {
        let bug = host.bug();
        let mut run = Run {
            settings: host.settings(),
            bug,
            host,
            lattice,
            groups: Vec::new(),
        };
        let root = run.route(self, deployment, &mut Vec::new());
        ServerPorts::new(run.groups, root, bug)
    }
}

struct Run<'a, H> {
    host: &'a mut H,
    lattice: Lattice,
    settings: Settings,
    bug: Option<Bug>,
    groups: Vec<Group>,
}

impl<H: Host> Run<'_, H> {
    fn route(
        &mut self,
        architecture: &Architecture,
        deployment: &Deployment,
        path: &mut Vec<ShardStep>,
    ) -> Route {
        match (architecture, deployment) {
            (Architecture::Group(kind), Deployment::Group(nodes)) => {
                let replica = kind.facts().replica(self.lattice);
                let spares = usize::from(kind.facts().spares());
                let (nodes, spares) = nodes.split_at(nodes.len() - spares);
                let group = self.group(nodes, spares, replica, path);
                if let Some(group) = self.groups.last_mut() {
                    group.led = kind.facts().has_leader();
                }
                kind.facts().route(group)
            }
            (Architecture::Sharded(_, inner), Deployment::Shards(shards)) => {
                self.shards(inner, shards, path)
            }
            (Architecture::Group(_) | Architecture::Sharded(..), _) => {
                panic!("the nodes were reserved for another architecture")
            }
        }
    }

    fn shards(
        &mut self,
        inner: &Architecture,
        shards: &[Deployment],
        path: &mut Vec<ShardStep>,
    ) -> Route {
        let depth = u16::try_from(path.len()).expect("bounded by DEPTH_MAX");
        let count = u16::try_from(shards.len()).expect("bounded by NODES_MAX");
        let mut routes = Vec::with_capacity(shards.len());
        for (index, shard) in (0..count).zip(shards) {
            path.push(ShardStep { index, count });
            routes.push(self.route(inner, shard, path));
            path.pop();
        }
        Route::ByKey {
            depth,
            shards: routes,
        }
    }

    fn group(
        &mut self,
        nodes: &[NodeId],
        spares: &[NodeId],
        kind: ReplicaKind,
        path: &[ShardStep],
    ) -> GroupId {
        let id = GroupId(u16::try_from(self.groups.len()).expect("bounded by NODES_MAX"));
        for node in nodes.iter().chain(spares) {
            let replica = ReplicaSpec {
                node: *node,
                incarnation: 0,
                group: id,
                peers: nodes.iter().copied().filter(|peer| peer != node).collect(),
                spares: spares.to_vec(),
                kind,
                shards: path.to_vec(),
                settings: self.settings,
                bug: self.bug,
            };
            self.host.start(*node, replica);
        }
        self.groups.push(Group {
            id,
            nodes: nodes.to_vec(),
            spares: spares.to_vec(),
            led: false,
        });
        id
    }
}
