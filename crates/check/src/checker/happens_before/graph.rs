//! The operations of registers as a graph of causes: what each session did before, what each get
//! read, and the conflicts that are added as they are found.

use super::super::index::{Index, Table};
use super::clocks::Seen;
use super::lanes::PATIENCE;
use crate::history::Kind;

/// Stands for "none".
pub(in crate::checker) const NONE: u32 = u32::MAX;

/// One session's operations in one replica group: sessions owe causality within a group only.
#[derive(Clone, Copy, Debug)]
pub(in crate::checker) struct Chain {
    /// The column that counts its puts, or [`NONE`] when it has none.
    pub(in crate::checker) column: u32,
    /// How many operations it has.
    pub(in crate::checker) length: u32,
    /// Its replica group, from 0.
    pub(in crate::checker) group: u32,
}

/// The puts of one chain on one key: a part of [`Graph::on_key`].
#[derive(Clone, Copy, Debug)]
pub(in crate::checker) struct Run {
    pub(in crate::checker) column: u32,
    pub(in crate::checker) start: u32,
    pub(in crate::checker) end: u32,
}

/// A get that saw `overwritten`, and returned `winner`, another put on the key: causal convergence
/// orders the first before the second.
#[derive(Clone, Copy, Debug)]
pub(in crate::checker) struct Conflict {
    pub(in crate::checker) winner: u32,
    pub(in crate::checker) overwritten: u32,
    pub(in crate::checker) get: u32,
}

/// The operations that an order has to explain.
#[derive(Debug)]
pub(in crate::checker) struct Graph<'a, 'h> {
    pub(in crate::checker) index: &'a Index<'h>,
    /// Whether what a put's client said it had seen happened before the put.
    contexts: bool,
    /// In an order in which causes mostly come before effects.
    pub(in crate::checker) rows: Vec<u32>,
    /// Row to its chain, or [`NONE`] for what does not count.
    pub(in crate::checker) chain: Vec<u32>,
    pub(in crate::checker) chains: Vec<Chain>,
    /// Row to the one before it in its chain, or [`NONE`].
    pub(in crate::checker) previous: Vec<u32>,
    /// A put to its place among its chain's puts, from 1.
    pub(in crate::checker) place: Vec<u32>,
    /// How many gets read a put.
    pub(in crate::checker) readers: Vec<u32>,
    /// Puts by key, then chain, then place.
    pub(in crate::checker) on_key: Vec<u32>,
    /// The places of those puts: what is searched most lies together.
    pub(in crate::checker) places_on_key: Vec<u32>,
    /// The parts of `on_key`, by key.
    pub(in crate::checker) runs: Vec<Run>,
    /// Where each key's runs start.
    run_starts: Vec<u32>,
    /// How many puts each column counts: those of one chain.
    pub(in crate::checker) columns: Vec<u32>,
    /// A column to its chain.
    chain_of: Vec<u32>,
    /// As [`PATIENCE`] is.
    pub(in crate::checker) patience: usize,
}

impl<'a, 'h> Graph<'a, 'h> {
    /// What sessions did and read.
    pub(in crate::checker) fn new(index: &'a Index<'h>) -> Self {
        Self::made(index, false)
    }

    /// The same, and what the contexts of puts name.
    pub(in crate::checker) fn with_contexts(index: &'a Index<'h>) -> Self {
        Self::made(index, true)
    }

    fn made(index: &'a Index<'h>, contexts: bool) -> Self {
        let rows = index.history.len();
        let mut graph = Self {
            index,
            contexts,
            rows: (0..rows as u32)
                .filter(|row| index.counts(*row as usize))
                .collect(),
            chain: vec![NONE; rows],
            chains: Vec::new(),
            previous: vec![NONE; rows],
            place: vec![0; rows],
            readers: vec![0; rows],
            on_key: Vec::new(),
            places_on_key: Vec::new(),
            runs: Vec::new(),
            run_starts: Vec::new(),
            columns: Vec::new(),
            chain_of: Vec::new(),
            patience: PATIENCE,
        };
        graph.make_chains();
        graph.group_by_key();
        let columns = index.columns;
        graph
            .rows
            .sort_by_key(|row| match columns.kind[*row as usize] {
                Kind::Put | Kind::Cas | Kind::Append => index.invoke(*row as usize),
                Kind::Get => index.returned(*row as usize),
            });
        graph
    }

    fn make_chains(&mut self) {
        let index = self.index;
        let mut groups: Table<u16, u32> = Table::default();
        // The chain of each group in this session and its last row.
        let mut own: Vec<(u16, u32, u32)> = Vec::new();
        for session in 0..index.by_session.len() {
            own.clear();
            for row in index.by_session.at(session).iter().map(|row| *row as usize) {
                if !index.counts(row) {
                    continue;
                }
                let group = index.columns.group[row];
                let at = own.iter().position(|o| o.0 == group).unwrap_or_else(|| {
                    let next = groups.len() as u32;
                    let chain = Chain {
                        column: NONE,
                        length: 0,
                        group: *groups.entry(group).or_insert(next),
                    };
                    self.chains.push(chain);
                    own.push((group, self.chains.len() as u32 - 1, NONE));
                    own.len() - 1
                });
                let (_, number, last) = &mut own[at];
                self.chain[row] = *number;
                self.previous[row] = *last;
                *last = row as u32;
                let chain = &mut self.chains[*number as usize];
                chain.length += 1;
                if index.columns.kind[row] == Kind::Put {
                    if chain.column == NONE {
                        chain.column = self.columns.len() as u32;
                        self.columns.push(0);
                        self.chain_of.push(*number);
                    }
                    let puts = &mut self.columns[chain.column as usize];
                    *puts += 1;
                    self.place[row] = *puts;
                }
                for put in self.sources(row as u32) {
                    self.readers[*put as usize] += 1;
                }
            }
        }
    }

