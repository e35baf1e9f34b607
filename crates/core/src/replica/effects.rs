//! The inputs and the effects of a replica: its contract with every host.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::protocol::{Dot, End, Message, NodeId, Response, Update};

/// A request that waits for its answer, as its host named it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// A timer by name. How long it takes is the host's business ([`super::Settings::delay_ms`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// Pushes fresh updates: due as soon as the current batch of inputs was handled.
    Rumour,
    /// Exchanges digests with a peer, for ever.
    AntiEntropy,
    /// Looks for deferred requests that have waited long enough.
    Deferral,
}

/// What a replica has to find again when its process ends: a change of its state, in the order in
/// which the changes were made. [`super::Replica::restore`] takes them back in that order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persist<'a> {
    /// Unreplicated: a key has a new value.
    Put {
        /// The key.
        #[serde(borrow)]
        key: Cow<'a, [u8]>,
        /// What was put.
        #[serde(borrow)]
        value: Cow<'a, [u8]>,
    },
    /// An update was applied, its own or another replica's.
    Update(Cow<'a, Update>),
    /// A state was merged: these puts, and with them everything up to this vector.
    State {
        /// What its sender had applied.
        vector: Cow<'a, [Dot]>,
        /// The puts that were left of it.
        updates: Cow<'a, [Update]>,
    },
    /// It is known where the earlier lives of a node ended.
    End(Cow<'a, End>),
}

/// All that a replica has of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept<'a> {
    /// Unreplicated: the value.
    Value(&'a [u8]),
    /// The puts that are left of it, in ascending order of their dots.
    Updates(Vec<Update>),
}

/// Where a replica's effects go.
pub trait Effects {
    /// Keeps a change of the state. No later reply and no later message of this replica may leave
    /// before the change is durable: neither may show a put that a crash could still take back. A
    /// host that keeps nothing (durability `memory`) leaves it at this, and must give a replica
    /// that comes back the next incarnation.
    fn persist(&mut self, change: &Persist<'_>) {
        let _ = change;
    }

    /// Answers a request, exactly once. The response borrows from the replica, so that a host can
    /// encode it in place.
    fn reply(&mut self, to: RequestId, response: &Response<'_>);

    /// Delivers a message to a peer: at most once, in any order, or never.
    fn send(&mut self, to: NodeId, message: Message);

    /// Calls `handle_timer` once, when the timer's time has passed. A replica sets a timer again
    /// only after it fired.
    fn set_timer(&mut self, timer: Timer);
}

/// What the host knows and a replica may not find out by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The node's wall clock, in ns since 1970, right or wrong.
    pub wall_ns: u64,
    /// Peers drawn at random without repetition, `fanout` many, freshly for each timer; may be
    /// empty for requests and messages. Anti-entropy uses the first.
    pub peers: &'a [NodeId],
}
