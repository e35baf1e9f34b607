//! How much of a history evidence covers: how many of the operations that an order has to explain.

use std::fmt;

use super::index::Index;
use super::verdict::Verdict;

/// Operations with evidence, and all that an order has to explain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) known: u64,
    pub(super) all: u64,
}

impl Coverage {
    /// Counts the operations for which `is_known` holds.
    pub(super) fn of(index: &Index<'_>, is_known: impl Fn(usize) -> bool) -> Self {
        let mut coverage = Self::default();
        for row in (0..index.history.len()).filter(|row| index.counts(*row)) {
            coverage.all += 1;
            coverage.known += u64::from(is_known(row));
        }
        coverage
    }

    /// Whether nothing is left out.
    pub(super) const fn is_whole(self) -> bool {
        self.known == self.all
    }

    /// Whether some operations have evidence and others have none.
    pub(super) const fn is_partial(self) -> bool {
        self.known > 0 && !self.is_whole()
    }

    /// The answer of a check by `evidence` that covered only a part and found nothing wrong with
    /// it: another check, which needs no evidence, has to decide.
    pub(super) fn undecided(self, evidence: &str) -> Verdict {
        Verdict::not_applicable(format!(
            "{self} carry a {evidence}: nothing refutes those, and they prove nothing of the others"
        ))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} operations", self.known, self.all)
    }
}
