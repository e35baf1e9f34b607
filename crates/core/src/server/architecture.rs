//! The tree that a composition is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    LocalStore, QuorumRule, QuorumStore, RaftRule, RaftStore, ReplicatedStore, SloppyStore,
    StoreKind,
};
use crate::bug::Composition;
use crate::protocol::NodeId;

/// How many replicas or shards there are when nothing is said.
pub const DEFAULT_SIZE: u16 = 3;
/// The most nodes of an architecture: all that a dot can name.
pub const NODES_MAX: usize = NodeId::MAX.0 as usize + 1;
/// The most replicas of a group: each keeps a vector entry and what it knows of each other.
pub const REPLICAS_MAX: u16 = 2_048;
/// How deep shards may be nested.
pub const DEPTH_MAX: usize = 8;

/// A composition of nodes, as `--arch` takes and prints it.
///
/// Build it with the functions, which refuse what cannot be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Architecture {
    /// One group of nodes with every key.
    Group(StoreKind),
    /// Keys partitioned by hash among this many servers of one kind.
    Sharded(u16, Box<Self>),
}

/// A size that cannot be deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleSize {
    /// No replicas or no shards.
    #[error("{0} of nothing: give at least 1, as in {0}(3)")]
    Zero(&'static str),
    /// More replicas in one group than are kept track of.
    #[error("{0} replicas in one group: at most {REPLICAS_MAX}; use sharded(..) to spread keys")]
    TooManyReplicas(u16),
    /// A quorum that waits for nobody, or for more replicas than there are.
    #[error("{name} = {count} of {replicas} replicas: give 1 to {replicas}")]
    ImpossibleQuorum {
        /// Which number it is.
        name: &'static str,
        /// How many it waits for.
        count: u16,
        /// Out of how many.
        replicas: u16,
    },
    /// A sloppy quorum that nobody stands in for.
    #[error("without spares nobody stands in for a replica: give at least 1, or use quorum(..)")]
    NoSpares,
    /// More spares in one group than are kept track of.
    #[error("{0} spares in one group: at most {REPLICAS_MAX}")]
    TooManySpares(u16),
    /// More nodes than can be named.
    #[error("{0} nodes in all: at most {NODES_MAX}; make a part smaller")]
    TooManyNodes(usize),
    /// A number of replicas for what is not replicated.
    #[error("nothing is replicated: leave the number of replicas out, or use replicated(..)")]
    NothingReplicated,
    /// More levels than are parsed.
    #[error("nested more than {DEPTH_MAX} deep; multiply the shard counts instead")]
    TooDeep,
}

impl Architecture {
    /// One node with every key.
    #[must_use]
    pub const fn local() -> Self {
        Self::Group(StoreKind::Local(LocalStore))
    }

    /// Replicas that gossip.
    ///
    /// # Errors
    /// When `replicas` is 0 or more than [`REPLICAS_MAX`].
    pub fn replicated(replicas: u16) -> Result<Self, ImpossibleSize> {
        let store = ReplicatedStore::new(replicas)?;
        Ok(Self::Group(StoreKind::Replicated(store)))
    }

    /// Replicas of which an operation waits for some.
    ///
    /// # Errors
    /// When `replicas` is 0 or more than [`REPLICAS_MAX`], or the rule waits for none or for more
    /// than there are.
    pub fn quorum(replicas: u16, rule: QuorumRule) -> Result<Self, ImpossibleSize> {
        let store = QuorumStore::new(replicas, rule)?;
        Ok(Self::Group(StoreKind::Quorum(store)))
    }

    /// Replicas of which an operation waits for some, and `spares` that stand in for them.
    ///
    /// # Errors
    /// As [`Self::quorum`], and when there are no spares or more than [`REPLICAS_MAX`].
    pub fn sloppy(replicas: u16, spares: u16, rule: QuorumRule) -> Result<Self, ImpossibleSize> {
        let store = SloppyStore::new(replicas, spares, rule)?;
        Ok(Self::Group(StoreKind::Sloppy(store)))
    }

    /// Replicas that agree on a log.
    ///
    /// # Errors
    /// When `replicas` is 0 or more than [`REPLICAS_MAX`].
    pub fn raft(replicas: u16, rule: RaftRule) -> Result<Self, ImpossibleSize> {
        let store = RaftStore::new(replicas, rule)?;
        Ok(Self::Group(StoreKind::Raft(store)))
    }

    /// Keys partitioned among `shards` copies of `inner`.
    ///
    /// # Errors
    /// When `shards` is 0, or all has more than [`NODES_MAX`] nodes or [`DEPTH_MAX`] levels.
    pub fn sharded(shards: u16, inner: Self) -> Result<Self, ImpossibleSize> {
        if shards == 0 {
            return Err(ImpossibleSize::Zero("sharded"));
        }
        if inner.depth() >= DEPTH_MAX {
            return Err(ImpossibleSize::TooDeep);
        }
        let nodes = usize::from(shards).saturating_mul(inner.size());
        if nodes > NODES_MAX {
            return Err(ImpossibleSize::TooManyNodes(nodes));
        }
        Ok(Self::Sharded(shards, Box::new(inner)))
    }

    /// The same with `replicas` replicas in every group.
    ///
    /// # Errors
    /// When it has no groups, or would be too large.
    pub fn with_replicas(&self, replicas: u16) -> Result<Self, ImpossibleSize> {
        match self {
            Self::Group(kind) => Ok(Self::Group(kind.facts().with_replicas(replicas)?)),
            Self::Sharded(shards, inner) => Self::sharded(*shards, inner.with_replicas(replicas)?),
        }
    }

    /// How many nodes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Group(kind) => usize::from(kind.facts().size()),
            Self::Sharded(shards, inner) => usize::from(*shards) * inner.size(),
        }
    }

    /// Levels of sharding.
    fn depth(&self) -> usize {
        match self {
            Self::Group(_) => 0,
            Self::Sharded(_, inner) => 1 + inner.depth(),
        }
    }
}

impl fmt::Display for Architecture {
    /// The shortest form that says the same: `sharded_replicated` for the defaults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shards, inner) = match self {
            Self::Group(kind) => return kind.fmt(f),
            Self::Sharded(shards, inner) => (*shards, &**inner),
        };
        match inner {
            Self::Group(kind) if shards == DEFAULT_SIZE && *kind == kind.row().usual => {
                f.write_str(kind.row().sharded)
            }
            // Shards of single nodes need not say so.
            Self::Group(StoreKind::Local(_)) => write!(f, "sharded({shards})"),
            Self::Group(_) | Self::Sharded(..) => write!(f, "sharded({shards}, {inner})"),
        }
    }
}

impl From<Composition> for Architecture {
    fn from(composition: Composition) -> Self {
        let parsed = composition.0.parse();
        parsed.expect("a test reads the store of every bug")
    }
}

impl From<Architecture> for String {
    fn from(architecture: Architecture) -> Self {
        architecture.to_string()
    }
}

impl TryFrom<String> for Architecture {
    type Error = super::ParseArchitectureError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
