//! A tester of last write wins, by the versions that replies carry.

use std::fmt::Debug;

use stateright::semantics::{ConsistencyTester, SequentialSpec};

use super::super::{integrity, lww};
use super::{Log, Recorded, StoreOp, none_is_broken};
use crate::history::{
    History, Outcome, Promise, Row, Version, Witness, origin_incarnation, origin_node,
};

/// What a last-write-wins store answers, and which origin (node and incarnation) answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LwwReturn<V> {
    /// The put took effect under this version.
    Put(u32, Version),
    /// What the key holds.
    Get(u32, Option<(V, Version)>),
    /// The operation certainly had no effect.
    Refused,
}

/// The reference: puts number upwards at each origin, and every origin's register of a key goes
/// up, from put to put and from get to get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LwwStore<K, V> {
    puts: Vec<(K, V, Version)>,
    shown: Vec<(u32, K, Version)>,
}

impl<K, V> LwwStore<K, V> {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            puts: Vec::new(),
            shown: Vec::new(),
        }
    }
}

impl<K, V> Default for LwwStore<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone + Eq, V: Clone + Eq> LwwStore<K, V> {
    fn shown(&self, origin: u32, key: &K) -> Option<Version> {
        let own = |(o, k, _): &&(u32, K, Version)| *o == origin && k == key;
        self.shown.iter().find(own).map(|(_, _, version)| *version)
    }

    fn show(&mut self, origin: u32, key: &K, version: Version) {
        self.shown.retain(|(o, k, _)| (*o, k) != (origin, key));
        self.shown.push((origin, key.clone(), version));
    }
}

impl<K: Clone + Eq, V: Clone + Eq> SequentialSpec for LwwStore<K, V> {
    type Op = StoreOp<K, V>;
    type Ret = LwwReturn<V>;

    fn invoke(&mut self, op: &Self::Op) -> Self::Ret {
        let ret = match op {
            StoreOp::Put(..) => {
                let last = self.puts.iter().map(|(_, _, version)| version.time).max();
                let time = last.map_or(1, |time| time + 1);
                LwwReturn::Put(0, Version { time, origin: 0 })
            }
            StoreOp::Get(key) => {
                let own = self.puts.iter().filter(|(k, _, _)| k == key);
                let newest = own.max_by_key(|(_, _, version)| *version);
                LwwReturn::Get(
                    0,
                    newest.map(|(_, value, version)| (value.clone(), *version)),
                )
            }
        };
        let taken = self.is_valid_step(op, &ret);
        assert!(taken, "a replica can take what it has just answered");
        ret
    }

    fn is_valid_step(&mut self, op: &Self::Op, ret: &Self::Ret) -> bool {
        match (op, ret) {
            (StoreOp::Put(key, value), LwwReturn::Put(origin, version)) => {
                let upwards = self.puts.iter().all(|(_, _, other)| {
                    other != version && (other.origin != version.origin || other < version)
                });
                let valid = upwards && self.shown(*origin, key) < Some(*version);
                self.puts.push((key.clone(), value.clone(), *version));
                self.show(*origin, key, *version);
                valid
            }
            (StoreOp::Get(key), LwwReturn::Get(origin, None)) => self.shown(*origin, key).is_none(),
            (StoreOp::Get(key), LwwReturn::Get(origin, Some((value, version)))) => {
                let valid = self.shown(*origin, key) <= Some(*version)
                    && self.puts.contains(&(key.clone(), value.clone(), *version));
                self.show(*origin, key, *version);
                valid
            }
            (_, LwwReturn::Refused) => true,
            (StoreOp::Put(..), LwwReturn::Get(..)) | (StoreOp::Get(_), LwwReturn::Put(..)) => false,
        }
    }
}

/// Records what the clients of a last-write-wins store did, and says whether the versions explain
/// it, and whether every value read was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LwwTester<T, K, V> {
    log: Log<T, K, V, LwwReturn<V>>,
}

