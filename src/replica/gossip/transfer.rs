//! The whole state, in chunks, for a replica that the update log no longer reaches.
//!
//! The sender takes a snapshot, which costs little, and remembers what was applied then. The
//! receiver asks for chunk after chunk and keeps them aside, so that nothing shows before its
//! dependencies; with the last one it merges them all and counts as applied what the sender had.
//! Its own puts and whatever else it applied meanwhile stay, since it merges.

use super::Gossip;
use super::apply::message_bytes;
use crate::bug::Bug;
use crate::protocol::{Body, Dot, NodeId, PAYLOAD_BYTES_MAX, Update, Vector};
use crate::replica::Effects;
use crate::replica::store::{Snapshot, Store};
use crate::values::{Entry, UpdateRef, Value, VectorClock};

/// After so many rounds of anti-entropy without progress a transfer is given up. The next digest
/// starts another.
const IDLE_TICKS_MAX: u8 = 20;

/// A state on its way to a peer. There is at most one for each peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outgoing<V: Entry> {
    vector: VectorClock,
    state: Snapshot<V>,
    /// Whether the peer has asked for more than the first chunk.
    asked: bool,
    idle_ticks: u8,
}

/// A state on its way in. There is at most one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incoming {
    from: NodeId,
    vector: Vector,
    next: u64,
    staged: Vec<Update>,
    idle_ticks: u8,
}

impl<V: Value> Gossip<V> {
    /// Sends the first chunk of the state, unless the peer has it already.
    pub(super) fn offer_state<E: Effects>(&mut self, to: NodeId, out: &mut E) {
        let transfer = self.outgoing.entry(to).or_insert_with(|| Outgoing {
            vector: self.applied.clone(),
            state: self.store.snapshot(),
            asked: false,
            idle_ticks: 0,
        });
        if !transfer.asked {
            let chunk = transfer.chunk(0);
            self.send(to, chunk, out);
        }
    }

    pub(super) fn send_requested_chunk<E: Effects>(
        &mut self,
        to: NodeId,
        vector: &[Dot],
        place: u64,
        out: &mut E,
    ) {
        let Some(transfer) = self.outgoing.get_mut(&to) else {
            return;
        };
        if transfer.vector.as_slice() != vector {
            return;
        }
        transfer.asked = true;
        transfer.idle_ticks = 0;
        let chunk = transfer.chunk(place);
        self.send(to, chunk, out);
    }

    pub(super) fn end_transfer_when_received(&mut self, from: NodeId, has: &VectorClock) {
        if let Some(transfer) = self.outgoing.get(&from)
            && has.covers_all(transfer.vector.as_slice())
        {
            self.outgoing.remove(&from);
        }
    }

    pub(super) fn receive_chunk<E: Effects>(
        &mut self,
        from: NodeId,
        vector: Vector,
        place: u64,
        next: Option<u64>,
        updates: Vec<Update>,
        out: &mut E,
    ) {
        if self.applied.covers_all(&vector) {
            return;
        }
        let continues = self
            .incoming
            .as_ref()
            .is_some_and(|incoming| incoming.from == from && incoming.vector == vector);
        let other = self
            .incoming
            .as_ref()
            .is_some_and(|incoming| incoming.from != from);
        if other || (!continues && place != 0) {
            return;
        }
        if !continues {
            self.incoming = Some(Incoming::new(from, vector));
        }
        let incoming = self.incoming.as_mut().expect("it goes on or was begun");
        if place != incoming.next || next.is_some_and(|next| next <= place) {
            return;
        }
        incoming.idle_ticks = 0;
        incoming.staged.extend(updates);
        match next {
            Some(next) => {
                incoming.next = next;
                self.request_chunk(out);
            }
            None => self.adopt(out),
        }
    }

    /// Asks again for what did not come, and gives up what makes no progress.
    pub(super) fn tick_transfers<E: Effects>(&mut self, out: &mut E) {
        self.outgoing.retain(|_, transfer| {
            transfer.idle_ticks += 1;
            transfer.idle_ticks <= IDLE_TICKS_MAX
        });
        let Some(incoming) = &mut self.incoming else {
            return;
        };
        incoming.idle_ticks += 1;
        if incoming.idle_ticks > IDLE_TICKS_MAX {
            self.incoming = None;
        } else {
            self.request_chunk(out);
        }
    }

    fn request_chunk<E: Effects>(&mut self, out: &mut E) {
        let Some(incoming) = &self.incoming else {
            return;
        };
        let to = incoming.from;
        let body = Body::StateRequest {
            vector: incoming.vector.clone(),
            from: incoming.next,
        };
        self.send(to, body, out);
    }

    /// Merges the state that has arrived whole.
    fn adopt<E: Effects>(&mut self, out: &mut E) {
        let incoming = self.incoming.take().expect("its last chunk has come");
        if self.bug == Some(Bug::LostUpdateOnTransfer) {
            self.store = Store::new();
        }
        for update in incoming.staged {
            self.merge(update);
        }
        let advanced: Vec<Dot> = incoming
            .vector
            .iter()
            .copied()
            .filter(|dot| !self.applied.covers(*dot))
            .collect();
        for dot in &advanced {
            self.log.restart(dot.origin());
        }
        self.applied.merge(&incoming.vector);
        for dot in advanced {
            self.wake_held_back(dot.origin(), out);
        }
        self.counters.transfers += 1;
    }
}

impl<V: Entry> Outgoing<V> {
    /// The chunk that starts at this place: whole keys, at most [`PAYLOAD_BYTES_MAX`] unless one
    /// key alone is larger.
    fn chunk(&self, place: u64) -> Body {
        let start = usize::try_from(place).unwrap_or(usize::MAX);
        let mut keys = 0;
        let mut bytes = 0;
        let mut updates = Vec::new();
        let mut more = false;
        for entry in self.state.from(start) {
            let puts = entry.updates().map(UpdateRef::to_update);
            let puts: Vec<Update> = puts.collect();
            bytes += puts.iter().map(message_bytes).sum::<usize>();
            if keys > 0 && bytes > PAYLOAD_BYTES_MAX {
                more = true;
                break;
            }
            updates.extend(puts);
            keys += 1;
        }
        Body::StateChunk {
            vector: self.vector.to_vector(),
            from: place,
            next: more.then_some(place + keys),
            updates,
        }
    }
}

impl Incoming {
    const fn new(from: NodeId, vector: Vector) -> Self {
        Self {
            from,
            vector,
            next: 0,
            staged: Vec::new(),
            idle_ticks: 0,
        }
    }
}
