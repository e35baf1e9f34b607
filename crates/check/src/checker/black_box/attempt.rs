//! Attempts: what is tried and taken back.

use super::clock::{Extent, Stamp};
use super::saturation::Saturation;

/// How a node was before it grew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grown {
    pub(super) node: u32,
    pub(super) clock: Stamp,
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
            extent: self.visible.clocks.extent(),
        }
    }

    /// Goes back to a mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        if let Some(attempt) = &mut self.attempt {
            for old in attempt.drain(mark.grown..).rev() {
                self.visible.clock[old.node as usize] = old.clock;
                self.visible.latest[old.node as usize] = old.latest;
            }
        }
        self.forced.undo(mark.forced);
        self.sweep.clear();
        self.open.undo(mark.open, self.world);
        self.visible.clocks.truncate(mark.extent);
        self.refuted.is_so = false;
        if mark.outermost {
            self.attempt = None;
        }
    }
}
