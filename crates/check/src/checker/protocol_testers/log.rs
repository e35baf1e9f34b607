//! What threads did, in the order in which a model's steps happened.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Reply, StoreOp};
use crate::history::{Header, History, Kind, Outcome, Row, value_id};

/// One operation of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recorded<K, V, R> {
    pub(super) op: StoreOp<K, V>,
    invoke: u64,
    /// When it returned, and what; in flight without.
    returned: Option<(u64, R)>,
}

/// What threads did. Invokes happen at even times and returns at odd ones, and time goes on only
/// from one kind to the other: recordings that differ in nothing that real time orders are equal,
/// so that a model does not tell their states apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Log<T, K, V, R> {
    threads: BTreeMap<T, Vec<Recorded<K, V, R>>>,
    now: u64,
    pub(super) is_well_formed: bool,
}

/// The session that ids come from which nobody wrote.
const NOBODY: u32 = u32::MAX - 1;

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq, R: Reply<K, V>> Log<T, K, V, R> {
    pub(super) const fn new() -> Self {
        Self {
            threads: BTreeMap::new(),
            now: 0,
            is_well_formed: true,
        }
    }

    pub(super) fn invoke(&mut self, thread: T, op: StoreOp<K, V>) -> Result<(), String> {
        if !self.is_well_formed {
            return Err("an earlier event was out of place".to_owned());
        }
        let busy = self
            .threads
            .get(&thread)
            .and_then(|done| done.last())
            .is_some_and(|last| last.returned.is_none());
        let again =
            matches!(op, StoreOp::Put(..)) && self.all().any(|(_, _, other)| other.op == op);
        if busy || again {
            self.is_well_formed = false;
            return Err(if busy {
                format!("thread {thread:?} has an operation in flight already")
            } else {
                format!("thread {thread:?} puts a value that was put to that key before")
            });
        }
        self.now += self.now % 2;
        self.threads.entry(thread).or_default().push(Recorded {
            op,
            invoke: self.now,
            returned: None,
        });
        Ok(())
    }

    pub(super) fn ret(&mut self, thread: T, ret: R) -> Result<(), String> {
        let last = self
            .threads
            .get_mut(&thread)
            .and_then(|done| done.last_mut())
            .filter(|last| last.returned.is_none() && self.is_well_formed);
        let Some(last) = last else {
            self.is_well_formed = false;
            return Err(format!("thread {thread:?} has no operation in flight"));
        };
        self.now += 1 - self.now % 2;
        last.returned = Some((self.now, ret));
        Ok(())
    }

    /// Every operation, with its thread's number and its place there.
    fn all(&self) -> impl Iterator<Item = (u32, u32, &Recorded<K, V, R>)> {
        let threads = (0u32..).zip(self.threads.values());
        threads.flat_map(|(thread, done)| {
            (0u32..)
                .zip(done)
                .map(move |(place, op)| (thread, place, op))
        })
    }

    /// The id of the put that wrote a value to a key; one that nobody wrote if there is none.
    fn id_of(&self, key: &K, value: &V) -> u64 {
        let written =
            |op: &StoreOp<K, V>| matches!(op, StoreOp::Put(k, v) if k == key && v == value);
        self.all()
            .find(|(_, _, recorded)| written(&recorded.op))
            .map_or(value_id(NOBODY, 0), |(thread, place, _)| {
                value_id(thread, place)
            })
    }

    /// The reply to an operation: its own, or, to a put of unknown outcome that was read, what the
    /// reads say of it.
    pub(super) fn reply(&self, recorded: &Recorded<K, V, R>) -> Option<R> {
        if let Some((_, reply)) = &recorded.returned {
            return Some(reply.clone());
        }
        let StoreOp::Put(key, value) = &recorded.op else {
            return None;
        };
        let gets = self.all().map(|(_, _, other)| other);
        let mut gets = gets.filter(|other| other.op.key() == key);
        gets.find_map(|get| get.returned.as_ref()?.1.of_put(value))
    }

    /// The log as a history.
    pub(super) fn history(&self) -> History {
        let mut keys: Vec<&K> = self
            .all()
            .map(|(_, _, recorded)| recorded.op.key())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let header = Header {
            promise: Some(R::PROMISE),
            ..Header::default()
        };
        let mut history = History::from_rows(header, []);
        for (thread, place, recorded) in self.all() {
            let is_put = matches!(recorded.op, StoreOp::Put(..));
            let key = recorded.op.key();
            let row = Row {
                session: thread,
                index: place,
                kind: if is_put { Kind::Put } else { Kind::Get },
                key: keys.binary_search(&key).expect("every key was gathered") as u64,
                written: if is_put { value_id(thread, place) } else { 0 },
                intended: recorded.invoke,
                invoke: recorded.invoke,
                outcome: Outcome::Info,
                ..Row::EMPTY
            };
            match &recorded.returned {
                None => history.columns.push(&row),
                Some((returned, ret)) => {
                    let row = Row {
                        returned: Some(*returned),
                        outcome: Outcome::Ok,
                        ..row
                    };
                    ret.record(row, |value| self.id_of(key, value), &mut history);
                }
            }
        }
        if let Some(end) = &mut history.end {
            end.operations = history.columns.len() as u64;
        }
        history
    }

    /// All operations in an order that keeps real time and sessions, and in which whatever a reply
    /// comes after does; `None` if there is no such order.
    pub(super) fn ordered(&self) -> Option<Vec<&Recorded<K, V, R>>> {
        let with_reply = |(thread, place, op)| (thread, place, op, self.reply(op));
        let mut left = Vec::from_iter(self.all().map(with_reply));
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let may_come = |(thread, place, op, reply): &(u32, u32, &Recorded<K, V, R>, _)| {
                left.iter().all(|(t, p, other, before)| {
                    let earlier = t == thread && p < place;
                    let over = other
                        .returned
                        .as_ref()
                        .is_some_and(|(at, _)| *at < op.invoke);
                    let needed = match (reply, before) {
                        (Some(reply), Some(before)) => {
                            R::comes_after((&op.op, reply), (&other.op, before))
                        }
                        _ => false,
                    };
                    (t, p) == (thread, place) || !(earlier || over || needed)
                })
            };
            let place = left.iter().position(may_come)?;
            order.push(left.remove(place).2);
        }
        Some(order)
    }
}
