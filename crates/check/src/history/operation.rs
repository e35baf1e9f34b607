//! One operation as a history knows it: plain data, borrowed from wherever it came from.

use serde::{Deserialize, Serialize};

/// The id that stands in a read list for a payload that its own id does not derive.
pub const CORRUPT: u64 = u64::MAX;

/// The id of the value that operation `index` of `session` writes.
#[must_use]
pub const fn value_id(session: u32, index: u32) -> u64 {
    ((session as u64) << 32) | index as u64
}

/// The session that wrote a value id.
#[must_use]
pub const fn id_session(id: u64) -> u32 {
    (id >> 32) as u32
}

/// The place in its session of the put that wrote a value id.
#[must_use]
pub const fn id_index(id: u64) -> u32 {
    id as u32
}

/// Bits of a dot that hold its counter; the rest is the origin.
const DOT_COUNTER_BITS: u32 = 40;
/// Bits of an origin that hold the incarnation; the rest is the node.
const ORIGIN_INCARNATION_BITS: u32 = 12;

/// A dot: the `counter`-th put that `incarnation` of `node` accepted, as one number in which the
/// dots of one origin are ordered by counter. `node` and `incarnation` have 12 bits, `counter` 40.
#[must_use]
pub const fn dot(node: u16, incarnation: u16, counter: u64) -> u64 {
    ((origin(node, incarnation) as u64) << DOT_COUNTER_BITS) | counter
}

/// An origin: one life of one node's replica, as one number.
#[must_use]
pub const fn origin(node: u16, incarnation: u16) -> u32 {
    ((node as u32) << ORIGIN_INCARNATION_BITS) | incarnation as u32
}

/// The origin of a dot.
#[must_use]
pub const fn dot_origin(dot: u64) -> u32 {
    (dot >> DOT_COUNTER_BITS) as u32
}

/// The counter of a dot.
#[must_use]
pub const fn dot_counter(dot: u64) -> u64 {
    dot & ((1 << DOT_COUNTER_BITS) - 1)
}

/// The node of an origin.
#[must_use]
pub const fn origin_node(origin: u32) -> u16 {
    (origin >> ORIGIN_INCARNATION_BITS) as u16
}

/// The incarnation of an origin.
#[must_use]
pub const fn origin_incarnation(origin: u32) -> u16 {
    (origin & ((1 << ORIGIN_INCARNATION_BITS) - 1)) as u16
}

/// Declares a field-less enum together with its names in files, so that the two cannot part. A value
/// `if test` is there for the tests of this crate alone.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$vmeta:meta])* $variant:ident $(if $cfg:ident)? = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $name {
            $($(#[cfg($cfg)])? $(#[$vmeta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of its numbers.
            pub const ALL: &'static [Self] = &[$($(#[cfg($cfg)])? Self::$variant,)+];

            /// The name in files and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant => $text,)+
                }
            }

            /// The value of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// What an operation did.
    Kind {
        /// Wrote a value.
        Put = "put",
        /// Read the key.
        Get = "get",
        /// Wrote a value if the key held the expected one.
        Cas = "cas",
        /// Wrote what the key held with a value after it.
        Append = "append",
    }
}

named! {
    /// How an operation ended, in Jepsen's words.
    Outcome {
        /// It took effect and the reply was seen.
        Ok = "ok",
        /// It certainly had no effect.
        Fail = "fail",
        /// Unknown: it may have taken effect, may yet, or never will.
        Info = "info",
    }
}

named! {
    /// Why an operation was not `ok`.
    ErrorKind {
        /// No reply in time.
        Timeout = "timeout",
        /// The connection broke while the operation was under way.
        Disconnected = "disconnected",
        /// The replica had not caught up with what the session has seen.
        Unavailable = "unavailable",
        /// The node does not serve the key's shard.
        WrongShard = "wrong-shard",
        /// The session has seen a put that is lost for ever.
        ContextLost = "context-lost",
        /// A bounded queue was full.
        Overloaded = "overloaded",
        /// There was no connection to send the operation on.
        NoConnection = "no-connection",
        /// The reply could not be understood.
        Malformed = "malformed",
        /// A compare-and-set found another value than the expected one.
        Mismatch = "mismatch",
        /// The node takes no writes: another one is the primary.
        NotPrimary = "not-primary",
        /// The node did not serve yet, or no longer.
        NotReady = "not-ready",
        /// Fewer replicas than the store was told to ask for would take the write.
        TooFewReplicas = "too-few-replicas",
        /// The store refused for a reason of its own.
        Rejected = "rejected",
        /// The store answered that it does not know whether the operation took effect.
        Indefinite = "indefinite",
    }
}

named! {
    /// The part of a run that an operation belongs to.
    Phase {
        /// Filling the store.
        Load = "load",
        /// The measured workload and its warm-up.
        Run = "run",
        /// Reading every key back from every replica after the store has gone quiet.
        Final = "final",
        /// A read of a key at one node by itself, after the store has gone quiet. The node may be
        /// behind, so the read counts when replicas are compared and in no other model.
        Local = "local",
    }
}

