//! What each node has seen.

use super::Limits;
use super::chains::Chains;
use super::clock::{Clocks, Stamp, Width};
use super::saturation::{Head, Saturation};
use super::world::World;

/// Visibility as clocks: a node's has an entry for each chain of puts.
pub(super) struct Visibility {
    pub(super) clocks: Clocks,
    /// Node to clock.
    pub(super) clock: Vec<Stamp>,
    /// Node to one more than the place in the order of invokes of the latest put up to it.
    pub(super) latest: Vec<u32>,
    /// Node to epoch: the clock covers its frontier.
    pub(super) epoch: Vec<u32>,
    pub(super) chains: Chains,
}

/// Wide where some session puts more than narrow entries count.
fn width(world: &World<'_, '_>, limits: Limits) -> Width {
    let sessions = world
        .row
        .chunk_by(|a, b| world.session(*a) == world.session(*b));
    let longest = sessions.map(<[u32]>::len).max().unwrap_or(0);
    if longest > limits.narrow {
        Width::Wide
    } else {
        Width::Narrow
    }
}

impl Visibility {
    /// Nothing is visible yet.
    pub(super) fn new(world: &World<'_, '_>, limits: Limits) -> Self {
        let nodes = world.row.len();
        let mut latest = vec![0; nodes];
        for (place, row) in (1u32..).zip(&world.order) {
            if world.is_put(*row) {
                latest[world.node[*row as usize] as usize] = place;
            }
        }
        Self {
            clocks: Clocks::new(limits.clock_lines, width(world, limits)),
            clock: vec![Stamp::EMPTY; nodes],
            latest,
            epoch: vec![0; nodes],
            chains: Chains::new(nodes, world.first.len()),
        }
    }

    /// Forgets the clocks that neither a node has nor one of the heads.
    pub(super) fn collect(&mut self, heads: &mut [Head]) {
        let clock = &mut self.clock;
        self.clocks.collect(|visit| {
            clock.iter_mut().for_each(&mut *visit);
            heads.iter_mut().for_each(|head| visit(&mut head.clock));
        });
    }

    /// Where a put stands: its chain, and its place there.
    pub(super) fn position(&self, put: u32) -> (u32, u32) {
        let put = put as usize;
        (self.chains.chain[put], self.chains.place[put])
    }

    /// Whether a put is visible to whoever has the clock.
    pub(super) fn is_in(&self, put: u32, clock: Stamp) -> bool {
        let (chain, place) = self.position(put);
        self.clocks.get(clock, chain) >= place
    }
}

impl Saturation<'_, '_> {
    pub(super) fn position(&self, put: u32) -> (u32, u32) {
        self.visible.position(put)
    }

    /// Whether a put is visible to whoever has the clock.
    pub(super) fn is_in(&self, put: u32, clock: Stamp) -> bool {
        self.visible.is_in(put, clock)
    }

    /// Whether one put comes before another one.
    pub(super) fn precedes(&self, before: u32, after: u32) -> bool {
        before != after && self.is_in(before, self.visible.clock[after as usize])
    }
}
