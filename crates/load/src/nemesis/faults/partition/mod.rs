//! Some nodes, or the clients, cannot hear others.

mod shape;

use rand::RngExt;

pub use shape::{Deafness, PartitionShape};

#[cfg(test)]
pub(in crate::nemesis) use shape::part;
#[cfg(not(test))]
use shape::part;

use super::{Draws, FaultKind, FaultRow, Part, Written};
use crate::nemesis::fault::Fault;
use crate::nemesis::plan::PlanError;
use crate::nemesis::reach::Harm;
use kvs_core::protocol::NodeId;

pub(super) static ROW: FaultRow = FaultRow {
    name: "partition",
    help: "Some nodes, or the clients, cannot hear others",
    noun: "partition",
    colour: "#E9DCA0",
    ways: &[
        PartitionShape::One.name(),
        PartitionShape::Majority.name(),
        PartitionShape::MajoritiesRing.name(),
        PartitionShape::MinorityThird.name(),
        PartitionShape::Bridge.name(),
        PartitionShape::Asymmetric.name(),
        PartitionShape::Clients.name(),
    ],
    acts_on: Part::Network,
    hits_targets: false,
    ends_processes: false,
    draw,
    parse,
    aim,
};

impl FaultKind {
    /// Some nodes, or the clients, cannot hear others.
    pub const PARTITION: Self = Self::of(&ROW);
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let largest = draws.groups.iter().map(Vec::len).max().unwrap_or(0);
    let mut shapes = match &draws.plan.shapes[..] {
        [] => PartitionShape::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    shapes.retain(|shape| shape.fits(largest));
    let shape = match &shapes[..] {
        // A group of one can only be cut off from its clients.
        [] => PartitionShape::Clients,
        shapes => shapes[draws.random.random_range(0..shapes.len())],
    };
    parted(draws, shape, &[]).expect("the shape fits a group of the deployment")
}

fn parse(draws: &mut Draws<'_>, drawn: Fault, written: &Written<'_>) -> Result<Fault, PlanError> {
    let way = written.way.or_else(|| drawn.way());
    let named = |shape: &PartitionShape| Some(shape.name()) == way;
    let shape = PartitionShape::ALL.into_iter().find(named);
    parted(draws, shape.expect("a way is a shape"), written.nodes)
}

/// Cuts a node from the others of its group.
fn aim(_: &Fault, node: NodeId, group: &[NodeId]) -> Fault {
    let (off, rest): (Vec<NodeId>, Vec<NodeId>) = group.iter().partition(|it| **it == node);
    let hear = |node: &NodeId| Deafness::Node(*node, off.clone());
    let mut deafness: Vec<Deafness> = rest.iter().map(hear).collect();
    deafness.push(Deafness::Node(node, rest));
    fault(PartitionShape::One, deafness)
}

/// A partition of this shape; where nodes are named, it is those that are cut off.
fn parted(
    draws: &mut Draws<'_>,
    shape: PartitionShape,
    nodes: &[NodeId],
) -> Result<Fault, PlanError> {
    let mut deafness = Vec::new();
    for group in draws.groups {
        let chosen = |node: &&NodeId| nodes.contains(node);
        let (off, rest): (Vec<NodeId>, Vec<NodeId>) = group.iter().partition(chosen);
        if nodes.is_empty() {
            if shape.fits(group.len()) {
                deafness.extend(part(shape, group, draws.random));
            }
        } else if shape == PartitionShape::Clients {
            deafness.extend(off.into_iter().map(Deafness::Clients));
        } else if !off.is_empty() && !rest.is_empty() {
            let hear = |node: &NodeId| Deafness::Node(*node, off.clone());
            deafness.extend(rest.iter().map(hear));
            if shape != PartitionShape::Asymmetric {
                let hear = |node: &NodeId| Deafness::Node(*node, rest.clone());
                deafness.extend(off.iter().map(hear));
            }
        }
    }
    if deafness.is_empty() {
        let shape = shape.name().to_owned();
        return Err(PlanError::Shape { shape });
    }
    Ok(fault(shape, deafness))
}

fn fault(shape: PartitionShape, mut deafness: Vec<Deafness>) -> Fault {
    deafness.sort_unstable();
    let harms = deafness.into_iter().map(Harm::Deaf).collect();
    Fault::new(FaultKind::PARTITION, Some(shape.name()), harms)
}
