//! What a replica holds and has done, for the launcher and the report.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::{GossipStatus, QuorumStatus, RaftStatus, Settings};
use crate::protocol::Dot;

/// A replica's state in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Keys stored.
    pub keys: u64,
    /// Values stored: more than keys where concurrent puts were kept.
    pub siblings: u64,
    /// A digest of all keys and the identities of the puts they hold, independent of order. It is
    /// equal for equal stores, and different for others, except with a chance of 2^-64.
    pub digest: u64,
    /// Estimated bytes of memory beyond key and value bytes: the hash table and the pages at the
    /// sizes they have now, and for each put its reference counts, its packed vector and 12 bytes
    /// for the allocator. Without the update log.
    pub overhead_bytes: u64,
    /// What it has done since it started.
    pub counters: Counters,
    /// What only its kind has.
    pub kind: KindStatus,
}

/// What one kind of replica has and others have not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KindStatus {
    /// Nothing: an unreplicated store.
    #[default]
    Local,
    /// Of a replica that gossips.
    Gossip(GossipStatus),
    /// Of a replica of a quorum.
    Quorum(QuorumStatus),
    /// Of a replica of a Raft group.
    Raft(RaftStatus),
}

/// Something of a replica that has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// What it is called.
    pub name: &'static str,
    /// How many items it has.
    pub used: u64,
    /// How many it may have.
    pub max: u64,
}

impl Status {
    /// Estimated bytes of memory for each key beyond key and value bytes; 0 when there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn overhead_bytes_per_key(&self) -> f64 {
        if self.keys == 0 {
            return 0.0;
        }
        self.overhead_bytes as f64 / self.keys as f64
    }

    /// Whether this replica and `other`, of one group, agree: they have applied the same updates
    /// and hold the same. Replicas can agree while something still waits: see
    /// [`Status::is_quiet`].
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let alike = match (&self.kind, &other.kind) {
            (KindStatus::Local, KindStatus::Local)
            | (KindStatus::Quorum(_), KindStatus::Quorum(_)) => true,
            (KindStatus::Raft(one), KindStatus::Raft(other)) => one.applied == other.applied,
            (KindStatus::Gossip(one), KindStatus::Gossip(other)) => one.agrees_with(other),
            (
                KindStatus::Local
                | KindStatus::Gossip(_)
                | KindStatus::Quorum(_)
                | KindStatus::Raft(_),
                _,
            ) => false,
        };
        alike && self.digest == other.digest
    }

    /// Whether nothing waits at the replica: no update waits for others that it depends on, and no
    /// request waits for the replica to catch up.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        match &self.kind {
            KindStatus::Local => true,
            KindStatus::Gossip(status) => status.is_quiet(),
            KindStatus::Quorum(status) => status.is_quiet(),
            KindStatus::Raft(status) => status.is_quiet(),
        }
    }

    /// Whether it has all that it ever acknowledged, as far as it knows: it did not come back empty,
    /// or has recovered since.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        match &self.kind {
            KindStatus::Local | KindStatus::Gossip(_) => true,
            KindStatus::Quorum(status) => !status.recovering,
            KindStatus::Raft(status) => !status.recovering,
        }
    }

    /// Whether it leads its group, as far as it knows: another may have been chosen meanwhile.
    #[must_use]
    pub const fn leads(&self) -> bool {
        match &self.kind {
            KindStatus::Local | KindStatus::Gossip(_) | KindStatus::Quorum(_) => false,
            KindStatus::Raft(status) => status.leads,
        }
    }

    /// Why the replica is not quiet, or does not agree with `first` of its group, in words.
    #[must_use]
    pub fn difference(&self, first: &Self) -> String {
        let of_kind = match (&self.kind, &first.kind) {
            (KindStatus::Gossip(status), KindStatus::Gossip(first)) => status.difference(first),
            (KindStatus::Quorum(status), _) => status.difference(),
            (KindStatus::Raft(status), KindStatus::Raft(first)) => status.difference(first),
            (KindStatus::Local | KindStatus::Gossip(_) | KindStatus::Raft(_), _) => None,
        };
        of_kind.unwrap_or_else(|| "they applied the same and hold something else".to_owned())
    }

    /// Which puts it has applied, where they have dots; empty for kinds that give them none.
    #[must_use]
    pub fn applied(&self) -> &[Dot] {
        match &self.kind {
            KindStatus::Local | KindStatus::Quorum(_) | KindStatus::Raft(_) => &[],
            KindStatus::Gossip(status) => &status.applied,
        }
    }

    /// What it has that is bounded by `settings`, and how full it is.
    #[must_use]
    pub fn buffers(&self, settings: &Settings) -> Vec<Buffer> {
        match &self.kind {
            KindStatus::Local => Vec::new(),
            KindStatus::Gossip(status) => status.buffers(&settings.gossip).into(),
            KindStatus::Quorum(status) => status.buffers(&settings.quorum).into(),
            KindStatus::Raft(status) => status.buffers(&settings.raft).into(),
        }
    }
}

