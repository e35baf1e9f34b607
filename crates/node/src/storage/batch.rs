//! What is committed at once: all that a replica persisted since the last time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kvs_core::protocol::Dot;
use kvs_core::replica::{GossipChange, Persist, Replica};

/// Gathers what a replica persists. Of a key that was put often only what is left of it is written.
#[derive(Debug, Default)]
pub struct Changes {
    keys: BTreeSet<Vec<u8>>,
    /// Updates in the order in which they were applied, encoded.
    updates: Vec<Vec<u8>>,
    /// Notes by their slots, the latest of each.
    notes: BTreeMap<u16, Vec<u8>>,
    /// Whether a whole state was merged, so that the order of updates no longer tells what is
    /// applied.
    merged_state: bool,
    bytes: usize,
}

/// What is committed at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Keys with all that the replica has of them, encoded; none where it has nothing any more.
    pub(super) records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Updates in the order in which they were applied, encoded.
    pub(super) updates: Vec<Vec<u8>>,
    /// Notes by their slots.
    pub(super) notes: BTreeMap<u16, Vec<u8>>,
    /// All that the replica had applied, if a state was merged.
    pub(super) merged_state: Option<Vec<Dot>>,
}

impl Changes {
    /// Takes one more.
    pub fn note(&mut self, change: &Persist<'_>) {
        match change {
            Persist::Record { key, value } => {
                self.bytes += key.len() + value.len();
                self.note_key(key);
            }
            Persist::Gossip(GossipChange::Update(update)) => {
                let encoded = encode(update.as_ref());
                self.bytes += encoded.len() + update.record.key().len();
                self.updates.push(encoded);
                self.note_key(update.record.key());
            }
            Persist::Gossip(GossipChange::State { updates, .. }) => {
                self.merged_state = true;
                self.updates.clear();
                for update in updates.iter() {
                    self.bytes += update.record.key().len() + update.record.value().len();
                    self.note_key(update.record.key());
                }
            }
            Persist::Note { slot, bytes } => {
                self.bytes += bytes.len();
                self.notes.insert(*slot, bytes.to_vec());
            }
        }
    }

    fn note_key(&mut self, key: &[u8]) {
        if !self.keys.contains(key) {
            self.keys.insert(key.to_vec());
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.notes.is_empty() && !self.merged_state
    }

    /// About how many bytes they hold.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, with what `replica` has of the keys now: call it when every change that the
    /// replica made was noted.
    pub fn take(&mut self, replica: &Replica) -> Batch {
        let merged_state = std::mem::take(&mut self.merged_state);
        self.bytes = 0;
        let kept = |key: Vec<u8>| {
            let record = replica.kept(&key).map(Cow::into_owned);
            (key, record)
        };
        Batch {
            records: std::mem::take(&mut self.keys)
                .into_iter()
                .map(kept)
                .collect(),
            updates: std::mem::take(&mut self.updates),
            notes: std::mem::take(&mut self.notes),
            merged_state: merged_state.then(|| replica.status().applied().to_vec()),
        }
    }
}

pub(super) fn encode(data: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(data).expect("plain data")
}
