//! A simulated disk: what a replica persisted, how much of it is durable, and what may not leave
//! before more of it is.
//!
//! Changes are written at once and durable when a sync ends; a sync covers what was written before
//! it began, so that many changes share one (group commit). Its process may end at any moment: then
//! the durable changes are left, some of those after them, and perhaps the beginning of one more.

use std::collections::VecDeque;

use kvs_core::protocol::{Message, NodeId};
use kvs_core::replica::{Persist, Replica, RequestId};

use super::draw::Draw;

/// Messages that wait for a sync; one beyond them is lost, as by a full socket. Replies need no
/// bound: a lane waits for one at a time.
const MESSAGES_HELD_MAX: usize = 4_096;
/// The chance that the first change which a crash lost is there in part.
const TORN: f64 = 0.5;

/// A disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// The changes since the replica had no state, encoded.
    changes: Vec<Vec<u8>>,
    /// How many of them are durable.
    durable: usize,
    /// How many will be when the sync under way ends.
    syncing: Option<usize>,
    /// What waits, oldest first, with how many changes have to be durable before it leaves.
    held: VecDeque<(usize, Held)>,
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
    pub(super) fn write(&mut self, changes: &mut Vec<Vec<u8>>) {
        self.changes.append(changes);
    }

    /// Makes everything durable at once.
    pub(super) const fn sync_at_once(&mut self) {
        self.durable = self.changes.len();
    }

    pub(super) const fn is_durable(&self) -> bool {
        self.durable == self.changes.len()
    }

    /// Keeps back what may not leave before all that was written is durable.
    pub(super) fn hold(&mut self, what: Held) {
        if matches!(what, Held::Message(..)) {
            if self.messages_held >= MESSAGES_HELD_MAX {
                return;
            }
            self.messages_held += 1;
        }
        self.held.push_back((self.changes.len(), what));
    }

    /// Begins a sync if one is needed and none is under way. Whether it began.
    pub(super) const fn begin_sync(&mut self) -> bool {
        let begins = self.syncing.is_none() && !self.is_durable();
        if begins {
            self.syncing = Some(self.changes.len());
        }
        begins
    }

    /// The sync under way has ended well.
    pub(super) fn end_sync(&mut self) {
        self.durable = self.syncing.take().expect("a sync was under way");
    }

    /// The next thing that may leave now.
    pub(super) fn release(&mut self) -> Option<Held> {
        if self.held.front()?.0 > self.durable {
            return None;
        }
        let (_, what) = self.held.pop_front()?;
        self.messages_held -= usize::from(matches!(what, Held::Message(..)));
        Some(what)
    }

    /// What waits, to be thrown away.
    pub(super) fn drain_held(&mut self) -> impl Iterator<Item = Held> + '_ {
        self.messages_held = 0;
        self.held.drain(..).map(|(_, what)| what)
    }

    /// Its process ends: of the changes that were not durable some of the first are left, as `draw` has it.
    pub(super) fn crash(&mut self, draw: &mut Draw) -> Damage {
        self.syncing = None;
        let written = self.changes.len();
        let kept = self.durable + draw.below(written - self.durable + 1);
        let torn = kept < written && draw.chance(TORN);
        if torn {
            let change = &mut self.changes[kept];
            let bytes = draw.below(change.len());
            change.truncate(bytes);
        }
        self.changes.truncate(kept + usize::from(torn));
        self.durable = self.changes.len();
        Damage {
            lost: written - kept,
            torn,
        }
    }

    /// Has the replica, which is new, take back the changes, and cuts off one that is there in part.
    pub(super) fn restore(&mut self, replica: &mut Replica) {
        for (place, bytes) in self.changes.iter().enumerate() {
            let Ok(change) = postcard::from_bytes::<Persist<'_>>(bytes) else {
                assert_eq!(place + 1, self.changes.len(), "only the last can be torn");
                self.changes.truncate(place);
                break;
            };
            replica.restore(&change);
        }
        self.sync_at_once();
    }

    /// Its contents are lost.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;

    fn written(changes: usize) -> Disk {
        let mut disk = Disk::default();
        disk.write(&mut vec![vec![0; 9]; changes]);
        disk
    }

    #[test]
    fn what_leaves_waits_for_the_sync_that_began_after_it_was_written() {
        let mut disk = written(1);
        disk.hold(Held::Reply(RequestId(1), 1));
        assert!(disk.begin_sync());
        disk.write(&mut vec![vec![0; 9]]);
        disk.hold(Held::Reply(RequestId(2), 2));
        assert!(!disk.begin_sync(), "one at a time");
        disk.end_sync();
        assert!(matches!(disk.release(), Some(Held::Reply(RequestId(1), 1))));
        assert!(disk.release().is_none(), "the second change is not durable");
        assert!(disk.begin_sync());
        disk.end_sync();
        assert!(matches!(disk.release(), Some(Held::Reply(RequestId(2), 2))));
        assert!(disk.is_durable() && !disk.begin_sync());
    }

    #[test]
    fn a_crash_takes_only_what_was_not_durable_and_each_outcome_happens() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut disk = written(3);
            disk.sync_at_once();
            disk.write(&mut vec![vec![0; 9]; 2]);
            let damage = disk.crash(&mut Draw::new(seed, Purpose::Plan));
            let left = 5 - damage.lost + usize::from(damage.torn);
            assert_eq!(disk.changes.len(), left);
            assert!(left >= 3 && disk.changes[..3].iter().all(|change| change.len() == 9));
            outcomes.insert((damage.lost, damage.torn));
        }
        let every = [(0, false), (1, false), (1, true), (2, false), (2, true)];
        assert_eq!(outcomes, every.into());
    }
}
