//! Causal consistency of multi-value registers, judged by what clients saw and nothing else.
//!
//! Visibility has to contain happens-before (session order and reads-from). A get is refuted when
//! it returned a put that a later visible one on the key follows (`stale-read`), or when a visible
//! put is missing that no returned one can supersede (`missed-write`). A returned put `m` cannot
//! supersede `w` if `m` comes before `w`, or if somebody read `w` while `m` was visible to it.
//! Where only one can, it must: that edge joins visibility, to the fixed point (`saturation.rs`,
//! `propagation.rs`; bad patterns and saturation after Bouajjani et al., *On verifying causal
//! consistency*, POPL 2017, carried over to multi-value registers). Where several can, each is
//! tried (`choice.rs`). When all is answered visibility explains every get. O(n·k) and what forced
//! edges change, for k chains of puts that have not been seen to their ends. Only the puts that not
//! all sessions have seen are asked whether a get missed them (`frontier.rs`).

mod attempt;
mod chains;
mod choice;
mod clock;
mod contradiction;
mod explain;
mod frontier;
mod judge;
mod on_key;
mod presumption;
mod propagation;
mod saturation;
mod sweep;
mod world;

use std::collections::BTreeSet;

use super::index::Index;
use super::property::Property;
use super::verdict::{Check, Findings, Verdict};
use world::World;

/// What the check may take, and how it goes about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Lines of clocks that there may be.
    pub(super) clock_lines: usize,
    /// Nodes that may have grown before that is passed on: what several of them change is then
    /// visited again once.
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
pub(super) fn check(index: &Index<'_>) -> Check {
    check_within(index, Limits::default())
}

/// The same within limits of the caller's.
pub(super) fn check_within(index: &Index<'_>, limits: Limits) -> Check {
    let mut findings = Findings::new(index.history, Property::CausalBlackBox);
    let groups: BTreeSet<u16> = index.columns.group.iter().copied().collect();
    let mut checked = 0;
    let mut open = None;
    for group in groups {
        let world = match World::new(index, group) {
            Ok(world) => world,
            Err(reason) => {
                open = Some(reason);
                continue;
            }
        };
        checked += world.order.len() as u64;
        let (saturation, left_open) = presumption::judge(&world, limits);
        open = left_open.or(open);
        explain::report(&saturation, &mut findings);
    }
    let refuted = !findings.is_empty();
    let mut check = findings.check(checked);
    if let (Some(reason), false) = (open, refuted) {
        check.verdict = Verdict::unknown(reason);
    }
    check
}
