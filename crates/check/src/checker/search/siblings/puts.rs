//! Sets of the puts of a small history.

/// Words of 64 puts: longer histories are more than this search affords.
const WORDS: usize = 4;

/// A set of puts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Puts([u64; WORDS]);

impl Puts {
    /// Puts that fit into one.
    pub(super) const MAX: usize = 64 * WORDS;

    pub(super) fn add(&mut self, put: u32) {
        self.0[put as usize / 64] |= 1 << (put % 64);
    }

    pub(super) fn has(&self, put: u32) -> bool {
        self.0[put as usize / 64] >> (put % 64) & 1 == 1
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own |= other;
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..Self::MAX as u32).filter(move |put| self.has(*put))
    }
}
