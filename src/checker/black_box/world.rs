//! One replica group's operations, laid out for rounds of happens-before.

use super::super::index::Index;
use crate::history::Kind;

/// Stands for "none".
pub(super) const NONE: u32 = u32::MAX;

/// A put: its session's column, and which of that session's puts it is, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    pub(super) row: u32,
    pub(super) column: u32,
    pub(super) place: u32,
}

/// The operations of one group that an order has to explain.
#[derive(Debug)]
pub(super) struct World<'a, 'h> {
    pub(super) index: &'a Index<'h>,
    /// In an order in which causes mostly come before effects.
    pub(super) rows: Vec<u32>,
    /// Row to the operation before it in its session, or [`NONE`].
    pub(super) previous: Vec<u32>,
    /// Puts by column, within a column in session order. A put's number is its place here.
    pub(super) puts: Vec<Put>,
    /// Where each column starts in `puts`.
    column_starts: Vec<u32>,
    /// Row to number in `puts`, or [`NONE`].
    pub(super) number: Vec<u32>,
    /// Each key's puts: their numbers, ascending, so those of one column stand together.
    on_key: Vec<Vec<u32>>,
}

impl<'a, 'h> World<'a, 'h> {
    pub(super) fn new(index: &'a Index<'h>, group: u16) -> Self {
        let mut world = Self {
            index,
            rows: Vec::new(),
            previous: vec![NONE; index.history.len()],
            puts: Vec::new(),
            column_starts: vec![0],
            number: vec![NONE; index.history.len()],
            on_key: vec![Vec::new(); index.by_key.len()],
        };
        for session in 0..index.by_session.len() {
            world.add_session(session, group);
        }
        let columns = index.columns;
        world.rows.sort_unstable_by_key(|row| {
            let row = *row as usize;
            match columns.kind[row] {
                Kind::Put | Kind::Cas | Kind::Append => (index.invoke(row), row),
                Kind::Get => (index.returned(row), row),
            }
        });
        world
    }

    fn add_session(&mut self, session: usize, group: u16) {
        let column = self.columns() as u32;
        let mut previous = NONE;
        let mut place = 0;
        for row in self.index.by_session.at(session).iter().copied() {
            if self.index.columns.group[row as usize] != group || !self.index.counts(row as usize) {
                continue;
            }
            self.rows.push(row);
            self.previous[row as usize] = previous;
            previous = row;
            if self.index.columns.kind[row as usize] == Kind::Put {
                place += 1;
                let number = self.puts.len() as u32;
                self.puts.push(Put { row, column, place });
                self.number[row as usize] = number;
                self.on_key[self.index.key[row as usize] as usize].push(number);
            }
        }
        if place > 0 {
            self.column_starts.push(self.puts.len() as u32);
        }
    }

    /// Sessions that wrote.
    pub(super) const fn columns(&self) -> usize {
        self.column_starts.len() - 1
    }

    /// Entries of all puts' clocks.
    pub(super) fn entries(&self) -> usize {
        self.puts.len().saturating_mul(self.columns())
    }

    pub(super) fn row_of(&self, put: u32) -> usize {
        self.puts[put as usize].row as usize
    }

    /// The number of a column's `place`-th put, from 1.
    pub(super) fn nth(&self, column: usize, place: u32) -> u32 {
        self.column_starts[column] + place - 1
    }

    /// For each session the last of its puts on `key` that `clock` covers.
    pub(super) fn visible_on_key(&self, key: u32, clock: &[u32], into: &mut Vec<u32>) {
        into.clear();
        let mut numbers = self.on_key[key as usize].as_slice();
        while let Some(first) = numbers.first() {
            let column = self.puts[*first as usize].column as usize;
            let end = self.column_starts[column + 1];
            let length = numbers.partition_point(|number| *number < end);
            let (own, rest) = numbers.split_at(length);
            let covered = self.column_starts[column] + clock[column];
            let place = own.partition_point(|number| *number < covered);
            into.extend(place.checked_sub(1).map(|last| own[last]));
            numbers = rest;
        }
    }
}
