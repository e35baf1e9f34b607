//! What changes when a clock grows: whatever comes after is visited again, as far as it changes.

use std::cmp::Reverse;

use super::clock::{Clock, Extent, FROZEN};
use super::saturation::Saturation;
use super::world::NONE;

/// Visits again that are made at most for each operation, and at least in total.
const VISITS_EACH_MAX: usize = 64;
const VISITS_MIN: usize = 1_000_000;

impl Saturation<'_, '_> {
    /// Visits again what comes after a node whose clock has grown, until nothing grows.
    pub(super) fn pass_on(&mut self) {
        while let Some(Reverse((_, node))) = self.changed.pop() {
            self.collect();
            self.is_changed[node as usize] = false;
            if self.given_up.is_some() || (self.refuted && self.attempt.is_some()) {
                continue;
            }
            self.visits += 1;
            let max = VISITS_MIN.max(self.world.order.len().saturating_mul(VISITS_EACH_MAX));
            if self.visits > max {
                self.given_up = Some(format!(
                    "more than {max} operations had to be visited again"
                ));
                continue;
            }
            let (clock, latest) = (self.clock[node as usize], self.latest[node as usize]);
            let row = self.world.row[node as usize];
            self.real_time(row, latest);
            let mut edge = self.forced_from[node as usize];
            while edge != NONE {
                let forced = self.forced[edge as usize];
                self.raise(forced.after, clock, latest);
                edge = forced.next;
            }
            let (extent, kept) = (self.clocks.extent(), self.kept);
            self.walk(self.world.next[row as usize], clock, latest);
            self.forget(extent, kept);
            if self.world.is_put(row) {
                for get in self.world.readers(node) {
                    self.reader(*get, node);
                }
            }
        }
    }

    /// Visits a get again because the clock of a put that it returned has grown.
    fn reader(&mut self, get: u32, put: u32) {
        if !self.done[get as usize] {
            return;
        }
        let (clock, latest) = (self.clock[put as usize], self.latest[put as usize]);
        let base = self.world.node[get as usize];
        if self.world.is_node(get) {
            self.raise(base, clock, latest);
            self.judge(get, self.clock[base as usize]);
            return;
        }
        if base != NONE && self.world.index.puts_read(get as usize).len() == 1 {
            let (own, own_latest) = (self.clock[base as usize], self.latest[base as usize]);
            if latest <= own_latest && self.clocks.covers(own, clock) {
                return;
            }
        }
        let (extent, kept) = (self.clocks.extent(), self.kept);
        let (clock, latest) = self.before(get);
        self.walk(get, clock, latest);
        self.forget(extent, kept);
    }

    /// Forgets the clocks made since `extent` if none of them was kept since.
    fn forget(&mut self, extent: Extent, kept: usize) {
        if self.kept == kept {
            self.clocks.truncate(extent);
        }
    }

    /// The clock just before a get that keeps none.
    fn before(&mut self, get: u32) -> (Clock, u32) {
        let base = self.world.node[get as usize];
        let (mut row, mut clock, mut latest) = match base {
            NONE => (self.world.first[self.world.session(get)], Clock::EMPTY, 0),
            base => (
                self.world.next[self.world.row[base as usize] as usize],
                self.clock[base as usize],
                self.latest[base as usize],
            ),
        };
        let generation = self.clocks.generation();
        while row != get {
            for put in self.world.returned(row) {
                let other = self.clock[put as usize];
                clock = self.clocks.join(clock, other, generation);
                latest = latest.max(self.latest[put as usize]);
            }
            row = self.world.next[row as usize];
        }
        (clock, latest)
    }

    /// The clock of a get.
    pub(super) fn clock_of_get(&mut self, get: u32) -> Clock {
        if self.world.is_node(get) {
            return self.clock[self.world.node[get as usize] as usize];
        }
        let (mut clock, _) = self.before(get);
        let generation = self.clocks.generation();
        for put in self.world.returned(get) {
            clock = self
                .clocks
                .join(clock, self.clock[put as usize], generation);
        }
        clock
    }

    /// Visits a session's rows again from `row` on, as far as the next node.
    fn walk(&mut self, row: u32, clock: Clock, latest: u32) {
        let (mut row, mut clock, mut latest) = (row, clock, latest);
        let generation = self.clocks.generation();
        while row != NONE && self.done[row as usize] {
            let node = self.world.node[row as usize];
            if self.world.is_put(row) {
                self.raise(node, clock, latest);
                return;
            }
            for put in self.world.returned(row) {
                let other = self.clock[put as usize];
                clock = self.clocks.join(clock, other, generation);
                latest = latest.max(self.latest[put as usize]);
            }
            self.real_time(row, latest);
            self.judge(row, clock);
            if self.world.is_node(row) {
                self.raise(node, clock, latest);
                return;
            }
            row = self.world.next[row as usize];
        }
        if row != NONE {
            let head = &mut self.heads[self.world.session(row)];
            // Not in place, so that what was kept can be told by the clock itself.
            let joined = self.clocks.join(head.clock, clock, FROZEN);
            self.kept += usize::from(joined != head.clock);
            head.clock = joined;
            head.latest = head.latest.max(latest);
        }
    }
}
