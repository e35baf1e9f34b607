//! A tester of causal consistency with siblings, by the dots and vectors that replies carry.

use stateright::semantics::SequentialSpec;

use super::super::{black_box, causal, integrity, session};
use super::{Reply, StoreOp, StoreTester, none_is_broken};
use crate::history::{
    History, Model, Outcome, Row, Siblings, Witness, dot, dot_counter, dot_origin,
};

/// One value that a get returned, with its put's evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CausalSibling<V> {
    /// What was put.
    pub value: V,
    /// The put's dot.
    pub dot: u64,
    /// What the put's replica had applied just after it: dots in ascending order.
    pub vector: Vec<u64>,
}

/// What a causal store answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CausalReturn<V> {
    /// The put took effect.
    Put {
        /// Its dot.
        dot: u64,
        /// What its replica had applied just after it.
        vector: Vec<u64>,
    },
    /// What the key holds.
    Get {
        /// What the replica had applied.
        vector: Vec<u64>,
        /// The values.
        siblings: Vec<CausalSibling<V>>,
    },
    /// The operation certainly had no effect.
    Refused,
}

/// The reference: one replica of a multi-value store. Its steps are those of an order in which
/// every operation comes after the puts that its vector covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CausalStore<K, V> {
    puts: Vec<(K, CausalSibling<V>)>,
    /// The largest dot of each origin that an operation so far has covered.
    covered: Vec<u64>,
}

impl<K, V> CausalStore<K, V> {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            puts: Vec::new(),
            covered: Vec::new(),
        }
    }
}

impl<K, V> Default for CausalStore<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

fn covers(vector: &[u64], dot: u64) -> bool {
    let own = |entry: &&u64| dot_origin(**entry) == dot_origin(dot);
    dot_counter(dot) == 0 || vector.iter().find(own).is_some_and(|entry| *entry >= dot)
}

fn join(into: &mut Vec<u64>, from: &[u64]) {
    for dot in from {
        match into
            .iter_mut()
            .find(|e| dot_origin(**e) == dot_origin(*dot))
        {
            Some(entry) => *entry = (*entry).max(*dot),
            None => into.push(*dot),
        }
    }
    into.sort_unstable();
}

impl<K: Clone + Eq, V: Clone + Eq> CausalStore<K, V> {
    /// The maxima of what a vector covers on a key.
    fn maxima(&self, key: &K, vector: &[u64]) -> Vec<&CausalSibling<V>> {
        let visible: Vec<_> = self
            .puts
            .iter()
            .filter(|(k, put)| k == key && covers(vector, put.dot))
            .map(|(_, put)| put)
            .collect();
        let superseded = |put: &CausalSibling<V>| {
            let others = visible.iter().filter(|other| other.dot != put.dot);
            others.clone().any(|other| covers(&other.vector, put.dot))
        };
        visible
            .iter()
            .copied()
            .filter(|put| !superseded(put))
            .collect()
    }

    /// Whether a vector covers all that every put which it covers does.
    fn is_closed(&self, vector: &[u64]) -> bool {
        self.puts
            .iter()
            .filter(|(_, put)| covers(vector, put.dot))
            .all(|(_, put)| put.vector.iter().all(|dot| covers(vector, *dot)))
    }
}

impl<K: Clone + Eq, V: Clone + Eq> SequentialSpec for CausalStore<K, V> {
    type Op = StoreOp<K, V>;
    type Ret = CausalReturn<V>;

    fn invoke(&mut self, op: &Self::Op) -> Self::Ret {
        let vector = self.covered.clone();
        let ret = match op {
            StoreOp::Get(key) => CausalReturn::Get {
                siblings: self.maxima(key, &vector).into_iter().cloned().collect(),
                vector,
            },
            StoreOp::Put(..) => {
                let origin = dot(0, 0, 0);
                let own = vector
                    .iter()
                    .find(|entry| dot_origin(**entry) == dot_origin(origin));
                let next = 1 + own.copied().unwrap_or(origin);
                let mut vector = vector;
                join(&mut vector, &[next]);
                CausalReturn::Put { dot: next, vector }
            }
        };
        let taken = self.is_valid_step(op, &ret);
        assert!(taken, "a replica can take what it has just answered");
        ret
    }

