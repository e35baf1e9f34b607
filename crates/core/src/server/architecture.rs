//! The tree that a composition is.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// One node with every key.
    Local,
    /// This many replicas of every key, which gossip.
    Replicated(u16),
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
    /// Replicas that gossip.
    ///
    /// # Errors
    /// When `replicas` is 0 or more than [`REPLICAS_MAX`].
    pub const fn replicated(replicas: u16) -> Result<Self, ImpossibleSize> {
        match replicas {
            0 => Err(ImpossibleSize::Zero("replicated")),
            1..=REPLICAS_MAX => Ok(Self::Replicated(replicas)),
            _ => Err(ImpossibleSize::TooManyReplicas(replicas)),
        }
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
            Self::Local => Err(ImpossibleSize::NothingReplicated),
            Self::Replicated(_) => Self::replicated(replicas),
            Self::Sharded(shards, inner) => Self::sharded(*shards, inner.with_replicas(replicas)?),
        }
    }

    /// How many nodes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Local => 1,
            Self::Replicated(replicas) => usize::from(*replicas),
            Self::Sharded(shards, inner) => usize::from(*shards) * inner.size(),
        }
    }

    /// Whether keys have more than one copy, so that a lattice decides what puts mean.
    #[must_use]
    pub fn is_replicated(&self) -> bool {
        match self {
            Self::Local => false,
            Self::Replicated(_) => true,
            Self::Sharded(_, inner) => inner.is_replicated(),
        }
    }

    /// Levels of sharding.
    fn depth(&self) -> usize {
        match self {
            Self::Local | Self::Replicated(_) => 0,
            Self::Sharded(_, inner) => 1 + inner.depth(),
        }
    }
}

impl fmt::Display for Architecture {
    /// The shortest form that says the same: `sharded_replicated` for the defaults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Replicated(DEFAULT_SIZE) => f.write_str("replicated"),
            Self::Replicated(replicas) => write!(f, "replicated({replicas})"),
            Self::Sharded(shards, inner) => match (*shards, &**inner) {
                (DEFAULT_SIZE, Self::Local) => f.write_str("sharded"),
                (DEFAULT_SIZE, Self::Replicated(DEFAULT_SIZE)) => f.write_str("sharded_replicated"),
                (shards, Self::Local) => write!(f, "sharded({shards})"),
                (shards, inner) => write!(f, "sharded({shards}, {inner})"),
            },
        }
    }
}

impl From<Composition> for Architecture {
    fn from(composition: Composition) -> Self {
        match composition {
            Composition::Local => Self::Local,
            Composition::Sharded => Self::Sharded(DEFAULT_SIZE, Box::new(Self::Local)),
            Composition::Replicated { replicas } => Self::Replicated(replicas),
        }
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
