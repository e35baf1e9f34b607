//! What replicas that gossip say to one another (`replica::gossip`).

use serde::{Deserialize, Serialize};

use super::{Dot, NodeId, Record, Vector};

/// One put on its way to another replica.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Update {
    /// Its identity.
    pub dot: Dot,
    /// Last write wins: the time of its version. 0 under `causal`.
    pub time: u64,
    /// Its key, value and dependencies.
    pub record: Record,
}

/// Where the earlier lives of a node ended, as its next life found out from every peer that it
/// could hear. Updates beyond that are lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct End {
    /// The node that lost its state.
    pub node: NodeId,
    /// The life that declares it; all smaller incarnations of the node have ended.
    pub incarnation: u16,
    /// Which of that life's declarations this is, from 1: a later one replaces it.
    pub round: u32,
    /// The last dot of each ended life that any replica has; absent means none.
    pub last: Vector,
}

/// What a message of a replica that gossips says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GossipBody {
    /// Puts for the receiver to apply.
    Updates {
        /// What the sender had applied.
        vector: Vector,
        /// Whether they are a rumour, to be passed on once, or the answer to a digest.
        fresh: bool,
        /// The puts.
        updates: Vec<Update>,
    },
    /// What the sender has applied. The receiver answers with exactly what is missing.
    Digest {
        /// What the sender has applied.
        vector: Vector,
        /// The lost lives it knows of.
        ends: Vec<End>,
        /// Whether the sender wants the receiver's digest in return.
        ask: bool,
    },
    /// Asks for the next chunk of the state that the receiver offered at `vector`.
    StateRequest {
        /// The life of the node that offered it: another one keeps its keys in another order.
        incarnation: u16,
        /// Which state: what its sender had applied when it was taken.
        vector: Vector,
        /// How many keys of it the sender of this message has.
        from: u64,
    },
    /// A part of the whole state, for a replica that the update log no longer reaches.
    StateChunk {
        /// What the sender had applied when the state was taken.
        vector: Vector,
        /// How many keys came before this chunk.
        from: u64,
        /// Where the next chunk starts; none after the last one.
        next: Option<u64>,
        /// The siblings of this chunk's keys.
        updates: Vec<Update>,
    },
}

/// A kind of [`GossipBody`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GossipBodyKind {
    /// [`GossipBody::Updates`] that are a rumour.
    Rumour,
    /// [`GossipBody::Updates`] that the receiver lacks.
    Missing,
    /// [`GossipBody::Digest`].
    Digest,
    /// [`GossipBody::StateRequest`].
    StateRequest,
    /// [`GossipBody::StateChunk`].
    StateChunk,
}

impl GossipBody {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> GossipBodyKind {
        match self {
            Self::Updates { fresh: true, .. } => GossipBodyKind::Rumour,
            Self::Updates { fresh: false, .. } => GossipBodyKind::Missing,
            Self::Digest { .. } => GossipBodyKind::Digest,
            Self::StateRequest { .. } => GossipBodyKind::StateRequest,
            Self::StateChunk { .. } => GossipBodyKind::StateChunk,
        }
    }

    /// The puts that it carries.
    #[must_use]
    pub fn updates(&self) -> &[Update] {
        match self {
            Self::Updates { updates, .. } | Self::StateChunk { updates, .. } => updates,
            Self::Digest { .. } | Self::StateRequest { .. } => &[],
        }
    }

    /// What its sender had applied, or what the state holds that it is about.
    #[must_use]
    pub fn vector(&self) -> &[Dot] {
        match self {
            Self::Updates { vector, .. }
            | Self::Digest { vector, .. }
            | Self::StateRequest { vector, .. }
            | Self::StateChunk { vector, .. } => vector,
        }
    }
}

impl GossipBodyKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rumour => "rumour",
            Self::Missing => "missing",
            Self::Digest => "digest",
            Self::StateRequest => "state request",
            Self::StateChunk => "state",
        }
    }
}
