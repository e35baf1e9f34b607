//! What evidence says of a put that a final value does not hold.

use super::super::certificate::entry;
use super::super::index::{Index, NO_PUT, Table};
use super::super::lww::Versions;
use crate::history::{Dominance, Evidence, Version, dot_origin};

/// Whether a final value holds a put, or one that supersedes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Kept,
    Lost,
    /// Evidence does not say; `by_any` as [`super::Question`] has it.
    Open {
        by_any: bool,
    },
}

/// What a final get returned.
#[derive(Debug)]
pub(super) struct Value<'h> {
    pub(super) get: usize,
    /// The puts, ascending; [`NO_PUT`] stands for what nobody put.
    puts: Vec<u32>,
    /// All that they supersede, where contexts say that.
    known: Option<Table<u32, ()>>,
    /// The vectors of those that have one, and whether all do.
    vectors: Vec<&'h [u64]>,
    all_have_vectors: bool,
    version: Option<Version>,
}

/// The evidence of puts: their own replies', or that of the gets which returned them.
#[derive(Debug)]
pub(super) struct Witnesses<'a, 'h> {
    index: &'a Index<'h>,
    versions: Versions<'a, 'h>,
    /// Of puts without a dot of their own, a get that gave it and the place in its list.
    given: Table<u32, (u32, u32)>,
}

impl<'a, 'h> Witnesses<'a, 'h> {
    pub(super) fn new(index: &'a Index<'h>) -> Self {
        let columns = index.columns;
        let mut given: Table<u32, (u32, u32)> = Table::default();
        for get in (0..index.history.len()).filter(|row| index.is_usable_get(*row)) {
            let dots = columns.sibling_dots.at(get).len();
            for (place, put) in (0..dots as u32).zip(index.puts_read(get)) {
                if columns.evidence[*put as usize] != Evidence::Causal {
                    given.entry(*put).or_insert((get as u32, place));
                }
            }
        }
        Self {
            index,
            versions: Versions::new(index),
            given,
        }
    }

    /// The dot and the vector of a put.
    fn dotted(&self, put: u32) -> Option<(u64, &'h [u64])> {
        let columns = self.index.columns;
        if put == NO_PUT {
            return None;
        }
        if columns.evidence[put as usize] == Evidence::Causal {
            return Some((columns.dot[put as usize], columns.vector.at(put as usize)));
        }
        let (get, place) = *self.given.get(&put)?;
        let (get, place) = (get as usize, place as usize);
        Some((
            columns.sibling_dots.at(get)[place],
            columns.sibling_vector(get, place),
        ))
    }

    /// What a final get returned, with the evidence that it gives, or else its puts do.
    pub(super) fn value(&self, get: usize) -> Value<'h> {
        let columns = self.index.columns;
        let mut puts = self.index.puts_read(get).to_vec();
        let tells = columns.sibling_dots.at(get).len() == puts.len();
        let vector = |(place, put): (usize, &u32)| {
            if tells {
                Some(columns.sibling_vector(get, place))
            } else {
                Some(self.dotted(*put)?.1)
            }
        };
        let vectors: Vec<&[u64]> = puts.iter().enumerate().filter_map(vector).collect();
        let version = match puts.as_slice() {
            [put] => columns.version(get).or_else(|| self.version(*put)),
            [..] => None,
        };
        puts.sort_unstable();
        Value {
            get,
            known: self.superseded_by(&puts),
            all_have_vectors: vectors.len() == puts.len(),
            vectors,
            version,
            puts,
        }
    }

    fn version(&self, put: u32) -> Option<Version> {
        (put != NO_PUT).then(|| self.versions.of_put(put as usize))?
    }

    /// Some puts and all that these supersede, where contexts say that.
    fn superseded_by(&self, puts: &[u32]) -> Option<Table<u32, ()>> {
        if self.index.dominance != Dominance::Context {
            return None;
        }
        let mut known: Table<u32, ()> = Table::default();
        let mut left = puts.to_vec();
        while let Some(put) = left.pop() {
            if put != NO_PUT && known.insert(put, ()).is_none() {
                left.extend(self.index.context_puts(put as usize));
            }
        }
        Some(known)
    }

    /// Whether a final value holds a put, or one that supersedes it. A value that nobody put may
    /// hold anything; integrity reports it.
    pub(super) fn says(&self, value: &Value<'_>, put: usize) -> Said {
        let is_kept = |kept| if kept { Said::Kept } else { Said::Lost };
        if value.puts.binary_search(&(put as u32)).is_ok() {
            return Said::Kept;
        }
        if let Some(known) = &value.known {
            return is_kept(known.contains_key(&(put as u32)));
        }
        if value.puts.is_empty() {
            return Said::Lost;
        }
        // A compare-and-set took the place of what it expected, which then cannot be the last.
        if value.puts == self.index.puts_read(put) && !value.puts.contains(&NO_PUT) {
            return Said::Lost;
        }
        if let (Some(own), Some(last)) = (self.versions.of_put(put), value.version) {
            return is_kept(last > own);
        }
        let dotted = self.dotted(put as u32);
        let is_covered = dotted.is_some_and(|(dot, _)| {
            let entries = value.vectors.iter();
            let mut entries = entries.map(|vector| entry(vector, dot_origin(dot)));
            entries.any(|entry| entry >= dot)
        });
        if is_covered {
            Said::Kept
        } else if dotted.is_some() && value.all_have_vectors {
            Said::Lost
        } else if value.puts.contains(&NO_PUT) {
            Said::Kept
        } else {
            Said::Open {
                by_any: dotted.is_none(),
            }
        }
    }

    /// The puts of a final value that may supersede a put about which evidence says nothing: any,
    /// or those without a vector.
    pub(super) fn open_finals(&self, get: usize, by_any: bool) -> Vec<u32> {
        let puts = self.index.puts_read(get).iter().copied();
        puts.filter(|put| *put != NO_PUT && (by_any || self.dotted(*put).is_none()))
            .collect()
    }
}
