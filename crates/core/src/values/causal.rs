//! Causal values: concurrent puts are kept side by side, a later put replaces what it covered.

use std::marker::PhantomData;

use smallvec::SmallVec;

use super::{Datum, Entry, UpdateRef, Value, record_overhead};
use crate::protocol::{Dot, Lattice, Record, Update};

/// A causal value that its readers take for strings.
pub type CausalString = CausalWrapper<String>;

/// A multi-value register: the puts that no other put covers. `T` is what its readers take them
/// for.
///
/// A put covers all that its replica had applied, which its record says. Puts are identified by
/// dots (Almeida et al., *Dotted version vectors*, 2012), so a put never covers one it had not
/// seen, and nothing that was covered comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CausalWrapper<T> {
    siblings: SmallVec<[Sibling; 1]>,
    datum: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sibling {
    dot: Dot,
    record: Record,
}

impl Sibling {
    fn covers(&self, dot: Dot) -> bool {
        if dot.origin() == self.dot.origin() {
            return dot <= self.dot;
        }
        self.record
            .vector()
            .any(|entry| entry.origin() == dot.origin() && dot <= entry)
    }
}

impl<T: Datum> CausalWrapper<T> {
    /// A value of an unnamed key with one put, which covers `vector` and itself.
    #[must_use]
    pub fn new(dot: Dot, vector: &[Dot], value: &T) -> Self {
        Self::from_update(Update {
            dot,
            time: 0,
            record: Record::new(b"", dot.origin(), vector, value.as_bytes()),
        })
    }

    /// The concurrent values, in ascending order of their dots; those that are not a `T` are none.
    pub fn values(&self) -> impl ExactSizeIterator<Item = Option<T>> + '_ {
        self.siblings
            .iter()
            .map(|sibling| T::from_bytes(sibling.record.value()))
    }
}

impl<T> CausalWrapper<T> {
    /// Adds a sibling in place of those that it covers.
    fn take(&mut self, new: Sibling) {
        self.siblings.retain(|old| !new.covers(old.dot));
        let place = self.siblings.partition_point(|old| old.dot < new.dot);
        self.siblings.insert(place, new);
    }
}

impl<T: Datum> Value for CausalWrapper<T> {
    const LATTICE: Lattice = Lattice::Causal;

    fn from_update(update: Update) -> Self {
        Self {
            siblings: smallvec::smallvec![Sibling {
                dot: update.dot,
                record: update.record,
            }],
            datum: PhantomData,
        }
    }

    /// The puts of both that no put of either covers. Covering is transitive over the puts of an
    /// execution and nothing is deleted, so whatever was covered meets, in the other value, a put
    /// that covers it.
    fn merge(&mut self, other: Self) {
        for new in other.siblings {
            if !self.siblings.iter().any(|old| old.covers(new.dot)) {
                self.take(new);
            }
        }
    }

    fn resurrect(&mut self, other: Self) {
        for new in other.siblings {
            if !self.siblings.iter().any(|old| old.dot == new.dot) {
                self.take(new);
            }
        }
    }
}

impl<T: Datum> Entry for CausalWrapper<T> {
    #[inline]
    fn key(&self) -> &[u8] {
        self.siblings[0].record.key()
    }

    #[inline]
    fn updates(&self) -> impl ExactSizeIterator<Item = UpdateRef<'_>> {
        self.siblings.iter().map(|sibling| UpdateRef {
            dot: sibling.dot,
            time: 0,
            record: &sibling.record,
        })
    }

    #[inline]
    fn overhead_bytes(&self) -> usize {
        let spilled = if self.siblings.spilled() {
            self.siblings.capacity() * size_of::<Sibling>()
        } else {
            0
        };
        let records: usize = self
            .siblings
            .iter()
            .map(|sibling| record_overhead(&sibling.record))
            .sum();
        spilled + records
    }
}
