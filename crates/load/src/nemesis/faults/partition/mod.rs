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
use crate::nemesis::simulated::{Needs, SimDraws, SimFault, SimRow, Strike};
use kvs_core::protocol::NodeId;

pub(super) static ROW: FaultRow = FaultRow {
    name: "partition",
    help: "some nodes, or the clients, cannot hear others",
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
    acts_on: &[Part::Network],
    hits_targets: false,
    ends_processes: false,
    simulated: &[&TWO_SIDES, &ONE_WAY, &CLIENT_CUT, &DISCONNECT],
    draw,
    parse,
    aim,
};

impl FaultKind {
    /// Some nodes, or the clients, cannot hear others.
    pub const PARTITION: Self = Self::of(&ROW);
}

static TWO_SIDES: SimRow = SimRow {
    number: 4,
    name: "partition",
    ways: &[
        PartitionShape::One.name(),
        PartitionShape::Majority.name(),
        PartitionShape::MinorityThird.name(),
    ],
    meaning: "Some replicas cannot talk to the others.",
    needs: &[Needs::Peers],
    stands: None,
    strikes: Some(two_sides),
};

static ONE_WAY: SimRow = SimRow {
    number: 5,
    name: "one-way",
    ways: &[PartitionShape::Asymmetric.name()],
    meaning: "Some replicas cannot be heard by the others, but hear them.",
    needs: &[Needs::Peers],
    stands: None,
    strikes: Some(one_way),
};

static CLIENT_CUT: SimRow = SimRow {
    number: 6,
    name: "client-cut",
    ways: &[PartitionShape::Clients.name()],
    meaning: "A client cannot talk to some nodes.",
    needs: &[],
    stands: None,
    strikes: Some(client_cut),
};

static DISCONNECT: SimRow = SimRow {
    number: 7,
    name: "disconnect",
    ways: &[],
    meaning: "The connections of all clients to a node break.",
    needs: &[Needs::Simulation],
    stands: None,
    strikes: Some(disconnect),
};

impl SimFault {
    /// Some replicas cannot talk to the others.
    pub const PARTITION: Self = Self::of(&TWO_SIDES);

    /// Some replicas cannot be heard by the others, but hear them.
    pub const ONE_WAY: Self = Self::of(&ONE_WAY);

    /// A client cannot talk to some nodes.
    pub const CLIENT_CUT: Self = Self::of(&CLIENT_CUT);

    /// The connections of all clients to a node break.
    pub const DISCONNECT: Self = Self::of(&DISCONNECT);
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

/// Which nodes of a simulated world are on the far side.
fn sides(draws: &mut dyn SimDraws) -> Vec<bool> {
    (0..draws.nodes()).map(|_| draws.chance(0.5)).collect()
}

fn two_sides(draws: &mut dyn SimDraws, _: NodeId) -> Strike {
    let far = sides(draws);
    let harms = deaf_where(&far, |listener, speaker| listener != speaker);
    divided(harms, format!("Both of {far:?}"))
}

fn one_way(draws: &mut dyn SimDraws, _: NodeId) -> Strike {
    let far = sides(draws);
    let harms = deaf_where(&far, |listener, speaker| !listener && speaker);
    divided(harms, format!("OneWay of {far:?}"))
}

fn client_cut(draws: &mut dyn SimDraws, _: NodeId) -> Strike {
    let client = draws.below(usize::from(draws.clients())) as u16;
    let far = sides(draws);
    let cut = |node| Harm::Deaf(Deafness::Client(client, node));
    divided(
        nodes(&far, true).map(cut).collect(),
        format!("Client({client}) of {far:?}"),
    )
}

/// Clients are cut off for no time, and have to find that out.
fn disconnect(_: &mut dyn SimDraws, node: NodeId) -> Strike {
    let harms = vec![Harm::Disconnected(node)];
    Fault::new(FaultKind::PARTITION, None, harms).into()
}

/// The nodes of a side.
fn nodes(far: &[bool], side: bool) -> impl Iterator<Item = NodeId> {
    let on_it = (0..).zip(far).filter(move |(_, far)| **far == side);
    on_it.map(|(node, _)| NodeId(node))
}

/// Listeners of one side do not hear speakers of another, where that is said of the two.
fn deaf_where(far: &[bool], deaf: impl Fn(bool, bool) -> bool) -> Vec<Harm> {
    let mut harms = Vec::new();
    for (listener, speaker) in [(false, true), (true, false)] {
        if deaf(listener, speaker) {
            let speakers: Vec<NodeId> = nodes(far, speaker).collect();
            let hear = |node| Harm::Deaf(Deafness::Node(node, speakers.clone()));
            harms.extend(nodes(far, listener).map(hear));
        }
    }
    harms
}

const fn divided(harms: Vec<Harm>, sides: String) -> Strike {
    let fault = Fault::new(FaultKind::PARTITION, None, harms);
    Strike { fault, sides }
}
