//! Attempts: what is tried and taken back.

use super::clock::{Clock, Extent};
use super::saturation::Saturation;

/// How a node was before it grew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grown {
    pub(super) node: u32,
    pub(super) clock: Clock,
    pub(super) latest: u32,
}

/// An instant to which [`Saturation::undo`] goes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    grown: usize,
    forced: usize,
    open: usize,
    extent: Extent,
    outermost: bool,
}

impl Saturation<'_, '_> {
    /// Begins an attempt, which [`Saturation::undo`] ends. Attempts may be nested.
    pub(super) fn mark(&mut self) -> Mark {
        Mark {
            outermost: self.attempt.is_none(),
            grown: self.attempt.get_or_insert_default().len(),
            forced: self.forced.len(),
            open: self.open.len(),
            extent: self.clocks.extent(),
        }
    }

    /// Goes back to a mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        if let Some(attempt) = &mut self.attempt {
            for old in attempt.drain(mark.grown..).rev() {
                self.clock[old.node as usize] = old.clock;
                self.latest[old.node as usize] = old.latest;
            }
        }
        for forced in self.forced.drain(mark.forced..).rev() {
            self.forced_from[forced.before as usize] = forced.next;
        }
        self.sweep.clear();
        for missing in self.open.drain(mark.open..) {
            let mut returned: Vec<u32> = self.world.returned(missing.get).collect();
            returned.sort_unstable();
            self.is_open.remove(&(missing.put, returned));
        }
        self.clocks.truncate(mark.extent);
        self.refuted = false;
        if mark.outermost {
            self.attempt = None;
        }
    }
}
