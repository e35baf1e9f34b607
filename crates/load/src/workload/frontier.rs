//! Which keys exist: those below a frontier. It rises as inserts are acknowledged without a gap.
//!
//! YCSB's `AcknowledgedCounterGenerator`: operations draw only from below the frontier, so that a
//! key whose insert is still under way, or failed, is never asked for and counted as a good read.

use std::collections::VecDeque;

/// How many keys may stand between the frontier and the newest insert. At this bound no new key is
/// begun until the oldest one is acknowledged.
pub const UNACKNOWLEDGED_INSERTS_MAX: u64 = 1 << 20;

const WORDS: usize = (UNACKNOWLEDGED_INSERTS_MAX / 64) as usize;

/// The keys that exist (below `acknowledged`), and those whose inserts are under way.
#[derive(Clone, Debug)]
pub(super) struct Frontier {
    /// Every key below it was acknowledged.
    acknowledged: u64,
    /// The next key that was never begun.
    fresh: u64,
    /// One bit a key in `acknowledged..fresh`, at its number modulo the bound: acknowledged out of
    /// turn. Empty until the first insert.
    out_of_turn: Vec<u64>,
    /// Keys whose inserts failed, to be tried again before fresh ones: else the frontier would
    /// stop at them for good. At most one entry for each key under way.
    failed: VecDeque<u64>,
    limit: u64,
}

impl Frontier {
    /// Keys 0 to `loaded` exist; no key is begun at or above `limit`.
    pub(super) fn new(loaded: u64, limit: u64) -> Self {
        Self {
            acknowledged: loaded,
            fresh: loaded,
            out_of_turn: Vec::new(),
            failed: VecDeque::new(),
            limit,
        }
    }

    /// How many keys exist: they are 0 to this number.
    #[inline]
    pub(super) const fn count(&self) -> u64 {
        self.acknowledged
    }

    /// A key to insert: one whose insert failed, or else a fresh one; `None` at a bound.
    pub(super) fn begin(&mut self) -> Option<u64> {
        if let Some(key) = self.failed.pop_front() {
            return Some(key);
        }
        let full = self.fresh - self.acknowledged >= UNACKNOWLEDGED_INSERTS_MAX;
        if full || self.fresh >= self.limit {
            return None;
        }
        if self.out_of_turn.is_empty() {
            self.out_of_turn.resize(WORDS, 0);
        }
        self.fresh += 1;
        Some(self.fresh - 1)
    }

    /// # Panics
    /// When no insert of `key` is under way.
    pub(super) fn acknowledge(&mut self, key: u64) {
        self.assert_under_way(key);
        let (word, bit) = place(key);
        self.out_of_turn[word] |= bit;
        while self.acknowledged < self.fresh {
            let (word, bit) = place(self.acknowledged);
            if self.out_of_turn[word] & bit == 0 {
                break;
            }
            self.out_of_turn[word] &= !bit;
            self.acknowledged += 1;
        }
    }

    /// # Panics
    /// When no insert of `key` is under way.
    pub(super) fn fail(&mut self, key: u64) {
        self.assert_under_way(key);
        self.failed.push_back(key);
    }

    fn assert_under_way(&self, key: u64) {
        let begun = (self.acknowledged..self.fresh).contains(&key);
        let (word, bit) = place(key);
        assert!(
            begun && self.out_of_turn[word] & bit == 0,
            "each insert is answered once: {key} is not under way"
        );
    }
}

const fn place(key: u64) -> (usize, u64) {
    let at = key % UNACKNOWLEDGED_INSERTS_MAX;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMIT: u64 = u64::MAX;

    #[test]
    fn a_key_exists_only_once_all_before_it_do() {
        let mut frontier = Frontier::new(10, NO_LIMIT);
        let keys: Vec<_> = std::iter::repeat_with(|| frontier.begin().unwrap())
            .take(3)
            .collect();
        assert_eq!(keys, [10, 11, 12]);
        frontier.acknowledge(12);
        frontier.acknowledge(11);
        assert_eq!(frontier.count(), 10);
        frontier.acknowledge(10);
        assert_eq!(frontier.count(), 13);
    }

    #[test]
    fn a_failed_insert_is_tried_again_before_a_fresh_key() {
        let mut frontier = Frontier::new(0, NO_LIMIT);
        assert_eq!((frontier.begin(), frontier.begin()), (Some(0), Some(1)));
        frontier.acknowledge(1);
        frontier.fail(0);
        assert_eq!(frontier.count(), 0);
        assert_eq!(frontier.begin(), Some(0));
        assert_eq!(frontier.begin(), Some(2));
        frontier.acknowledge(0);
        assert_eq!(frontier.count(), 2);
    }

    #[test]
    fn the_window_is_bounded_and_opens_again() {
        let mut frontier = Frontier::new(5, NO_LIMIT);
        for _ in 0..UNACKNOWLEDGED_INSERTS_MAX {
            assert!(frontier.begin().is_some());
        }
        assert_eq!(frontier.begin(), None);
        for key in 6..5 + UNACKNOWLEDGED_INSERTS_MAX {
            frontier.acknowledge(key);
        }
        assert_eq!((frontier.count(), frontier.begin()), (5, None));
        frontier.acknowledge(5);
        let next = 5 + UNACKNOWLEDGED_INSERTS_MAX;
        assert_eq!((frontier.count(), frontier.begin()), (next, Some(next)));
    }

    #[test]
    fn no_key_is_begun_past_the_last_name() {
        let mut frontier = Frontier::new(7, 8);
        assert_eq!((frontier.begin(), frontier.begin()), (Some(7), None));
    }

    #[test]
    #[should_panic(expected = "answered once")]
    fn an_insert_answered_twice_is_a_mistake() {
        let mut frontier = Frontier::new(0, NO_LIMIT);
        frontier.begin();
        frontier.begin();
        frontier.acknowledge(1);
        frontier.acknowledge(1);
    }
}
