//! Whose state it is: every file says so.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StorageError;
use kvs_core::protocol::{GroupId, NodeId};
use kvs_core::replica::{ReplicaKind, ReplicaSpec, ShardStep};

/// The version of the layout. A program refuses every other.
const VERSION: u32 = 3;

/// Whose state it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    version: u32,
    node: NodeId,
    incarnation: u16,
    group: GroupId,
    kind: ReplicaKind,
    shards: Vec<ShardStep>,
}

impl Owner {
    pub(super) fn of(spec: &ReplicaSpec) -> Self {
        Self {
            version: VERSION,
            node: spec.node,
            incarnation: spec.incarnation,
            group: spec.group,
            kind: spec.kind,
            shards: spec.shards.clone(),
        }
    }

    /// Refuses a file of another owner.
    pub(super) fn expect(&self, found: &Self, path: &Path) -> Result<(), StorageError> {
        if found == self {
            return Ok(());
        }
        Err(StorageError::Foreign {
            path: path.to_owned(),
            found: found.describe(),
            expected: self.describe(),
        })
    }

    fn describe(&self) -> String {
        format!(
            "life {} of node {} ({:?}, layout {})",
            self.incarnation, self.node, self.kind, self.version
        )
    }
}
