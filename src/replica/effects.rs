//! What a replica is given and what it wants done: the contract with every host.

use serde::{Deserialize, Serialize};

use crate::protocol::{Message, NodeId, Response};

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

/// Where a replica's effects go.
pub trait Effects {
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
