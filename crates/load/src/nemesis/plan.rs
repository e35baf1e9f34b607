//! The faults that a run was asked to inject.

use std::collections::BTreeSet;

use super::faults::{FaultKind, PacketFault, Part, PartitionShape};
use super::simulated::Needs;
use super::targets::Target;
use kvs_core::protocol::NodeId;

/// What a nemesis is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The kinds of fault that come at random.
    pub kinds: Vec<FaultKind>,
    /// Kinds that `all` did not bring, since this store cannot have them.
    pub left_out: Vec<(FaultKind, String)>,
    /// The time from the start of one fault to the start of the next, in ns.
    pub interval_ns: u64,
    /// Which nodes faults act on; any target but `all` when empty.
    pub targets: Vec<Target>,
    /// What may happen to packets; anything when empty.
    pub packets: Vec<PacketFault>,
    /// How partitions look; any when empty.
    pub shapes: Vec<PartitionShape>,
    /// Faults at given times, beside those that come at random.
    pub steps: Vec<Step>,
    /// Decides every draw.
    pub seed: u64,
}

impl Plan {
    /// Whether faults are meant for a node that has to be found when they come.
    #[must_use]
    pub fn is_aimed(&self) -> bool {
        let mut targets = self.targets.iter();
        targets.any(|target| matches!(target, Target::Primary | Target::Leader))
    }

    /// Whether faults of a kind come, at random or at given times.
    #[must_use]
    pub fn has(&self, kind: FaultKind) -> bool {
        self.kinds.contains(&kind) || self.steps.iter().any(|step| step.kind == kind)
    }

    /// The kinds that come, at random or at given times.
    #[must_use]
    pub fn every_kind(&self) -> BTreeSet<FaultKind> {
        let written = self.steps.iter().map(|step| step.kind);
        self.kinds.iter().copied().chain(written).collect()
    }

    /// Whether any of its faults is one of the network.
    #[must_use]
    pub fn has_network_faults(&self) -> bool {
        let mut kinds = self.every_kind().into_iter();
        kinds.any(|kind| kind.row().acts_on.contains(&Part::Network))
    }
}

/// A fault that was written down. What it does not say is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it comes, in ns since the measured part began.
    pub at_ns: u64,
    /// How long it lasts, in ns.
    pub lasts_ns: u64,
    /// Its kind.
    pub kind: FaultKind,
    /// The shape of a partition, or what happens to packets, clocks or disks.
    pub what: Option<String>,
    /// The nodes it acts on; of a partition, those that are cut off.
    pub nodes: Vec<NodeId>,
}

/// Why a nemesis cannot do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No such thing.
    #[error("{kind} has no {what:?}: choose one of {known}")]
    What {
        /// The kind of fault.
        kind: FaultKind,
        /// What was asked for.
        what: String,
        /// What there is.
        known: String,
    },
    /// What no process can have.
    #[error("no run has {what} faults, which need {}", Needs::Simulation)]
    Simulated {
        /// What was asked for.
        what: &'static str,
    },
    /// No such node.
    #[error("a fault names node {node}, and there are {nodes} nodes, from n0 on")]
    Node {
        /// The node.
        node: NodeId,
        /// How many there are.
        nodes: usize,
    },
    /// A fault of no length.
    #[error("a {kind} lasts 0 s, which is no fault: give it some time, such as `for = \"1s\"`")]
    NoTime {
        /// Its kind.
        kind: FaultKind,
    },
    /// A kind that knows no variants is given one.
    #[error("there is only one way to {kind} a node: leave `what` out")]
    OneWay {
        /// The kind.
        kind: FaultKind,
    },
    /// No group of this deployment can be parted like this.
    #[error("no group of these nodes is large enough for the partition {shape:?}")]
    Shape {
        /// The shape.
        shape: String,
    },
}
