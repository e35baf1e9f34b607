//! What was so in some state on the way and must be so for ever. A property that only looks at a
//! state misses what two replicas did one after the other.

use std::collections::{BTreeMap, BTreeSet};

/// What has been so, by what it is of, and what was contradicted later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Chronicle {
    known: BTreeMap<(&'static str, u64), u64>,
    contradicted: BTreeSet<&'static str>,
}

impl Chronicle {
    /// `what` is `is` for this number, for ever.
    pub(crate) fn tell(&mut self, what: &'static str, of: u64, is: u64) {
        if *self.known.entry((what, of)).or_insert(is) != is {
            self.contradicted.insert(what);
        }
    }

    /// Whether `what` was one thing first and another later.
    pub(crate) fn contradicts(&self, what: &str) -> bool {
        self.contradicted.contains(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_again_agrees_and_what_is_told_otherwise_contradicts() {
        let mut chronicle = Chronicle::default();
        chronicle.tell("leader", 1, 7);
        chronicle.tell("leader", 2, 8);
        chronicle.tell("leader", 1, 7);
        chronicle.tell("entry", 1, 9);
        assert!(!chronicle.contradicts("leader"));
        chronicle.tell("leader", 1, 8);
        assert!(chronicle.contradicts("leader") && !chronicle.contradicts("entry"));
    }
}
