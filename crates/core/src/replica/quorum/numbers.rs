//! The numbers that a coordinator gives out, and never twice in a life: counters of versions, and
//! names of operations.
//!
//! A process that ends and comes back with its disk goes on under the same incarnation. So that it
//! gives out no number again, it reserves them in blocks: that a block is given out is durable
//! before its first number leaves. What is left of a block is skipped then.

/// How many numbers are reserved at once: one sync more for so many puts, or so many operations.
const BLOCK: u64 = 1 << 16;
/// Two numbers.
pub(super) const NOTE_BYTES: usize = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Numbers {
    /// The largest counter of a version that was seen or issued.
    clock: u64,
    /// The last operation that was named.
    named: u64,
    /// How far they may go before the next note.
    clock_reserved: u64,
    named_reserved: u64,
}

impl Numbers {
    /// Takes in a version's counter, so that later ones are larger.
    pub(super) const fn observe(&mut self, counter: u64) {
        if counter > self.clock {
            self.clock = counter;
        }
    }

    /// A counter for a new version, above all that were seen and issued.
    pub(super) const fn issue(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A name for a new operation.
    pub(super) const fn name(&mut self) -> u64 {
        self.named += 1;
        self.named
    }

    /// What has to be durable before anything leaves that shows a number given out since; none when
    /// it is.
    pub(super) fn reserve(&mut self) -> Option<[u8; NOTE_BYTES]> {
        if self.clock <= self.clock_reserved && self.named <= self.named_reserved {
            return None;
        }
        if self.clock > self.clock_reserved {
            self.clock_reserved = self.clock + BLOCK;
        }
        if self.named > self.named_reserved {
            self.named_reserved = self.named + BLOCK;
        }
        let mut note = [0; NOTE_BYTES];
        note[..8].copy_from_slice(&self.clock_reserved.to_le_bytes());
        note[8..].copy_from_slice(&self.named_reserved.to_le_bytes());
        Some(note)
    }

    /// The process ended, and only what was reserved is known of what it gave out. `counter` is
    /// the largest of the versions that are left.
    pub(super) fn come_back(&self, counter: u64) -> Self {
        Self {
            clock: self.clock_reserved.max(counter),
            named: self.named_reserved,
            ..*self
        }
    }

    /// Takes back a note.
    ///
    /// # Panics
    /// When it is none of this kind.
    pub(super) fn restore(&mut self, note: &[u8]) {
        let (clock, named) = note.split_at(8);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        self.clock_reserved = number(clock);
        self.named_reserved = number(named);
        self.observe(self.clock_reserved);
        self.named = self.named_reserved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_above_all_that_were_seen_and_issued() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.issue(), 1);
        numbers.observe(7);
        assert_eq!([numbers.issue(), numbers.issue()], [8, 9]);
        numbers.observe(3);
        assert_eq!(numbers.issue(), 10);
    }

    #[test]
    fn one_note_covers_a_block_of_numbers_and_none_of_them_is_given_out_after_a_restart() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.reserve(), None, "nothing was given out");
        let (issued, named) = (numbers.issue(), numbers.name());
        let note = numbers.reserve().expect("the first numbers");
        let last = (0..BLOCK).map(|_| (numbers.issue(), numbers.name())).last();
        assert_eq!(numbers.reserve(), None, "the block covers them");
        let mut restored = Numbers::default();
        restored.restore(&note);
        assert_eq!(restored, numbers.come_back(0));
        let last = last.expect("a block has numbers");
        assert!(last > (issued, named));
        assert!(restored.issue() > last.0 && restored.name() > last.1);
        assert!(restored.reserve().is_some(), "the next block");
    }

    #[test]
    fn a_counter_that_was_seen_beyond_the_block_takes_a_new_one() {
        let mut numbers = Numbers::default();
        numbers.issue();
        numbers.reserve().expect("the first block");
        numbers.observe(10 * BLOCK);
        numbers.issue();
        assert!(numbers.reserve().is_some());
    }
}
