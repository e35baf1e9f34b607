//! What replicas of one group say to one another. Any message may be lost, repeated or reordered.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GossipBody, GossipBodyKind, QuorumBody, QuorumBodyKind, RaftBody, RaftBodyKind};

/// How many bytes of records one message carries at most, unless one record alone is larger.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// A message between replicas of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Which life of the sender says so.
    pub incarnation: u16,
    /// What it says.
    pub body: Body,
}

/// What a message says: each kind of replica has its own words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Body {
    /// Of a replica that gossips.
    Gossip(GossipBody),
    /// Of a replica of a quorum.
    Quorum(QuorumBody),
    /// Of a replica of a Raft group.
    Raft(RaftBody),
}

/// A kind of message.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyKind {
    /// Of a replica that gossips.
    Gossip(GossipBodyKind),
    /// Of a replica of a quorum.
    Quorum(QuorumBodyKind),
    /// Of a replica of a Raft group.
    Raft(RaftBodyKind),
}

impl Body {
    /// Which kind of message it is.
    #[must_use]
    pub const fn kind(&self) -> BodyKind {
        match self {
            Self::Gossip(body) => BodyKind::Gossip(body.kind()),
            Self::Quorum(body) => BodyKind::Quorum(body.kind()),
            Self::Raft(body) => BodyKind::Raft(body.kind()),
        }
    }

    /// How many puts it carries.
    #[must_use]
    pub fn puts(&self) -> usize {
        match self {
            Self::Gossip(body) => body.updates().len(),
            Self::Quorum(body) => body.updates().len(),
            Self::Raft(body) => body.puts(),
        }
    }
}

impl BodyKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gossip(kind) => kind.name(),
            Self::Quorum(kind) => kind.name(),
            Self::Raft(kind) => kind.name(),
        }
    }
}

/// As its kind of replica says it: a group has only one kind.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gossip(body) => body.fmt(f),
            Self::Quorum(body) => body.fmt(f),
            Self::Raft(body) => body.fmt(f),
        }
    }
}

impl fmt::Debug for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gossip(kind) => kind.fmt(f),
            Self::Quorum(kind) => kind.fmt(f),
            Self::Raft(kind) => kind.fmt(f),
        }
    }
}
