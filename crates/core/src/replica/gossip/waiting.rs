//! What waits for a put of another replica: updates that are held back, and requests that are
//! deferred. Their number and their bytes are bounded. The owner decides what becomes of what does
//! not fit.

use std::collections::BTreeMap;

use crate::protocol::{Dot, Origin};

/// Something that takes memory while it waits.
pub(super) trait Weighed {
    /// Bytes of its keys, values and vectors.
    fn bytes(&self) -> u64;
}

/// Waiting items by the dot that they wait for and their own identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Waiting<I, T> {
    items: BTreeMap<(Dot, I), T>,
    /// The sum over all items.
    bytes: u64,
    items_max: usize,
    bytes_max: u64,
}

impl<I: Ord + Copy + Default, T: Weighed> Waiting<I, T> {
    pub(super) const fn new(items_max: u32, bytes_max: u64) -> Self {
        Self {
            items: BTreeMap::new(),
            bytes: 0,
            items_max: items_max as usize,
            bytes_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether there is room for one more of so many bytes.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.items.len() < self.items_max && bytes <= self.bytes_max.saturating_sub(self.bytes)
    }

    /// Adds what there was room for, and gives back what was there under the same name.
    pub(super) fn insert(&mut self, at: (Dot, I), item: T) -> Option<T> {
        self.bytes += item.bytes();
        let before = self.items.insert(at, item);
        self.bytes -= before.as_ref().map_or(0, T::bytes);
        before
    }

    pub(super) fn remove(&mut self, at: (Dot, I)) -> Option<T> {
        let item = self.items.remove(&at)?;
        self.bytes -= item.bytes();
        Some(item)
    }

    /// Takes out the first that waits for a put of `origin` up to the `counter`-th.
    pub(super) fn take_first(&mut self, origin: Origin, counter: u64) -> Option<((Dot, I), T)> {
        // The default is the smallest identity.
        let from = (Dot::new(origin, 0), I::default());
        let (at, _) = self.items.range(from..).next()?;
        let at = *at;
        if at.0 > Dot::new(origin, counter) {
            return None;
        }
        self.remove(at).map(|item| (at, item))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&(Dot, I), &T)> {
        self.items.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&(Dot, I), &mut T)> {
        self.items.iter_mut()
    }
}
