//! One replica of the store as a deterministic state machine.
//!
//! A replica owns no socket, clock or random number generator. What happens to it arrives through
//! `handle_*`. What it wants done leaves through [`Effects`]. So the same code runs behind QUIC, in
//! the simulator and in the model checker. What has to outlive its process leaves as [`Persist`].
//! No reply and no message may leave before every earlier change of that replica is durable. A host
//! that keeps nothing gives each life a new incarnation.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod effects;
mod gossip;
mod local;
mod quorum;
mod raft;
mod shard;
mod spec;
mod status;
mod store;
#[cfg(test)]
mod toy;

#[cfg(test)]
mod tests;

pub use effects::{Effects, Input, Persist, PersistKind, RequestId, Timer, Write};
pub use gossip::{
    Gossip, GossipChange, GossipChangeKind, GossipSettings, GossipStatus, GossipTimer,
};
pub use local::Local;
pub use quorum::{Quorum, QuorumRule, QuorumSettings, QuorumStatus, QuorumTimer};
pub use raft::{
    Raft, RaftChange, RaftChangeKind, RaftRule, RaftSettings, RaftStatus, RaftTimer, Reads,
};
pub use shard::{ShardStep, shard_of};
pub use spec::{Draws, ReplicaKind, ReplicaSpec, Settings};
pub use status::{Buffer, Counters, KindStatus, Status};

use std::borrow::Cow;

use crate::protocol::{Body, Lattice, Message, NodeId, Request};
use crate::values::{CausalWrapper, LwwWrapper};

/// A replica of any kind: what a host makes from a [`ReplicaSpec`] and drives.
///
/// The host fires each timer once its delay has passed ([`Effects::set_timer`]). Each `handle_*`
/// gives exactly the same effects for the same state and input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Replica {
    /// An unreplicated store.
    Local(Local),
    /// A replica that keeps concurrent puts as siblings.
    Causal(Gossip<CausalWrapper<Vec<u8>>>),
    /// A replica under last write wins.
    Lww(Gossip<LwwWrapper<Vec<u8>>>),
    /// A replica of a quorum.
    Quorum(Quorum),
    /// A replica of a Raft group.
    Raft(Box<Raft>),
    /// The toy.
    #[cfg(test)]
    Echo(toy::Echo),
}

/// Calls the same method on whichever kind it is.
macro_rules! each {
    ($replica:expr, $inner:ident => $call:expr) => {
        match $replica {
            Self::Local($inner) => $call,
            Self::Causal($inner) => $call,
            Self::Lww($inner) => $call,
            Self::Quorum($inner) => $call,
            Self::Raft($inner) => $call,
            #[cfg(test)]
            Self::Echo($inner) => $call,
        }
    };
}

impl Replica {
    /// A replica that has seen nothing.
    #[must_use]
    pub fn new(spec: &ReplicaSpec) -> Self {
        match spec.kind {
            ReplicaKind::Local => Self::Local(Local::new(spec)),
            ReplicaKind::Replicated(Lattice::Causal) => Self::Causal(Gossip::new(spec)),
            ReplicaKind::Replicated(Lattice::Lww) => Self::Lww(Gossip::new(spec)),
            ReplicaKind::Quorum(rule) => Self::Quorum(Quorum::new(spec, rule)),
            ReplicaKind::Raft(rule) => Self::Raft(Box::new(Raft::new(spec, rule))),
            #[cfg(test)]
            ReplicaKind::Echo => Self::Echo(toy::Echo::new(spec)),
        }
    }

    /// Arms the timers. Call once, before any `handle_*`.
    pub fn start<E: Effects>(&mut self, out: &mut E) {
        match self {
            Self::Local(_) => {}
            Self::Causal(gossip) => gossip.start(out),
            Self::Lww(gossip) => gossip.start(out),
            Self::Quorum(quorum) => quorum.start(out),
            Self::Raft(raft) => raft.start(out),
            #[cfg(test)]
            Self::Echo(_) => {}
        }
    }

    /// Becomes what is left when its process ends and its state is kept, under the same
    /// incarnation: all that it had applied, its log and its clock. What only memory held is gone:
    /// waiting requests and updates, fresh updates not yet pushed, transfers, and what it knew of
    /// its peers. Call [`Self::start`] before any `handle_*`. (A replica whose state is lost is
    /// made anew, under the next incarnation.)
    pub fn recover(&mut self) {
        match self {
            Self::Local(_) => {}
            Self::Causal(gossip) => gossip.recover(),
            Self::Lww(gossip) => gossip.recover(),
            Self::Quorum(quorum) => quorum.recover(),
            Self::Raft(raft) => raft.recover(),
            #[cfg(test)]
            Self::Echo(_) => {}
        }
    }

