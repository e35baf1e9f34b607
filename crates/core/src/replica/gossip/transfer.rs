//! The whole state, in chunks, for a replica that the update log no longer reaches.
//!
//! The sender takes a snapshot, which costs little, and remembers what was applied then. The
//! receiver asks for chunk after chunk and keeps them aside, so that nothing shows before its
//! dependencies. With the last one it merges them all, and counts as applied what the sender had.
//! Since it merges, its own puts stay, and so does whatever else it applied meanwhile.

use std::borrow::Cow;

use super::Gossip;
use super::apply::message_bytes;
use crate::bug::Bug;
use crate::protocol::{Dot, GossipBody, NodeId, Origin, PAYLOAD_BYTES_MAX, Update, Vector};
use crate::replica::store::{Snapshot, Store};
use crate::replica::{Effects, GossipChange, Persist};
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
    /// The life of the node that sends it.
    from: Origin,
    vector: Vector,
    next: u64,
    staged: Vec<Update>,
    idle_ticks: u8,
}

/// A part of a state, as it arrives: see [`GossipBody::StateChunk`].
pub(super) struct Chunk {
    pub(super) vector: Vector,
    /// How many keys came before it.
    pub(super) place: u64,
    pub(super) next: Option<u64>,
    pub(super) updates: Vec<Update>,
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

    /// Takes in a chunk of a state. Only chunks of one life of one node make up a state: its next
    /// life may have applied the same and yet keep its keys in another order.
    pub(super) fn receive_chunk<E: Effects>(&mut self, from: Origin, chunk: Chunk, out: &mut E) {
        if self.applied.covers_all(&chunk.vector) {
            return;
        }
        let continues = match &self.incoming {
            Some(incoming) if incoming.from.node() != from.node() => return,
            // The life that it began with has ended since.
            Some(incoming) if incoming.from > from => return,
            Some(incoming) => incoming.from == from && incoming.vector == chunk.vector,
            None => false,
        };
        if !continues {
            if chunk.place != 0 {
                return;
            }
            self.incoming = Some(Incoming::new(from, chunk.vector));
        }
        let incoming = self.incoming.as_mut().expect("it goes on or was begun");
        let goes_back = chunk.next.is_some_and(|next| next <= chunk.place);
        if chunk.place != incoming.next || goes_back {
            return;
        }
        incoming.idle_ticks = 0;
        incoming.staged.extend(chunk.updates);
        match chunk.next {
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
        let to = incoming.from.node();
        let body = GossipBody::StateRequest {
            incarnation: incoming.from.incarnation(),
            vector: incoming.vector.clone(),
            from: incoming.next,
        };
        self.send(to, body, out);
    }

    /// Merges the state that has arrived whole.
    fn adopt<E: Effects>(&mut self, out: &mut E) {
        let incoming = self.incoming.take().expect("its last chunk has come");
        out.persist(&Persist::Gossip(GossipChange::State {
            vector: Cow::Borrowed(&incoming.vector),
            updates: Cow::Borrowed(&incoming.staged),
        }));
        for dot in self.merge_state(&incoming.vector, incoming.staged) {
            self.wake_held_back(dot.origin(), out);
        }
        self.counters.transfers += 1;
    }

    /// Merges a whole state: these puts, and all up to this vector. Gives the entries of the vector
    /// that were news.
    pub(super) fn merge_state(&mut self, vector: &[Dot], updates: Vec<Update>) -> Vec<Dot> {
        if self.bug == Some(Bug::LostUpdateOnTransfer) {
            self.store = Store::new();
        }
        for update in updates {
            self.merge(update);
        }
        let news = vector
            .iter()
            .copied()
            .filter(|dot| !self.applied.covers(*dot));
        let news: Vec<Dot> = news.collect();
        for dot in &news {
            self.log.restart(dot.origin());
        }
        self.applied.merge(vector);
        news
    }
}

impl<V: Entry> Outgoing<V> {
    /// The chunk that starts at this place: whole keys, at most [`PAYLOAD_BYTES_MAX`] unless one
    /// key alone is larger.
    fn chunk(&self, place: u64) -> GossipBody {
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
        GossipBody::StateChunk {
            vector: self.vector.to_vector(),
            from: place,
            next: more.then_some(place + keys),
            updates,
        }
    }
}

impl Incoming {
    const fn new(from: Origin, vector: Vector) -> Self {
        Self {
            from,
            vector,
            next: 0,
            staged: Vec::new(),
            idle_ticks: 0,
        }
    }
}
