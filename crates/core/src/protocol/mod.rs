//! What clients, servers and replicas say to one another: plain data, no logic.
//!
//! Identities are packed into one `u64` so that a witness costs eight bytes an entry in memory,
//! on the wire and in a history. Logic over vectors and versions lives in `values`.

mod gossip;
mod message;
mod quorum;
mod raft;
mod record;
mod size;

pub use gossip::{End, GossipBody, GossipBodyKind, Update};
pub use message::{Body, BodyKind, Message, PAYLOAD_BYTES_MAX};
pub use quorum::{Pull, QuorumBody, QuorumBodyKind, QuorumWords};
pub use raft::{
    Command, Expected, LastCall, LogEntry, Position, RaftBody, RaftBodyKind, RaftWords, StateItem,
};
pub use record::{MalformedRecord, Record};
pub use size::{message_bytes, request_bytes, response_bytes};

use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

/// A node of a deployment: its place in the order of reservation, from 0 to [`NodeId::MAX`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The largest node id that a [`Dot`] can carry.
    pub const MAX: Self = Self((1 << Dot::NODE_BITS) - 1);
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A replica group: the replicas that hold the same keys. One for each shard.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct GroupId(pub u16);

/// One life of one replica: a replica that lost its state comes back under the next incarnation,
/// so that no dot is ever used twice.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(u32);

/// The `counter`-th put that a replica incarnation accepted: 12 bits of node, 12 bits of
/// incarnation, 40 bits of counter, so that dots of one origin are ordered as numbers.
///
/// Counters start at 1; a dot of counter 0 stands for "nothing of this origin yet".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dot(pub u64);

/// For each origin the largest dot applied, in ascending order, one entry an origin. An origin
/// that is absent has counter 0.
pub type Vector = SmallVec<[Dot; 4]>;

/// A last-write-wins version: a hybrid logical clock reading, ties broken by origin.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// The hybrid logical clock: 48 bits of wall clock in units of 2^16 ns, 16 bits of counter.
    pub time: u64,
    /// Node and incarnation that assigned the version (an [`Origin`] as a number).
    pub origin: u32,
}

impl Origin {
    /// The `incarnation`-th life of `node`.
    ///
    /// # Panics
    /// When either lies beyond what a [`Dot`] can carry.
    #[must_use]
    pub const fn new(node: NodeId, incarnation: u16) -> Self {
        assert!(node.0 <= NodeId::MAX.0, "node id beyond the range of a dot");
        assert!(
            incarnation < 1 << Dot::INCARNATION_BITS,
            "incarnation beyond the range of a dot"
        );
        Self(((node.0 as u32) << Dot::INCARNATION_BITS) | incarnation as u32)
    }

    /// The node that lived.
    #[must_use]
    pub const fn node(self) -> NodeId {
        NodeId((self.0 >> Dot::INCARNATION_BITS) as u16)
    }

    /// Which of its lives it was, from 0.
    #[must_use]
    pub const fn incarnation(self) -> u16 {
        (self.0 & ((1 << Dot::INCARNATION_BITS) - 1)) as u16
    }

    /// The life that this number stands for.
    #[must_use]
    pub const fn from_u32(number: u32) -> Self {
        Self(number)
    }

    /// As one number, the form that histories and versions carry.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "n{}.{}", self.node().0, self.incarnation())
    }
}

impl Dot {
    const NODE_BITS: u32 = 12;
    const INCARNATION_BITS: u32 = 12;
    const COUNTER_BITS: u32 = 40;
    /// The largest counter a dot can carry.
    pub const COUNTER_MAX: u64 = (1 << Self::COUNTER_BITS) - 1;

    /// The `counter`-th put of `origin`.
    ///
    /// # Panics
    /// When the counter is beyond [`Dot::COUNTER_MAX`].
    #[must_use]
    pub const fn new(origin: Origin, counter: u64) -> Self {
        assert!(
            counter <= Self::COUNTER_MAX,
            "counter beyond the range of a dot"
        );
        Self(((origin.0 as u64) << Self::COUNTER_BITS) | counter)
    }

    /// The replica incarnation that accepted the put.
    #[must_use]
    pub const fn origin(self) -> Origin {
        Origin((self.0 >> Self::COUNTER_BITS) as u32)
    }

