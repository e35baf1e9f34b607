//! The process of a node is killed, and started again after a while.

use super::{Draws, FaultKind, FaultRow, Part, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::reach::Harm;
use crate::nemesis::simulated::{Needs, SimFault, SimRow};

pub(super) static ROW: FaultRow = FaultRow {
    name: "kill",
    help: "the process of a node is killed, and started again after a while",
    noun: "kill",
    colour: "#E9A4A0",
    ways: &[],
    acts_on: &[Part::Process],
    hits_targets: true,
    ends_processes: true,
    simulated: &[&CRASH, &AMNESIA],
    draw,
    parse: |_, drawn, written| Ok(on_written(drawn, written)),
    aim: on_one,
};

impl FaultKind {
    /// The process of a node is killed, and started again after a while.
    pub const KILL: Self = Self::of(&ROW);
}

static CRASH: SimRow = SimRow {
    number: 9,
    name: "crash",
    ways: &[],
    meaning: "A node's process ends and comes back with its state.",
    needs: &[],
    stands: None,
    strikes: Some(|_, node| fault(vec![Harm::Killed(node)]).into()),
};

static AMNESIA: SimRow = SimRow {
    number: 10,
    name: "amnesia",
    ways: &[],
    meaning: "A node's process ends and comes back without its state.",
    needs: &[Needs::Peers, Needs::Copies, Needs::Simulation],
    stands: None,
    strikes: Some(|_, node| fault(vec![Harm::Wiped(node)]).into()),
};

impl SimFault {
    /// A node's process ends and comes back with its state.
    pub const CRASH: Self = Self::of(&CRASH);

    /// A node's process ends and comes back without its state.
    pub const AMNESIA: Self = Self::of(&AMNESIA);
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let harms = draws.nodes.iter().copied().map(Harm::Killed);
    fault(harms.collect())
}

const fn fault(harms: Vec<Harm>) -> Fault {
    Fault::new(FaultKind::KILL, None, harms)
}
