//! The stores of the zoo, each of its usual size.

use kvs_core::bug::Composition;
use kvs_core::server::{Architecture, DEFAULT_SIZE};

/// A store of the zoo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zoo {
    Local,
    Sharded,
    Replicated,
    ShardedReplicated,
}

impl Zoo {
    /// Every one.
    pub(crate) const ALL: [Self; 4] = [
        Self::Local,
        Self::Sharded,
        Self::Replicated,
        Self::ShardedReplicated,
    ];

    /// Its name, as its architecture is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Sharded => "sharded",
            Self::Replicated => "replicated",
            Self::ShardedReplicated => "sharded_replicated",
        }
    }

    /// What it is made of.
    pub(crate) fn architecture(self) -> Architecture {
        let replicas = DEFAULT_SIZE;
        let replicated = || Architecture::from(Composition::Replicated { replicas });
        match self {
            Self::Local => Composition::Local.into(),
            Self::Sharded => Composition::Sharded.into(),
            Self::Replicated => replicated(),
            Self::ShardedReplicated => {
                Architecture::sharded(DEFAULT_SIZE, replicated()).expect("a possible size")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_called_as_its_architecture_is_written() {
        for store in Zoo::ALL {
            assert_eq!(store.architecture().to_string(), store.name());
        }
    }
}
