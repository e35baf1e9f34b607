//! Some rows of a history as a history that stands on its own.

use super::super::index::{Index, NO_PUT, Table};
use super::super::table::Reduction;
use crate::history::{Dominance, Header, History, Kind, Row, Siblings, Witness};

/// `rows` and, unless their ids may be left out, the puts that the gets among them read; in order.
pub(super) fn closed(index: &Index<'_>, reduction: Reduction, rows: &[usize]) -> Vec<usize> {
    let mut closed = rows.to_vec();
    if reduction == Reduction::WholeReads {
        for row in rows {
            let puts = index.puts_read(*row).iter().filter(|put| **put != NO_PUT);
            closed.extend(puts.map(|put| *put as usize));
        }
    }
    closed.sort_unstable();
    closed.dedup();
    closed
}

/// `rows` without `removed` and without the gets that read one of those, unless the id may be left
/// out of the read. That of a put which failed, or was to another key, may never be: without its
/// put it would look like a value that nobody wrote.
pub(super) fn without(
    index: &Index<'_>,
    reduction: Reduction,
    rows: &[usize],
    removed: &[usize],
) -> Vec<usize> {
    let columns = index.columns;
    let written: Vec<u64> = removed
        .iter()
        .filter(|row| columns.kind[**row] != Kind::Get)
        .map(|row| columns.written[*row])
        .collect();
    let loses = |get: &usize| {
        let reads = columns.read.at(*get).iter().zip(index.puts_read(*get));
        reads
            .filter(|(_, put)| reduction == Reduction::WholeReads || **put == NO_PUT)
            .any(|(id, _)| written.contains(id))
    };
    rows.iter()
        .copied()
        .filter(|row| !removed.contains(row) && !loses(row))
        .collect()
}

/// The rows as a history with the header of the whole, and with an end record, so that nothing of
/// it counts as still under way.
pub(super) fn part(index: &Index<'_>, reduction: Reduction, rows: &[usize]) -> History {
    let whole = index.history;
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut keys: Vec<u64> = rows.iter().map(|row| index.columns.key[*row]).collect();
    keys.sort_unstable();
    keys.dedup();
    let named = !whole.header.keys.is_empty();
    let header = Header {
        keys: if named {
            keys.iter().map(|key| whole.key_name(*key)).collect()
        } else {
            Vec::new()
        },
        limit: None,
        // As it was judged, whatever the header of the whole says.
        dominance: (index.dominance != Dominance::default()).then_some(index.dominance),
        promise: index.promise,
        ..header_without_keys(&whole.header)
    };
    let mut part = History::from_rows(header, []);
    let mut scratch = Scratch::default();
    for row in &rows {
        let mut own = whole.row(*row);
        if named {
            own.key = keys.binary_search(&own.key).unwrap_or(0) as u64;
        }
        let context = known_to(index, *row, &rows);
        own.context = context.as_deref();
        if reduction == Reduction::SingleValues && !own.read.is_empty() {
            part.columns.push(&scratch.kept(index, *row, &rows, own));
        } else {
            part.columns.push(&own);
        }
        part.places.push(whole.places.at(*row).as_ref());
    }
    if let Some(end) = &mut part.end {
        end.operations = rows.len() as u64;
    }
    part
}

/// The puts among `rows`, which ascend, that a put supersedes by its context. Without the rows
/// between them the contexts alone would not say so.
fn known_to(index: &Index<'_>, put: usize, rows: &[usize]) -> Option<Vec<u64>> {
    let columns = index.columns;
    if index.dominance != Dominance::Context || columns.kind[put] != Kind::Put {
        return columns.context(put).map(<[u64]>::to_vec);
    }
    let on_key = rows.iter().filter(|row| index.key[**row] == index.key[put]);
    let start = on_key.map(|row| index.invoke(*row)).min().unwrap_or(0);
    let mut known: Table<u32, ()> = Table::default();
    let mut left = index.context_puts(put).to_vec();
    while let Some(before) = left.pop() {
        // What ended before all of the rows began knew none of them.
        if known.insert(before, ()).is_none() && index.returned(before as usize) >= start {
            left.extend(index.context_puts(before as usize));
        }
    }
    let is_there = |row: &&usize| known.contains_key(&(**row as u32));
    let ids = rows
        .iter()
        .filter(is_there)
        .map(|row| columns.written[*row]);
    Some(ids.collect())
}

/// A copy that leaves the names of keys behind: an imported history may have millions.
fn header_without_keys(header: &Header) -> Header {
    Header {
        schema: header.schema,
        architecture: header.architecture.clone(),
        lattice: header.lattice.clone(),
        promise: header.promise,
        dominance: header.dominance,
        groups: header.groups.clone(),
        seed: header.seed,
        keys: Vec::new(),
        limit: None,
        real_time: header.real_time,
        values: header.values.clone(),
        edn: header.edn,
    }
}

/// The ids of a get that are kept, with their evidence.
#[derive(Default)]
struct Scratch {
    read: Vec<u64>,
    dots: Vec<u64>,
    ends: Vec<u32>,
    vectors: Vec<u64>,
}

impl Scratch {
    /// The get without the ids whose puts are not among `rows`; ids that nobody wrote stay.
    fn kept<'a>(
        &'a mut self,
        index: &Index<'_>,
        get: usize,
        rows: &[usize],
        own: Row<'a>,
    ) -> Row<'a> {
        self.read.clear();
        self.dots.clear();
        self.ends.clear();
        self.vectors.clear();
        for (place, put) in index.puts_read(get).iter().enumerate() {
            if *put != NO_PUT && rows.binary_search(&(*put as usize)).is_err() {
                continue;
            }
            self.read.push(own.read[place]);
            if let Witness::Get { siblings, .. } = own.witness
                && let Some(dot) = siblings.dots.get(place)
            {
                self.dots.push(*dot);
                self.vectors.extend_from_slice(siblings.vector(place));
                self.ends.push(self.vectors.len() as u32);
            }
        }
        let witness = match own.witness {
            Witness::Get { vector, .. } => Witness::Get {
                vector,
                siblings: Siblings {
                    dots: &self.dots,
                    ends: &self.ends,
                    vectors: &self.vectors,
                    base: 0,
                },
            },
            Witness::None | Witness::Put { .. } | Witness::Version(_) => own.witness,
        };
        Row {
            read: &self.read,
            witness,
            ..own
        }
    }
}
