//! What a replica is made from: plain data that crosses a process boundary.

use serde::{Deserialize, Serialize};

use super::Timer;
use super::shard::ShardStep;
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
    /// The other replicas of the group.
    pub peers: Vec<NodeId>,
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

/// Intervals and bounds of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many peers a rumour is pushed to. Groups of up to `fanout + 1` push to everybody.
    pub fanout: u16,
    /// Time between two digests of one replica, in ms.
    pub anti_entropy_ms: u64,
    /// How long a request may wait for the replica to catch up with its session, in ms. It is
    /// refused after at least half of it.
    pub deferral_ms: u64,
    /// How many requests may wait. At this bound and the next, requests are refused as overloaded.
    pub deferred_max: u32,
    /// How many bytes of keys, values and contexts the waiting requests may have.
    pub deferred_bytes_max: u64,
    /// How many updates may wait for others that they depend on. At this bound and the next,
    /// updates are dropped: anti-entropy brings them again.
    pub held_back_max: u32,
    /// How many bytes the waiting updates may have.
    pub held_back_bytes_max: u64,
    /// How many updates the log keeps for peers that have not got them. A peer that needs more
    /// gets the state.
    pub log_updates_max: u32,
    /// How many bytes of records the log keeps.
    pub log_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fanout: 3,
            anti_entropy_ms: 50,
            deferral_ms: 200,
            deferred_max: 65_536,
            deferred_bytes_max: 64 << 20,
            held_back_max: 65_536,
            held_back_bytes_max: 64 << 20,
            log_updates_max: 1 << 18,
            log_bytes_max: 128 << 20,
        }
    }
}

impl Settings {
    /// How long the timer takes, in ms; 0 means right after the current batch of inputs.
    #[must_use]
    pub const fn delay_ms(&self, timer: Timer) -> u64 {
        match timer {
            Timer::Rumour => 0,
            Timer::AntiEntropy => self.anti_entropy_ms,
            // A request is refused at the second tick after it came, so it waits for one to two.
            Timer::Deferral => self.deferral_ms.div_ceil(2),
        }
    }
}
