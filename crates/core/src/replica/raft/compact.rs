//! The state takes the place of the log's first entries, and what a host keeps of both.
//!
//! A host that replays changes hands back each [`RaftChange`]. A host that keeps keys has a note of
//! all that is no put, the keys' puts, and the lines of a journal: its term and the entries after
//! the state.

use std::borrow::Cow;

use super::{Effects, Raft, RaftChange};
use crate::bug::Bug;
use crate::protocol::{Origin, Position, Record, StateItem};
use crate::replica::Persist;

/// The note of all that is no put.
const NOTE_STATE: u16 = 0;
/// Bytes of an index before a value that is kept.
const INDEX_BYTES: usize = 8;

impl Raft {
    /// Puts the state in the place of the entries that were applied, if these are many.
    pub(super) fn compact_if_due<E: Effects>(&mut self, out: &mut E) {
        let (at, before) = (self.machine.at(), self.base.at());
        let entries = at.index - before.index;
        let is_due = entries >= self.settings.compact_entries
            || self.applied_bytes >= self.settings.compact_bytes;
        if !is_due || entries == 0 {
            return;
        }
        let applied = usize::try_from(entries).unwrap_or(usize::MAX);
        let entries = self.log.from(before.index + 1).take(applied);
        let mut items = self.machine.items_since(entries);
        self.base = self.machine.clone();
        if self.bug == Some(Bug::SnapshotForgetsCalls) {
            self.base.forget_calls();
            items.retain(|item| !matches!(item, StateItem::Called { .. }));
        }
        self.applied_bytes = 0;
        let (entries, bytes) = (self.settings.compact_entries, self.settings.compact_bytes);
        self.log.shrink(at.index, entries, bytes);
        let items = items.into();
        out.persist(&Persist::Raft(RaftChange::State { at, items }));
    }

    /// Takes back a change that it had persisted.
    pub(in crate::replica) fn restore(&mut self, change: &Persist<'_>) {
        match change {
            Persist::Raft(change) => self.restore_change(change),
            Persist::Entry { bytes } => {
                let change = postcard::from_bytes(bytes);
                self.restore_change(&change.expect("a line that it wrote"));
            }
            Persist::Note { slot, bytes } => {
                assert_eq!(
                    *slot, NOTE_STATE,
                    "a replica of a Raft group keeps one note"
                );
                let note: (Position, Vec<StateItem>) =
                    postcard::from_bytes(bytes).expect("a note that it wrote");
                self.restore_state(note.0, &note.1);
            }
            Persist::Record { key, value } => {
                let (index, value) = value.split_first_chunk::<INDEX_BYTES>().expect("a put");
                let index = u64::from_le_bytes(*index);
                let record = Record::new(key, Origin::default(), &[], value);
                self.base.restore_put(index, record.clone());
                self.machine.restore_put(index, record);
            }
            Persist::Gossip(_) => panic!("a replica of a Raft group does not gossip"),
        }
    }

    fn restore_change(&mut self, change: &RaftChange<'_>) {
        match change {
            RaftChange::Term {
                term,
                voted_for,
                runs,
                is_member,
            } => {
                self.term = *term;
                self.voted_for = *voted_for;
                self.runs = *runs;
                self.is_member = *is_member;
            }
            RaftChange::Append { index, entries } => {
                let before = self.log.before().index;
                let covered = (before + 1).saturating_sub(*index);
                let covered = usize::try_from(covered).unwrap_or(usize::MAX);
                self.log.truncate((*index).max(before + 1));
                for entry in entries.iter().skip(covered) {
                    self.log.push(entry.clone());
                }
            }
            RaftChange::State { at, items } => self.restore_state(*at, items),
        }
    }

    fn restore_state(&mut self, at: Position, items: &[StateItem]) {
        self.base.become_state(at, items);
        self.machine.become_state(at, items);
        self.log.begin_after(at);
        self.commit = at.index;
    }

    /// What the state that took the place of entries has of a key.
    pub(in crate::replica) fn kept(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let put = self.base.find(key)?;
        let value = put.record.value();
        let mut bytes = Vec::with_capacity(INDEX_BYTES + value.len());
        bytes.extend_from_slice(&put.time.to_le_bytes());
        bytes.extend_from_slice(value);
        Some(Cow::Owned(bytes))
    }

    /// All of that state that is no put, as a note.
    pub(in crate::replica) fn summary(&self) -> (u16, Vec<u8>) {
        let note = (self.base.at(), self.base.others());
        let bytes = postcard::to_stdvec(&note).expect("plain data");
        (NOTE_STATE, bytes)
    }

    /// The lines of a journal that has all that is not in that state.
    pub(in crate::replica) fn journal(&self) -> Vec<Vec<u8>> {
        let term = RaftChange::Term {
            term: self.term,
            voted_for: self.voted_for,
            runs: self.runs,
            is_member: self.is_member,
        };
        let index = self.base.at().index + 1;
        let entries: Vec<_> = self.log.from(index).cloned().collect();
        let append = RaftChange::Append {
            index,
            entries: entries.into(),
        };
        let line = |change: &RaftChange<'_>| postcard::to_stdvec(change).expect("plain data");
        vec![line(&term), line(&append)]
    }
}