type Entry<K, V> = Recorded<K, V, LwwReturn<V>>;

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq> LwwTester<T, K, V> {
    /// Nothing happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { log: Log::new() }
    }

    /// What took effect in one order that explains all of it, puts of unknown outcome that were
    /// read among it; `None` when the history is not consistent.
    #[must_use]
    #[expect(
        clippy::type_complexity,
        reason = "the shape that stateright's own testers return"
    )]
    pub fn serialized_history(&self) -> Option<Vec<(StoreOp<K, V>, LwwReturn<V>)>> {
        if !self.is_consistent() {
            return None;
        }
        let order = self.log.ordered(|op, other| {
            let (Some(own), Some(before)) = (self.effect(op), self.effect(other)) else {
                return false;
            };
            let (is_put, was_put) = (
                matches!(op.op, StoreOp::Put(..)),
                matches!(other.op, StoreOp::Put(..)),
            );
            let register = own.0 == before.0 && op.op.key() == other.op.key();
            let origin = is_put && was_put && own.0 == before.0;
            let read = !is_put && was_put && own.1.is_some() && own.1 == before.1;
            read || ((register || origin) && (before.1, !was_put) < (own.1, !is_put))
        })?;
        let returned = |recorded: &Entry<K, V>| match &recorded.returned {
            Some((_, LwwReturn::Refused)) => None,
            Some((_, ret)) => Some((recorded.op.clone(), ret.clone())),
            None => self.effect(recorded).and_then(|(origin, version)| {
                Some((recorded.op.clone(), LwwReturn::Put(origin, version?)))
            }),
        };
        Some(order.into_iter().filter_map(returned).collect())
    }

    /// Whose register an operation acted on, and under which version.
    fn effect(&self, recorded: &Entry<K, V>) -> Option<(u32, Option<Version>)> {
        match (&recorded.returned, &recorded.op) {
            (Some((_, LwwReturn::Put(_, version))), _) => Some((version.origin, Some(*version))),
            (Some((_, LwwReturn::Get(origin, read))), _) => {
                Some((*origin, read.as_ref().map(|(_, version)| *version)))
            }
            (Some((_, LwwReturn::Refused)), _) | (None, StoreOp::Get(_)) => None,
            (None, StoreOp::Put(key, value)) => {
                self.log.all().find_map(|(_, _, get)| match &get.returned {
                    Some((_, LwwReturn::Get(_, Some((read, version)))))
                        if get.op.key() == key && read == value =>
                    {
                        Some((version.origin, Some(*version)))
                    }
                    _ => None,
                })
            }
        }
    }

    /// What was recorded, as a history that a checker reads.
    #[must_use]
    pub fn history(&self) -> History {
        self.log.history(Promise::Lww, |key, ret, row, history| {
            let at = |origin: u32| Row {
                node: origin_node(origin),
                incarnation: origin_incarnation(origin),
                ..row
            };
            match ret {
                LwwReturn::Refused => history.columns.push(&Row {
                    outcome: Outcome::Fail,
                    ..row
                }),
                LwwReturn::Put(origin, version) => history.columns.push(&Row {
                    witness: Witness::Version(Some(*version)),
                    ..at(*origin)
                }),
                LwwReturn::Get(origin, read) => {
                    let ids = read.iter().map(|(value, _)| self.log.id_of(key, value));
                    history.columns.push(&Row {
                        read: &ids.collect::<Vec<_>>(),
                        witness: Witness::Version(read.as_ref().map(|(_, version)| *version)),
                        ..at(*origin)
                    });
                }
            }
        })
    }
}

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq> Default for LwwTester<T, K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, K, V> ConsistencyTester<T, LwwStore<K, V>> for LwwTester<T, K, V>
where
    T: Copy + Debug + Ord,
    K: Clone + Ord,
    V: Clone + Eq,
{
    fn on_invoke(&mut self, thread: T, op: StoreOp<K, V>) -> Result<&mut Self, String> {
        self.log.invoke(thread, op)?;
        Ok(self)
    }

    fn on_return(&mut self, thread: T, ret: LwwReturn<V>) -> Result<&mut Self, String> {
        self.log.ret(thread, ret)?;
        Ok(self)
    }

    fn is_consistent(&self) -> bool {
        self.log.is_well_formed
            && none_is_broken(&self.history(), |index| {
                vec![integrity::check(index), lww::check(index)]
            })
    }
}