    /// Takes back a change that it had persisted in the same incarnation, before [`Self::start`].
    /// All of them, in their order, make a new replica equal, but for its log, to what
    /// [`Self::recover`] leaves of the one that persisted them; a prefix of them to what that left
    /// at the time. A change that is there already changes nothing.
    ///
    /// # Panics
    /// When the change is one of another kind of replica.
    pub fn restore(&mut self, change: &Persist<'_>) {
        each!(self, inner => inner.restore(change));
    }

    /// All that it has of a key, as [`Persist::Record`] has it, for a host that keeps keys rather
    /// than changes; none when it has nothing of it.
    #[must_use]
    pub fn kept(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        each!(self, inner => inner.kept(key))
    }

    /// Whether it is of a quorum, and has a put that none of these others has, nor a later one of its
    /// key: the put is lost if its state is.
    #[must_use]
    pub fn has_alone<'a>(&self, others: impl Iterator<Item = &'a Self>) -> bool {
        let Self::Quorum(own) = self else {
            return false;
        };
        let quorum = |other: &'a Self| {
            let Self::Quorum(quorum) = other else {
                return None;
            };
            Some(quorum)
        };
        own.has_alone(&others.filter_map(quorum).collect::<Vec<_>>())
    }

    /// The slot and the bytes of a note that stands for every entry of the log so far
    /// ([`Write::Append`]): a host that has it and the records need not hand those back. None where
    /// the log has no entries.
    #[must_use]
    pub fn summary(&self) -> Option<(u16, Vec<u8>)> {
        if let Self::Causal(gossip) = self {
            Some(gossip.summary())
        } else if let Self::Lww(gossip) = self {
            Some(gossip.summary())
        } else if let Self::Raft(raft) = self {
            Some(raft.summary())
        } else {
            None
        }
    }

    /// The lines that take the place of a journal ([`Write::Rewrite`]); none where there is none.
    #[must_use]
    pub fn journal(&self) -> Vec<Vec<u8>> {
        if let Self::Raft(raft) = self {
            raft.journal()
        } else {
            Vec::new()
        }
    }

    /// Takes a client's request. It is answered exactly once, now or during a later `handle_*`.
    /// `id` must differ from those of all requests that wait for their answer.
    pub fn handle_request<E: Effects>(
        &mut self,
        id: RequestId,
        request: &Request<'_>,
        input: &Input<'_>,
        out: &mut E,
    ) {
        each!(self, inner => inner.handle_request(id, request, input, out));
    }

    /// Takes a message of another replica of the group. A message of a node that is not a peer is
    /// ignored and counted.
    pub fn handle_message<E: Effects>(
        &mut self,
        from: NodeId,
        message: Message,
        input: &Input<'_>,
        out: &mut E,
    ) {
        let Message { incarnation, body } = message;
        match (self, body) {
            (Self::Causal(gossip), Body::Gossip(body)) => {
                gossip.handle_message(from, incarnation, body, input, out);
            }
            (Self::Lww(gossip), Body::Gossip(body)) => {
                gossip.handle_message(from, incarnation, body, input, out);
            }
            (Self::Quorum(quorum), Body::Quorum(body)) => {
                quorum.handle_message(from, incarnation, body, out);
            }
            (Self::Raft(raft), Body::Raft(body)) => {
                raft.handle_message(from, incarnation, body, input, out);
            }
            // Its words are another kind's.
            (replica, Body::Gossip(_) | Body::Quorum(_) | Body::Raft(_)) => {
                replica.ignore_message();
            }
        }
    }

    /// Fires a timer that the replica had set.
    pub fn handle_timer<E: Effects>(&mut self, timer: Timer, input: &Input<'_>, out: &mut E) {
        match (self, timer) {
            (Self::Causal(gossip), Timer::Gossip(timer)) => gossip.handle_timer(timer, input, out),
            (Self::Lww(gossip), Timer::Gossip(timer)) => gossip.handle_timer(timer, input, out),
            (Self::Quorum(quorum), Timer::Quorum(timer)) => quorum.handle_timer(timer, input, out),
            (Self::Raft(raft), Timer::Raft(timer)) => raft.handle_timer(timer, input, out),
            // It sets no such timer.
            (_, Timer::Gossip(_) | Timer::Quorum(_) | Timer::Raft(_)) => {}
        }
    }

    const fn ignore_message(&mut self) {
        each!(self, inner => inner.ignore_message());
    }

    /// Requests for these keys are about to be handled. Changes nothing. A host that has read
    /// several requests calls this before it handles the first one. It then waits for memory once,
    /// and not once for each request.
    pub fn anticipate<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        each!(self, inner => inner.anticipate(keys));
    }

    /// What the replica holds and has done. Takes time in proportion to the number of keys.
    #[must_use]
    pub fn status(&self) -> Status {
        each!(self, inner => inner.status())
    }
}
