//! A fault: its kind, and all that it does.

use std::fmt;

use super::faults::FaultKind;
use super::reach::{Harm, Reach};
use kvs_core::protocol::NodeId;

/// A fault with all that decides what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    way: Option<&'static str>,
    harms: Vec<Harm>,
}

impl Fault {
    /// A fault that does this, in one of its kind's ways if there are several.
    pub(super) const fn new(kind: FaultKind, way: Option<&'static str>, harms: Vec<Harm>) -> Self {
        Self { kind, way, harms }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// In which of its kind's ways it comes, if there are several.
    #[must_use]
    pub const fn way(&self) -> Option<&'static str> {
        self.way
    }

    /// What is wrong while it lasts.
    #[must_use]
    pub fn harms(&self) -> &[Harm] {
        &self.harms
    }

    /// The nodes that it acts on, in ascending order.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = self.harms.iter().flat_map(Harm::nodes).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Has it come.
    pub fn install<'a, R: Reach>(&'a self, reach: &'a mut R) -> R::Done<'a> {
        reach.inflict(&self.harms)
    }

    /// Has it end.
    pub fn heal<'a, R: Reach>(&'a self, reach: &'a mut R) -> R::Done<'a> {
        reach.undo(&self.harms)
    }

    /// The same for this node and no other. A partition then cuts the node from the others of its
    /// group.
    #[must_use]
    pub fn aimed_at(&self, node: NodeId, groups: &[Vec<NodeId>]) -> Self {
        let group = groups.iter().find(|group| group.contains(&node));
        let alone = [node];
        let group = group.map_or(&alone[..], Vec::as_slice);
        (self.kind.row().aim)(self, node, group)
    }

    /// The same on these nodes: all that it does to its first node is done to each of them.
    pub(super) fn on(&self, nodes: &[NodeId]) -> Self {
        let first = self.harms.first().map(Harm::nodes);
        let of_first = |harm: &&Harm| Some(harm.nodes()) == first;
        let to = |node: &NodeId| {
            let harms = self.harms.iter().filter(of_first);
            harms.map(|harm| harm.on(*node)).collect::<Vec<_>>()
        };
        Self::new(self.kind, self.way, nodes.iter().flat_map(to).collect())
    }
}

/// A few words, such as `packet loss n0 n2`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(way) = self.way {
            write!(f, " {way}")?;
        }
        let deafness = self.harms.iter().filter_map(Harm::deafness);
        let deafness: Vec<String> = deafness.map(ToString::to_string).collect();
        if !deafness.is_empty() {
            return write!(f, ": {}", deafness.join(", "));
        }
        for node in self.nodes() {
            write!(f, " {node}")?;
        }
        Ok(())
    }
}
