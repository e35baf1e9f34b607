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
    /// What was appended to the journal, in its order.
    lines: Vec<Vec<u8>>,
    /// Whether all of the journal is out of date.
    rewrites: bool,
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
    /// What was appended to the journal, in its order.
    pub(super) lines: Vec<Vec<u8>>,
    /// What takes the place of the journal, those lines included.
    pub(super) journal: Option<Vec<Vec<u8>>>,
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
            Write::Line(line) => {
                self.bytes += line.len();
                self.lines.push(line);
            }
            Write::Rewrite => {
                self.rewrites = true;
                self.lines.clear();
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
        self.keys.is_empty()
            && self.notes.is_empty()
            && self.entries.is_empty()
            && self.lines.is_empty()
            && !self.restarts
            && !self.rewrites
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
        let rewrites = std::mem::take(&mut self.rewrites);
        let is_summed_up = rewrites || self.restarts || !self.entries.is_empty();
        let summary = is_summed_up.then(|| replica.summary()).flatten();
        Batch {
            records: std::mem::take(&mut self.keys)
                .into_iter()
                .map(kept)
                .collect(),
            entries: std::mem::take(&mut self.entries),
            notes: std::mem::take(&mut self.notes),
            restarts: std::mem::take(&mut self.restarts),
            lines: std::mem::take(&mut self.lines),
            journal: rewrites.then(|| replica.journal()),
            summary,
        }
    }
}

impl Batch {
    /// Whether anything but lines of the journal changes.
    pub(super) fn changes_state(&self) -> bool {
        !self.records.is_empty()
            || !self.entries.is_empty()
            || !self.notes.is_empty()
            || self.restarts
            || self.journal.is_some()
    }
}
