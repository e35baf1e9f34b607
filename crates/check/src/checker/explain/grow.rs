//! Finding what an anomaly rests on beside the operations that its check named.

use super::super::index::{Index, NO_PUT, Table};
use super::Case;
use super::part::closed;

/// Rows that an explanation starts from at most; what is farther away in time is left out.
const ROWS_MAX: usize = 4096;
/// Rows that one search for causes visits at most.
const VISITS_MAX: usize = 200_000;

impl Case<'_, '_> {
    /// Rows around `evidence` that by themselves show the anomaly, as few as a few attempts find:
    /// the evidence, the causes that connect it, what else was done on its keys, and what else was
    /// done at that time. `None` when none of them does.
    pub(super) fn grown(&mut self, evidence: &[usize]) -> Option<Vec<usize>> {
        let attempts = [
            |_: &mut Self, evidence: &[usize]| evidence.to_vec(),
            Self::connected,
            Self::of_the_same_keys,
            Self::of_the_same_time,
        ];
        for attempt in attempts {
            if self.work.is_done() {
                return None;
            }
            let rows = attempt(self, evidence);
            let rows = closed(self.index, self.reduction, &rows);
            if self.is_shown_by(&rows) {
                return Some(rows);
            }
        }
        None
    }

    /// The evidence and the operations by which one of it happened before another.
    fn connected(&mut self, evidence: &[usize]) -> Vec<usize> {
        let mut rows = evidence.to_vec();
        for row in evidence {
            let mut past = Past::new(self.index, evidence);
            past.search(*row);
            self.work.spend(past.visited);
            for other in evidence {
                past.path(*other, *row, &mut rows);
            }
        }
        rows
    }

    fn of_the_same_keys(&mut self, evidence: &[usize]) -> Vec<usize> {
        let mut keys: Vec<u32> = evidence.iter().map(|row| self.index.key[*row]).collect();
        keys.sort_unstable();
        keys.dedup();
        let rows = keys
            .iter()
            .flat_map(|key| self.index.by_key.at(*key as usize))
            .map(|row| *row as usize)
            .collect();
        self.nearest(rows, evidence)
    }

    fn of_the_same_time(&mut self, evidence: &[usize]) -> Vec<usize> {
        let rows = (0..self.index.history.len()).collect();
        self.nearest(rows, evidence)
    }

    /// The evidence and the [`ROWS_MAX`] of `rows` that are nearest to it in time.
    fn nearest(&mut self, mut rows: Vec<usize>, evidence: &[usize]) -> Vec<usize> {
        self.work.spend(rows.len());
        let index = self.index;
        let start = evidence.iter().map(|row| index.invoke(*row)).min();
        let end = evidence.iter().map(|row| index.invoke(*row)).max();
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        if rows.len() > ROWS_MAX {
            rows.select_nth_unstable_by_key(ROWS_MAX, |row| {
                let invoke = index.invoke(*row);
                (
                    start.saturating_sub(invoke).max(invoke.saturating_sub(end)),
                    *row,
                )
            });
            rows.truncate(ROWS_MAX);
        }
        rows.extend(evidence);
        rows
    }
}

/// What happened before one operation, as far back as the evidence goes: a search through session
/// order and from gets to the puts that they read.
struct Past<'a, 'h> {
    index: &'a Index<'h>,
    /// What ended before this instant is before all of the evidence.
    start: u64,
    /// For each operation found the one through which it was.
    next: Table<usize, usize>,
    /// For each session how many of its first operations are still to be looked at.
    reached: Table<u32, (usize, usize)>,
    visited: usize,
}

impl<'a, 'h> Past<'a, 'h> {
    fn new(index: &'a Index<'h>, evidence: &[usize]) -> Self {
        let start = evidence.iter().map(|row| index.invoke(*row)).min();
        Self {
            index,
            start: start.unwrap_or(0),
            next: Table::default(),
            reached: Table::default(),
            visited: 0,
        }
    }

    /// Breadth first, so that paths have few operations: all that a session did before is one step.
    fn search(&mut self, from: usize) {
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(row) = queue.pop_front() {
            let session = self.index.session[row];
            let rows = self.index.by_session.at(session as usize);
            let columns = self.index.columns;
            let place = rows.partition_point(|r| columns.index[*r as usize] < columns.index[row]);
            // Rows from `low` on have been looked at, up to `high`.
            let (low, high) = self.reached.get(&session).copied().unwrap_or((0, 0));
            let mut at = place + 1;
            while at > 0 && self.visited < VISITS_MAX {
                at -= 1;
                if (low..high).contains(&at) {
                    break;
                }
                let earlier = rows[at] as usize;
                if self.index.returned(earlier) < self.start {
                    break;
                }
                self.visited += 1;
                if earlier != row {
                    self.next.entry(earlier).or_insert(row);
                }
                if self.index.is_usable_get(earlier) {
                    for put in self
                        .index
                        .puts_read(earlier)
                        .iter()
                        .filter(|p| **p != NO_PUT)
                    {
                        let put = *put as usize;
                        if put != from && !self.next.contains_key(&put) {
                            self.next.insert(put, earlier);
                            queue.push_back(put);
                        }
                    }
                }
            }
            let reached = if high == 0 {
                (at, place + 1)
            } else {
                (low.min(at), high.max(place + 1))
            };
            self.reached.insert(session, reached);
        }
    }

    /// Adds the operations between `first` and `last`, when one led to the other.
    fn path(&self, first: usize, last: usize, into: &mut Vec<usize>) {
        let mut row = first;
        while let Some(next) = self.next.get(&row) {
            if *next == last {
                return;
            }
            into.push(*next);
            row = *next;
        }
    }
}
