//! The certificate that a causal store gives, laid out for checking: every put whose dot and
//! vector are known, by origin and by key.
//!
//! It may cover only a part of the history, since replies may carry no evidence and nobody may have
//! read a put of unknown outcome. A put has the evidence of its own reply or of a get which
//! returned it. So every put that a get with evidence returned has evidence too.

use std::ops::Range;

use super::coverage::Coverage;
use super::index::{Index, NO_PUT, Table};
use crate::history::{Evidence, dot_counter, dot_origin};

/// Counters may be sparse, up to this many times the number of an origin's puts and some more,
/// before the lookup by counter turns from a table into a search. There may be as many origins as
/// puts, so that a table for each may be far larger than the history.
const SPARSE_MAX: usize = 4;
const SPARSE_MORE: u64 = 256;

/// A put with its evidence: its own reply's, or, without one, that of a get which read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    pub(super) row: u32,
    pub(super) dot: u64,
    /// The get that gave the evidence, and the place in its list.
    source: Option<(u32, u32)>,
}

/// The known puts of one origin in the order of their counters.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// Numbers of puts, ascending by counter.
    puts: Vec<u32>,
    counters: Vec<u64>,
    /// For each counter how many puts have a counter up to it; empty when counters are sparse.
    up_to: Vec<u32>,
    /// For each place in `puts` the latest invoke up to it, and whose it is.
    latest_invoke: Vec<(u64, u32)>,
}

impl Origin {
    /// How many puts have a counter of at most `counter`.
    pub(super) fn count_up_to(&self, counter: u64) -> usize {
        match (self.up_to.last(), usize::try_from(counter)) {
            (Some(all), Ok(counter)) => self.up_to.get(counter).copied().unwrap_or(*all) as usize,
            (Some(all), Err(_)) => *all as usize,
            (None, _) => self.counters.partition_point(|c| *c <= counter),
        }
    }

    /// The number of the latest put with a counter of at most `counter`.
    pub(super) fn latest(&self, counter: u64) -> Option<u32> {
        self.count_up_to(counter)
            .checked_sub(1)
            .map(|place| self.puts[place])
    }

    /// The latest invoke among puts with a counter of at most `counter`, and the put's number.
    pub(super) fn latest_invoke(&self, counter: u64) -> Option<(u64, u32)> {
        self.count_up_to(counter)
            .checked_sub(1)
            .map(|place| self.latest_invoke[place])
    }

    fn finish(&mut self, puts: &[Put], index: &Index<'_>) {
        self.puts
            .sort_unstable_by_key(|number| puts[*number as usize].dot);
        self.counters = self
            .puts
            .iter()
            .map(|n| dot_counter(puts[*n as usize].dot))
            .collect();
        let largest = self.counters.last().copied().unwrap_or(0);
        let bound = self.counters.len().saturating_mul(SPARSE_MAX) as u64;
        if largest <= bound + SPARSE_MORE {
            let mut place = 0;
            self.up_to.reserve(largest as usize + 1);
            for counter in 0..=largest {
                while self.counters.get(place).is_some_and(|c| *c <= counter) {
                    place += 1;
                }
                self.up_to.push(place as u32);
            }
        }
        let mut latest = (0, NO_PUT);
        for number in &self.puts {
            let invoke = index.invoke(puts[*number as usize].row as usize);
            if latest.1 == NO_PUT || invoke > latest.0 {
                latest = (invoke, *number);
            }
            self.latest_invoke.push(latest);
        }
    }
}

/// All known puts.
#[derive(Debug)]
pub(super) struct Certificate<'a, 'h> {
    pub(super) index: &'a Index<'h>,
    pub(super) puts: Vec<Put>,
    /// Row to number in `puts`, or [`NO_PUT`].
    pub(super) number: Vec<u32>,
    /// The origins' names in ascending order, and what each put.
    names: Vec<u32>,
    origins: Vec<Origin>,
    /// Numbers of puts by dense key, within a key ascending by dot.
    by_key: Vec<u32>,
    /// Their dots, so that a search need not look the puts up.
    by_key_dots: Vec<u64>,
    key_starts: Vec<u32>,
}