impl Phase {
    /// Whether its gets say what a replica holds in the end.
    #[must_use]
    pub const fn is_after_run(self) -> bool {
        matches!(self, Self::Final | Self::Local)
    }
}

named! {
    /// Which puts a put supersedes, where concurrent ones are kept as siblings.
    Dominance {
        /// All that its replica had applied.
        Applied = "applied",
        /// What its client said it had seen (Dynamo, Riak): the puts of the context that it sent,
        /// and what those supersede.
        Context = "context",
    }
}

/// Stores that say nothing do as the ones of this project.
impl Default for Dominance {
    fn default() -> Self {
        Self::Applied
    }
}

pub(crate) use named;

/// A last-write-wins version. The derived order is the arbitration order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// The hybrid logical clock's reading; [`u64::MAX`] is not a reading.
    pub time: u64,
    /// The origin that assigned it ([`origin`]).
    pub origin: u32,
}

/// The evidence of the siblings that a get returned, flattened so that a caller can reuse its
/// buffers: entry `i` describes the `i`-th id of the row's read list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Siblings<'a> {
    /// Each sibling's dot.
    pub dots: &'a [u64],
    /// Where each sibling's vector ends in `vectors`, counted in entries.
    pub ends: &'a [u32],
    /// The siblings' vectors one after another.
    pub vectors: &'a [u64],
    /// Where the first sibling's vector starts in `vectors`: 0 unless they are part of more.
    pub base: u32,
}

/// Equal when they say the same, wherever it is stored.
impl PartialEq for Siblings<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.dots == other.dots && (0..self.dots.len()).all(|i| self.vector(i) == other.vector(i))
    }
}

impl Eq for Siblings<'_> {}

impl<'a> Siblings<'a> {
    /// The vector of the `i`-th sibling.
    ///
    /// # Panics
    /// When there is no such sibling, or the ends do not ascend within `vectors`.
    #[must_use]
    pub fn vector(&self, i: usize) -> &'a [u64] {
        let start = if i == 0 { self.base } else { self.ends[i - 1] };
        &self.vectors[start as usize..self.ends[i] as usize]
    }
}

/// What the server said about the operation. Vectors are dots in ascending order, one for each
/// origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Witness<'a> {
    /// Nothing: the store gives no evidence, or there was no reply.
    #[default]
    None,
    /// Of a causal put.
    Put {
        /// The put's dot.
        dot: u64,
        /// What its replica had applied just after it.
        vector: &'a [u64],
    },
    /// Of a causal get.
    Get {
        /// What its replica had applied when it answered.
        vector: &'a [u64],
        /// The siblings' evidence, in the order of the read list.
        siblings: Siblings<'a>,
    },
    /// Of a last-write-wins operation: the version that a put got or that a get read. A get that
    /// found nothing carries none.
    Version(Option<Version>),
}

/// One operation: a row of a history.
///
/// ```
/// use kvs_check::{Row, history::{Kind, value_id}};
///
/// // The fourth operation of session 2 puts a value to key 7.
/// let put = Row {
///     session: 2,
///     index: 3,
///     kind: Kind::Put,
///     key: 7,
///     written: value_id(2, 3),
///     invoke: 10,
///     returned: Some(20),
///     ..Row::EMPTY
/// };
/// assert_eq!(put.outcome, kvs_check::Outcome::Ok);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The session, a single-threaded logical client.
    pub session: u32,
    /// The operation's place in its session. Ascending, gaps are allowed.
    pub index: u32,
    /// What it did.
    pub kind: Kind,
    /// The key.
    pub key: u64,
    /// The id of the value that a put, a compare-and-set or an append wrote; 0 for a get.
    pub written: u64,
    /// The ids that a get read; empty when it found nothing, and for a put. The one that a
    /// compare-and-set expected; empty when it expected nothing.
    pub read: &'a [u64],
    /// When it was meant to start, in ns since the run began.
    pub intended: u64,
    /// When it started, in ns since the run began.
    pub invoke: u64,
    /// When the reply was seen or hope was given up; absent while unknown.
    pub returned: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not `ok`.
    pub error: Option<ErrorKind>,
    /// The node that was asked.
    pub node: u16,
    /// The node's incarnation when it answered; 0 without a reply.
    pub incarnation: u16,
    /// The replica group of the key.
    pub group: u16,
    /// The part of the run.
    pub phase: Phase,
    /// Of a put: the ids of the values that its client said it had seen, none for a blind put.
    /// Absent where it was not recorded: what the session's last get of the key had returned.
    pub context: Option<&'a [u64]>,
    /// The server's evidence.
    pub witness: Witness<'a>,
}

impl Row<'_> {
    /// An `ok` get of nothing by session 0 on key 0 at time 0: what a literal row starts from.
    pub const EMPTY: Row<'static> = Row {
        session: 0,
        index: 0,
        kind: Kind::Get,
        key: 0,
        written: 0,
        read: &[],
        intended: 0,
        invoke: 0,
        returned: None,
        outcome: Outcome::Ok,
        error: None,
        node: 0,
        incarnation: 0,
        group: 0,
        phase: Phase::Run,
        context: None,
        witness: Witness::None,
    };
}
