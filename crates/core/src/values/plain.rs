//! The value of an unreplicated key: its last put, with nothing to merge.

use super::{Entry, UpdateRef, record_overhead};
use crate::protocol::{Dot, Record};

/// The last put of a key of an unreplicated store. The dot numbers the puts of the node, so that
/// stores can be told apart by digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plain {
    dot: Dot,
    record: Record,
}

impl Plain {
    /// The put of this number and content.
    #[must_use]
    pub const fn new(dot: Dot, record: Record) -> Self {
        Self { dot, record }
    }

    /// Becomes the put of this number and value; false, with nothing changed, where that takes a
    /// new record ([`Record::overwrite`]).
    #[inline]
    pub fn overwrite(&mut self, dot: Dot, value: &[u8]) -> bool {
        let done = self.record.overwrite(value);
        if done {
            self.dot = dot;
        }
        done
    }

    /// Its content.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }
}

impl Entry for Plain {
    #[inline]
    fn key(&self) -> &[u8] {
        self.record.key()
    }

    #[inline]
    fn updates(&self) -> impl ExactSizeIterator<Item = UpdateRef<'_>> {
        std::iter::once(UpdateRef {
            dot: self.dot,
            time: 0,
            record: &self.record,
        })
    }

    #[inline]
    fn overhead_bytes(&self) -> usize {
        record_overhead(&self.record)
    }
}
