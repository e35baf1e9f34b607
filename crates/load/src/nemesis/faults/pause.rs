//! The process of a node is stopped, and goes on after a while.

use super::{Draws, FaultKind, FaultRow, Part, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::reach::Harm;
use crate::nemesis::simulated::{SimFault, SimRow};

pub(super) static ROW: FaultRow = FaultRow {
    name: "pause",
    help: "the process of a node is stopped, and goes on after a while",
    noun: "pause",
    colour: "#A0B1E9",
    ways: &[],
    acts_on: &[Part::Process],
    hits_targets: true,
    ends_processes: false,
    simulated: &[&SIMULATED],
    draw,
    parse: |_, drawn, written| Ok(on_written(drawn, written)),
    aim: on_one,
};

impl FaultKind {
    /// The process of a node is stopped, and goes on after a while.
    pub const PAUSE: Self = Self::of(&ROW);
}

static SIMULATED: SimRow = SimRow {
    number: 8,
    name: "pause",
    ways: &[],
    meaning: "A node stops for a while; its inputs queue and its timers fire late.",
    needs: &[],
    stands: None,
    strikes: Some(|_, node| fault(vec![Harm::Paused(node)]).into()),
};

impl SimFault {
    /// A node stops for a while; its inputs queue and its timers fire late.
    pub const PAUSE: Self = Self::of(&SIMULATED);
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let harms = draws.nodes.iter().copied().map(Harm::Paused);
    fault(harms.collect())
}

const fn fault(harms: Vec<Harm>) -> Fault {
    Fault::new(FaultKind::PAUSE, None, harms)
}
