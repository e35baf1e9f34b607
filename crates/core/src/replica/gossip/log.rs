//! The updates that some peer may still need, bounded by number and by bytes.
//!
//! The log keeps them by origin, so it finds at once what a peer lacks. It also keeps the order in
//! which they were applied. Sent in that order, the receiver can apply any prefix.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::protocol::{Origin, Update};
use crate::replica::GossipSettings;
use crate::values::VectorClock;

/// The update log of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UpdateLog {
    origins: BTreeMap<Origin, VecDeque<Placed>>,
    next_place: u64,
    len: usize,
    bytes: u64,
    updates_max: usize,
    bytes_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Placed {
    place: u64,
    update: Update,
}

/// The log does not reach back to what the peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooFarBehind;

impl UpdateLog {
    pub(super) const fn new(settings: &GossipSettings) -> Self {
        Self {
            origins: BTreeMap::new(),
            next_place: 0,
            len: 0,
            bytes: 0,
            updates_max: settings.log_updates_max as usize,
            bytes_max: settings.log_bytes_max,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds the update that was just applied, the next of its origin. At the bound the oldest
    /// update of the origin with the most is dropped: whoever needs it gets the state.
    pub(super) fn push(&mut self, update: Update) {
        self.bytes += record_bytes(&update);
        self.len += 1;
        let place = self.next_place;
        self.next_place += 1;
        let log = self.origins.entry(update.dot.origin()).or_default();
        if let Some(last) = log.back() {
            assert_eq!(
                last.update.dot.counter() + 1,
                update.dot.counter(),
                "updates of an origin are applied in order"
            );
        }
        log.push_back(Placed { place, update });
        while self.len > self.updates_max || self.bytes > self.bytes_max {
            self.drop_oldest();
        }
    }

    /// Drops what every peer has, given the last counter of an origin that all have.
    pub(super) fn forget(&mut self, all_have: impl Fn(Origin) -> u64) {
        for (origin, log) in &mut self.origins {
            let known = all_have(*origin);
            while let Some(first) = log.front()
                && first.update.dot.counter() <= known
            {
                self.bytes -= record_bytes(&first.update);
                self.len -= 1;
                log.pop_front();
            }
        }
        self.origins.retain(|_, log| !log.is_empty());
    }

    /// Drops all of an origin: a state transfer has gone past it, so that it no longer continues.
    pub(super) fn restart(&mut self, origin: Origin) {
        for placed in self.origins.remove(&origin).into_iter().flatten() {
            self.bytes -= record_bytes(&placed.update);
            self.len -= 1;
        }
    }

    /// The updates that are in `applied` and not in `has`, in the order in which they were applied.
    pub(super) fn missing<'a>(
        &'a self,
        applied: &VectorClock,
        has: &VectorClock,
    ) -> Result<impl Iterator<Item = &'a Update> + use<'a>, TooFarBehind> {
        let mut heads = BinaryHeap::new();
        let mut tails = Vec::new();
        for last in applied.iter() {
            let needed = has.counter(last.origin()) + 1;
            if needed > last.counter() {
                continue;
            }
            let log = self.origins.get(&last.origin()).ok_or(TooFarBehind)?;
            let first = log.front().ok_or(TooFarBehind)?.update.dot.counter();
            let skip = needed.checked_sub(first).ok_or(TooFarBehind)?;
            let skip = usize::try_from(skip).expect("bounded by the log's length");
            let mut tail = log.iter().skip(skip);
            if let Some(head) = tail.next() {
                heads.push((Reverse(head.place), tails.len()));
                tails.push((head, tail));
            }
        }
        Ok(std::iter::from_fn(move || {
            let (_, at) = heads.pop()?;
            let (head, tail) = &mut tails[at];
            let update = &head.update;
            if let Some(next) = tail.next() {
                *head = next;
                heads.push((Reverse(next.place), at));
            }
            Some(update)
        }))
    }

    fn drop_oldest(&mut self) {
        let longest = self
            .origins
            .values_mut()
            .max_by_key(|log| log.len())
            .expect("a log beyond its bound is not empty");
        let oldest = longest.pop_front().expect("the longest is not empty");
        self.bytes -= record_bytes(&oldest.update);
        self.len -= 1;
    }
}

/// Bytes of the record, which is what an update costs beyond its place in the log.
fn record_bytes(update: &Update) -> u64 {
    update.record.packed_len() as u64
}
