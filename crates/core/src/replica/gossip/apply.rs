//! Updates of other replicas. A replica holds each back until it is next in order, applies it and
//! passes it on.

use std::borrow::Cow;

use super::waiting::Weighed;
use super::{Gossip, RUMOURS_MAX};
use crate::bug::Bug;
use crate::protocol::{Dot, GossipBody, NodeId, Origin, PAYLOAD_BYTES_MAX, Update};
use crate::replica::{Effects, GossipChange, GossipTimer, Persist};
use crate::values::Value;

/// What an update costs in a message beside its record: dot, time and length.
const UPDATE_HEADER_BYTES: usize = 20;

impl<V: Value> Gossip<V> {
    pub(super) fn receive_updates<E: Effects>(
        &mut self,
        updates: Vec<Update>,
        fresh: bool,
        out: &mut E,
    ) {
        // Only rumours that not everybody was told are passed on, once.
        let pass_on = fresh && self.peers.len() > usize::from(self.settings.fanout);
        self.anticipate(updates.iter().map(|update| update.record.key()));
        for update in updates {
            self.receive(update, pass_on, out);
        }
    }

    fn receive<E: Effects>(&mut self, update: Update, pass_on: bool, out: &mut E) {
        let origin = update.dot.origin();
        if self.applied.covers(update.dot) || origin == self.origin {
            self.counters.repeated += 1;
            if self.bug == Some(Bug::ResurrectedSibling) {
                self.merge(update);
            }
            return;
        }
        match self.first_dependency(&update) {
            None => {
                self.apply(update, pass_on, out);
                self.wake_held_back(origin, out);
            }
            Some(missing) => self.hold_back(missing, update),
        }
    }

    /// The first update that has to be applied before this one.
    fn first_dependency(&self, update: &Update) -> Option<Dot> {
        let before = Dot::new(update.dot.origin(), update.dot.counter() - 1);
        if !self.applied.covers(before) {
            return Some(before);
        }
        if self.bug == Some(Bug::DeliveryBeforeDependencies) {
            return None;
        }
        self.applied.first_missing(update.record.vector())
    }

    fn hold_back(&mut self, missing: Dot, update: Update) {
        let full = !self.held_back.has_room(update.bytes());
        if full || self.is_lost(missing) {
            self.counters.dropped += 1;
            return;
        }
        // The first dependency of an update is the same until it is applied, so that a repeated
        // update finds itself.
        match self.held_back.insert((missing, update.dot), update) {
            None => self.counters.held_back += 1,
            Some(_) => self.counters.repeated += 1,
        }
    }

    /// Applies what was held back for updates of this origin, and what that allows in turn.
    pub(super) fn wake_held_back<E: Effects>(&mut self, origin: Origin, out: &mut E) {
        let mut advanced = vec![origin];
        while !self.held_back.is_empty()
            && let Some(origin) = advanced.pop()
        {
            let reached = self.applied.counter(origin);
            while let Some((_, update)) = self.held_back.take_first(origin, reached) {
                if self.applied.covers(update.dot) {
                    self.counters.repeated += 1;
                } else if let Some(missing) = self.first_dependency(&update) {
                    self.hold_back(missing, update);
                } else {
                    advanced.push(update.dot.origin());
                    self.apply(update, false, out);
                    // The same origin's next ones are within reach now.
                    if advanced.last() == Some(&origin) {
                        break;
                    }
                }
            }
        }
    }

    /// Drops what was held back for updates that are lost.
    pub(super) fn drop_lost(&mut self) {
        let lost: Vec<_> = self
            .held_back
            .iter()
            .map(|(at, _)| *at)
            .filter(|(missing, _)| self.is_lost(*missing))
            .collect();
        for at in lost {
            self.held_back.remove(at);
            self.counters.dropped += 1;
        }
    }

    fn apply<E: Effects>(&mut self, update: Update, pass_on: bool, out: &mut E) {
        debug_assert!(!self.applied.covers(update.dot), "applied twice");
        self.counters.applied += 1;
        let change = GossipChange::Update(Cow::Borrowed(&update));
        out.persist(&Persist::Gossip(change));
        self.applied.advance(update.dot);
        self.log.push(update.clone());
        if pass_on {
            self.spread(update.clone(), out);
        }
        self.merge(update);
    }

    /// Merges a put of another replica into the store.
    pub(super) fn merge(&mut self, mut update: Update) {
        if self.bug != Some(Bug::ClockNotCarried) {
            self.clock.observe(update.time);
        }
        if self.bug == Some(Bug::ArrivalOrder) {
            update.time = self.clock.tick(update.time);
        }
        let bug = self.bug;
        let record = update.record.clone();
        self.store
            .upsert(record.key(), update, V::from_update, |entry, update| {
                let other = V::from_update(update);
                match bug {
                    Some(Bug::OverwritingMerge) => entry.overwrite(other),
                    Some(Bug::ResurrectedSibling) => entry.resurrect(other),
                    _ => entry.merge(other),
                }
            });
    }

    /// Has the update pushed after this batch of inputs.
    pub(super) fn spread<E: Effects>(&mut self, update: Update, out: &mut E) {
        if self.rumours.is_empty() {
            self.set_timer(GossipTimer::Rumour, out);
        }
        if self.rumours.len() < RUMOURS_MAX {
            self.rumours.push(update);
        }
    }

    /// Pushes the fresh updates to these peers.
    pub(super) fn push_rumours<E: Effects>(&mut self, peers: &[NodeId], out: &mut E) {
        let rumours = std::mem::take(&mut self.rumours);
        let silent_to = self.forgotten_peer();
        let peers: Vec<NodeId> = peers
            .iter()
            .copied()
            .filter(|peer| Some(*peer) != silent_to)
            .collect();
        for updates in in_messages(rumours) {
            for peer in &peers {
                self.send_updates(*peer, true, updates.clone(), out);
            }
        }
    }

    pub(super) fn send_updates<E: Effects>(
        &mut self,
        to: NodeId,
        fresh: bool,
        updates: Vec<Update>,
        out: &mut E,
    ) {
        let vector = self.applied.to_vector();
        let body = GossipBody::Updates {
            vector,
            fresh,
            updates,
        };
        self.send(to, body, out);
    }

    /// Two planted bugs need updates to come out of order or late: with them the first replica of
    /// a group pushes nothing to the last, which learns of its puts by anti-entropy.
    fn forgotten_peer(&self) -> Option<NodeId> {
        let needed = matches!(
            self.bug,
            Some(Bug::DeliveryBeforeDependencies | Bug::LostUpdateOnTransfer)
        );
        let last = self.peers.nodes().next_back()?;
        let is_first = self.peers.nodes().all(|peer| peer > self.origin.node());
        (needed && is_first && self.peers.len() > 1).then_some(last)
    }
}

impl Weighed for Update {
    fn bytes(&self) -> u64 {
        message_bytes(self) as u64
    }
}

/// What an update adds to a message.
pub(super) fn message_bytes(update: &Update) -> usize {
    update.record.packed_len() + UPDATE_HEADER_BYTES
}

/// Splits updates into messages of at most [`PAYLOAD_BYTES_MAX`], or of one update that is larger.
pub(super) fn in_messages(
    updates: impl IntoIterator<Item = Update>,
) -> impl Iterator<Item = Vec<Update>> {
    let mut updates = updates.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = updates.next()?;
        let mut bytes = message_bytes(&first);
        let mut message = vec![first];
        while let Some(next) = updates.next_if(|next| {
            bytes += message_bytes(next);
            bytes <= PAYLOAD_BYTES_MAX
        }) {
            message.push(next);
        }
        Some(message)
    })
}
