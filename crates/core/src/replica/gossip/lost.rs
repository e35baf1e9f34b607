//! Updates that died with a replica's memory.
//!
//! A replica that came back empty asks every peer what it has of the replica's earlier lives. Then
//! it declares that they ended there, and again when a peer has lost its memory since. The
//! declaration only tells the others not to wait. It ends no update that exists: if one turns up
//! beyond it, because its holder could not be heard, it is applied like any other.

use super::{Gossip, encoded};
use crate::protocol::{Dot, End, Vector};
use crate::replica::{Effects, Persist};
use crate::values::{Value, VectorClock};

/// How many rounds of anti-entropy a replica that came back waits for peers that it cannot hear,
/// before it counts them as dead.
const UNHEARD_TICKS_MAX: u8 = 40;

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
            let age = |end: &End| (end.incarnation, end.round);
            if known.is_none_or(|known| age(known) < age(&end)) {
                note(&end, out);
                self.ends.insert(end.node, end);
                news = true;
            }
        }
        if news {
            self.drop_lost();
            self.refuse_lost(out);
        }
    }

    /// Once a round of anti-entropy: peers that could not be heard for long are counted as dead.
    pub(super) fn tick_ends<E: Effects>(&mut self, out: &mut E) {
        let declared = self.own_declaration().is_some();
        if self.origin.incarnation() == 0 || declared || self.peers.all_heard() {
            self.declare_ends_if_all_were_heard(out);
            return;
        }
        self.unheard_ticks += 1;
        if self.unheard_ticks >= UNHEARD_TICKS_MAX {
            self.declare_ends(out);
        }
    }

    pub(super) fn declare_ends_if_all_were_heard<E: Effects>(&mut self, out: &mut E) {
        if self.origin.incarnation() > 0 && self.peers.all_heard() {
            self.declare_ends(out);
        }
    }

    /// What this life has declared. A peer's digest may have brought the former life's declaration,
    /// which says nothing about how the former life itself ended.
    fn own_declaration(&self) -> Option<&End> {
        self.ends
            .get(&self.origin.node())
            .filter(|end| end.incarnation == self.origin.incarnation())
    }

    /// Declares where the earlier lives of this node ended, unless that was said before.
    fn declare_ends<E: Effects>(&mut self, out: &mut E) {
        let mut last = VectorClock::new();
        let node = self.origin.node();
        for dot in self.peers.known().chain(self.applied.iter()) {
            if dot.origin().node() == node && dot.origin() != self.origin {
                last.advance(dot);
            }
        }
        let last: Vector = last.to_vector();
        let before = self.own_declaration();
        if before.is_some_and(|before| before.last == last) {
            return;
        }
        let end = End {
            node,
            incarnation: self.origin.incarnation(),
            round: before.map_or(0, |before| before.round) + 1,
            last,
        };
        note(&end, out);
        self.ends.insert(node, end);
        self.drop_lost();
        self.refuse_lost(out);
    }
}

/// Keeps it under the node's number, in place of what was known of the node before.
fn note<E: Effects>(end: &End, out: &mut E) {
    out.persist(&Persist::Note {
        slot: end.node.0,
        bytes: encoded(end).into(),
    });
}