    /// Sorts each key's puts by chain and place.
    fn group_by_key(&mut self) {
        let index = self.index;
        self.run_starts.push(0);
        for key in 0..index.by_key.len() {
            let start = self.on_key.len();
            let rows = index.by_key.at(key).iter().copied();
            self.on_key
                .extend(rows.filter(|row| self.place[*row as usize] > 0));
            let own = &mut self.on_key[start..];
            own.sort_unstable_by_key(|row| (self.chain[*row as usize], self.place[*row as usize]));
            let mut at = start as u32;
            for run in own.chunk_by(|a, b| self.chain[*a as usize] == self.chain[*b as usize]) {
                let chain = self.chain[run[0] as usize];
                let end = at + run.len() as u32;
                let column = self.chains[chain as usize].column;
                self.runs.push(Run {
                    column,
                    start: at,
                    end,
                });
                at = end;
            }
            self.run_starts.push(self.runs.len() as u32);
        }
        let places = self.on_key.iter().map(|put| self.place[*put as usize]);
        self.places_on_key = places.collect();
    }

    /// The numbers of a key's runs.
    pub(in crate::checker) fn runs_of(&self, key: u32) -> std::ops::Range<usize> {
        self.run_starts[key as usize] as usize..self.run_starts[key as usize + 1] as usize
    }

    pub(super) fn key_of_run(&self, run: u32) -> u32 {
        let first = self.on_key[self.runs[run as usize].start as usize];
        self.index.key[first as usize]
    }

    /// The chain whose puts a column counts.
    pub(super) fn on_chain(&self, column: u32) -> Chain {
        self.chains[self.chain_of[column as usize] as usize]
    }

    /// The puts of each key by runs.
    pub(in crate::checker) fn all_runs(&self) -> impl Iterator<Item = Vec<&[u32]>> {
        (0..self.index.by_key.len()).map(|key| {
            let runs = self.runs_of(key as u32).map(|run| &self.runs[run]);
            runs.map(|run| &self.on_key[run.start as usize..run.end as usize])
                .collect()
        })
    }

    /// Up to where whoever has the clock had seen each run of a key.
    pub(in crate::checker) fn seen_on(&self, key: u32, now: Seen<'_>) -> Vec<u32> {
        let runs = self.runs_of(key).map(|run| self.runs[run]);
        runs.map(|run| {
            let puts = &self.on_key[run.start as usize..run.end as usize];
            let upto = now.of(run.column);
            puts.partition_point(|put| self.place[*put as usize] <= upto) as u32
        })
        .collect()
    }

    pub(in crate::checker) fn is_put(&self, row: u32) -> bool {
        self.place[row as usize] > 0
    }

    /// The puts that a get returned, or that the context of a put names.
    pub(in crate::checker) fn sources(&self, row: u32) -> &'a [u32] {
        match self.is_put(row) {
            true if self.contexts => self.index.context_puts(row as usize),
            true => &[],
            false => self.index.puts_read(row as usize),
        }
    }

    /// The put that a get of a register returned.
    pub(in crate::checker) fn returned_put(&self, get: u32) -> Option<u32> {
        self.index.puts_read(get as usize).first().copied()
    }

    pub(in crate::checker) fn column(&self, put: u32) -> u32 {
        self.chains[self.chain[put as usize] as usize].column
    }

    /// The `i`-th cause of a row, [`NONE`] where there is nothing, `None` past the last.
    pub(super) fn cause(&self, row: u32, i: u32, conflicts: &Conflicts) -> Option<u32> {
        let Some(i) = i.checked_sub(1) else {
            return Some(self.previous[row as usize]);
        };
        let sources = self.sources(row);
        match (i as usize).checked_sub(sources.len()) {
            None => Some(sources[i as usize]),
            Some(i) => {
                let own = conflicts.of(row);
                own.get(i).map(|conflict| conflict.overwritten)
            }
        }
    }
}

/// Conflicts by their winner.
#[derive(Debug, Default)]
pub(in crate::checker) struct Conflicts {
    sorted: Vec<Conflict>,
}

impl Conflicts {
    /// Takes conflicts that are sorted by winner.
    pub(in crate::checker) fn new(sorted: Vec<Conflict>) -> Self {
        debug_assert!(sorted.is_sorted_by_key(|conflict| conflict.winner));
        Self { sorted }
    }

    /// Those that a put won.
    pub(in crate::checker) fn of(&self, winner: u32) -> &[Conflict] {
        let start = self.sorted.partition_point(|c| c.winner < winner);
        let length = self.sorted[start..].partition_point(|c| c.winner == winner);
        &self.sorted[start..start + length]
    }

    pub(in crate::checker) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    pub(in crate::checker) fn into_inner(self) -> Vec<Conflict> {
        self.sorted
    }
}
