//! A tester of causal consistency with siblings, by the dots and vectors that replies carry.

use std::fmt::Debug;

use stateright::semantics::{ConsistencyTester, SequentialSpec};

use super::super::{black_box, causal, integrity, session};
use super::{Log, Recorded, StoreOp, none_is_broken};
use crate::history::{
    History, Outcome, Promise, Row, Siblings, Witness, dot, dot_counter, dot_origin,
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CausalTester<T, K, V> {
    log: Log<T, K, V, CausalReturn<V>>,
}

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq> CausalTester<T, K, V> {
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
    pub fn serialized_history(&self) -> Option<Vec<(StoreOp<K, V>, CausalReturn<V>)>> {
        if !self.is_consistent() {
            return None;
        }
        let order = self.log.ordered(|op, other| {
            let (Some(vector), Some(evidence)) = (self.vector(op), self.evidence(other)) else {
                return false;
            };
            covers(&vector, evidence.dot)
        })?;
        let returned = |recorded: &Recorded<K, V, CausalReturn<V>>| match &recorded.returned {
            Some((_, CausalReturn::Refused)) => None,
            Some((_, ret)) => Some((recorded.op.clone(), ret.clone())),
            None => self.evidence(recorded).map(|put| {
                let (dot, vector) = (put.dot, put.vector);
                (recorded.op.clone(), CausalReturn::Put { dot, vector })
            }),
        };
        Some(order.into_iter().filter_map(returned).collect())
    }

    fn vector(&self, recorded: &Recorded<K, V, CausalReturn<V>>) -> Option<Vec<u64>> {
        match &recorded.returned {
            Some((_, CausalReturn::Get { vector, .. })) => Some(vector.clone()),
            Some((_, CausalReturn::Put { .. } | CausalReturn::Refused)) | None => {
                self.evidence(recorded).map(|put| put.vector)
            }
        }
    }

    /// A put's evidence: its reply's, or that of a get which returned it.
    fn evidence(&self, recorded: &Recorded<K, V, CausalReturn<V>>) -> Option<CausalSibling<V>> {
        let StoreOp::Put(key, value) = &recorded.op else {
            return None;
        };
        match &recorded.returned {
            Some((_, CausalReturn::Put { dot, vector })) => Some(CausalSibling {
                value: value.clone(),
                dot: *dot,
                vector: vector.clone(),
            }),
            Some(_) => None,
            None => self.log.all().find_map(|(_, _, get)| match &get.returned {
                Some((_, CausalReturn::Get { siblings, .. })) if get.op.key() == key => {
                    siblings.iter().find(|s| s.value == *value).cloned()
                }
                _ => None,
            }),
        }
    }

    /// What was recorded, as a history that a checker reads.
    #[must_use]
    pub fn history(&self) -> History {
        self.log.history(Promise::Causal, |key, ret, row, history| {
            let push = |row: &Row<'_>, history: &mut History| history.columns.push(row);
            match ret {
                CausalReturn::Refused => {
                    let outcome = Outcome::Fail;
                    push(&Row { outcome, ..row }, history);
                }
                CausalReturn::Put { dot, vector } => {
                    let witness = Witness::Put { dot: *dot, vector };
                    push(&Row { witness, ..row }, history);
                }
                CausalReturn::Get { vector, siblings } => {
                    let ids = siblings.iter().map(|s| self.log.id_of(key, &s.value));
                    let read: Vec<u64> = ids.collect();
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
                    let witness = Witness::Get { vector, siblings };
                    let read = &read;
                    push(
                        &Row {
                            read,
                            witness,
                            ..row
                        },
                        history,
                    );
                }
            }
        })
    }
}

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq> Default for CausalTester<T, K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, K, V> ConsistencyTester<T, CausalStore<K, V>> for CausalTester<T, K, V>
where
    T: Copy + Debug + Ord,
    K: Clone + Ord,
    V: Clone + Eq,
{
    fn on_invoke(&mut self, thread: T, op: StoreOp<K, V>) -> Result<&mut Self, String> {
        self.log.invoke(thread, op)?;
        Ok(self)
    }

    fn on_return(&mut self, thread: T, ret: CausalReturn<V>) -> Result<&mut Self, String> {
        self.log.ret(thread, ret)?;
        Ok(self)
    }

    fn is_consistent(&self) -> bool {
        self.log.is_well_formed
            && none_is_broken(&self.history(), |index| {
                let mut checks = session::check(index, session::Judged::of(index)).to_vec();
                checks.push(integrity::check(index));
                checks.push(black_box::check(index));
                checks.push(causal::check(index));
                checks
            })
    }
}
