//! The walk from the largest version down: every operation with the earliest return among all that
//! come after it. One that was invoked after that has no place.

use super::super::index::{Index, Table};
use super::super::property::Property;
use super::super::verdict::Findings;
use super::{Item, NONE, report};
use crate::history::{NEVER, Version};

/// The rows that an explanation follows from one operation to the one that contradicts it.
const PATH_MAX: usize = 6;

/// What an operation that comes earlier must not be later than.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    time: u64,
    /// The next row on the way to the one that returned at `time`.
    via: u32,
}

impl Deadline {
    const NONE: Self = Self {
        time: NEVER,
        via: NONE,
    };

    const fn tighten(&mut self, other: Self) {
        if other.time < self.time {
            *self = other;
        }
    }
}

/// A replica incarnation's register of one key, as seen from the largest version down.
#[derive(Clone, Copy, Debug)]
struct Register {
    /// The rank of the operations walked last.
    rank: (Option<Version>, bool),
    /// The deadline that operations of greater rank give.
    above: Deadline,
    /// The same with those of `rank`.
    with: Deadline,
}

pub(super) struct Walk<'a, 'h> {
    index: &'a Index<'h>,
    registers: Table<(u32, u32), Register>,
    origins: Table<u32, Deadline>,
    /// For each put the deadline that its gets give.
    readers: Vec<Deadline>,
    /// For each row the next one on the way to the return that is its deadline.
    via: Vec<u32>,
}

impl<'a, 'h> Walk<'a, 'h> {
    pub(super) fn new(index: &'a Index<'h>) -> Self {
        let rows = index.history.len();
        Self {
            index,
            registers: Table::default(),
            origins: Table::default(),
            readers: vec![Deadline::NONE; rows],
            via: vec![NONE; rows],
        }
    }

    /// Walks `items`, which are sorted by rank, from the last to the first. Whether there was time
    /// for all of them.
    pub(super) fn run(mut self, items: &[Item], findings: &mut Findings<'_>) -> bool {
        let mut ticker = self.index.time.ticker(Property::Lww.name(), items.len());
        for item in items.iter().rev() {
            if ticker.is_over() {
                return false;
            }
            let row = item.row as usize;
            let after = self.after(item);
            self.via[row] = after.via;
            if after.time < self.index.invoke(row) {
                report(self.index, item, self.path(row), findings);
            }
            let mut own = Deadline {
                time: self.index.returned(row),
                via: item.row,
            };
            own.tighten(Deadline {
                time: after.time,
                via: item.row,
            });
            if after.time >= self.index.returned(row) {
                self.via[row] = NONE;
            }
            self.settle(item, own);
        }
        true
    }

    /// The earliest return among the operations that come after this one.
    fn after(&mut self, item: &Item) -> Deadline {
        let register = self
            .registers
            .entry((item.place, self.index.key[item.row as usize]))
            .or_insert(Register {
                rank: item.rank(),
                above: Deadline::NONE,
                with: Deadline::NONE,
            });
        if register.rank != item.rank() {
            register.rank = item.rank();
            register.above = register.with;
        }
        let mut after = register.above;
        if !item.is_get {
            after.tighten(self.readers[item.row as usize]);
            if let Some(origin) = self.origins.get(&item.place) {
                after.tighten(*origin);
            }
        }
        after
    }

    fn settle(&mut self, item: &Item, own: Deadline) {
        let row = item.row as usize;
        if let Some(register) = self.registers.get_mut(&(item.place, self.index.key[row])) {
            register.with.tighten(own);
        }
        if item.is_get {
            if let [put] = self.index.puts_read(row) {
                self.readers[*put as usize].tighten(own);
            }
        } else {
            self.origins
                .entry(item.place)
                .or_insert(Deadline::NONE)
                .tighten(own);
        }
    }

    /// The rows from one that comes too late to the one that had returned before it.
    fn path(&self, row: usize) -> Vec<usize> {
        let mut path = vec![row];
        while let Some(next) = path.last().map(|row| self.via[*row])
            && next != NONE
            && path.len() < PATH_MAX
        {
            path.push(next as usize);
        }
        path
    }
}
