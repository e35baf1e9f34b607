//! The state for a replica that lacks entries which are gone.
//!
//! The leader offers a copy of the state that took their place, and keeps it until the replica has
//! it. The replica pulls one part after the other.

use super::{Effects, Raft, RaftChange, Role};
use crate::protocol::{NodeId, PAYLOAD_BYTES_MAX, Position, RaftWords, StateItem};
use crate::replica::Persist;

/// A state on its way in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incoming {
    at: Position,
    items: Vec<StateItem>,
}

impl Raft {
    /// The leader offers the state at a position.
    pub(super) fn take_offer<E: Effects>(
        &mut self,
        from: NodeId,
        at: Position,
        round: u64,
        out: &mut E,
    ) {
        let commit = self.commit;
        let Some(follower) = self.follower_of(from, out) else {
            return;
        };
        follower.round = follower.round.max(round);
        let round = follower.round;
        if at.index > commit {
            let incoming = follower.incoming.get_or_insert_with(|| Incoming {
                at,
                items: Vec::new(),
            });
            if incoming.at != at {
                *incoming = Incoming {
                    at,
                    items: Vec::new(),
                };
            }
            let place = incoming.items.len() as u64;
            self.send(from, RaftWords::PullState { at, from: place }, out);
        }
        // What is committed is the same everywhere.
        let matched = commit;
        self.send(from, RaftWords::Appended { matched, round }, out);
    }

    /// Another replica asks for a part of the state.
    pub(super) fn send_state<E: Effects>(
        &mut self,
        to: NodeId,
        at: Position,
        place: u64,
        out: &mut E,
    ) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let Some(copied) = leader.copy_for(to).filter(|copied| copied.at == at) else {
            return;
        };
        let (items, more) = copied.chunk(place, PAYLOAD_BYTES_MAX);
        let words = RaftWords::State {
            at,
            from: place,
            items,
            more,
        };
        self.send(to, words, out);
    }

    pub(super) fn take_state<E: Effects>(
        &mut self,
        from: NodeId,
        at: Position,
        place: u64,
        items: Vec<StateItem>,
        more: bool,
        out: &mut E,
    ) {
        let Role::Follower(follower) = &mut self.role else {
            return;
        };
        let Some(incoming) = &mut follower.incoming else {
            return;
        };
        if incoming.at != at || incoming.items.len() as u64 != place {
            return;
        }
        incoming.items.extend(items);
        if more {
            let place = incoming.items.len() as u64;
            self.send(from, RaftWords::PullState { at, from: place }, out);
            return;
        }
        let round = follower.round;
        if let Some(incoming) = follower.incoming.take() {
            self.become_state(incoming, out);
            let matched = at.index;
            self.send(from, RaftWords::Appended { matched, round }, out);
        }
    }

    /// Takes a state in place of its own, which is behind.
    fn become_state<E: Effects>(&mut self, incoming: Incoming, out: &mut E) {
        let Incoming { at, items } = incoming;
        if at.index <= self.commit {
            return;
        }
        self.counters.transfers += 1;
        self.base.become_state(at, &items);
        self.machine = self.base.clone();
        self.applied_bytes = 0;
        self.log.begin_after(at);
        self.commit = at.index;
        if let Role::Follower(follower) = &mut self.role {
            follower.verified = follower.verified.max(at.index);
        }
        let items = items.into();
        out.persist(&Persist::Raft(RaftChange::State { at, items }));
        let own = self.origin;
        if !self.is_member && self.machine.life(own.node()) == own.incarnation() {
            self.become_member(out);
        }
        self.answer_what_was_applied(out);
    }
}
