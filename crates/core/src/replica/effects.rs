//! The inputs and the effects of a replica: its contract with every host.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    GossipChange, GossipChangeKind, GossipTimer, QuorumTimer, RaftChange, RaftChangeKind,
    RaftTimer, Settings,
};
use crate::protocol::{Dot, Message, NodeId, Response};

/// A request that waits for its answer, as its host named it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// A timer by name: each kind of replica has its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// Of a replica that gossips.
    Gossip(GossipTimer),
    /// Of a replica of a quorum.
    Quorum(QuorumTimer),
    /// Of a replica of a Raft group.
    Raft(RaftTimer),
}

impl Timer {
    /// How many of the drawn peers a replica with these settings looks at when the timer fires: the
    /// first ones. What is beyond makes no difference.
    #[must_use]
    pub const fn peers_used(self, settings: &Settings) -> usize {
        match self {
            Self::Gossip(timer) => timer.peers_used(&settings.gossip),
            Self::Quorum(timer) => timer.peers_used(),
            Self::Raft(_) => 0,
        }
    }

    /// Whether the replica sets it again whenever it fires, for ever.
    #[must_use]
    pub const fn recurs(self) -> bool {
        match self {
            Self::Gossip(timer) => timer.recurs(),
            Self::Quorum(timer) => timer.recurs(),
            Self::Raft(timer) => timer.recurs(),
        }
    }

    /// What a replica does when it fires, as a verb with its object.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Gossip(timer) => timer.action(),
            Self::Quorum(timer) => timer.action(),
            Self::Raft(timer) => timer.action(),
        }
    }
}

/// By its own name: a replica has only the timers of its kind.
impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gossip(timer) => timer.fmt(f),
            Self::Quorum(timer) => timer.fmt(f),
            Self::Raft(timer) => timer.fmt(f),
        }
    }
}

/// What a replica has to find again when its process ends: a change of its state, in the order in
/// which the changes were made. [`super::Replica::restore`] takes them back in that order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persist<'a> {
    /// The replica has something else of a key.
    Record {
        /// The key.
        #[serde(borrow)]
        key: Cow<'a, [u8]>,
        /// All that it has of the key, as its kind encodes it; empty where it has nothing any more.
        #[serde(borrow)]
        value: Cow<'a, [u8]>,
    },
    /// A small fact that is about no key.
    Note {
        /// Which fact: a later note of the same slot replaces it.
        slot: u16,
        /// The fact, as its kind encodes it.
        #[serde(borrow)]
        bytes: Cow<'a, [u8]>,
    },
    /// An entry of the log, as [`Write::Append`] gave it, or a line of the journal, as
    /// [`Write::Line`] did. No replica persists one: hosts that keep
    /// keys hand them back.
    Entry {
        /// The entry.
        #[serde(borrow)]
        bytes: Cow<'a, [u8]>,
    },
    /// A change of a replica that gossips.
    Gossip(#[serde(borrow)] GossipChange<'a>),
    /// A change of a replica of a Raft group.
    Raft(#[serde(borrow)] RaftChange<'a>),
}

/// What a change means to a host that keeps keys, notes, a log and a journal rather than changes.
///
/// Such a host hands back first the notes, then the records, then the entries of its log and the
/// lines of its journal in their order. It may forget the first entries of the log in exchange for a
/// note that the replica made when they were there: see [`super::Replica::summary`].
///
/// A log goes with the keys, whose changes it tells. A journal is what comes before any change of a
/// key: its lines are durable by themselves, so that a host may keep it in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// The replica has something else of this key: [`super::Replica::kept`] says what.
    Key {
        /// The key.
        key: &'a [u8],
        /// About how many bytes of it are new, beyond what is appended to the log.
        bytes: usize,
    },
    /// A fact that is about no key, in place of what was noted under this slot.
    Note {
        /// Which fact.
        slot: u16,
        /// The fact.
        bytes: &'a [u8],
    },
    /// The log has one more entry.
    Append(Vec<u8>),
    /// All entries of the log are out of date: [`super::Replica::summary`] takes their place.
    Restart,
    /// The journal has one more line.
    Line(Vec<u8>),
    /// All lines of the journal are out of date: [`super::Replica::journal`] takes their place once
    /// the keys, and the note that [`super::Replica::summary`] has, are durable.
    Rewrite,
}

/// A kind of change that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PersistKind {
    /// [`Persist::Record`].
    Record,
    /// [`Persist::Note`], with its slot.
    Note(u16),
    /// [`Persist::Entry`].
    Entry,
    /// [`Persist::Gossip`].
    Gossip(GossipChangeKind),
    /// [`Persist::Raft`].
    Raft(RaftChangeKind),
}

impl Persist<'_> {
    /// Which kind of change it is.
    #[must_use]
    pub fn kind(&self) -> PersistKind {
        match self {
            Self::Record { .. } => PersistKind::Record,
            Self::Note { slot, .. } => PersistKind::Note(*slot),
            Self::Entry { .. } => PersistKind::Entry,
            Self::Gossip(change) => PersistKind::Gossip(change.kind()),
            Self::Raft(change) => PersistKind::Raft(change.kind()),
        }
    }

    /// The one put that it says was applied, if that put has a dot.
    #[must_use]
    pub fn applied(&self) -> Option<Dot> {
        match self {
            Self::Gossip(change) => change.applied(),
            Self::Record { .. } | Self::Note { .. } | Self::Entry { .. } | Self::Raft(_) => None,
        }
    }

    /// What it means to a host that keeps keys, notes and a log.
    pub fn writes(&self, mut write: impl FnMut(Write<'_>)) {
        match self {
            Self::Record { key, value } => write(Write::Key {
                key,
                bytes: value.len(),
            }),
            Self::Note { slot, bytes } => write(Write::Note { slot: *slot, bytes }),
            Self::Entry { bytes } => write(Write::Append(bytes.to_vec())),
            Self::Gossip(change) => change.writes(write),
            Self::Raft(change) => change.writes(write),
        }
    }
}

impl fmt::Debug for PersistKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => f.write_str("Record"),
            Self::Note(slot) => write!(f, "Note({slot})"),
            Self::Entry => f.write_str("Entry"),
            Self::Gossip(kind) => kind.fmt(f),
            Self::Raft(kind) => kind.fmt(f),
        }
    }
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

    /// Calls `handle_timer` once, `delay_ms` from now; with 0, as soon as the current batch of
    /// inputs was handled. A timer that runs and is set again starts anew, with this delay.
    fn set_timer(&mut self, timer: Timer, delay_ms: u64);
}

/// What the host knows and a replica may not find out by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The node's wall clock, in ns since 1970, right or wrong.
    pub wall_ns: u64,
    /// Peers drawn at random without repetition, freshly for each timer, as many as
    /// [`super::Draws::peers`] says; may be empty for requests and messages.
    pub peers: &'a [NodeId],
    /// Random bits, drawn freshly for each input where [`super::Draws::random`] says so; 0
    /// otherwise.
    pub random: u64,
}
