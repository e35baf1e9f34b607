//! Last write wins: of two puts the one with the larger version stays.

use std::marker::PhantomData;

use super::{Datum, Entry, UpdateRef, Value, record_overhead};
use crate::protocol::{Dot, Lattice, Origin, Record, Update, Version};

/// A register that keeps the put of the largest version. `T` is what its readers take it for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LwwWrapper<T> {
    dot: Dot,
    time: u64,
    record: Record,
    datum: PhantomData<fn() -> T>,
}

impl<T: Datum> LwwWrapper<T> {
    /// A register of an unnamed key.
    #[must_use]
    pub fn new(dot: Dot, time: u64, value: &T) -> Self {
        Self::from_update(Update {
            dot,
            time,
            record: Record::new(b"", dot.origin(), &[], value.as_bytes()),
        })
    }

    /// What was put last; none when the bytes are not a `T`.
    #[must_use]
    pub fn value(&self) -> Option<T> {
        T::from_bytes(self.record.value())
    }
}

impl<T> LwwWrapper<T> {
    /// Its place in the arbitration order.
    #[must_use]
    pub const fn version(&self) -> Version {
        lww_version(self.time, self.dot.origin())
    }
}

/// The version of a put: when it was made by the hybrid logical clock, and by whom.
#[must_use]
pub const fn lww_version(time: u64, origin: Origin) -> Version {
    Version {
        time,
        origin: origin.as_u32(),
    }
}

impl<T: Datum> Value for LwwWrapper<T> {
    const LATTICE: Lattice = Lattice::Lww;

    fn from_update(update: Update) -> Self {
        Self {
            dot: update.dot,
            time: update.time,
            record: update.record,
            datum: PhantomData,
        }
    }

    fn merge(&mut self, other: Self) {
        if other.version() > self.version() {
            *self = other;
        }
    }
}

impl<T: Datum> Entry for LwwWrapper<T> {
    #[inline]
    fn key(&self) -> &[u8] {
        self.record.key()
    }

    #[inline]
    fn updates(&self) -> impl ExactSizeIterator<Item = UpdateRef<'_>> {
        std::iter::once(UpdateRef {
            dot: self.dot,
            time: self.time,
            record: &self.record,
        })
    }

    #[inline]
    fn overhead_bytes(&self) -> usize {
        record_overhead(&self.record)
    }
}
