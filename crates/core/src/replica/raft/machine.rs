//! The state that a log leads to: what each key holds, the sessions' last calls, and which life of
//! each node is a member. All replicas apply the same entries, and so have the same.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use super::calls::{Calls, Known};
use crate::protocol::{
    Call, Command, Dot, LastCall, LogEntry, NodeId, Origin, Position, Record, StateItem, Update,
};
use crate::replica::store::{Snapshot, Store};
use crate::values::{Entry, LwwWrapper, UpdateRef, Value};

type Register = LwwWrapper<Vec<u8>>;

/// The state at a position of the log.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    at: Position,
    store: Store<Register>,
    calls: Calls,
    /// The life of each node that is not in its first.
    lives: BTreeMap<NodeId, u16>,
    sessions_max: u32,
}

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It had nothing to do.
    Nothing,
    /// The key holds what was written at this index.
    Written(u64),
    /// The key held something else than was expected: what, unless that is no longer known.
    Mismatch(Option<Option<Update>>),
    /// Nobody waits for it any more.
    Overtaken,
    /// Whether it happened before is not known, so it did not happen now.
    Forgotten,
    /// A node is a member in this life.
    Member(Origin),
}

/// The state as it was at one position, for a replica that is behind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Copied {
    pub(super) at: Position,
    keys: usize,
    puts: Snapshot<Register>,
    others: Vec<StateItem>,
}

impl Machine {
    pub(super) fn new(sessions_max: u32) -> Self {
        Self {
            at: Position::default(),
            store: Store::new(),
            calls: Calls::default(),
            lives: BTreeMap::new(),
            sessions_max,
        }
    }

    /// The last entry that was applied.
    pub(super) const fn at(&self) -> Position {
        self.at
    }

    pub(super) const fn store(&self) -> &Store<Register> {
        &self.store
    }

    pub(super) fn sessions(&self) -> usize {
        self.calls.len()
    }

