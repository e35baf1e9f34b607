//! Chains: sequences of puts each of which comes before the next, so that a number says how many
//! of them an operation has seen. A session's puts are one; when it is over, another session
//! whose first put comes after its last goes on with it, so that chains are as many as sessions
//! that live at one time. Silent puts are in no chain: nobody would ever come after them.

use super::clock::{Clock, Clocks};
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
            owned: vec![NONE; sessions],
            free: Vec::new(),
        }
    }

    /// How many chains there are.
    pub(super) const fn count(&self) -> usize {
        self.last.len()
    }

    /// Gives a put of `session`, which comes after `clock`, the next place of a chain.
    pub(super) fn add(&mut self, node: u32, session: usize, clocks: &Clocks, clock: Clock) {
        let mut chain = self.owned[session];
        if chain == NONE || self.last[chain as usize] == clocks.entry_max() {
            chain = self.inherit(clocks, clock).unwrap_or_else(|| {
                self.last.push(0);
                self.last.len() as u32 - 1
            });
            self.owned[session] = chain;
        }
        self.last[chain as usize] += 1;
        self.chain[node as usize] = chain;
        self.place[node as usize] = self.last[chain as usize];
    }

    /// A chain whose owner is over and whose last put comes before `clock`: of those the one that
    /// was in use last, so that what changes lies together in the clocks.
    fn inherit(&mut self, clocks: &Clocks, clock: Clock) -> Option<u32> {
        let tried = self.free.len().saturating_sub(FREE_TRIED);
        let place = (tried..self.free.len()).rev().find(|place| {
            let chain = self.free[*place];
            clocks.get(clock, chain) == self.last[chain as usize]
        })?;
        Some(self.free.remove(place))
    }

    /// Says that a session is over.
    pub(super) fn end(&mut self, session: usize, clocks: &Clocks) {
        let chain = std::mem::replace(&mut self.owned[session], NONE);
        if chain != NONE && self.last[chain as usize] < clocks.entry_max() {
            self.free.push(chain);
        }
    }
}
