//! A host that deploys on paper only, for callers that need just the router.

use super::{Host, ReplicaSpec};
use crate::bug::Bug;
use crate::protocol::NodeId;

/// Numbers nodes and starts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paper {
    nodes: u16,
    bug: Option<Bug>,
}

impl Paper {
    /// A store with this planted bug.
    #[must_use]
    pub const fn with_bug(bug: Option<Bug>) -> Self {
        Self { nodes: 0, bug }
    }
}

impl Host for Paper {
    fn reserve(&mut self) -> NodeId {
        self.nodes += 1;
        NodeId(self.nodes - 1)
    }

    fn start(&mut self, _: NodeId, _: ReplicaSpec) {}

    fn bug(&self) -> Option<Bug> {
        self.bug
    }
}
