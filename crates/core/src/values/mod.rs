//! What a store keeps and how it merges: the two lattices and the clocks they stand on.
//!
//! Nothing here knows of replicas, messages or time. A value belongs to one key. Merging is
//! commutative, associative and idempotent over the values that executions produce.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod causal;
mod datum;
mod hybrid_clock;
mod lww;
mod plain;
mod vector_clock;

#[cfg(test)]
mod tests;

pub use causal::{CausalString, CausalWrapper};
pub use datum::Datum;
pub use hybrid_clock::HybridClock;
pub use lww::{LwwWrapper, lww_version};
pub use plain::Plain;
pub use vector_clock::VectorClock;

use std::fmt::Debug;
use std::hash::Hash;

use crate::protocol::{Dot, Lattice, Record, Update};

/// What a store keeps under one key: never empty, since a key comes to be by a put.
pub trait Entry: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The key that it belongs to.
    fn key(&self) -> &[u8];

    /// The puts that make it up, in ascending order of their dots.
    fn updates(&self) -> impl ExactSizeIterator<Item = UpdateRef<'_>>;

    /// Heap bytes that it holds beside itself and beside key and value bytes.
    fn overhead_bytes(&self) -> usize;
}

/// An entry that replicas merge: an element of a join semilattice.
pub trait Value: Entry {
    /// How concurrent puts are resolved.
    const LATTICE: Lattice;

    /// The value of a key that has seen this put and no other.
    fn from_update(update: Update) -> Self;

    /// Takes in what another replica has for the same key: the least upper bound of the two.
    fn merge(&mut self, other: Self);

    /// Takes what another replica has in place of its own: the planted bug `overwriting-merge`,
    /// which is not commutative, so that replicas that exchange two puts stay apart.
    fn overwrite(&mut self, other: Self) {
        *self = other;
    }

    /// Takes in what another replica has and this one has not, even if it is superseded: the
    /// planted bug `resurrected-sibling`.
    fn resurrect(&mut self, other: Self) {
        self.merge(other);
    }
}

/// A put that a value holds, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateRef<'a> {
    /// Its identity.
    pub dot: Dot,
    /// The time of its version; 0 under `causal`.
    pub time: u64,
    /// Its content.
    pub record: &'a Record,
}

impl UpdateRef<'_> {
    /// An owned copy that shares the record.
    #[must_use]
    pub fn to_update(self) -> Update {
        Update {
            dot: self.dot,
            time: self.time,
            record: self.record.clone(),
        }
    }
}

/// What the allocator and the reference counts add to one record: two counts of eight bytes, the
/// header of four, and 12 bytes for the allocator's own header and rounding, on average.
const RECORD_OVERHEAD_BYTES: usize = 16 + 4 + 12;

#[inline]
fn record_overhead(record: &Record) -> usize {
    RECORD_OVERHEAD_BYTES + record.vector().count() * size_of::<Dot>()
}
