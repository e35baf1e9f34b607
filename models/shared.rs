//! A part of a state that many states have in common: shared, with its hash kept beside it, so
//! that a step costs what it changes.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use foldhash::quality::FixedState;

/// The seed is fixed, so that a state hashes the same in every process.
const HASHER: FixedState = FixedState::with_seed(0x6b76_732d_6d6f_6465);

/// The same in every process for the same value.
pub(crate) fn hash_of<T: Hash>(value: &T) -> u64 {
    HASHER.hash_one(value)
}

/// A value and its hash.
#[derive(Clone, Debug)]
pub(crate) struct Shared<T>(Arc<(u64, T)>);

impl<T: Hash> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((hash_of(&value), value)))
    }

    /// Changes this copy, and no other.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Clone,
    {
        let (hash, value) = Arc::make_mut(&mut self.0);
        let result = change(value);
        *hash = hash_of(value);
        result
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.0 == other.0.0 && self.0.1 == other.0.1
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Ord> PartialOrd for Shared<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> Ord for Shared<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.1.cmp(&other.0.1)
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_in_this_copy_and_in_its_hash_only() {
        let before = Shared::new(vec![1]);
        let mut after = before.clone();
        after.change(|value| value.push(2));
        assert_eq!((&*before, &*after), (&vec![1], &vec![1, 2]));

        after.change(|value| value.pop());
        assert_eq!(before, after);
    }
}
