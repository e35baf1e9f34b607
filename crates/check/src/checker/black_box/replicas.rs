//! What replicas are presumed to have applied: all that they had shown.
//!
//! A replica that answered a get with a value had applied it, and a replica that acknowledged a put
//! had applied that. It does not forget, unless it loses its state and goes on as another
//! incarnation. So a put is presumed to come after what its replica had shown before the put was
//! invoked. That is true of stores in which a put supersedes all that its replica had applied. So
//! few questions about them stay open, also under faults and on few keys. The definition does not
//! ask for these edges (`presumption.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::index::Table;
use super::saturation::{Head, Saturation};
use super::world::{NONE, World};
use crate::history::NEVER;

/// Rows of a replica that a put is presumed to come after, at most; the oldest are left out.
const SHOWN_MAX: usize = 32;

/// One replica.
#[derive(Debug, Default)]
struct Replica {
    /// Returns of what was visited, and the rows, the earliest first.
    ahead: BinaryHeap<Reverse<(u64, u32)>>,
    /// How many rows have returned.
    returned: u32,
    /// The numbers, from 1, and rows of those that no put comes after which has returned itself.
    shown: Vec<(u32, u32)>,
}

/// All replicas of a group.
#[derive(Debug, Default)]
pub(super) struct Replicas {
    by_name: Table<(u16, u16), Replica>,
    /// A put's row to the number of the last row of its replica that had returned before it.
    comes_after: Table<u32, u32>,
}

impl Replicas {
    /// Notes that a row was visited that returned at some time.
    fn note(&mut self, replica: (u16, u16), returned: u64, row: u32) {
        let replica = self.by_name.entry(replica).or_default();
        replica.ahead.push(Reverse((returned, row)));
    }

    /// The rows of a replica that had returned before a put's invoke, which comes after them.
    fn before(&mut self, replica: (u16, u16), invoke: u64, put: u32) -> Vec<u32> {
        let replica = self.by_name.entry(replica).or_default();
        while let Some(Reverse((returned, row))) = replica.ahead.peek().copied()
            && returned < invoke
        {
            replica.ahead.pop();
            replica.returned += 1;
            if let Some(upto) = self.comes_after.remove(&row) {
                replica.shown.retain(|(number, _)| *number > upto);
            }
            replica.shown.push((replica.returned, row));
        }
        let left_out = replica.shown.len().saturating_sub(SHOWN_MAX);
        replica.shown.drain(..left_out);
        self.comes_after.insert(put, replica.returned);
        replica.shown.iter().map(|(_, row)| *row).collect()
    }
}

impl World<'_, '_> {
    /// Whether the history says which replica answered.
    pub(super) fn names_replicas(&self) -> bool {
        let node = |row: &u32| self.index.columns.node[*row as usize];
        let mut nodes = self.order.iter().map(node);
        let first = nodes.next();
        nodes.any(|node| Some(node) != first)
    }

    fn replica(&self, row: u32) -> (u16, u16) {
        let columns = self.index.columns;
        (
            columns.node[row as usize],
            columns.incarnation[row as usize],
        )
    }
}

impl Saturation<'_, '_> {
    /// Orders a put that is about to be visited after what its replica had shown.
    pub(super) fn follow_replica(&mut self, put: u32, head: &mut Head) {
        let world = self.world;
        let Some(replicas) = &mut self.replicas else {
            return;
        };
        // Nobody knows which replica took a put of unknown outcome.
        if world.index.returned(put as usize) == NEVER {
            return;
        }
        let invoke = world.index.invoke(put as usize);
        for row in replicas.before(world.replica(put), invoke, put) {
            if world.is_put(row) {
                self.follow(world.node[row as usize], put, head);
                continue;
            }
            for shown in world.returned(row) {
                self.follow(shown, put, head);
            }
            if let Some(before) = world.before(row) {
                self.follow(before, put, head);
            }
        }
    }

    /// Orders a put after a node, unless it is already.
    fn follow(&mut self, before: u32, put: u32, head: &mut Head) {
        let (chain, _) = self.position(before);
        if chain == NONE || self.is_in(before, head.clock) {
            return;
        }
        self.forced.add(before, self.world.node[put as usize], put);
        let at = before as usize;
        head.clock = self
            .visible
            .clocks
            .join(head.clock, self.visible.clock[at], head.generation);
        head.latest = head.latest.max(self.visible.latest[at]);
        head.epoch = head.epoch.max(self.visible.epoch[at]);
        self.has_presumed = true;
    }

    /// Notes what a replica has shown.
    pub(super) fn note_shown(&mut self, row: u32) {
        let (world, returned) = (self.world, self.world.index.returned(row as usize));
        if world.is_put(row) && world.is_silent(world.node[row as usize]) {
            return;
        }
        if let Some(replicas) = &mut self.replicas
            && returned != NEVER
        {
            replicas.note(world.replica(row), returned, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_comes_after_what_its_replica_had_shown_when_it_was_invoked() {
        let (mut replicas, here, there) = (Replicas::default(), (0, 0), (0, 1));
        for (returned, row) in [(30, 3), (10, 1), (20, 2)] {
            replicas.note(here, returned, row);
        }
        assert_eq!(
            replicas.before(here, 20, 4),
            [1],
            "2 returned at that instant"
        );
        // It is itself under way, so that the next comes after the same.
        assert_eq!(replicas.before(here, 25, 5), [1, 2]);
        replicas.note(here, 40, 4);
        assert_eq!(replicas.before(here, 50, 6), [2, 3, 4], "4 comes after 1");
        assert_eq!(replicas.before(there, 50, 7), [0u32; 0], "it has forgotten");
    }

    #[test]
    fn of_what_a_replica_had_shown_the_last_is_followed() {
        let mut replicas = Replicas::default();
        let rows = 2 * SHOWN_MAX as u32;
        for row in 0..rows {
            replicas.note((0, 0), u64::from(row), row);
        }
        let followed = replicas.before((0, 0), u64::from(rows), rows);
        assert_eq!(followed, Vec::from_iter(SHOWN_MAX as u32..rows));
    }
}
