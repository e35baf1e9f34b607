//! What a modelled node has on its disk, and what may not leave the node before more of it is
//! durable. Changes become durable one after another, each at any moment; a process may end at any
//! moment too, and then any number of those that are not durable are left.

use std::sync::Arc;

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// The changes that the replica has persisted, encoded.
    changes: Vec<Arc<[u8]>>,
    /// How many of them are durable.
    durable: usize,
    /// What waits, and until how many are durable.
    held: Vec<(usize, Held)>,
}

impl Disk {
    pub(crate) fn write(&mut self, change: &Persist<'_>) {
        let bytes = postcard::to_stdvec(change).expect("a change is plain data");
        self.changes.push(bytes.into());
    }

    pub(crate) const fn is_durable(&self) -> bool {
        self.durable == self.changes.len()
    }

    pub(crate) fn hold(&mut self, what: Held) {
        self.held.push((self.changes.len(), what));
    }

    /// One more change is durable. Gives what may leave now, in its order.
    pub(crate) fn sync(&mut self) -> Vec<Held> {
        self.durable += 1;
        let still = self
            .held
            .iter()
            .take_while(|(until, _)| *until <= self.durable);
        let free = still.count();
        self.held.drain(..free).map(|(_, what)| what).collect()
    }

    /// How many changes a process that ends now may leave.
    pub(crate) fn may_be_left(&self) -> std::ops::RangeInclusive<usize> {
        self.durable..=self.changes.len()
    }

    /// The process ends and leaves so many changes, which make up the replica that comes back.
    pub(crate) fn crash(&mut self, left: usize, spec: &ReplicaSpec) -> Replica {
        self.changes.truncate(left);
        self.durable = left;
        self.held.clear();
        let mut replica = Replica::new(spec);
        for bytes in &self.changes {
            let change = postcard::from_bytes(bytes).expect("it was encoded by `write`");
            replica.restore(&change);
        }
        replica
    }
}
