//! An unreplicated store: one copy of each key, served in the order of arrival.

use std::borrow::Cow;

use super::shard::{ShardStep, owns};
use super::store::Store;
use super::{Counters, Effects, Input, KindStatus, Persist, ReplicaSpec, RequestId, Status};
use crate::bug::Bug;
use crate::protocol::{
    Dot, Operation, Origin, PutWitness, Record, Refusal, Request, Response, Sibling,
};
use crate::values::Plain;

/// With the planted bug `stale-reads`, one get in so many is answered from the old copy.
const STALE_READ_EVERY: u64 = 16;

/// The replica of an unreplicated node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    origin: Origin,
    puts: u64,
    shards: Vec<ShardStep>,
    store: Store<Plain>,
    /// The planted bug `stale-reads` and what it needs.
    stale: Option<Stale>,
    counters: Counters,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stale {
    /// The value before the last put, for the keys that were put more than once.
    store: Store<Plain>,
    gets: u64,
}

impl Local {
    pub(super) fn new(spec: &ReplicaSpec) -> Self {
        Self {
            origin: Origin::new(spec.node, spec.incarnation),
            puts: 0,
            shards: if spec.bug == Some(Bug::ForeignKeys) {
                Vec::new()
            } else {
                spec.shards.clone()
            },
            store: Store::new(),
            stale: (spec.bug == Some(Bug::StaleReads)).then(|| Stale {
                store: Store::new(),
                gets: 0,
            }),
            counters: Counters::default(),
        }
    }

    pub(super) fn handle_request<E: Effects>(
        &mut self,
        id: RequestId,
        request: &Request<'_>,
        _: &Input<'_>,
        out: &mut E,
    ) {
        if !owns(&self.shards, request.key) {
            self.counters.refused += 1;
            out.reply(id, &Response::Refused(Refusal::WrongShard));
            return;
        }
        match request.operation {
            Operation::Get => self.get(id, request.key, out),
            Operation::Put { value } => self.take(id, request.key, value, out),
            Operation::Cas { expected, value } => {
                self.compare_and_set(id, request.key, expected, value, out);
            }
        }
    }

    pub(super) fn restore(&mut self, change: &Persist<'_>) {
        match change {
            Persist::Record { key, value } => self.put(key, value),
            Persist::Note { .. }
            | Persist::Entry { .. }
            | Persist::Gossip(_)
            | Persist::Raft(_) => {
                panic!("an unreplicated replica persists records")
            }
        }
    }

    pub(super) fn kept(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let entry = self.store.find(key)?;
        Some(Cow::Borrowed(entry.record().value()))
    }

    pub(super) const fn ignore_message(&mut self) {
        self.counters.messages_ignored += 1;
    }

    /// Puts, keeps and answers.
    fn take<E: Effects>(&mut self, id: RequestId, key: &[u8], value: &[u8], out: &mut E) {
        self.put(key, value);
        let (key, value) = (key.into(), value.into());
        out.persist(&Persist::Record { key, value });
        out.reply(id, &Response::Put(PutWitness::None));
    }

    /// Puts where the key holds what is expected, and otherwise says what it holds.
    fn compare_and_set<E: Effects>(
        &mut self,
        id: RequestId,
        key: &[u8],
        expected: Option<&[u8]>,
        value: &[u8],
        out: &mut E,
    ) {
        let found = self.store.find(key);
        if found.map(|entry| entry.record().value()) == expected {
            return self.take(id, key, value, out);
        }
        self.counters.gets += 1;
        let sibling = found.map(sibling);
        let found = Some(sibling.as_slice());
        out.reply(id, &Response::Mismatch { found });
    }

    fn get<E: Effects>(&mut self, id: RequestId, key: &[u8], out: &mut E) {
        self.counters.gets += 1;
        let found = self
            .stale
            .as_mut()
            .and_then(|stale| stale.find(key))
            .or_else(|| self.store.find(key));
        let sibling = found.map(sibling);
        let response = Response::Get {
            vector: &[],
            siblings: sibling.as_slice(),
        };
        out.reply(id, &response);
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.counters.puts += 1;
        self.puts += 1;
        let dot = Dot::new(self.origin, self.puts);
        let origin = self.origin;
        let new = |()| Plain::new(dot, Record::new(key, origin, &[], value));
        let stale = self.stale.as_mut();
        self.store.upsert(key, (), new, |entry, ()| {
            if stale.is_none() && entry.overwrite(dot, value) {
                return;
            }
            let before = std::mem::replace(entry, new(()));
            if let Some(stale) = stale {
                stale.keep(key, before);
            }
        });
    }

    pub(super) fn anticipate<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        self.store.anticipate(keys);
    }

    pub(super) fn status(&self) -> Status {
        let totals = self.store.totals();
        Status {
            keys: self.store.len() as u64,
            siblings: totals.siblings,
            digest: totals.digest,
            overhead_bytes: totals.overhead_bytes + self.store.table_bytes(),
            counters: self.counters,
            kind: KindStatus::Local,
        }
    }
}

/// What a key holds, as it is told.
fn sibling(entry: &Plain) -> Sibling<'_> {
    Sibling {
        value: entry.record().value(),
        witness: PutWitness::None,
    }
}

impl Stale {
    fn keep(&mut self, key: &[u8], before: Plain) {
        let replace = |entry: &mut Plain, before| *entry = before;
        self.store.upsert(key, before, |before| before, replace);
    }

    fn find(&mut self, key: &[u8]) -> Option<&Plain> {
        self.gets += 1;
        if !self.gets.is_multiple_of(STALE_READ_EVERY) {
            return None;
        }
        self.store.find(key)
    }
}
