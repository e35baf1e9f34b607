//! Updates that died with a replica's memory.
//!
//! A replica that comes back empty asks every peer what it has of the earlier lives, and declares
//! that they ended there. The declaration ends no update that exists: should one turn up beyond it
//! (its holder could not be heard), it is applied like any other. It only tells the others not to
//! wait.

use super::Gossip;
use crate::protocol::{Dot, End, Vector};
use crate::replica::Effects;
use crate::values::{Value, VectorClock};

/// How many rounds of anti-entropy a replica that came back waits for peers that it cannot hear,
/// before it counts them as dead.
const REBIRTH_TICKS_MAX: u8 = 40;

/// A replica that came back empty and has not heard from every peer yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rebirth {
    ticks: u8,
}

impl<V: Value> Gossip<V> {
    /// Whether no live replica has this put, as far as its node's next life could find out.
    pub(super) fn is_lost(&self, dot: Dot) -> bool {
        let origin = dot.origin();
        let ended = self.ends.get(&origin.node()).is_some_and(|end| {
            origin.incarnation() < end.incarnation
                && !VectorClock::from(end.last.as_slice()).covers(dot)
        });
        ended && !self.applied.covers(dot)
    }

    pub(super) fn any_lost(&self, context: &[Dot]) -> bool {
        !self.ends.is_empty() && context.iter().any(|dot| self.is_lost(*dot))
    }

    /// Takes in what the sender of a digest knows of ended lives; of one node the declaration of
    /// its latest life holds.
    pub(super) fn learn_ends<E: Effects>(&mut self, ends: Vec<End>, out: &mut E) {
        let mut news = false;
        for end in ends {
            let known = self.ends.get(&end.node);
            if known.is_none_or(|known| known.incarnation < end.incarnation) {
                self.ends.insert(end.node, end);
                news = true;
            }
        }
        if news {
            self.drop_lost();
            self.refuse_lost(out);
        }
    }

    pub(super) fn tick_rebirth(&mut self) {
        let Some(rebirth) = &mut self.rebirth else {
            return;
        };
        rebirth.ticks += 1;
        if rebirth.ticks >= REBIRTH_TICKS_MAX {
            self.declare_ends();
        }
    }

    pub(super) fn declare_ends_when_all_were_heard(&mut self) {
        if self.rebirth.is_some() && self.peers.all_heard() {
            self.declare_ends();
        }
    }

    /// Nobody waits for lost updates here: requests that name them are refused as they come, or
    /// when their time is up.
    fn declare_ends(&mut self) {
        self.rebirth = None;
        let mut last = VectorClock::new();
        let node = self.origin.node();
        for dot in self.peers.known().chain(self.applied.iter()) {
            if dot.origin().node() == node && dot.origin() != self.origin {
                last.advance(dot);
            }
        }
        let last: Vector = last.to_vector();
        let incarnation = self.origin.incarnation();
        let end = End {
            node,
            incarnation,
            last,
        };
        self.ends.insert(node, end);
        self.drop_lost();
    }
}