    fn is_valid_step(&mut self, op: &Self::Op, ret: &Self::Ret) -> bool {
        match (op, ret) {
            (StoreOp::Put(key, value), CausalReturn::Put { dot, vector }) => {
                let is_new = !covers(&self.covered, *dot) && vector.contains(dot);
                if !is_new || !self.is_closed(vector) {
                    return false;
                }
                join(&mut self.covered, vector);
                let put = CausalSibling {
                    value: value.clone(),
                    dot: *dot,
                    vector: vector.clone(),
                };
                self.puts.push((key.clone(), put));
                true
            }
            (StoreOp::Get(key), CausalReturn::Get { vector, siblings }) => {
                let maxima = self.maxima(key, vector);
                let same = maxima.len() == siblings.len()
                    && siblings.iter().all(|sibling| maxima.contains(&sibling));
                let valid = same && self.is_closed(vector);
                join(&mut self.covered, vector);
                valid
            }
            (_, CausalReturn::Refused) => true,
            (StoreOp::Put(..), CausalReturn::Get { .. })
            | (StoreOp::Get(_), CausalReturn::Put { .. }) => false,
        }
    }
}

/// Records what the clients of a causal store did, and says whether it was causally consistent:
/// values as they were written, session guarantees, the black box and the certificate.
pub type CausalTester<T, K, V> = StoreTester<T, K, V, CausalReturn<V>>;

impl<K: Clone + Eq, V: Clone + Eq> Reply<K, V> for CausalReturn<V> {
    type Store = CausalStore<K, V>;

    const PROMISE: Model = Model::Causal;

    fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }

    fn of_put(&self, value: &V) -> Option<Self> {
        let Self::Get { siblings, .. } = self else {
            return None;
        };
        let put = siblings.iter().find(|sibling| sibling.value == *value)?;
        Some(Self::Put {
            dot: put.dot,
            vector: put.vector.clone(),
        })
    }

    fn comes_after(own: (&StoreOp<K, V>, &Self), other: (&StoreOp<K, V>, &Self)) -> bool {
        match (own.1, other.1) {
            (Self::Put { vector, .. } | Self::Get { vector, .. }, Self::Put { dot, .. }) => {
                covers(vector, *dot)
            }
            (Self::Refused, _) | (_, Self::Get { .. } | Self::Refused) => false,
        }
    }

    fn record(&self, row: Row<'_>, id: impl Fn(&V) -> u64, history: &mut History) {
        match self {
            Self::Refused => history.columns.push(&Row {
                outcome: Outcome::Fail,
                ..row
            }),
            Self::Put { dot, vector } => history.columns.push(&Row {
                witness: Witness::Put { dot: *dot, vector },
                ..row
            }),
            Self::Get { vector, siblings } => {
                let read: Vec<u64> = siblings.iter().map(|s| id(&s.value)).collect();
                let dots: Vec<u64> = siblings.iter().map(|s| s.dot).collect();
                let (mut ends, mut vectors) = (Vec::new(), Vec::new());
                for sibling in siblings {
                    vectors.extend(&sibling.vector);
                    ends.push(vectors.len() as u32);
                }
                let siblings = Siblings {
                    dots: &dots,
                    ends: &ends,
                    vectors: &vectors,
                    base: 0,
                };
                history.columns.push(&Row {
                    read: &read,
                    witness: Witness::Get { vector, siblings },
                    ..row
                });
            }
        }
    }

    fn is_kept(history: &History) -> bool {
        none_is_broken(history, |index| {
            let mut checks = session::check(index, session::Judged::of(index)).to_vec();
            checks.push(integrity::check(index));
            checks.push(black_box::check(index));
            checks.push(causal::check(index));
            checks
        })
    }
}
