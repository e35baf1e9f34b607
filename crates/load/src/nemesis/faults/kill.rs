//! The process of a node is killed, and started again after a while.

use super::{Draws, FaultKind, FaultRow, Part, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::reach::Harm;

pub(super) static ROW: FaultRow = FaultRow {
    name: "kill",
    help: "The process of a node is killed (SIGKILL), and started again after a while",
    noun: "kill",
    colour: "#E9A4A0",
    ways: &[],
    acts_on: Part::Process,
    hits_targets: true,
    ends_processes: true,
    draw,
    parse: |_, drawn, written| Ok(on_written(drawn, written)),
    aim: on_one,
};

impl FaultKind {
    /// The process of a node is killed, and started again after a while.
    pub const KILL: Self = Self::of(&ROW);
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let harms = draws.nodes.iter().copied().map(Harm::Killed);
    Fault::new(FaultKind::KILL, None, harms.collect())
}
