//! A tester of last write wins, by the versions that replies carry.

use stateright::semantics::SequentialSpec;

use super::super::{integrity, lww};
use super::{Reply, StoreOp, StoreTester, none_is_broken};
use crate::history::{
    History, Model, Outcome, Row, Version, Witness, origin_incarnation, origin_node,
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
pub type LwwTester<T, K, V> = StoreTester<T, K, V, LwwReturn<V>>;

impl<V> LwwReturn<V> {
    /// Whose register an operation acted on, and under which version.
    fn effect(&self) -> Option<(u32, Option<Version>)> {
        match self {
            Self::Put(_, version) => Some((version.origin, Some(*version))),
            Self::Get(origin, read) => Some((*origin, read.as_ref().map(|(_, version)| *version))),
            Self::Refused => None,
        }
    }
}

impl<K: Clone + Eq, V: Clone + Eq> Reply<K, V> for LwwReturn<V> {
    type Store = LwwStore<K, V>;

    const PROMISE: Model = Model::Lww;

    fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }

    fn of_put(&self, value: &V) -> Option<Self> {
        match self {
            Self::Get(_, Some((read, version))) if read == value => {
                Some(Self::Put(version.origin, *version))
            }
            Self::Get(..) | Self::Put(..) | Self::Refused => None,
        }
    }

    fn comes_after(own: (&StoreOp<K, V>, &Self), other: (&StoreOp<K, V>, &Self)) -> bool {
        let (Some((origin, version)), Some((at, before))) = (own.1.effect(), other.1.effect())
        else {
            return false;
        };
        let is_put = matches!(own.0, StoreOp::Put(..));
        let was_put = matches!(other.0, StoreOp::Put(..));
        let register = origin == at && own.0.key() == other.0.key();
        let numbered = is_put && was_put && origin == at;
        let read = !is_put && was_put && version.is_some() && version == before;
        read || ((register || numbered) && (before, !was_put) < (version, !is_put))
    }

    fn record(&self, row: Row<'_>, id: impl Fn(&V) -> u64, history: &mut History) {
        let at = |origin: u32| Row {
            node: origin_node(origin),
            incarnation: origin_incarnation(origin),
            ..row
        };
        match self {
            Self::Refused => history.columns.push(&Row {
                outcome: Outcome::Fail,
                ..row
            }),
            Self::Put(origin, version) => history.columns.push(&Row {
                witness: Witness::Version(Some(*version)),
                ..at(*origin)
            }),
            Self::Get(origin, read) => history.columns.push(&Row {
                read: &Vec::from_iter(read.iter().map(|(value, _)| id(value))),
                witness: Witness::Version(read.as_ref().map(|(_, version)| *version)),
                ..at(*origin)
            }),
        }
    }

    fn is_kept(history: &History) -> bool {
        none_is_broken(history, |index| {
            vec![integrity::check(index), lww::check(index)]
        })
    }
}
