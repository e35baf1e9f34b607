//! The log: entries by their index, of which the first may be gone.

use std::collections::VecDeque;

use crate::protocol::{LogEntry, Position};

/// A log that begins after a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Log {
    /// The entry before the first that is there.
    before: Position,
    entries: VecDeque<LogEntry>,
    /// About how many bytes they take.
    bytes: u64,
}

impl Log {
    /// A log without entries whose first will be the one after this position.
    pub(super) fn after(before: Position) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// The position before the first entry that is there.
    pub(super) const fn before(&self) -> Position {
        self.before
    }

    /// The position of the last entry.
    pub(super) fn last(&self) -> Position {
        let index = self.last_index();
        let term = self.entries.back().map_or(self.before.term, |it| it.term);
        Position { term, index }
    }

    pub(super) fn last_index(&self) -> u64 {
        self.before.index + self.entries.len() as u64
    }

    /// The entry of this index, if it is there.
    pub(super) fn get(&self, index: u64) -> Option<&LogEntry> {
        self.entries.get(self.place(index)?)
    }

    /// The term of the entry of this index, where it is known.
    pub(super) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.before.index {
            return Some(self.before.term);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// The position of this index, where it is known.
    pub(super) fn position(&self, index: u64) -> Option<Position> {
        let term = self.term_at(index)?;
        Some(Position { term, index })
    }

    /// The first index of the run of entries of one term that this index is in.
    pub(super) fn start_of_term(&self, index: u64) -> u64 {
        let Some(term) = self.term_at(index) else {
            return index;
        };
        let mut first = index;
        while first > self.before.index + 1 && self.term_at(first - 1) == Some(term) {
            first -= 1;
        }
        first
    }

    /// The entries from this index on.
    pub(super) fn from(&self, index: u64) -> impl Iterator<Item = &LogEntry> {
        let skipped = index.saturating_sub(self.before.index + 1);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.entries.range(skipped.min(self.entries.len())..)
    }

    /// Appends one more.
    pub(super) fn push(&mut self, entry: LogEntry) {
        self.bytes += entry.bytes() as u64;
        self.entries.push_back(entry);
    }

    /// Forgets the entries from this index on.
    pub(super) fn truncate(&mut self, index: u64) {
        while self.last_index() >= index
            && let Some(gone) = self.entries.pop_back()
        {
            self.bytes -= gone.bytes() as u64;
        }
    }

    /// Forgets the entries up to this position. Those after it stay where the log has it, and go
    /// where it has something else.
    pub(super) fn begin_after(&mut self, position: Position) {
        if self.term_at(position.index) != Some(position.term) {
            *self = Self::after(position);
            return;
        }
        while self.before.index < position.index {
            self.forget_first();
        }
    }

    /// Forgets first entries, none of them after this index, until the rest has at most so many
    /// entries and bytes.
    pub(super) fn shrink(&mut self, until: u64, entries: u64, bytes: u64) {
        while self.before.index < until
            && (self.entries.len() as u64 > entries || self.bytes > bytes)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(gone) = self.entries.pop_front() else {
            return;
        };
        self.bytes -= gone.bytes() as u64;
        self.before = Position {
            term: gone.term,
            index: self.before.index + 1,
        };
    }

    fn place(&self, index: u64) -> Option<usize> {
        let place = index.checked_sub(self.before.index + 1)?;
        usize::try_from(place).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Command;

    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for term in terms {
            log.push(entry(*term));
        }
        log
    }

    fn entry(term: u64) -> LogEntry {
        let command = Command::Nothing;
        LogEntry { term, command }
    }

    fn at(term: u64, index: u64) -> Position {
        Position { term, index }
    }

    #[test]
    fn entries_have_indices_from_one_and_keep_them_when_the_first_are_gone() {
        let mut log = log(&[1, 1, 2, 3]);
        assert_eq!((log.term_at(0), log.term_at(1)), (Some(0), Some(1)));
        log.begin_after(at(1, 2));
        assert_eq!(log.before(), at(1, 2));
        assert_eq!(log.last(), at(3, 4));
        assert_eq!(log.term_at(1), None);
        assert_eq!(log.position(2), Some(at(1, 2)));
        assert_eq!(log.position(3), Some(at(2, 3)));
        assert_eq!(log.from(4).count(), 1);
        assert_eq!(log.from(0).count(), 2);
        assert_eq!(log.from(9).count(), 0);
    }

    #[test]
    fn a_log_that_has_something_else_at_its_new_beginning_is_dropped() {
        let mut other = log(&[1, 1, 2, 3]);
        other.begin_after(at(9, 3));
        assert_eq!((other.last(), other.bytes), (at(9, 3), 0));
        let mut short = log(&[1]);
        short.begin_after(at(2, 7));
        assert_eq!(short.last(), at(2, 7));
    }

    #[test]
    fn a_truncated_log_goes_on_from_there_and_counts_its_bytes() {
        let mut cut = log(&[1, 1, 2]);
        cut.truncate(2);
        cut.push(entry(5));
        assert_eq!(cut, log(&[1, 5]));
        cut.truncate(0);
        assert_eq!(cut, Log::default());
    }

    #[test]
    fn a_run_of_one_term_is_found_from_any_of_its_entries() {
        let log = log(&[1, 2, 2, 2, 3]);
        assert_eq!(log.start_of_term(4), 2);
        assert_eq!(log.start_of_term(1), 1);
        assert_eq!(log.start_of_term(5), 5);
    }

    #[test]
    fn shrinking_stops_at_what_is_small_enough_and_at_what_is_still_needed() {
        let mut small = log(&[1, 1, 1, 1]);
        small.shrink(3, 2, u64::MAX);
        assert_eq!(small.before().index, 2);
        let mut needed = log(&[1, 1, 1, 1]);
        needed.shrink(1, 0, 0);
        assert_eq!(needed.before().index, 1);
    }
}