    /// Which of its puts this was, from 1.
    #[must_use]
    pub const fn counter(self) -> u64 {
        self.0 & Self::COUNTER_MAX
    }
}

impl std::fmt::Debug for Dot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}:{}", self.origin(), self.counter())
    }
}

/// What a store promises for concurrent puts: which lattice its values live in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lattice {
    /// Concurrent puts are kept as siblings; sessions carry what they have seen.
    #[default]
    Causal,
    /// The put with the largest version wins.
    Lww,
}

impl Lattice {
    /// Its name, as the command line, histories and reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Causal => "causal",
            Self::Lww => "lww",
        }
    }
}

/// What a client asks of one key, borrowed from the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The key: 1 to [`KEY_BYTES_MAX`] bytes.
    pub key: &'a [u8],
    /// What to do with it.
    pub operation: Operation<'a>,
    /// What the session has seen in this key's replica group; empty under `lww` and `local`.
    pub context: &'a [Dot],
    /// Which operation of which session it is, where it may be sent again.
    pub call: Option<Call>,
}

/// Which operation of which session a request is, so that one that is sent again happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    /// The session, unique in the run.
    pub session: u32,
    /// The index of the operation in the session.
    pub operation: u32,
    /// Where the store put the last operation of the session in this group, as far as the session
    /// knows; 0 when there is none.
    pub previous: u64,
    /// Whether it was sent before.
    pub again: bool,
}

/// The kinds of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Read the key.
    Get,
    /// Write the key.
    Put {
        /// The new value, at most [`VALUE_BYTES_MAX`] bytes.
        value: &'a [u8],
    },
    /// Write the key if it holds what is expected, all at once.
    Cas {
        /// What it must hold; none when it must not be there.
        expected: Option<&'a [u8]>,
        /// The new value, at most [`VALUE_BYTES_MAX`] bytes.
        value: &'a [u8],
    },
}

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// One value that a get returns, with the evidence of the put that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sibling<'a> {
    /// What was put.
    #[serde(serialize_with = "as_bytes")]
    pub value: &'a [u8],
    /// The put's evidence.
    pub witness: PutWitness<'a>,
}

/// All at once, and not number by number.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Evidence of one put: what the server says it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PutWitness<'a> {
    /// An unreplicated store gives none.
    None,
    /// Causal: its dot, and all that its replica had applied just after it (its own dot included).
    Causal {
        /// The put's identity.
        dot: Dot,
        /// What it covers.
        vector: &'a [Dot],
    },
    /// Last write wins: its dot and its version.
    Lww {
        /// The put's version.
        version: Version,
    },
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Response<'a> {
    /// The put or the compare-and-set took effect.
    Put(PutWitness<'a>),
    /// The value or values of the key; none when it was never put.
    Get {
        /// Causal: all that the replica had applied when it answered. Empty otherwise.
        vector: &'a [Dot],
        /// The values, in ascending order of their dots; at most one but under `causal`.
        siblings: &'a [Sibling<'a>],
    },
    /// The operation certainly had no effect.
    Refused(Refusal),
    /// The operation may have taken effect, may yet, or never: too few replicas have answered. A
    /// get has none.
    Indefinite,
    /// Another node leads, and takes the operation; here it had no effect.
    NotLeader {
        /// The node, if the one that answers knows.
        leader: Option<NodeId>,
    },
    /// The compare-and-set found something else than it expected, and had no effect.
    Mismatch {
        /// What it found, where the store tells: no value where the key is not there.
        found: Option<&'a [Sibling<'a>]>,
    },
}

/// Why an operation was refused, without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The replica has not caught up with what the session has seen, and waited as long as it may:
    /// try another replica.
    Unavailable,
    /// The key belongs to another shard.
    WrongShard,
    /// The session has seen a put that is lost for ever: the session must end.
    ContextLost,
    /// A bounded queue of the replica is full: try again later.
    Overloaded,
    /// The node takes no writes: another one is the primary.
    NotPrimary,
    /// The node does not serve yet, or no longer: try another one.
    NotReady,
    /// Fewer replicas than the store was told to ask for would take the write.
    TooFewReplicas,
    /// The store refuses for a reason of its own.
    Rejected,
}