impl<'a, 'h> Certificate<'a, 'h> {
    /// Collects the evidence.
    pub(super) fn new(index: &'a Index<'h>) -> Self {
        let columns = index.columns;
        let mut puts = Vec::new();
        let mut number = vec![NO_PUT; index.history.len()];
        for (row, own) in number.iter_mut().enumerate() {
            if index.is_effective_put(row) && columns.evidence[row] == Evidence::Causal {
                *own = puts.len() as u32;
                puts.push(Put {
                    row: row as u32,
                    dot: columns.dot[row],
                    source: None,
                });
            }
        }
        for get in (0..index.history.len()).filter(|row| tells(index, *row)) {
            for (place, put) in index.puts_read(get).iter().enumerate() {
                if number[*put as usize] == NO_PUT {
                    number[*put as usize] = puts.len() as u32;
                    let dot = columns.sibling_dots.at(get)[place];
                    puts.push(Put {
                        row: *put,
                        dot,
                        source: Some((get as u32, place as u32)),
                    });
                }
            }
        }
        let mut certificate = Self {
            index,
            puts,
            number,
            names: Vec::new(),
            origins: Vec::new(),
            by_key: Vec::new(),
            by_key_dots: Vec::new(),
            key_starts: Vec::new(),
        };
        certificate.lay_out();
        certificate
    }

    /// Whether the row's evidence is known.
    pub(super) fn covers(&self, row: usize) -> bool {
        self.number[row] != NO_PUT || tells(self.index, row)
    }

