//! The process of a node is stopped, and goes on after a while.

use super::{Draws, FaultKind, FaultRow, Part, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::reach::Harm;

pub(super) static ROW: FaultRow = FaultRow {
    name: "pause",
    help: "The process of a node is stopped (SIGSTOP), and goes on after a while",
    noun: "pause",
    colour: "#A0B1E9",
    ways: &[],
    acts_on: Part::Process,
    hits_targets: true,
    ends_processes: false,
    draw,
    parse: |_, drawn, written| Ok(on_written(drawn, written)),
    aim: on_one,
};

impl FaultKind {
    /// The process of a node is stopped, and goes on after a while.
    pub const PAUSE: Self = Self::of(&ROW);
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let harms = draws.nodes.iter().copied().map(Harm::Paused);
    Fault::new(FaultKind::PAUSE, None, harms.collect())
}
