//! The toy of a fault: nodes in a fog hear nothing in time, and lose the time.

use super::{ClockFault, Draws, FaultKind, FaultRow, PacketFault, Part, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::reach::Harm;
use kvs_core::protocol::NodeId;

pub(super) static ROW: FaultRow = FaultRow {
    name: "fog",
    help: "packets of a node are late, and its clock is wrong",
    noun: "fog",
    colour: "#EEEEEE",
    ways: &[THIN, THICK],
    acts_on: &[Part::Network, Part::Clock],
    hits_targets: true,
    ends_processes: false,
    simulated: &[],
    draw,
    parse: |_, drawn, written| {
        let way = written.way.unwrap_or(THIN);
        Ok(on_written(fault(way, &drawn.nodes()), written))
    },
    aim: on_one,
};

const THIN: &str = "thin";
const THICK: &str = "thick";

impl FaultKind {
    /// The toy.
    pub(in crate::nemesis) const FOG: Self = Self::of(&ROW);
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    fault(THIN, &draws.nodes)
}

fn fault(way: &'static str, nodes: &[NodeId]) -> Fault {
    let offset_ns = if way == THICK { 2_000 } else { 1_000 };
    let harms = nodes.iter().flat_map(|node| {
        let late = Harm::Packets(PacketFault::Delay, *node);
        [late, Harm::Clock(ClockFault::Bump { offset_ns }, *node)]
    });
    Fault::new(FaultKind::FOG, Some(way), harms.collect())
}