    /// What a key holds.
    pub(super) fn find(&self, key: &[u8]) -> Option<UpdateRef<'_>> {
        self.store.find(key)?.updates().next()
    }

    /// Which life of a node is a member.
    pub(super) fn life(&self, node: NodeId) -> u16 {
        self.lives.get(&node).copied().unwrap_or(0)
    }

    /// What is known of a call.
    pub(super) fn known(&self, call: &Call) -> Known {
        self.calls.known(call)
    }

    /// What came of a call that was applied.
    pub(super) const fn outcome(last: LastCall) -> Applied {
        if last.took_effect {
            Applied::Written(last.index)
        } else {
            Applied::Mismatch(None)
        }
    }

    /// Applies the next entry.
    pub(super) fn apply(&mut self, entry: &LogEntry) -> Applied {
        let index = self.at.index + 1;
        self.at = Position {
            term: entry.term,
            index,
        };
        match &entry.command {
            Command::Nothing => Applied::Nothing,
            Command::Life(life) => {
                self.lives.insert(life.node(), life.incarnation());
                Applied::Member(*life)
            }
            Command::Write {
                call,
                expected,
                record,
            } => {
                let known = call
                    .as_ref()
                    .map_or(Known::New, |call| self.calls.known(call));
                match known {
                    Known::New => {}
                    Known::Applied(last) => return Self::outcome(last),
                    Known::Overtaken => return Applied::Overtaken,
                    Known::Forgotten => return Applied::Forgotten,
                }
                let found = self.find(record.key());
                let took_effect = expected.is_met(found.map(|put| put.record.value()));
                let found = (!took_effect).then(|| found.map(UpdateRef::to_update));
                if let Some(call) = call {
                    let last = LastCall {
                        operation: call.operation,
                        index,
                        took_effect,
                    };
                    self.calls.note(call.session, last, self.sessions_max);
                }
                if took_effect {
                    self.put(index, record.clone());
                    Applied::Written(index)
                } else {
                    Applied::Mismatch(found)
                }
            }
        }
    }

    /// Takes in parts of the state at a later position: puts beside those that are there, and
    /// everything else in place of it.
    pub(super) fn become_state(&mut self, at: Position, items: &[StateItem]) {
        self.at = at;
        self.calls = Calls::default();
        self.lives.clear();
        for item in items {
            match item {
                StateItem::Put { index, record } => self.put(*index, record.clone()),
                StateItem::Called { session, last } => {
                    self.calls.note(*session, *last, self.sessions_max);
                }
                StateItem::Life(life) => {
                    self.lives.insert(life.node(), life.incarnation());
                }
                StateItem::Forgets => self.calls.note_that_it_forgets(),
            }
        }
    }

    /// Takes back what a key holds.
    pub(super) fn restore_put(&mut self, index: u64, record: Record) {
        self.put(index, record);
    }

    /// What the keys that these entries write hold now, and all that is no put.
    pub(super) fn items_since<'a>(
        &self,
        entries: impl Iterator<Item = &'a LogEntry>,
    ) -> Vec<StateItem> {
        let mut keys = BTreeSet::new();
        for entry in entries {
            if let Command::Write { record, .. } = &entry.command {
                keys.insert(record.key());
            }
        }
        let puts = keys.into_iter().filter_map(|key| self.find(key));
        let mut items: Vec<StateItem> = puts.map(item_of).collect();
        items.extend(self.others());
        items
    }

    /// All that is no put.
    pub(super) fn others(&self) -> Vec<StateItem> {
        let called = |(session, last)| StateItem::Called { session, last };
        let life = |(node, incarnation): (&NodeId, &u16)| {
            StateItem::Life(Origin::new(*node, *incarnation))
        };
        let forgets = self.calls.forgets().then_some(StateItem::Forgets);
        let calls = self.calls.iter().map(called);
        calls
            .chain(self.lives.iter().map(life))
            .chain(forgets)
            .collect()
    }

    /// A copy that later entries do not change.
    pub(super) fn copied(&self) -> Copied {
        Copied {
            at: self.at,
            keys: self.store.len(),
            puts: self.store.snapshot(),
            others: self.others(),
        }
    }

    /// Forgets the sessions' calls: the planted bug `snapshot-forgets-calls`.
    pub(super) fn forget_calls(&mut self) {
        self.calls = Calls::default();
    }

    fn put(&mut self, index: u64, record: Record) {
        let update = Update {
            dot: dot_of(index),
            time: index,
            record: record.clone(),
        };
        let replace = |entry: &mut Register, update| *entry = Register::from_update(update);
        self.store
            .upsert(record.key(), update, Register::from_update, replace);
    }
}

impl Copied {
    /// Items from a place on, at most so many bytes of them unless one alone is larger, and whether
    /// there are more.
    pub(super) fn chunk(&self, from: u64, bytes_max: usize) -> (Vec<StateItem>, bool) {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let puts = self.puts.from(from.min(self.keys));
        let puts = puts.flat_map(Entry::updates).map(item_of);
        let skipped = from.saturating_sub(self.keys).min(self.others.len());
        let others = self.others[skipped..].iter().cloned();
        let mut items = Vec::new();
        let mut bytes = 0;
        for item in puts.chain(others) {
            bytes += item.bytes();
            if bytes > bytes_max && !items.is_empty() {
                return (items, true);
            }
            items.push(item);
        }
        (items, false)
    }
}

/// What an entry of this index wrote, as stores and digests name it.
pub(super) const fn dot_of(index: u64) -> Dot {
    Dot::new(Origin::new(NodeId(0), 0), index)
}

fn item_of(put: UpdateRef<'_>) -> StateItem {
    StateItem::Put {
        index: put.time,
        record: put.record.clone(),
    }
}

/// The bound is the same for all.
impl PartialEq for Machine {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
            && self.calls == other.calls
            && self.lives == other.lives
            && self.store == other.store
    }
}

impl Eq for Machine {}

impl Hash for Machine {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.at.hash(state);
        self.calls.hash(state);
        self.lives.hash(state);
        self.store.hash(state);
    }
}
