//! What a modelled node has on its disk, and what may not leave the node before more of it is
//! durable. Changes become durable one after another, each at any moment. A process may end at any
//! moment, too. Any number of the changes that were not durable are left then.

use std::sync::Arc;

use kvs_core::barrier::Barrier;
use kvs_core::bug::Bug;
use kvs_core::replica::{Persist, Replica, ReplicaSpec, RequestId};

use crate::nodes::Packet;
use crate::reply::Reply;
use crate::shared::Shared;

/// What waits for the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    Reply(RequestId, Reply),
    Packet(Shared<Packet>),
}

/// A node's disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// The changes that the replica has persisted, encoded.
    changes: Vec<Arc<[u8]>>,
    barrier: Barrier<Held>,
}

impl Disk {
    /// The disk of a replica without state, with the bug that is planted in it, if any.
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self {
            changes: Vec::new(),
            barrier: Barrier::new(bug),
        }
    }

    pub(crate) fn write(&mut self, change: &Persist<'_>) {
        let bytes = postcard::to_stdvec(change).expect("a change is plain data");
        self.changes.push(bytes.into());
        self.barrier.note(1);
    }

    pub(crate) const fn is_durable(&self) -> bool {
        self.barrier.is_durable()
    }

    /// Whether what would leave now has to wait.
    pub(crate) const fn holds(&self) -> bool {
        self.barrier.holds()
    }

    pub(crate) fn hold(&mut self, what: Held) {
        self.barrier.hold(what);
    }

    /// One more change is durable. Gives what may leave now, in its order.
    pub(crate) fn sync(&mut self) -> Vec<Held> {
        self.barrier.advance();
        std::iter::from_fn(|| self.barrier.release()).collect()
    }

    /// How many changes a process that ends now may leave.
    pub(crate) fn may_be_left(&self) -> std::ops::RangeInclusive<usize> {
        self.barrier.durable() as usize..=self.changes.len()
    }

    /// The process ends and leaves so many changes, which make up the replica that comes back.
    pub(crate) fn crash(&mut self, left: usize, spec: &ReplicaSpec) -> Replica {
        self.changes.truncate(left);
        // What waited is lost with the process.
        self.barrier.crash(left as u64).for_each(drop);
        let mut replica = Replica::new(spec);
        for bytes in &self.changes {
            let change = postcard::from_bytes(bytes).expect("it was encoded by `write`");
            replica.restore(&change);
        }
        replica
    }
}
