//! What a search remembers of the orders that lead to one instant.

use std::hash::Hash;

use super::super::ordering::operation::Token;

/// A set of small numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bits {
    first: u64,
    rest: Box<[u64]>,
}

impl Bits {
    /// None of so many.
    pub(super) fn none(of: usize) -> Self {
        Self {
            first: 0,
            rest: vec![0; of.div_ceil(64).saturating_sub(1)].into_boxed_slice(),
        }
    }

    fn word(&mut self, bit: u32) -> &mut u64 {
        match bit / 64 {
            0 => &mut self.first,
            word => &mut self.rest[word as usize - 1],
        }
    }

    pub(super) fn has(&self, bit: u32) -> bool {
        let word = match bit / 64 {
            0 => self.first,
            word => self.rest[word as usize - 1],
        };
        word >> (bit % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, bit: u32) {
        *self.word(bit) |= 1 << (bit % 64);
    }

    pub(super) fn clear(&mut self, bit: u32) {
        *self.word(bit) &= !(1 << (bit % 64));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.first |= other.first;
        for (own, other) in self.rest.iter_mut().zip(&other.rest) {
            *own |= other;
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        self.first & !other.first == 0
            && self
                .rest
                .iter()
                .zip(&other.rest)
                .all(|(own, other)| own & !other == 0)
    }

    fn count(&self) -> u32 {
        let rest = self.rest.iter().map(|word| word.count_ones());
        self.first.count_ones() + rest.sum::<u32>()
    }
}

/// Where the register stands after one of the orders of what was taken so far.
///
/// A put whose effect nobody need have seen, since another put followed, is free and not spent. It
/// may still be taken for its effect, or be forgotten at its return.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Config {
    pub(super) value: Token,
    /// The number of the event at which a put last came, as far as that matters: what was open then
    /// may have come just before it. 0 where it does not.
    pub(super) put_at: u32,
    /// The open operations that may return, by slot.
    pub(super) free: Bits,
    /// The open writes that had their effect, by slot.
    pub(super) spent: Bits,
    /// How many of each class of pending operations were taken, by class.
    pub(super) used: Vec<(u32, u32)>,
}

impl Config {
    pub(super) fn used(&self, class: u32) -> u32 {
        let place = self.used.binary_search_by_key(&class, |(class, _)| *class);
        place.map_or(0, |place| self.used[place].1)
    }

    /// Takes one pending operation of a class.
    pub(super) fn add_used(&mut self, class: u32) {
        match self.used.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(place) => self.used[place].1 += 1,
            Err(place) => self.used.insert(place, (class, 1)),
        }
    }

    /// Whether what can follow `other` can follow this too.
    pub(super) fn dominates(&self, other: &Self) -> bool {
        self.value == other.value
            && self.put_at >= other.put_at
            && other.free.is_within(&self.free)
            && self.spent.is_within(&other.spent)
            && self
                .used
                .iter()
                .all(|(class, count)| *count <= other.used(*class))
    }

    /// Less is likelier to have what is still needed.
    fn cost(&self) -> i64 {
        let used: u32 = self.used.iter().map(|(_, count)| count).sum();
        i64::from(used) + i64::from(self.spent.count()) - i64::from(self.free.count())
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + 16 * self.free.rest.len() + 8 * self.used.len()
    }
}

/// Configurations that each new one is compared with at most; more of them cost time only.
pub(super) const COMPARED_MAX: usize = 512;

/// The configurations that no other one makes superfluous, and whether some were left out because
/// there were more than `width`.
pub(super) fn undominated(mut all: Vec<Config>, width: usize) -> (Vec<Config>, bool) {
    if all.len() < 2 {
        return (all, false);
    }
    all.sort_by_cached_key(|config| (config.value, config.cost()));
    let mut kept: Vec<Config> = Vec::with_capacity(all.len());
    // Each with its rank among those of its value.
    let mut ranks = Vec::with_capacity(all.len());
    let mut start = 0;
    for config in all {
        if kept
            .get(start)
            .is_some_and(|first| first.value != config.value)
        {
            start = kept.len();
        }
        let mut compared = kept[start..].iter().take(COMPARED_MAX);
        if !compared.any(|other| other.dominates(&config)) {
            ranks.push(kept.len() - start);
            kept.push(config);
        }
    }
    if kept.len() <= width {
        return (kept, false);
    }
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|place| (ranks[*place], *place));
    let mut is_kept = vec![false; kept.len()];
    for place in order.into_iter().take(width) {
        is_kept[place] = true;
    }
    let mut place = 0;
    kept.retain(|_| {
        place += 1;
        is_kept[place - 1]
    });
    (kept, true)
}