    fn lay_out(&mut self) {
        let mut origins: Table<u32, Origin> = Table::default();
        for (number, put) in (0u32..).zip(&self.puts) {
            origins
                .entry(dot_origin(put.dot))
                .or_default()
                .puts
                .push(number);
        }
        let mut origins: Vec<(u32, Origin)> = origins.into_iter().collect();
        origins.sort_unstable_by_key(|(name, _)| *name);
        for (name, mut origin) in origins {
            origin.finish(&self.puts, self.index);
            self.names.push(name);
            self.origins.push(origin);
        }
        let key = |number: &u32| self.index.key[self.puts[*number as usize].row as usize] as usize;
        let mut starts = vec![0; self.index.by_key.len() + 1];
        for number in 0..self.puts.len() as u32 {
            starts[key(&number) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        // Origins in the order of their names and their puts by counter: the order of dots.
        let mut next = starts.clone();
        self.by_key = vec![NO_PUT; self.puts.len()];
        for number in self.origins.iter().flat_map(|origin| &origin.puts) {
            let place = &mut next[key(number)];
            self.by_key[*place as usize] = *number;
            *place += 1;
        }
        self.key_starts = starts;
        let dots = self.by_key.iter().map(|n| self.puts[*n as usize].dot);
        self.by_key_dots = dots.collect();
    }

    /// The origin of a dot. `place` is the dot's in its vector, which mostly has an entry for each
    /// origin in ascending order.
    pub(super) fn origin(&self, dot: u64, place: usize) -> Option<&Origin> {
        let name = dot_origin(dot);
        if self.names.get(place) == Some(&name) {
            return self.origins.get(place);
        }
        let place = self.names.binary_search(&name).ok()?;
        self.origins.get(place)
    }

    /// The vector of a put.
    pub(super) fn vector(&self, number: u32) -> &'h [u64] {
        let put = &self.puts[number as usize];
        match put.source {
            None => self.index.columns.vector.at(put.row as usize),
            Some((get, place)) => self
                .index
                .columns
                .sibling_vector(get as usize, place as usize),
        }
    }

    pub(super) fn row(&self, number: u32) -> usize {
        self.puts[number as usize].row as usize
    }

    pub(super) fn dot(&self, number: u32) -> u64 {
        self.puts[number as usize].dot
    }

    /// For an entry of a vector the latest put of that origin on `key` that it covers. `near` is
    /// where such a put was found last: the search begins there, and remembers what it found.
    pub(super) fn latest_on_key(&self, key: u32, entry: u64, near: &mut u32) -> Option<u32> {
        let (start, end) = (
            self.key_starts[key as usize] as usize,
            self.key_starts[key as usize + 1] as usize,
        );
        let dots = &self.by_key_dots[start..end];
        let count = count_up_to(dots, entry, *near as usize);
        *near = count as u32;
        let place = count.checked_sub(1)?;
        (dot_origin(dots[place]) == dot_origin(entry)).then(|| self.by_key[start + place])
    }

    /// The rows of all known puts, by key and within it by dot.
    pub(super) fn rows_by_key(&self) -> Vec<u32> {
        let rows = self.by_key.iter().map(|number| self.row(*number) as u32);
        rows.collect()
    }

    /// The puts of each origin on a key: places in [`Self::rows_by_key`], and their dots.
    pub(super) fn runs(&self, key: u32) -> impl Iterator<Item = (Range<usize>, &[u64])> {
        let (start, end) = (
            self.key_starts[key as usize],
            self.key_starts[key as usize + 1],
        );
        let dots = &self.by_key_dots[start as usize..end as usize];
        let runs = dots.chunk_by(|a, b| dot_origin(*a) == dot_origin(*b));
        runs.scan(start as usize, |at, run| {
            let first = *at;
            *at += run.len();
            Some((first..*at, run))
        })
    }

    /// Puts of the same dot, side by side.
    pub(super) fn same_dots(&self) -> impl Iterator<Item = (u32, u32)> {
        self.origins.iter().flat_map(|origin| {
            origin
                .puts
                .windows(2)
                .zip(origin.counters.windows(2))
                .filter(|(_, counters)| counters[0] == counters[1])
                .map(|(puts, _)| (puts[0], puts[1]))
        })
    }
}

/// How much of the history a certificate covers.
pub(super) fn coverage(index: &Index<'_>) -> Coverage {
    let columns = index.columns;
    let mut is_given = vec![false; index.history.len()];
    for get in (0..index.history.len()).filter(|row| tells(index, *row)) {
        for put in index.puts_read(get) {
            is_given[*put as usize] = true;
        }
    }
    Coverage::of(index, |row| {
        let is_own = index.is_effective_put(row) && columns.evidence[row] == Evidence::Causal;
        is_own || is_given[row] || tells(index, row)
    })
}

/// Whether the row is a get that carries a vector and the evidence of all that it returned.
fn tells(index: &Index<'_>, row: usize) -> bool {
    let columns = index.columns;
    index.is_usable_get(row)
        && columns.evidence[row] == Evidence::Causal
        && columns.sibling_dots.at(row).len() == columns.read.at(row).len()
}

/// How many of the ascending dots are at most `entry`, searched from `near` in steps that double
/// (Bentley and Yao, *An almost optimal algorithm for unbounded searching*, 1976).
fn count_up_to(dots: &[u64], entry: u64, near: usize) -> usize {
    // What lies before `low` is at most `entry`, what lies at `high` and behind is more.
    let (mut low, mut high) = (near.min(dots.len()), near.min(dots.len()));
    let mut step = 1;
    while low > 0 && dots[low - 1] > entry {
        high = low - 1;
        low = high.saturating_sub(step);
        step *= 2;
    }
    while high < dots.len() && dots[high] <= entry {
        low = high + 1;
        high = (low + step).min(dots.len());
        step *= 2;
    }
    low + dots[low..high].partition_point(|dot| *dot <= entry)
}

/// The entry of a vector for an origin: 0 for none.
pub(super) fn entry(vector: &[u64], origin: u32) -> u64 {
    vector
        .iter()
        .copied()
        .find(|dot| dot_origin(*dot) == origin)
        .unwrap_or(0)
}

/// The first entry of `small` that `large` does not cover.
pub(super) fn not_covered(small: &[u64], large: &[u64]) -> Option<u64> {
    small.iter().enumerate().find_map(|(place, dot)| {
        let origin = dot_origin(*dot);
        // Vectors mostly have an entry for each origin, in the same order.
        let covered = match large.get(place) {
            Some(own) if dot_origin(*own) == origin => *own,
            Some(_) | None => entry(large, origin),
        };
        (dot_counter(*dot) > 0 && covered < *dot).then_some(*dot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_search_begins_changes_nothing_of_what_it_finds() {
        for len in [0, 1, 2, 7, 40] {
            let dots: Vec<u64> = (0..len).map(|place| 3 * place + 1).collect();
            for entry in 0..=3 * len + 2 {
                let expected = dots.partition_point(|dot| *dot <= entry);
                for near in 0..=dots.len() + 2 {
                    assert_eq!(
                        count_up_to(&dots, entry, near),
                        expected,
                        "{len} {entry} {near}"
                    );
                }
            }
        }
    }
}
