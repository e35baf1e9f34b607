//! What a replica is made from: plain data that crosses a process boundary.

use serde::{Deserialize, Serialize};

use super::shard::ShardStep;
use super::{GossipSettings, QuorumRule, QuorumSettings, RaftRule, RaftSettings};
use crate::bug::Bug;
use crate::protocol::{GroupId, Lattice, NodeId};

/// Which state machine serves a node's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaKind {
    /// Unreplicated: each key has one copy.
    Local,
    /// One of a group that gossips.
    Replicated(Lattice),
    /// One of a quorum.
    Quorum(QuorumRule),
    /// One of a Raft group.
    Raft(RaftRule),
    /// The toy.
    #[cfg(test)]
    Echo,
}

/// Everything that decides what a replica does, but for its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaSpec {
    /// The node it runs on.
    pub node: NodeId,
    /// Which life of the node this is, from 0. One that comes back without its state must be given
    /// a larger one than all before, so that no dot is used twice.
    pub incarnation: u16,
    /// The group that it belongs to.
    pub group: GroupId,
    /// The other replicas of the group; for a spare, all of them.
    pub peers: Vec<NodeId>,
    /// Nodes that hold puts for replicas which cannot be reached, if the group has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spares: Vec<NodeId>,
    /// Which state machine it is.
    pub kind: ReplicaKind,
    /// The part of the key space that is its own, outermost shard first; empty when all of it is.
    pub shards: Vec<ShardStep>,
    /// Intervals and bounds.
    pub settings: Settings,
    /// The planted bug it is built with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<Bug>,
}

/// Intervals and bounds of replicas, for each kind its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Of a replica that gossips.
    pub gossip: GossipSettings,
    /// Of a replica of a quorum.
    pub quorum: QuorumSettings,
    /// Of a replica of a Raft group.
    pub raft: RaftSettings,
}

/// What a host draws for a replica's inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    /// How many peers for each timer, or all when there are fewer.
    pub peers: usize,
    /// Whether each input brings random bits.
    pub random: bool,
}

impl ReplicaSpec {
    /// All others that it sends messages to.
    pub fn others(&self) -> impl Iterator<Item = NodeId> + '_ {
        let all = self.peers.iter().chain(&self.spares).copied();
        all.filter(|node| *node != self.node)
    }

    /// What its host draws.
    #[must_use]
    pub fn draws(&self) -> Draws {
        match self.kind {
            ReplicaKind::Local => Draws::default(),
            #[cfg(test)]
            ReplicaKind::Echo => Draws::default(),
            ReplicaKind::Replicated(_) => Draws {
                peers: self.settings.gossip.fanout.into(),
                random: false,
            },
            ReplicaKind::Quorum(_) => Draws {
                peers: 1,
                random: true,
            },
            ReplicaKind::Raft(_) => Draws {
                peers: 0,
                random: true,
            },
        }
    }

    /// About how long it takes a replica to notice that another lacks something, in ms.
    #[must_use]
    pub const fn round_ms(&self) -> u64 {
        match self.kind {
            // Nobody else has anything.
            ReplicaKind::Local => 0,
            #[cfg(test)]
            ReplicaKind::Echo => 0,
            ReplicaKind::Replicated(_) => self.settings.gossip.anti_entropy_ms,
            ReplicaKind::Quorum(_) => self.settings.quorum.anti_entropy_ms,
            ReplicaKind::Raft(_) => self.settings.raft.tick_ms,
        }
    }
}
