//! The router: which nodes may serve a key.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bug::Bug;
use crate::protocol::{GroupId, NodeId, Operation};
use crate::replica::shard_of;

/// With the planted bug `foreign-keys`, puts of one key in so many go to another shard.
const MISROUTED_EVERY: u16 = 16;
/// Salt of the hash that picks those keys: no depth of sharding is as large.
const MISROUTED_SALT: u16 = u16::MAX;

/// The replicas that hold the same keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Group {
    /// Its place in [`ServerPorts::groups`].
    pub id: GroupId,
    /// Its nodes: any of them may serve its keys.
    pub nodes: Vec<NodeId>,
    /// Nodes that serve no keys, and hold puts for those that cannot be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spares: Vec<NodeId>,
    /// Whether one of its nodes leads, and takes the writes. A session sends a write again, to
    /// whichever leads, until it knows what became of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub led: bool,
}

impl Group {
    /// A group without spares.
    #[must_use]
    pub const fn new(id: GroupId, nodes: Vec<NodeId>) -> Self {
        Self {
            id,
            nodes,
            spares: Vec::new(),
            led: false,
        }
    }

    /// All its nodes.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().chain(&self.spares).copied()
    }
}

/// Which nodes may serve a key, as the tree of the composition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// This node alone.
    Node(GroupId),
    /// Any node of this group.
    AnyOf(GroupId),
    /// The route whose place is the key's shard at this depth.
    ByKey {
        /// Levels of sharding above this one.
        depth: u16,
        /// One route a shard; at least one.
        shards: Vec<Self>,
    },
}

/// A deployed store as its clients see it: pure, printable and serialisable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerPorts {
    groups: Vec<Group>,
    root: Route,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bug: Option<Bug>,
}

impl ServerPorts {
    pub(super) const fn new(groups: Vec<Group>, root: Route, bug: Option<Bug>) -> Self {
        Self { groups, root, bug }
    }

    /// A store whose keys all belong to one group.
    #[must_use]
    pub fn of_group(group: Group) -> Self {
        let root = Route::AnyOf(group.id);
        Self::new(vec![group], root, None)
    }

    /// All groups, in the order of their ids.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All nodes, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.groups.iter().flat_map(Group::members)
    }

    /// Whether sessions forget what they have seen when they fail over: a planted bug.
    #[must_use]
    pub fn forgets_context_on_failover(&self) -> bool {
        self.bug == Some(Bug::ForgottenContextOnFailover)
    }

    /// The group that owns the key.
    #[must_use]
    pub fn route(&self, key: &[u8]) -> &Group {
        let mut route = &self.root;
        loop {
            match route {
                Route::Node(group) | Route::AnyOf(group) => {
                    return &self.groups[usize::from(group.0)];
                }
                Route::ByKey { depth, shards } => {
                    let count = u16::try_from(shards.len()).expect("bounded by NODES_MAX");
                    route = &shards[usize::from(shard_of(key, *depth, count))];
                }
            }
        }
    }

    /// The group that an operation on the key is sent to: the one that owns it. Clients ask this,
    /// so that the planted bug `foreign-keys` can send some keys' puts elsewhere.
    #[must_use]
    pub fn route_operation(&self, key: &[u8], operation: &Operation<'_>) -> &Group {
        let owner = self.route(key);
        match operation {
            Operation::Put { .. } | Operation::Cas { .. }
                if self.bug == Some(Bug::ForeignKeys)
                    && shard_of(key, MISROUTED_SALT, MISROUTED_EVERY) == 0 =>
            {
                let next = (usize::from(owner.id.0) + 1) % self.groups.len();
                &self.groups[next]
            }
            Operation::Put { .. } | Operation::Cas { .. } | Operation::Get => owner,
        }
    }
}

impl fmt::Display for ServerPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_route(&self.root, f)
    }
}

impl ServerPorts {
    fn fmt_route(&self, route: &Route, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match route {
            Route::Node(group) => write!(f, "{}", self.groups[usize::from(group.0)].nodes[0]),
            Route::AnyOf(group) => {
                f.write_str("any of")?;
                let group = &self.groups[usize::from(group.0)];
                for node in &group.nodes {
                    write!(f, " {node}")?;
                }
                if !group.spares.is_empty() {
                    f.write_str(" with spares")?;
                }
                for node in &group.spares {
                    write!(f, " {node}")?;
                }
                Ok(())
            }
            Route::ByKey { shards, .. } => {
                f.write_str("by key [")?;
                for (place, shard) in shards.iter().enumerate() {
                    if place > 0 {
                        f.write_str(", ")?;
                    }
                    self.fmt_route(shard, f)?;
                }
                f.write_str("]")
            }
        }
    }
}
