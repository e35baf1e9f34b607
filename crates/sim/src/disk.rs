//! A simulated disk: what a replica persisted, how much of it is durable, and what may not leave
//! before more of it is.
//!
//! Changes are written at once and durable when a sync ends; a sync covers what was written before
//! it began, so that many changes share one (group commit). Its process may end at any moment: then
//! the durable changes are left, some of those after them, and perhaps the beginning of one more.

use kvs_core::barrier::Barrier;
use kvs_core::bug::Bug;
use kvs_core::protocol::{Message, NodeId};
use kvs_core::replica::{Persist, Replica, RequestId};

use super::draw::Draw;

/// Messages that wait for a sync; one beyond them is lost, as by a full socket. Replies need no
/// bound: a lane waits for one at a time.
const MESSAGES_HELD_MAX: usize = 4_096;
/// The chance that the first change which a crash lost is there in part.
const TORN: f64 = 0.5;

/// A disk.
#[derive(Debug)]
pub(super) struct Disk {
    /// The changes since the replica had no state, encoded.
    changes: Vec<Vec<u8>>,
    barrier: Barrier<Held>,
    messages_held: usize,
}

/// What may not leave yet.
#[derive(Debug)]
pub(super) enum Held {
    /// The reply in this slot, to this request.
    Reply(RequestId, u32),
    /// A message to a peer.
    Message(NodeId, Message),
}

/// What a crash did to the changes that were not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// How many were lost.
    pub(super) lost: usize,
    /// Whether the first of those was there in part.
    pub(super) torn: bool,
}

impl Disk {
    /// The disk of a replica without state, with the bug that is planted in it, if any.
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            changes: Vec::new(),
            barrier: Barrier::new(bug),
            messages_held: 0,
        }
    }

    pub(super) fn write(&mut self, changes: &mut Vec<Vec<u8>>) {
        self.barrier.note(changes.len() as u64);
        self.changes.append(changes);
    }

    /// Makes everything durable at once.
    pub(super) const fn sync_at_once(&mut self) {
        self.barrier.sync_at_once();
    }

    pub(super) const fn is_durable(&self) -> bool {
        self.barrier.is_durable()
    }

    /// Whether what would leave now has to wait.
    pub(super) const fn holds(&self) -> bool {
        self.barrier.holds()
    }

    /// Keeps back what may not leave before all that was written is durable.
    pub(super) fn hold(&mut self, what: Held) {
        if matches!(what, Held::Message(..)) {
            if self.messages_held >= MESSAGES_HELD_MAX {
                return;
            }
            self.messages_held += 1;
        }
        self.barrier.hold(what);
    }

    /// Begins a sync if one is needed and none is under way. Whether it began.
    pub(super) const fn begin_sync(&mut self) -> bool {
        self.barrier.begin_commit()
    }

    /// The sync under way has ended well.
    pub(super) const fn end_sync(&mut self) {
        self.barrier.end_commit();
    }

    /// The next thing that may leave now.
    pub(super) fn release(&mut self) -> Option<Held> {
        let what = self.barrier.release()?;
        self.messages_held -= usize::from(matches!(what, Held::Message(..)));
        Some(what)
    }

    /// Its process ends: of the changes that were not durable some of the first are left, as `draw`
    /// has it, and where it `tears` perhaps a part of the next. Gives what waited, which nobody will
    /// hear.
    pub(super) fn crash(
        &mut self,
        tears: bool,
        draw: &mut Draw,
    ) -> (Damage, impl Iterator<Item = Held> + '_) {
        let (written, durable) = (self.changes.len(), self.barrier.durable() as usize);
        let kept = durable + draw.below(written - durable + 1);
        let torn = tears && kept < written && draw.chance(TORN);
        if torn {
            let change = &mut self.changes[kept];
            let bytes = draw.below(change.len());
            change.truncate(bytes);
        }
        self.changes.truncate(kept + usize::from(torn));
        self.messages_held = 0;
        let damage = Damage {
            lost: written - kept,
            torn,
        };
        (damage, self.barrier.crash(kept as u64))
    }

    /// Has the replica, which is new, take back the changes, and cuts off one that is there in
    /// part.
    pub(super) fn restore(&mut self, replica: &mut Replica) {
        for (place, bytes) in self.changes.iter().enumerate() {
            let Ok(change) = postcard::from_bytes::<Persist<'_>>(bytes) else {
                assert_eq!(place + 1, self.changes.len(), "only the last can be torn");
                self.changes.truncate(place);
                break;
            };
            replica.restore(&change);
        }
        let left = self.changes.len() as u64;
        assert_eq!(left, self.barrier.durable(), "a torn change is no change");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;

    fn written(changes: usize) -> Disk {
        let mut disk = Disk::new(None);
        disk.write(&mut vec![vec![0; 9]; changes]);
        disk
    }

    #[test]
    fn a_crash_takes_only_what_was_not_durable_and_each_outcome_happens() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut disk = written(3);
            disk.sync_at_once();
            disk.write(&mut vec![vec![0; 9]; 2]);
            let (damage, held) = disk.crash(true, &mut Draw::new(seed, Purpose::Plan));
            assert_eq!(held.count(), 0, "nothing waited");
            let left = 5 - damage.lost + usize::from(damage.torn);
            assert_eq!(disk.changes.len(), left);
            assert!(left >= 3 && disk.changes[..3].iter().all(|change| change.len() == 9));
            outcomes.insert((damage.lost, damage.torn));
        }
        let every = [(0, false), (1, false), (1, true), (2, false), (2, true)];
        assert_eq!(outcomes, every.into());
    }
}
