//! What a node sends is delayed, lost, repeated, reordered, corrupted or throttled.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Draws, FaultKind, FaultRow, Part, Written, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::plan::PlanError;
use crate::nemesis::reach::Harm;
use crate::nemesis::simulated::{Needs, SimDraws, SimFault, SimRow};
use kvs_core::protocol::NodeId;

pub(super) static ROW: FaultRow = FaultRow {
    name: "packet",
    help: "what a node sends is delayed, lost, repeated, reordered, corrupted or throttled",
    noun: "packet fault",
    colour: "#D1E8A0",
    ways: &[
        PacketFault::Delay.name(),
        PacketFault::Loss.name(),
        PacketFault::Duplicate.name(),
        PacketFault::Reorder.name(),
        PacketFault::Corrupt.name(),
        PacketFault::Rate.name(),
    ],
    acts_on: &[Part::Network],
    hits_targets: true,
    ends_processes: false,
    simulated: &[&LOSS, &DUPLICATE, &REORDER, &DELAY],
    draw,
    parse,
    aim: on_one,
};

impl FaultKind {
    /// What a node sends is delayed, lost, repeated, reordered, corrupted or throttled.
    pub const PACKET: Self = Self::of(&ROW);
}

static LOSS: SimRow = SimRow {
    number: 0,
    name: "loss",
    ways: &[PacketFault::Loss.name()],
    meaning: "A message between replicas is lost.",
    needs: &[Needs::Peers],
    stands: Some(|draws| everywhere(PacketFault::Loss, draws)),
    strikes: None,
};

static DUPLICATE: SimRow = SimRow {
    number: 1,
    name: "duplicate",
    ways: &[PacketFault::Duplicate.name()],
    meaning: "A message between replicas arrives twice.",
    needs: &[Needs::Peers],
    stands: Some(|draws| everywhere(PacketFault::Duplicate, draws)),
    strikes: None,
};

static REORDER: SimRow = SimRow {
    number: 2,
    name: "reorder",
    ways: &[PacketFault::Reorder.name()],
    meaning: "A message between replicas overtakes an earlier one.",
    needs: &[Needs::Peers],
    stands: Some(|draws| everywhere(PacketFault::Reorder, draws)),
    strikes: None,
};

static DELAY: SimRow = SimRow {
    number: 3,
    name: "delay",
    ways: &[PacketFault::Delay.name()],
    meaning: "A message takes much longer than usual.",
    needs: &[Needs::Peers],
    stands: Some(|draws| everywhere(PacketFault::Delay, draws)),
    strikes: None,
};

impl SimFault {
    /// A message between replicas is lost.
    pub const LOSS: Self = Self::of(&LOSS);

    /// A message between replicas arrives twice.
    pub const DUPLICATE: Self = Self::of(&DUPLICATE);

    /// A message between replicas overtakes an earlier one.
    pub const REORDER: Self = Self::of(&REORDER);

    /// A message takes much longer than usual.
    pub const DELAY: Self = Self::of(&DELAY);
}

/// What becomes of the datagrams that a node sends. The strengths are Jepsen's: a fifth of them,
/// 50 ms with a jitter of 10 ms, and a rate of 1 Mbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketFault {
    /// Each takes longer.
    Delay,
    /// Some are lost.
    Loss,
    /// Some arrive twice.
    Duplicate,
    /// Some are overtaken by later ones.
    Reorder,
    /// Some arrive with a bit flipped.
    Corrupt,
    /// No more than the rate get through.
    Rate,
}

impl PacketFault {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Delay,
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Corrupt,
        Self::Rate,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Corrupt => "corrupt",
            Self::Rate => "rate",
        }
    }
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let packets = match &draws.plan.packets[..] {
        [] => &PacketFault::ALL[..],
        some => some,
    };
    let drawn = draws.random.random_range(0..packets.len());
    fault(packets[drawn], &draws.nodes)
}

fn parse(_: &mut Draws<'_>, drawn: Fault, written: &Written<'_>) -> Result<Fault, PlanError> {
    let named = |packet: &PacketFault| Some(packet.name()) == written.way;
    let fault = match PacketFault::ALL.into_iter().find(named) {
        Some(packet) => fault(packet, &drawn.nodes()),
        None => drawn,
    };
    Ok(on_written(fault, written))
}

fn fault(packet: PacketFault, nodes: &[NodeId]) -> Fault {
    let harms = nodes.iter().map(|node| Harm::Packets(packet, *node));
    Fault::new(FaultKind::PACKET, Some(packet.name()), harms.collect())
}

/// It may happen to whatever any node of a simulated world sends.
fn everywhere(packet: PacketFault, draws: &mut dyn SimDraws) -> Fault {
    let nodes: Vec<NodeId> = draws.every_node().collect();
    fault(packet, &nodes)
}
