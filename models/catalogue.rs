//! The models by name.

use kvs_core::bug::Bug;

use crate::adapter::ClusterModel;
use crate::{crashes, disks, local, lww, quorum, raft, replicated, sharded};

/// A model that `kvs-models` knows by name.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// The cluster and its clients.
    pub(crate) describe: &'static str,
    /// What goes wrong, and how often where that is bounded.
    pub(crate) bounds: &'static str,
    pub(crate) size: Size,
    /// How many states it has. If a change of the replica changes this number, find out why before
    /// you change it here.
    pub(crate) states: usize,
    pub(crate) model: fn(Option<Bug>) -> ClusterModel,
}

/// Who explores a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Every `cargo test`.
    Small,
    /// `scripts/models.sh`.
    Large,
}

impl Size {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// Every model, in the order of `list`.
pub(crate) fn models() -> impl Iterator<Item = &'static Entry> {
    let files = [
        local::MODELS,
        sharded::MODELS,
        replicated::MODELS,
        crashes::MODELS,
        disks::MODELS,
        lww::MODELS,
        quorum::MODELS,
        raft::MODELS,
    ];
    files.into_iter().flatten()
}

/// The model of this name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    models().find(|entry| entry.name == name)
}
