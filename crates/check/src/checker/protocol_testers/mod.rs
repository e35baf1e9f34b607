//! Testers for protocol models: a model keeps one in its state, records what its clients did, and
//! asks in every state whether that was consistent, as stateright's own `LinearizabilityTester`
//! is used.
//!
//! The verdict is the direct engine's, so a model and a run are held to the same definitions. The
//! replies carry evidence. Without it an answer takes exponential time, and models ask often.

mod causal;
mod log;
mod lww;

use std::fmt::Debug;

use stateright::semantics::{ConsistencyTester, SequentialSpec};

pub use causal::{CausalReturn, CausalSibling, CausalStore, CausalTester};
pub use lww::{LwwReturn, LwwStore, LwwTester};

use super::index::Index;
use super::verdict::Check;
use crate::history::{History, Model, Row};
use log::Log;

/// What a client asks of one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreOp<K, V> {
    /// Write a value, which nobody else writes to that key.
    Put(K, V),
    /// Read the key.
    Get(K),
}

impl<K, V> StoreOp<K, V> {
    const fn key(&self) -> &K {
        match self {
            Self::Put(key, _) | Self::Get(key) => key,
        }
    }
}

/// Whether no check of a history finds anything wrong; one that cannot be indexed is.
fn none_is_broken(history: &History, checks: impl Fn(&Index<'_>) -> Vec<Check>) -> bool {
    Index::new(history).is_ok_and(|index| {
        let checks = checks(&index);
        !checks.iter().any(|check| check.verdict.is_invalid())
    })
}

/// What the replies of a store say of the order in which it did things.
pub trait Reply<K, V>: Clone {
    /// The reference: a store that gives such replies.
    type Store: SequentialSpec<Op = StoreOp<K, V>, Ret = Self>;

    /// What such a store promises.
    const PROMISE: Model;

    /// Whether the operation certainly had no effect.
    fn is_refused(&self) -> bool;

    /// From the reply to a get: what the put of a value that it returned was answered.
    fn of_put(&self, value: &V) -> Option<Self>;

    /// Whether one operation, by the replies, comes after another one.
    fn comes_after(own: (&StoreOp<K, V>, &Self), other: (&StoreOp<K, V>, &Self)) -> bool;

    /// Adds an operation that was answered to a history; `id` tells the ids of values.
    fn record(&self, row: Row<'_>, id: impl Fn(&V) -> u64, history: &mut History);

    /// Whether a history with such replies keeps the promise.
    fn is_kept(history: &History) -> bool;
}

/// Records what the clients of a store did, and says whether that kept the store's promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreTester<T, K, V, R> {
    log: Log<T, K, V, R>,
}

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq, R: Reply<K, V>> StoreTester<T, K, V, R> {
    /// Nothing happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { log: Log::new() }
    }

    /// What was recorded, as a history that a checker reads.
    #[must_use]
    pub fn history(&self) -> History {
        self.log.history()
    }

    /// What took effect in one order that explains all of it, puts of unknown outcome that were
    /// read among it; `None` when the history is not consistent.
    #[must_use]
    pub fn serialized_history(&self) -> Option<Vec<(StoreOp<K, V>, R)>> {
        if !self.is_consistent() {
            return None;
        }
        let order = self.log.ordered()?.into_iter();
        let answered = order.filter_map(|recorded| {
            let reply = self.log.reply(recorded).filter(|reply| !reply.is_refused());
            Some((recorded.op.clone(), reply?))
        });
        Some(answered.collect())
    }
}

impl<T: Copy + Debug + Ord, K: Clone + Ord, V: Clone + Eq, R: Reply<K, V>> Default
    for StoreTester<T, K, V, R>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<T, K, V, R> ConsistencyTester<T, R::Store> for StoreTester<T, K, V, R>
where
    T: Copy + Debug + Ord,
    K: Clone + Ord,
    V: Clone + Eq,
    R: Reply<K, V>,
{
    fn on_invoke(&mut self, thread: T, op: StoreOp<K, V>) -> Result<&mut Self, String> {
        self.log.invoke(thread, op)?;
        Ok(self)
    }

    fn on_return(&mut self, thread: T, reply: R) -> Result<&mut Self, String> {
        self.log.ret(thread, reply)?;
        Ok(self)
    }

    fn is_consistent(&self) -> bool {
        self.log.is_well_formed && R::is_kept(&self.history())
    }
}
