//! The order in which grown clocks are passed on.
//!
//! A sweep takes nodes in the order of their rank, each once for all that has grown before it.
//! Edges that a get then forces mostly lie far back. They wait for the next sweep: to go back at
//! once would be to follow each of them up to the present.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is to be done for a node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    /// What comes before it has grown: it has to grow too, and the gets up to it are judged again.
    pub(super) stale: bool,
    /// It has grown itself, and that is to be passed on.
    pub(super) grown: bool,
}

/// The nodes for which something is to be done.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Node to what that is.
    due: Vec<Due>,
    /// Their ranks and they themselves, the earliest first.
    ahead: BinaryHeap<Reverse<(u32, u32)>>,
    /// Those that come before the node at which the sweep has arrived, with their ranks.
    behind: Vec<(u32, u32)>,
    /// The rank of that node.
    at: u32,
    /// Session to whether what comes before its head has grown.
    is_tail_due: Vec<bool>,
    /// Those of which it has, each with a row after its last node. They come last in a sweep.
    tails: Vec<(u32, u32)>,
}

impl Sweep {
    /// Nothing is to be done.
    pub(super) fn new(nodes: usize, sessions: usize) -> Self {
        Self {
            due: vec![Due::default(); nodes],
            ahead: BinaryHeap::new(),
            behind: Vec::new(),
            at: 0,
            is_tail_due: vec![false; sessions],
            tails: Vec::new(),
        }
    }

    /// For how many nodes something is to be done.
    pub(super) fn len(&self) -> usize {
        self.ahead.len() + self.behind.len()
    }

    /// Notes that something is to be done for a node.
    pub(super) fn note(&mut self, node: u32, rank: u32, what: impl FnOnce(&mut Due)) {
        let due = &mut self.due[node as usize];
        let is_new = !(due.stale || due.grown);
        what(due);
        if !is_new {
            return;
        }
        if rank >= self.at {
            self.ahead.push(Reverse((rank, node)));
        } else {
            self.behind.push((rank, node));
        }
    }

    /// Notes that what comes before a row has grown, after the last node of its session.
    pub(super) fn note_tail(&mut self, session: usize, row: u32) {
        if !std::mem::replace(&mut self.is_tail_due[session], true) {
            self.tails.push((session as u32, row));
        }
    }

    /// The next such row in this sweep.
    pub(super) fn next_tail(&mut self) -> Option<u32> {
        let (session, row) = self.tails.pop()?;
        self.is_tail_due[session as usize] = false;
        Some(row)
    }

    /// The next node in this sweep, again and again until it is done.
    pub(super) fn next(&mut self) -> Option<u32> {
        let Reverse((rank, node)) = *self.ahead.peek()?;
        self.at = rank;
        Some(node)
    }

    /// Begins the next sweep.
    pub(super) fn turn(&mut self) {
        self.at = 0;
        self.ahead.extend(self.behind.drain(..).map(Reverse));
    }

    /// What is to be done for a node.
    pub(super) fn due(&self, node: u32) -> Due {
        self.due[node as usize]
    }

    /// Says that the next node is done. Returns what was to be done for it.
    pub(super) fn done(&mut self) -> Due {
        let next = self.ahead.pop();
        next.map_or_else(Due::default, |Reverse((_, node))| {
            std::mem::take(&mut self.due[node as usize])
        })
    }

    /// Forgets all that is to be done.
    pub(super) fn clear(&mut self) {
        self.turn();
        for Reverse((_, node)) in self.ahead.drain() {
            self.due[node as usize] = Due::default();
        }
        while self.next_tail().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_sweep_waits_for_the_next_one() {
        let mut sweep = Sweep::new(8, 1);
        for node in [6, 2, 4] {
            sweep.note(node, node, |due| due.grown = true);
        }
        let mut visited = Vec::new();
        for _ in 0..2 {
            while let Some(node) = sweep.next() {
                visited.push(node);
                sweep.done();
                if visited == [2, 4] {
                    for node in [3, 5, 3, 6] {
                        sweep.note(node, node, |due| due.stale = true);
                    }
                }
            }
            sweep.turn();
        }
        assert_eq!(visited, [2, 4, 5, 6, 3]);
    }

    #[test]
    fn what_was_cleared_is_due_again_when_it_is_noted_again() {
        let mut sweep = Sweep::new(8, 1);
        sweep.note(5, 5, |due| due.grown = true);
        assert_eq!(sweep.next(), Some(5));
        sweep.note(7, 7, |due| due.grown = true);
        sweep.note(1, 1, |due| due.grown = true);
        sweep.clear();
        assert_eq!((sweep.len(), sweep.next()), (0, None));
        sweep.note(1, 1, |due| due.stale = true);
        sweep.note(7, 7, |due| due.grown = true);
        assert!(sweep.due(1).stale && !sweep.due(1).grown);
        assert_eq!(sweep.next(), Some(1));
        sweep.done();
        assert_eq!(sweep.next(), Some(7));
        assert!(sweep.done().grown);
        assert_eq!(sweep.next(), None);
        sweep.note(5, 5, |due| due.grown = true);
        assert_eq!(sweep.len(), 1, "what had begun was cleared too");
    }
}
