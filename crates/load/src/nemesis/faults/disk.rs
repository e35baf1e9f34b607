//! The disk of a node is full, fails to sync, or tears what it wrote last.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Draws, FaultKind, FaultRow, Part, Written, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::plan::PlanError;
use crate::nemesis::reach::Harm;
use crate::nemesis::simulated::{SimDraws, SimFault, SimRow};
use kvs_core::protocol::NodeId;

pub(super) static ROW: FaultRow = FaultRow {
    name: "disk",
    help: "the disk of a node is full, fails to sync, or tears what it wrote last",
    noun: "disk fault",
    colour: "#99F2E2",
    ways: &[
        DiskFault::Full.name(),
        DiskFault::SyncFails.name(),
        DiskFault::TornWrite.name(),
    ],
    acts_on: &[Part::Disk],
    hits_targets: true,
    ends_processes: true,
    simulated: &[&SIMULATED],
    draw,
    parse,
    aim: on_one,
};

impl FaultKind {
    /// The disk of a node is full, fails to sync, or tears what it wrote last.
    pub const DISK: Self = Self::of(&ROW);
}

static SIMULATED: SimRow = SimRow {
    number: 12,
    name: "disk",
    ways: &[DiskFault::SyncFails.name(), DiskFault::TornWrite.name()],
    meaning: "Syncs take time and fail; a crash loses or tears what is not synced.",
    needs: &[],
    stands: Some(bad),
    strikes: None,
};

impl SimFault {
    /// Syncs take time and fail; a crash loses or tears what is not synced.
    pub const DISK: Self = Self::of(&SIMULATED);
}

/// What a disk does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFault {
    /// It takes no more bytes.
    Full,
    /// It fails to make durable what it took.
    SyncFails,
    /// The process ends in the middle of a write, which is left torn.
    TornWrite,
}

impl DiskFault {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Full, Self::SyncFails, Self::TornWrite];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::SyncFails => "sync-fails",
            Self::TornWrite => "torn-write",
        }
    }
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let drawn = draws.random.random_range(0..DiskFault::ALL.len());
    fault(DiskFault::ALL[drawn], &draws.nodes)
}

fn parse(_: &mut Draws<'_>, drawn: Fault, written: &Written<'_>) -> Result<Fault, PlanError> {
    let named = |disk: &DiskFault| Some(disk.name()) == written.way;
    let fault = match DiskFault::ALL.into_iter().find(named) {
        Some(disk) => fault(disk, &drawn.nodes()),
        None => drawn,
    };
    Ok(on_written(fault, written))
}

fn fault(disk: DiskFault, nodes: &[NodeId]) -> Fault {
    let harms = nodes.iter().map(|node| Harm::Disk(disk, *node));
    Fault::new(FaultKind::DISK, Some(disk.name()), harms.collect())
}

/// Any disk of a simulated world may fail to sync, and any crash may tear what was written last.
fn bad(draws: &mut dyn SimDraws) -> Fault {
    let harms = draws.every_node().flat_map(|node| {
        let wrong = [DiskFault::SyncFails, DiskFault::TornWrite];
        wrong.map(|disk| Harm::Disk(disk, node))
    });
    Fault::new(FaultKind::DISK, None, harms.collect())
}
