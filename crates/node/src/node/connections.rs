//! Which connection a response belongs to.
//!
//! A request id names the connection's slot, the slot's generation, and the number that the client
//! gave the request. A response that comes after its connection has gone finds another generation
//! and is dropped.

use std::rc::Rc;

use crate::transport::Outbox;
use crate::transport::quic::CONNECTIONS_MAX;
use kvs_core::replica::RequestId;

/// A slot's number takes 16 bits.
const _: () = assert!(CONNECTIONS_MAX <= 1 << 16);

/// The client connections of a node.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u16>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u16,
    outbox: Option<Rc<Outbox>>,
}

/// One life of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionId {
    slot: u16,
    generation: u16,
}

impl Connections {
    /// A slot for a new connection; `None` when there are too many.
    pub(super) fn insert(&mut self, outbox: Rc<Outbox>) -> Option<ConnectionId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < CONNECTIONS_MAX => {
                self.slots.push(Slot::default());
                u16::try_from(self.slots.len() - 1).expect("CONNECTIONS_MAX is in range")
            }
            None => return None,
        };
        let entry = &mut self.slots[usize::from(slot)];
        entry.outbox = Some(outbox);
        Some(ConnectionId {
            slot,
            generation: entry.generation,
        })
    }

    /// Frees the slot of a connection that has gone.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let entry = &mut self.slots[usize::from(id.slot)];
        assert!(
            entry.generation == id.generation && entry.outbox.is_some(),
            "a connection is removed once"
        );
        entry.outbox = None;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(id.slot);
    }

    /// Where the response to `request` goes, and under which number; `None` when its connection
    /// has gone.
    pub(super) fn destination(&self, request: RequestId) -> Option<(&Outbox, u32)> {
        let [a, b, c, d, number @ ..] = request.0.to_be_bytes();
        let entry = self.slots.get(usize::from(u16::from_be_bytes([a, b])))?;
        if entry.generation != u16::from_be_bytes([c, d]) {
            return None;
        }
        let outbox = entry.outbox.as_deref()?;
        Some((outbox, u32::from_be_bytes(number)))
    }
}

impl ConnectionId {
    /// The id of the request to which this connection's client gave that number.
    pub(super) fn request(self, number: u32) -> RequestId {
        RequestId(u64::from(self.slot) << 48 | u64::from(self.generation) << 32 | u64::from(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_response_never_reaches_the_next_connection_in_the_slot() {
        let mut connections = Connections::default();
        let first = connections.insert(Rc::default()).unwrap();
        let other = connections.insert(Rc::default()).unwrap();
        let request = first.request(u32::MAX);
        assert_eq!(connections.destination(request).unwrap().1, u32::MAX);
        connections.remove(first);
        let second = connections.insert(Rc::default()).unwrap();
        assert_eq!(
            second.slot, first.slot,
            "the control: the slot is used again"
        );
        assert!(connections.destination(request).is_none());
        assert_eq!(connections.destination(second.request(7)).unwrap().1, 7);
        assert_eq!(connections.destination(other.request(8)).unwrap().1, 8);
    }

    #[test]
    fn there_are_as_many_slots_as_connections_are_served() {
        let mut connections = Connections::default();
        let ids: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| connections.insert(Rc::default()).unwrap())
            .collect();
        assert!(connections.insert(Rc::default()).is_none());
        connections.remove(ids[17]);
        assert!(connections.insert(Rc::default()).is_some());
    }
}
