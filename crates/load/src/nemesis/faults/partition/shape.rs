//! The shapes of partitions, as Jepsen draws them: who does not hear whom.

use std::fmt;

use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use kvs_core::protocol::NodeId;

/// How a group of nodes, or a node and the clients, are parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionShape {
    /// One node alone.
    One,
    /// A majority on one side.
    Majority,
    /// Every node hears a majority, and no two the same.
    MajoritiesRing,
    /// A third of the nodes, less than half of them in any case, apart from the others.
    MinorityThird,
    /// Two halves that only one node hears, and is heard by.
    Bridge,
    /// Two halves, one of which hears the other and is not heard.
    Asymmetric,
    /// Clients and some nodes do not hear each other.
    Clients,
}

impl PartitionShape {
    /// Every shape.
    pub const ALL: [Self; 7] = [
        Self::One,
        Self::Majority,
        Self::MajoritiesRing,
        Self::MinorityThird,
        Self::Bridge,
        Self::Asymmetric,
        Self::Clients,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Majority => "majority",
            Self::MajoritiesRing => "majorities-ring",
            Self::MinorityThird => "minority-third",
            Self::Bridge => "bridge",
            Self::Asymmetric => "asymmetric",
            Self::Clients => "clients",
        }
    }

    /// Whether a group of so many nodes can be parted like this.
    #[must_use]
    pub const fn fits(self, nodes: usize) -> bool {
        match self {
            Self::Clients => nodes >= 1,
            Self::One | Self::Majority | Self::MinorityThird | Self::Asymmetric => nodes >= 2,
            Self::MajoritiesRing | Self::Bridge => nodes >= 3,
        }
    }
}

/// Somebody does not hear a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deafness {
    /// This node does not hear those.
    Node(NodeId, Vec<NodeId>),
    /// The clients and this node do not hear each other.
    Clients(NodeId),
    /// This one client and this node do not hear each other.
    Client(u16, NodeId),
}

impl Deafness {
    /// The nodes that it names.
    pub(in crate::nemesis) fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Node(node, speakers) => {
                let mut nodes = speakers.clone();
                nodes.push(*node);
                nodes
            }
            Self::Clients(node) | Self::Client(_, node) => vec![*node],
        }
    }
}

impl fmt::Display for Deafness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node, speakers) => {
                write!(f, "{node} deaf to")?;
                speakers.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Self::Clients(node) => write!(f, "clients and {node} deaf to each other"),
            Self::Client(client, node) => {
                write!(f, "client {client} and {node} deaf to each other")
            }
        }
    }
}

/// Parts `group`, in which each node is drawn into its place.
///
/// # Panics
/// When the shape does not fit the group.
pub(in crate::nemesis) fn part(
    shape: PartitionShape,
    group: &[NodeId],
    random: &mut Pcg64,
) -> Vec<Deafness> {
    assert!(shape.fits(group.len()), "a shape fits its group");
    let mut nodes = group.to_vec();
    nodes.shuffle(random);
    let (count, majority) = (nodes.len(), nodes.len() / 2 + 1);
    let mut deafness = match shape {
        PartitionShape::Clients => {
            return vec![Deafness::Clients(nodes[0])];
        }
        PartitionShape::One => apart(&nodes[..1], &nodes[1..]),
        PartitionShape::Majority => {
            let (many, few) = nodes.split_at(majority.min(count - 1));
            apart(many, few)
        }
        PartitionShape::MinorityThird => {
            let (few, many) = nodes.split_at((count / 3).max(1));
            apart(few, many)
        }
        PartitionShape::Asymmetric => {
            let (heard, unheard) = nodes.split_at(count / 2);
            deaf(heard, unheard)
        }
        PartitionShape::Bridge => {
            let halves = &nodes[1..];
            let (left, right) = halves.split_at(halves.len() / 2);
            apart(left, right)
        }
        PartitionShape::MajoritiesRing => (0..count)
            .map(|at| {
                // It hears itself and the next ones around the ring.
                let unheard = (majority..count).map(|step| nodes[(at + step) % count]);
                Deafness::Node(nodes[at], unheard.collect())
            })
            .collect(),
    };
    for deafness in &mut deafness {
        if let Deafness::Node(_, speakers) = deafness {
            speakers.sort_unstable();
        }
    }
    deafness.sort_unstable();
    deafness
}

/// Neither side hears the other.
fn apart(left: &[NodeId], right: &[NodeId]) -> Vec<Deafness> {
    [deaf(left, right), deaf(right, left)].concat()
}

/// The listeners do not hear the speakers.
fn deaf(listeners: &[NodeId], speakers: &[NodeId]) -> Vec<Deafness> {
    let deaf = |node: &NodeId| Deafness::Node(*node, speakers.to_vec());
    listeners.iter().map(deaf).collect()
}
