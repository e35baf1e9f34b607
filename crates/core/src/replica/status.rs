//! What a replica holds and has done, for the launcher and the report.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::protocol::Vector;

/// A replica's state in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which updates it has applied; empty for `local`.
    pub applied: Vector,
    /// Updates in its log, kept for peers.
    pub log_updates: u64,
    /// Bytes of records in its log.
    pub log_bytes: u64,
    /// Updates held back for others that they depend on.
    pub held_back: u64,
    /// Requests that wait for the replica to catch up.
    pub deferred: u64,
    /// Keys stored.
    pub keys: u64,
    /// Values stored: more than keys where concurrent puts were kept.
    pub siblings: u64,
    /// Of all keys and the identities of the puts they hold, independent of order: equal for
    /// replicas of equal stores, and different, but for a chance of 2^-64, otherwise.
    pub digest: u64,
    /// Estimated bytes of memory beyond key and value bytes: the hash table and the pages at the
    /// sizes they have now, and for each put its reference counts, its packed vector and 12 bytes
    /// for the allocator. Without the update log.
    pub overhead_bytes: u64,
    /// What it has done since it started.
    pub counters: Counters,
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
