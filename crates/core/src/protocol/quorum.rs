//! What the replicas of a quorum say to one another (`replica::quorum`).

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Dot, NodeId, Origin, Update};

/// A message of a replica of a quorum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuorumBody {
    /// The newest lives that the sender knows of, one a node, ascending; without those that never
    /// lost their state.
    pub lives: SmallVec<[Origin; 2]>,
    /// What it says.
    pub words: QuorumWords,
}

/// What a message of a replica of a quorum says.
///
/// An operation is named by the node that coordinates it, its incarnation and a number that it
/// never used before, as a [`Dot`]. A version is the put's dot: the counter decides, then node and
/// incarnation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QuorumWords {
    /// Asks what the receiver has of a key.
    Query {
        /// The operation.
        operation: Dot,
        /// The key.
        key: Box<[u8]>,
        /// The put is wanted if its version is above this one; none when only the version is.
        above: Option<Dot>,
    },
    /// What the sender has of the key that it was asked for.
    Answer {
        /// The operation.
        operation: Dot,
        /// Its version; counter 0 when it has nothing.
        version: Dot,
        /// The put, where it was wanted.
        update: Option<Update>,
    },
    /// Asks the receiver to keep a put, unless it has a later one.
    Write {
        /// The operation.
        operation: Dot,
        /// The put.
        update: Update,
    },
    /// The sender has the put of that operation, or a later one.
    Written {
        /// The operation.
        operation: Dot,
        /// For whom it has it: itself, unless it is a spare.
        home: NodeId,
    },
    /// Asks for digests, if they differ from the sender's.
    Compare {
        /// A group of buckets; none for all groups.
        group: Option<u8>,
        /// The sender's digest of it.
        digest: u64,
    },
    /// The digests of the parts of what was compared, in their order.
    Digests {
        /// A group of buckets; none for all groups.
        group: Option<u8>,
        /// One digest a part; none where the whole is the same.
        digests: Vec<u64>,
    },
    /// Asks for puts.
    Pull(Pull),
    /// Puts that were asked for, in the order of buckets and keys.
    Chunk {
        /// What was asked for.
        pull: Pull,
        /// As many as fit.
        updates: Vec<Update>,
        /// Whether there are more.
        more: bool,
        /// Whether the sender has all that it ever acknowledged.
        whole: bool,
    },
    /// Asks a spare to hold a put for a replica that has not answered.
    Hint {
        /// The operation.
        operation: Dot,
        /// Whom it is for.
        home: NodeId,
        /// The put.
        update: Update,
    },
    /// Puts that a spare has held for the receiver.
    HandOver {
        /// As many as fit.
        updates: Vec<Update>,
    },
    /// The sender has these puts, or later ones of their keys.
    HandedOver {
        /// Their keys and versions.
        puts: Vec<(Box<[u8]>, Dot)>,
    },
}

/// Which puts are asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pull {
    /// A group and which of its buckets, one bit each; none for all that there is.
    pub part: Option<(u8, u64)>,
    /// The key after which to begin; none for the start.
    pub after: Option<Box<[u8]>>,
}

/// A kind of [`QuorumWords`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuorumBodyKind {
    /// [`QuorumWords::Query`].
    Query,
    /// [`QuorumWords::Answer`].
    Answer,
    /// [`QuorumWords::Write`].
    Write,
    /// [`QuorumWords::Written`].
    Written,
    /// [`QuorumWords::Compare`].
    Compare,
    /// [`QuorumWords::Digests`].
    Digests,
    /// [`QuorumWords::Pull`].
    Pull,
    /// [`QuorumWords::Chunk`].
    Chunk,
    /// [`QuorumWords::Hint`].
    Hint,
    /// [`QuorumWords::HandOver`].
    HandOver,
    /// [`QuorumWords::HandedOver`].
    HandedOver,
}

impl QuorumBody {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> QuorumBodyKind {
        match self.words {
            QuorumWords::Query { .. } => QuorumBodyKind::Query,
            QuorumWords::Answer { .. } => QuorumBodyKind::Answer,
            QuorumWords::Write { .. } => QuorumBodyKind::Write,
            QuorumWords::Written { .. } => QuorumBodyKind::Written,
            QuorumWords::Compare { .. } => QuorumBodyKind::Compare,
            QuorumWords::Digests { .. } => QuorumBodyKind::Digests,
            QuorumWords::Pull(_) => QuorumBodyKind::Pull,
            QuorumWords::Chunk { .. } => QuorumBodyKind::Chunk,
            QuorumWords::Hint { .. } => QuorumBodyKind::Hint,
            QuorumWords::HandOver { .. } => QuorumBodyKind::HandOver,
            QuorumWords::HandedOver { .. } => QuorumBodyKind::HandedOver,
        }
    }

    /// The puts that it carries.
    #[must_use]
    pub fn updates(&self) -> &[Update] {
        match &self.words {
            QuorumWords::Answer { update, .. } => update.as_slice(),
            QuorumWords::Write { update, .. } | QuorumWords::Hint { update, .. } => {
                std::slice::from_ref(update)
            }
            QuorumWords::Chunk { updates, .. } | QuorumWords::HandOver { updates } => updates,
            QuorumWords::Query { .. }
            | QuorumWords::Written { .. }
            | QuorumWords::Compare { .. }
            | QuorumWords::Digests { .. }
            | QuorumWords::Pull(_)
            | QuorumWords::HandedOver { .. } => &[],
        }
    }
}

impl QuorumBodyKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Answer => "answer",
            Self::Write => "write",
            Self::Written => "written",
            Self::Compare => "compare",
            Self::Digests => "digests",
            Self::Pull => "pull",
            Self::Chunk => "chunk",
            Self::Hint => "hint",
            Self::HandOver => "hand-over",
            Self::HandedOver => "handed over",
        }
    }
}
