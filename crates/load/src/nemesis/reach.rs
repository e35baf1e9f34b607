//! What faults are made of: a fault is a list of harms, which somebody who reaches the nodes does to
//! them and undoes again.

use super::faults::{ClockFault, Deafness, DiskFault, PacketFault, Part};
use kvs_core::protocol::NodeId;

/// One thing that is wrong while a fault lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Somebody does not hear a node.
    Deaf(Deafness),
    /// The process of a node is gone. When that is over it is started again.
    Killed(NodeId),
    /// The process of a node is gone, and all that it kept. When that is over it is started again.
    Wiped(NodeId),
    /// The process of a node stands still.
    Paused(NodeId),
    /// What a node sends suffers.
    Packets(PacketFault, NodeId),
    /// The clock of a node is wrong.
    Clock(ClockFault, NodeId),
    /// The disk of a node fails. When that is over the node is started again if it ended by that.
    Disk(DiskFault, NodeId),
    /// The connections of all clients to a node break; new ones can be made at once.
    Disconnected(NodeId),
}

impl Harm {
    /// The nodes that it names.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Deaf(deafness) => deafness.nodes(),
            Self::Killed(node)
            | Self::Wiped(node)
            | Self::Disconnected(node)
            | Self::Paused(node)
            | Self::Packets(_, node)
            | Self::Clock(_, node)
            | Self::Disk(_, node) => vec![*node],
        }
    }

    /// What of its nodes it acts on.
    #[must_use]
    pub const fn part(&self) -> Part {
        match self {
            Self::Killed(_) | Self::Wiped(_) | Self::Paused(_) => Part::Process,
            Self::Deaf(_) | Self::Packets(..) | Self::Disconnected(_) => Part::Network,
            Self::Clock(..) => Part::Clock,
            Self::Disk(..) => Part::Disk,
        }
    }

    /// Who does not hear whom, if it is that.
    #[must_use]
    pub const fn deafness(&self) -> Option<&Deafness> {
        match self {
            Self::Deaf(deafness) => Some(deafness),
            Self::Killed(_)
            | Self::Wiped(_)
            | Self::Paused(_)
            | Self::Packets(..)
            | Self::Clock(..)
            | Self::Disk(..)
            | Self::Disconnected(_) => None,
        }
    }

    /// The same at another node. Who hears whom stays as it is.
    pub(super) fn on(&self, node: NodeId) -> Self {
        match self {
            Self::Deaf(deafness) => Self::Deaf(deafness.clone()),
            Self::Killed(_) => Self::Killed(node),
            Self::Wiped(_) => Self::Wiped(node),
            Self::Paused(_) => Self::Paused(node),
            Self::Packets(packet, _) => Self::Packets(*packet, node),
            Self::Clock(clock, _) => Self::Clock(*clock, node),
            Self::Disk(disk, _) => Self::Disk(*disk, node),
            Self::Disconnected(_) => Self::Disconnected(node),
        }
    }
}

/// Reaches the nodes: a run's processes, or those of a simulated world. Harms of several faults may
/// be there at a time, also the same one twice: it is over when the last is undone.
pub trait Reach {
    /// What doing something gives: a run has to wait for it, a simulated world does not.
    type Done<'a>
    where
        Self: 'a;

    /// Does all of this, beside what is wrong already.
    fn inflict<'a>(&'a mut self, harms: &'a [Harm]) -> Self::Done<'a>;

    /// Undoes all of this, unless another fault still has it so.
    fn undo<'a>(&'a mut self, harms: &'a [Harm]) -> Self::Done<'a>;
}
