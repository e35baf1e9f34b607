//! Causal consistency of multi-value registers, judged only by what clients saw.
//!
//! Visibility has to contain happens-before (session order and reads-from). A get is refuted when
//! it returned a put that a later visible one on the key follows (`stale-read`), or when a visible
//! put is missing that no returned one can supersede (`missed-write`). A returned put `m` cannot
//! supersede `w` if `m` comes before `w`, or if somebody read `w` while `m` was visible to it. If
//! only one returned put can supersede it, that one must, and this edge joins visibility, up to the
//! fixed point (`saturation.rs`, `propagation.rs`; bad patterns and saturation after Bouajjani et
//! al., *On verifying causal consistency*, POPL 2017, carried over to multi-value registers). If
//! several can, the search tries each (`choice.rs`). When every question has an answer, visibility
//! explains every get. O(n·k), plus what forced edges change, for k chains of puts that not all
//! sessions have seen to their ends. The check asks only of puts that not all sessions have seen
//! whether a get missed them (`frontier.rs`).

mod attempt;
mod chains;
mod choice;
mod clock;
mod contradiction;
mod explain;
mod forced;
mod frontier;
mod judge;
mod on_key;
mod presumption;
mod propagation;
mod questions;
mod replicas;
mod saturation;
mod sweep;
mod visibility;
mod world;

use std::collections::BTreeSet;

use super::index::Index;
use super::property::Property;
use super::time::{OVER, Time, percent};
use super::verdict::{Check, Findings, Verdict};
use world::World;

/// What the check may take, and how it goes about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Lines of clocks that there may be.
    pub(super) clock_lines: usize,
    /// How many nodes may have grown before a sweep passes that on. A node that several of them
    /// change is then visited again only once.
    pub(super) grown: usize,
    /// Operations from one epoch to the next, at least.
    pub(super) epoch: usize,
    /// Nodes of the longest session up to which entries of clocks are narrow.
    pub(super) narrow: usize,
    /// Puts on a key, at least one, that wait for one before them that some have not seen.
    pub(super) held_up: usize,
    /// Likely answers that are tried at once at first, at least one.
    pub(super) likely: usize,
    /// Whether replicas are first presumed not to forget, and likely answers right.
    pub(super) presumes: bool,
    /// Open questions from which on likely answers are presumed right.
    pub(super) guesses_from: usize,
}

impl Default for Limits {
    /// 2 GiB of clocks, 256 nodes, 256 operations, as many nodes as narrow entries count, 32 puts,
    /// 64 answers; replicas do not forget; 100,000 questions.
    fn default() -> Self {
        Self {
            clock_lines: clock::LINES_MAX,
            grown: 256,
            epoch: 256,
            narrow: u16::MAX as usize,
            held_up: 32,
            likely: 64,
            presumes: true,
            guesses_from: 100_000,
        }
    }
}

/// Checks each replica group on its own.
#[cfg(any(test, feature = "stateright"))]
pub(super) fn check(index: &Index<'_>) -> Check {
    check_in(index, Limits::default(), &index.time)
}

/// The same within limits of the caller's.
#[cfg(test)]
pub(super) fn check_within(index: &Index<'_>, limits: Limits) -> Check {
    check_in(index, limits, &index.time)
}

/// How far the check had got when its time was over.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    /// Operations that were visited.
    placed: u64,
    /// Questions which of several puts superseded one, and those of them that have their answer.
    questions: u64,
    answered: u64,
}

impl Extent {
    const fn add(&mut self, other: Self) {
        self.placed += other.placed;
        self.questions += other.questions;
        self.answered += other.answered;
    }

    /// Why there is no answer, and how much of the work on so many operations was done.
    fn reason(&self, operations: u64) -> String {
        let placed = percent(self.placed, operations).unwrap_or(0);
        if self.placed < operations {
            return format!("{OVER}, {placed} % of its operations");
        }
        let answered = percent(self.answered, self.questions).unwrap_or(0);
        format!("{OVER}, {answered} % of its questions")
    }
}

/// The same within limits and in so much time.
pub(super) fn check_in(index: &Index<'_>, limits: Limits, time: &Time) -> Check {
    let mut findings = Findings::new(index.history, Property::CausalBlackBox);
    let groups: BTreeSet<u16> = index.columns.group.iter().copied().collect();
    let mut checked = 0;
    let mut open = None;
    let mut extent = Extent::default();
    for group in groups {
        if time.is_over() {
            open = Some(OVER.to_owned());
            break;
        }
        let world = match World::new(index, group, time) {
            Ok(world) => world,
            Err(reason) => {
                open = Some(reason);
                continue;
            }
        };
        checked += world.order.len() as u64;
        let (saturation, left_open) = presumption::judge(&world, limits);
        open = left_open.or(open);
        extent.add(saturation.extent());
        explain::report(&saturation, &mut findings);
    }
    if open.as_deref() == Some(OVER) {
        let counted = (0..index.history.len()).filter(|row| index.counts(*row));
        open = Some(extent.reason(counted.count() as u64));
    }
    let refuted = !findings.is_empty();
    let mut check = findings.check(checked);
    if let (Some(reason), false) = (open, refuted) {
        check.verdict = Verdict::unknown(reason);
    }
    check
}
