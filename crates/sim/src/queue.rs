//! The events to come, in the order of virtual time, and the messages that are on their way.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use kvs_core::protocol::NodeId;
use kvs_core::replica::Timer;

use kvs_load::nemesis::SimFault;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The request in this slot reaches its node.
    Request(u32),
    /// The reply in this slot reaches its client.
    Reply(u32),
    /// The message in this slot reaches its node.
    Message(u32),
    /// A timer of this life of a node's process fires, as it was set for the so-manieth time.
    Timer(NodeId, Timer, u32, u64),
    /// A lane begins its next step.
    Begin(u32),
    /// A lane hears that the connection is broken that it sent this request on.
    Disconnect(u32),
    /// A node that was paused in this life goes on.
    Resume(NodeId, u32),
    /// A node's process starts again.
    Restart(NodeId),
    /// The sync under way ends in this life of a node's process.
    Synced(NodeId, u32),
    /// A fault of this kind comes.
    Fault(SimFault),
}

#[derive(Debug)]
struct Entry {
    at_ns: u64,
    sequence: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The largest is the earliest; what is due at the same time happens in the order in which it was
/// scheduled.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ns, other.sequence).cmp(&(self.at_ns, self.sequence))
    }
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    sequence: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at_ns: u64, event: Event) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.heap.push(Entry {
            at_ns,
            sequence,
            event,
        });
    }

    /// When the next event is due.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.heap.peek().map(|entry| entry.at_ns)
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.heap.pop().map(|entry| entry.event)
    }
}

/// Things on their way, each in a slot that is used again with the memory it has.
#[derive(Debug, Default)]
pub(super) struct Slots<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Slots<T> {
    /// A slot whose contents are left over from before.
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.items.push(T::default());
            (self.items.len() - 1) as u32
        })
    }

    pub(super) fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    pub(super) fn at(&mut self, slot: u32) -> &mut T {
        &mut self.items[slot as usize]
    }

    /// Every slot, used or not.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_comes_first_and_ties_keep_their_order() {
        let mut queue = Queue::default();
        for (at_ns, lane) in [(5, 0), (3, 1), (5, 2), (3, 3), (4, 4)] {
            queue.push(at_ns, Event::Begin(lane));
        }
        assert_eq!(queue.next_ns(), Some(3));
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [1, 3, 4, 0, 2].map(Event::Begin));
    }

    #[test]
    fn a_released_slot_is_used_again() {
        let mut slots = Slots::<Vec<u8>>::default();
        let first = slots.take();
        assert_ne!(slots.take(), first);
        slots.at(first).push(7);
        slots.release(first);
        assert_eq!(slots.take(), first);
        assert_eq!(slots.at(first), &[7]);
    }
}
