//! One replica group's operations, laid out for following happens-before in both directions.

use super::super::index::{Index, Table};
use super::super::time::Time;
use crate::history::Kind;

/// Stands for "none".
pub(super) const NONE: u32 = u32::MAX;
/// Gets in a row in one session after which one of them keeps its clock.
const CHECKPOINT: u32 = 16;

/// The operations of one group that an order has to explain. Nodes are those that keep a clock:
/// all puts, and a get where a session puts nothing for long. They are numbered session by
/// session, in the order of the session.
#[derive(Debug)]
pub(super) struct World<'a, 'h> {
    pub(super) index: &'a Index<'h>,
    /// The time that there is for it.
    pub(super) time: &'a Time,
    /// Rows, puts by invoke and gets by return, so that causes mostly come before effects.
    pub(super) order: Vec<u32>,
    /// Row to the latest node of its session up to it, or [`NONE`].
    pub(super) node: Vec<u32>,
    /// Row to the next row of its session, or [`NONE`].
    pub(super) next: Vec<u32>,
    /// Session to its first row, or [`NONE`].
    pub(super) first: Vec<u32>,
    /// Node to row.
    pub(super) row: Vec<u32>,
    /// Node to its place in `order`.
    pub(super) rank: Vec<u32>,
    /// Where each node's readers start in `readers`.
    reader_start: Vec<u32>,
    readers: Vec<u32>,
    /// Session to its first node from which on its puts are silent.
    silent_from: Vec<u32>,
}

impl<'a, 'h> World<'a, 'h> {
    /// Lays out one group.
    ///
    /// # Errors
    /// When a get returned what was put in another group.
    pub(super) fn new(index: &'a Index<'h>, group: u16, time: &'a Time) -> Result<Self, String> {
        let mut world = Self {
            index,
            time,
            order: Vec::new(),
            node: vec![NONE; index.history.len()],
            next: vec![NONE; index.history.len()],
            first: vec![NONE; index.by_session.len()],
            row: Vec::new(),
            rank: Vec::new(),
            reader_start: Vec::new(),
            readers: Vec::new(),
            silent_from: vec![NONE; index.by_session.len()],
        };
        for session in 0..index.by_session.len() {
            world.add_session(session, group);
        }
        world.find_readers()?;
        world.find_silent();
        world.sort();
        Ok(world)
    }

    fn add_session(&mut self, session: usize, group: u16) {
        let (mut previous, mut node, mut gets) = (NONE, NONE, 0);
        for row in self.index.by_session.at(session).iter().copied() {
            if self.index.columns.group[row as usize] != group || !self.index.counts(row as usize) {
                continue;
            }
            match previous {
                NONE => self.first[session] = row,
                previous => self.next[previous as usize] = row,
            }
            previous = row;
            gets += 1;
            if self.is_put(row) || gets == CHECKPOINT {
                gets = 0;
                node = self.row.len() as u32;
                self.row.push(row);
            }
            self.node[row as usize] = node;
            self.order.push(row);
        }
    }

    fn find_readers(&mut self) -> Result<(), String> {
        let mut starts = vec![0u32; self.row.len() + 1];
        for get in self.order.iter().copied().filter(|row| !self.is_put(*row)) {
            for put in self.index.puts_read(get as usize) {
                let node = self.node[*put as usize];
                if node == NONE {
                    let name = self.index.name(get as usize);
                    return Err(format!("{name} returned a put of another replica group"));
                }
                starts[node as usize + 1] += 1;
            }
        }
        for node in 1..starts.len() {
            starts[node] += starts[node - 1];
        }
        let mut next = starts.clone();
        let mut readers = vec![0; starts.last().copied().unwrap_or(0) as usize];
        for get in self.order.iter().copied().filter(|row| !self.is_put(*row)) {
            for put in self.index.puts_read(get as usize) {
                let slot = &mut next[self.node[*put as usize] as usize];
                readers[*slot as usize] = get;
                *slot += 1;
            }
        }
        (self.reader_start, self.readers) = (starts, readers);
        Ok(())
    }

    /// From the end of each session back: as soon as others can see a put they see those before it.
    fn find_silent(&mut self) {
        let index = self.index;
        let mut keys_read: Table<u32, ()> = Table::default();
        for session in 0..index.by_session.len() {
            keys_read.clear();
            for row in index.by_session.at(session).iter().rev().copied() {
                let node = self.node[row as usize];
                // Not of this group, or it does not count.
                if node == NONE && self.is_put(row) {
                    continue;
                }
                let key = index.key[row as usize];
                if !self.is_put(row) {
                    keys_read.insert(key, ());
                } else if self.readers(node).is_empty() && !keys_read.contains_key(&key) {
                    self.silent_from[session] = node;
                } else {
                    break;
                }
            }
        }
    }

    fn sort(&mut self) {
        let time = |row: u32| match self.index.columns.kind[row as usize] {
            Kind::Put | Kind::Cas | Kind::Append => self.index.invoke(row as usize),
            Kind::Get => self.index.returned(row as usize),
        };
        let mut order: Vec<(u64, u32)> = self.order.iter().map(|row| (time(*row), *row)).collect();
        order.sort_unstable();
        self.rank = vec![0; self.row.len()];
        for (place, (_, row)) in (0u32..).zip(&order) {
            self.order[place as usize] = *row;
            if self.is_node(*row) {
                self.rank[self.node[*row as usize] as usize] = place;
            }
        }
    }

    pub(super) fn is_put(&self, row: u32) -> bool {
        self.index.columns.kind[row as usize] == Kind::Put
    }

    /// The gets that returned the put of a node.
    pub(super) fn readers(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.readers[self.reader_start[node] as usize..self.reader_start[node + 1] as usize]
    }

    /// The nodes of the puts that a get returned.
    pub(super) fn returned(&self, get: u32) -> impl Iterator<Item = u32> + use<'_, 'a, 'h> {
        let puts = self.index.puts_read(get as usize);
        puts.iter().map(|put| self.node[*put as usize])
    }

    /// Whether the row keeps a clock.
    pub(super) fn is_node(&self, row: u32) -> bool {
        let node = self.node[row as usize];
        node != NONE && self.row[node as usize] == row
    }

    /// Whether nobody can have missed a put: no get returned it, no get of its session read its key
    /// later, and the same holds for all later puts of its session.
    pub(super) fn is_silent(&self, put: u32) -> bool {
        let session = self.session(self.row[put as usize]);
        self.silent_from[session] <= put
    }

    /// The latest node of a row's session before it.
    pub(super) fn before(&self, row: u32) -> Option<u32> {
        let node = self.node[row as usize];
        if node == NONE || !self.is_node(row) {
            return (node != NONE).then_some(node);
        }
        let before = node.checked_sub(1)?;
        (self.session(self.row[before as usize]) == self.session(row)).then_some(before)
    }

    /// The first row of a row's session after the latest node before it.
    pub(super) fn since(&self, row: u32) -> u32 {
        match self.before(row) {
            None => self.first[self.session(row)],
            Some(before) => self.next[self.row[before as usize] as usize],
        }
    }

    pub(super) fn session(&self, row: u32) -> usize {
        self.index.session[row as usize] as usize
    }
}
