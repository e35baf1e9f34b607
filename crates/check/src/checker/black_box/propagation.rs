//! What changes when a clock grows: whatever comes after grows too, as far as that adds something.

use super::clock::{FROZEN, Stamp};
use super::saturation::Saturation;
use super::world::NONE;

/// Nodes that are swept at most for each operation, and at least in total.
const VISITS_EACH_MAX: usize = 64;
const VISITS_MIN: usize = 1_000_000;

impl Saturation<'_, '_> {
    /// Passes on what has grown, until nothing grows.
    pub(super) fn pass_on(&mut self) {
        let max = VISITS_MIN.max(self.world.order.len().saturating_mul(VISITS_EACH_MAX));
        while let Some(node) = self.next_due() {
            self.collect();
            self.visits += 1;
            self.is_over();
            if self.visits > max && self.given_up.is_none() {
                self.given_up = Some(format!(
                    "more than {max} operations had to be visited again"
                ));
            }
            if self.given_up.is_some() || (self.refuted.is_so && self.attempt.is_some()) {
                self.sweep.clear();
                return;
            }
            if self.sweep.due(node).stale {
                self.pull(node);
            }
            if self.sweep.done().grown {
                self.push(node);
            }
        }
    }

    /// The next node for which something is to be done, in this sweep or in the next.
    fn next_due(&mut self) -> Option<u32> {
        if let Some(node) = self.sweep.next() {
            return Some(node);
        }
        while let Some(row) = self.sweep.next_tail() {
            self.pull_head(row);
        }
        self.sweep.turn();
        self.sweep.next()
    }

    /// Grows a node by what comes before it, and judges the gets up to it again.
    fn pull(&mut self, node: u32) {
        let row = self.world.row[node as usize];
        let (seen, latest) = self.judge_again(self.world.since(row), row);
        let generation = self.visible.clocks.generation();
        let mut clock = self.visible.clock[node as usize];
        for seen in &seen {
            clock = self.visible.clocks.join(clock, *seen, generation);
        }
        self.seen_by = seen;
        self.grow(node, clock, latest);
    }

    /// Tells what comes after a node that it has grown.
    fn push(&mut self, node: u32) {
        let (clock, latest) = (
            self.visible.clock[node as usize],
            self.visible.latest[node as usize],
        );
        let row = self.world.row[node as usize];
        self.real_time(row, latest);
        let mut edge = self.forced.last_from(node);
        while let Some(forced) = self.forced.at(edge) {
            self.raise(forced.after, clock, latest);
            edge = forced.next;
        }
        let next = self.world.next[row as usize];
        if next != NONE && !self.done[next as usize] {
            // It is the last that its session has done: what that does next comes after it.
            let head = &mut self.heads[self.world.session(row)];
            head.clock = self.visible.clocks.join(head.clock, clock, FROZEN);
            head.latest = head.latest.max(latest);
        } else {
            self.affect(next);
        }
        if self.world.is_put(row) {
            for get in self.world.readers(node) {
                self.affect(*get);
            }
        }
    }

    /// Says that what comes before an operation has grown.
    fn affect(&mut self, row: u32) {
        if row == NONE || !self.done[row as usize] {
            return;
        }
        let mut end = row;
        while end != NONE && self.done[end as usize] {
            if self.world.is_node(end) {
                let node = self.world.node[end as usize];
                let rank = self.world.rank[node as usize];
                self.sweep.note(node, rank, |due| due.stale = true);
                return;
            }
            end = self.world.next[end as usize];
        }
        self.sweep.note_tail(self.world.session(row), row);
    }

    /// Grows the head of a session by what comes before it, and judges the gets since the
    /// session's last node again, of which `row` is one.
    fn pull_head(&mut self, row: u32) {
        let session = self.world.session(row);
        let end = self.heads[session].next;
        let (seen, latest) = self.judge_again(self.world.since(row), end);
        if end != NONE {
            let head = &mut self.heads[session];
            for seen in &seen {
                head.clock = self.visible.clocks.join(head.clock, *seen, FROZEN);
            }
            head.latest = head.latest.max(latest);
        }
        self.seen_by = seen;
    }

    /// Judges the gets of a session again from a row on, up to `end` and including it. Returns the
    /// clocks of what comes before `end`, and the latest put of it.
    fn judge_again(&mut self, start: u32, end: u32) -> (Vec<Stamp>, u32) {
        let mut seen = std::mem::take(&mut self.seen_by);
        seen.clear();
        let mut latest = 0;
        if let Some(node) = self.world.before(start) {
            seen.push(self.visible.clock[node as usize]);
            latest = self.visible.latest[node as usize];
        }
        let mut row = start;
        while row != NONE && self.done[row as usize] && !self.world.is_put(row) {
            for put in self.world.returned(row) {
                latest = latest.max(self.visible.latest[put as usize]);
            }
            self.real_time(row, latest);
            // What it returned it did not miss, nor what comes before that.
            self.judge(row, &seen);
            let returned = self.world.returned(row);
            seen.extend(returned.map(|put| self.visible.clock[put as usize]));
            if row == end {
                break;
            }
            row = self.world.next[row as usize];
        }
        (seen, latest)
    }

    /// The clocks of what comes before a get, and of what it returned.
    pub(super) fn clocks_of_get(&self, get: u32) -> Vec<Stamp> {
        let before = self.world.before(get);
        let mut seen = Vec::from_iter(before.map(|node| self.visible.clock[node as usize]));
        let mut row = self.world.since(get);
        loop {
            let returned = self.world.returned(row);
            seen.extend(returned.map(|put| self.visible.clock[put as usize]));
            if row == get {
                return seen;
            }
            row = self.world.next[row as usize];
        }
    }
}