/// What a replica has done, since it started.
///
/// Statistics are no part of the state: replicas that differ in nothing else are equal and hash
/// alike, or a model checker would never see the same state twice.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Gets answered.
    pub gets: u64,
    /// Puts accepted.
    pub puts: u64,
    /// Requests refused, for whatever reason.
    pub refused: u64,
    /// Requests that had to wait for the replica to catch up.
    pub deferrals: u64,
    /// Updates of other replicas that were applied.
    pub applied: u64,
    /// Updates that arrived again.
    pub repeated: u64,
    /// Updates that arrived before those that they depend on.
    pub held_back: u64,
    /// Updates dropped because a queue was full or because what they depend on is lost.
    pub dropped: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Messages of nodes that are not peers, or that no such replica sends.
    pub messages_ignored: u64,
    /// State transfers completed, as the receiver.
    pub transfers: u64,
}

impl PartialEq for Counters {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Counters {}

impl Hash for Counters {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{NodeId, Origin};

    fn gossip(status: GossipStatus) -> Status {
        Status {
            kind: KindStatus::Gossip(status),
            ..Status::default()
        }
    }

    #[test]
    fn replicas_that_applied_and_hold_the_same_agree_whatever_else_they_have_done() {
        let busy = Status {
            overhead_bytes: 9,
            counters: Counters {
                gets: 4,
                ..Counters::default()
            },
            ..gossip(GossipStatus {
                log_updates: 5,
                held_back: 1,
                deferred: 1,
                ..GossipStatus::default()
            })
        };
        assert!(busy.agrees_with(&gossip(GossipStatus::default())));
    }

    #[test]
    fn replicas_disagree_when_they_have_applied_or_hold_something_else() {
        let quiet = gossip(GossipStatus::default());
        let ahead = gossip(GossipStatus {
            applied: [Dot::new(Origin::new(NodeId(0), 0), 1)]
                .into_iter()
                .collect(),
            ..GossipStatus::default()
        });
        let corrupt = Status {
            digest: 7,
            ..quiet.clone()
        };
        for status in [ahead, corrupt, Status::default()] {
            assert!(status.agrees_with(&status), "{status:?}");
            assert!(!status.agrees_with(&quiet), "{status:?}");
            assert!(!quiet.agrees_with(&status), "{status:?}");
        }
    }

    #[test]
    fn a_replica_is_quiet_once_neither_an_update_nor_a_request_waits() {
        let held_back = gossip(GossipStatus {
            held_back: 1,
            ..GossipStatus::default()
        });
        let deferred = gossip(GossipStatus {
            deferred: 1,
            ..GossipStatus::default()
        });
        assert!(gossip(GossipStatus::default()).is_quiet());
        assert!(!held_back.is_quiet() && !deferred.is_quiet());
    }
}
