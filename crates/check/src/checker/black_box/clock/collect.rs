//! Forgets the clocks that nobody refers to any more.

use super::lines::Lines;
use super::{Clocks, Stamp};

/// Lines beyond which it is worth while to look for those that nobody refers to.
const COLLECTED_MIN: usize = 1 << 16;

/// Lines that there may be before those in use are looked for, when there are `used` of them.
pub(super) const fn room(used: usize) -> usize {
    used + used + COLLECTED_MIN
}

/// Lines in use that leave room for so many others that it pays to look for those.
const fn affordable(lines_max: usize) -> usize {
    lines_max - lines_max / 4
}

/// The lines that are in use: a bit for each, so that the whole stays in a cache.
pub(super) struct Marks {
    words: Vec<u64>,
    /// How many lines are marked in the words before.
    before: Vec<u32>,
}

impl Marks {
    fn new(lines: usize) -> Self {
        let words = lines.div_ceil(u64::BITS as usize);
        Self {
            words: vec![0; words],
            before: Vec::new(),
        }
    }

    const fn bit(line: usize) -> (usize, u64) {
        (line / u64::BITS as usize, 1 << (line % u64::BITS as usize))
    }

    /// False if it was marked already.
    fn mark(&mut self, line: usize) -> bool {
        let (word, bit) = Self::bit(line);
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Counts the marked lines once all are.
    fn count(&mut self) -> usize {
        let mut count = 0;
        for word in &self.words {
            self.before.push(count);
            count += word.count_ones();
        }
        count as usize
    }

    /// Where a marked line goes.
    fn place(&self, line: usize) -> u32 {
        let (word, bit) = Self::bit(line);
        self.before[word] + (self.words[word] & (bit - 1)).count_ones()
    }

    /// Moves each marked line down to its new place, and forgets the others.
    pub(super) fn compact<T: Copy>(&self, lines: &mut Lines<T>) {
        let mut place = 0;
        for (at, word) in self.words.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                lines[place] = lines[at * u64::BITS as usize + word.trailing_zeros() as usize];
                place += 1;
                word &= word - 1;
            }
        }
        lines.truncate(place);
    }
}

/// Where lines go in a collection.
struct Moved {
    leaves: Marks,
    inner: Marks,
}

impl Moved {
    fn mark(&mut self, clocks: &Clocks, clock: Stamp) {
        if clock.height() == 0 {
            self.leaves.mark(clock.place());
        } else if self.inner.mark(clock.place()) {
            for child in &clocks.inner[clock.place()].0 {
                self.mark(clocks, *child);
            }
        }
    }

    fn of(&self, clock: Stamp) -> Stamp {
        let marks = if clock.height() == 0 {
            &self.leaves
        } else {
            &self.inner
        };
        Stamp::new(marks.place(clock.place()), clock.height())
    }
}

impl Clocks {
    /// Whether so much was made since the last collection that another one pays.
    pub(in crate::checker::black_box) fn is_full(&self) -> bool {
        self.lines() >= self.full.min(self.lines_max)
    }

    /// Whether what is in use, after a collection, is more than the budget affords.
    pub(in crate::checker::black_box) const fn is_spent(&self) -> bool {
        self.lines() > affordable(self.lines_max)
    }

    /// Forgets all lines but those of the clocks that `each` visits, which it does twice: it
    /// changes them to where they are then. No other clock may be used again.
    pub(in crate::checker::black_box) fn collect(
        &mut self,
        mut each: impl FnMut(&mut dyn FnMut(&mut Stamp)),
    ) {
        let mut moved = Moved {
            leaves: Marks::new(self.leaves.len()),
            inner: Marks::new(self.inner.len()),
        };
        moved.mark(self, Stamp::EMPTY);
        each(&mut |clock| moved.mark(self, *clock));
        let used = moved.leaves.count() + moved.inner.count();
        self.leaves.compact(&moved.leaves);
        moved.inner.compact(&mut self.inner);
        moved.inner.compact(&mut self.inner_generation);
        for children in self.inner.iter_mut() {
            for child in &mut children.0 {
                *child = moved.of(*child);
            }
        }
        each(&mut |clock| *clock = moved.of(*clock));
        self.full = room(used);
    }
}
