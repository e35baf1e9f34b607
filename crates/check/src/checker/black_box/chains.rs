//! Chains: sequences of puts each of which comes before the next, so that a number says how many of
//! them an operation has seen. A session's puts are a chain. When the session is over, another
//! session whose first put comes after its last one continues that chain. So there are as many
//! chains as sessions that live at one time. Silent puts are in no chain, since nothing ever comes
//! after them.
//!
//! A session that puts before it has read comes after nothing. If it may be presumed to come after
//! another session, it continues that session's chain all the same (`presumption.rs`).

use super::clock::{Clocks, Stamp};
use super::world::NONE;

/// Chains without an owner that are tried before a new one is begun.
const FREE_TRIED: usize = 32;

/// The chains, and where each put is.
#[derive(Debug)]
pub(super) struct Chains {
    /// Node to chain.
    pub(super) chain: Vec<u32>,
    /// Node to place in the chain, from 1.
    pub(super) place: Vec<u32>,
    /// The last place of each chain.
    last: Vec<u32>,
    /// The put there.
    last_put: Vec<u32>,
    /// Session to the chain that it owns, or [`NONE`].
    owned: Vec<u32>,
    free: Vec<u32>,
}

impl Chains {
    pub(super) fn new(nodes: usize, sessions: usize) -> Self {
        Self {
            chain: vec![NONE; nodes],
            place: vec![0; nodes],
            last: Vec::new(),
            last_put: Vec::new(),
            owned: vec![NONE; sessions],
            free: Vec::new(),
        }
    }

    /// How many chains there are.
    pub(super) const fn count(&self) -> usize {
        self.last.len()
    }

    /// Gives a put of `session`, which comes after `clock`, the next place of a chain. Returns the
    /// put before it on that chain if it does not come after that one but `may_follow` it.
    pub(super) fn add(
        &mut self,
        node: u32,
        session: usize,
        clocks: &Clocks,
        clock: Stamp,
        may_follow: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut chain = self.owned[session];
        let mut presumed = None;
        if chain == NONE || self.last[chain as usize] == clocks.entry_max() {
            let follows = |chain: u32| clocks.get(clock, chain) == self.last[chain as usize];
            let may_follow = |chain: u32| may_follow(self.last_put[chain as usize]);
            chain = if let Some(place) = self.find_free(follows) {
                self.free.remove(place)
            } else if let Some(place) = self.find_free(may_follow) {
                let chain = self.free.remove(place);
                presumed = Some(self.last_put[chain as usize]);
                chain
            } else {
                self.last.push(0);
                self.last_put.push(NONE);
                self.last.len() as u32 - 1
            };
            self.owned[session] = chain;
        }
        self.last[chain as usize] += 1;
        self.last_put[chain as usize] = node;
        self.chain[node as usize] = chain;
        self.place[node as usize] = self.last[chain as usize];
        presumed
    }

    /// The place of a fit chain whose owner is over. Of several, the one that was in use last, so
    /// that changing entries lie close together in the clocks.
    fn find_free(&self, is_fit: impl Fn(u32) -> bool) -> Option<usize> {
        let tried = self.free.len().saturating_sub(FREE_TRIED);
        (tried..self.free.len())
            .rev()
            .find(|place| is_fit(self.free[*place]))
    }

    /// Says that a session is over.
    pub(super) fn end(&mut self, session: usize, clocks: &Clocks) {
        let chain = std::mem::replace(&mut self.owned[session], NONE);
        if chain != NONE && self.last[chain as usize] < clocks.entry_max() {
            self.free.push(chain);
        }
    }
}
