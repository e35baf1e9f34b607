//! What is committed at once: all that a replica persisted since the last time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kvs_core::replica::{Persist, Replica, Write};

/// Gathers what a replica persists. Of a key that was put often only what is left of it is written.
#[derive(Debug, Default)]
pub struct Changes {
    keys: BTreeSet<Vec<u8>>,
    /// What was appended to the log, in its order.
    entries: Vec<Vec<u8>>,
    /// Notes by their slots, the latest of each.
    notes: BTreeMap<u16, Vec<u8>>,
    /// Whether the log was begun anew, before those entries.
    restarts: bool,
    bytes: usize,
}

/// What is committed at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Keys with all that the replica has of them, encoded; none where it has nothing any more.
    pub(super) records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// What was appended to the log, in its order.
    pub(super) entries: Vec<Vec<u8>>,
    /// Notes by their slots.
    pub(super) notes: BTreeMap<u16, Vec<u8>>,
    /// Whether all entries of the log are out of date.
    pub(super) restarts: bool,
    /// The note that stands for the log, these entries included.
    pub(super) summary: Option<(u16, Vec<u8>)>,
}

impl Changes {
    /// Takes one more.
    pub fn note(&mut self, change: &Persist<'_>) {
        change.writes(|write| match write {
            Write::Key { key, bytes } => {
                self.bytes += key.len() + bytes;
                self.note_key(key);
            }
            Write::Note { slot, bytes } => {
                self.bytes += bytes.len();
                self.notes.insert(slot, bytes.to_vec());
            }
            Write::Append(entry) => {
                self.bytes += entry.len();
                self.entries.push(entry);
            }
            Write::Restart => {
                self.restarts = true;
                self.entries.clear();
            }
        });
    }

    fn note_key(&mut self, key: &[u8]) {
        if !self.keys.contains(key) {
            self.keys.insert(key.to_vec());
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.notes.is_empty() && self.entries.is_empty() && !self.restarts
    }

    /// About how many bytes they hold.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, with what `replica` has of the keys now: call it when every change that the
    /// replica made was noted.
    pub fn take(&mut self, replica: &Replica) -> Batch {
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
            entries: std::mem::take(&mut self.entries),
            notes: std::mem::take(&mut self.notes),
            restarts: std::mem::take(&mut self.restarts),
            summary: replica.summary(),
        }
    }
}

pub(super) fn encode(data: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(data).expect("plain data")
}
