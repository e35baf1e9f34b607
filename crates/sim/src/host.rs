//! The host that turns a composition into simulated nodes.

use kvs_core::bug::Bug;
use kvs_core::protocol::NodeId;
use kvs_core::server::{Host, ReplicaSpec, Settings};

/// Collects the replicas of a deployment, for a world to run them.
#[derive(Clone, Debug, Default)]
pub struct SimHost {
    reserved: u16,
    specs: Vec<ReplicaSpec>,
    settings: Settings,
    bug: Option<Bug>,
}

impl SimHost {
    /// A host whose replicas have these bounds and this planted bug.
    #[must_use]
    pub fn new(settings: Settings, bug: Option<Bug>) -> Self {
        Self {
            settings,
            bug,
            ..Self::default()
        }
    }

    /// What was started, in the order of the nodes' ids.
    #[must_use]
    pub fn into_specs(self) -> Vec<ReplicaSpec> {
        self.specs
    }
}

impl Host for SimHost {
    fn reserve(&mut self) -> NodeId {
        self.reserved += 1;
        NodeId(self.reserved - 1)
    }

    fn start(&mut self, node: NodeId, replica: ReplicaSpec) {
        assert_eq!(usize::from(node.0), self.specs.len(), "started in order");
        self.specs.push(replica);
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn bug(&self) -> Option<Bug> {
        self.bug
    }
}
