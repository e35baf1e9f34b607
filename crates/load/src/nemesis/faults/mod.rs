//! The kinds of fault. A kind is one file here and one row of [`FAULTS`]. Every list of kinds
//! iterates the table, and everything else asks the row.

mod clock;
mod disk;
mod kill;
mod packet;
pub(super) mod partition;
mod pause;
#[cfg(test)]
mod toy;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use rand_pcg::Pcg64;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

pub use clock::ClockFault;
pub use disk::DiskFault;
pub use packet::PacketFault;
pub use partition::{Deafness, PartitionShape};

use super::fault::Fault;
use super::plan::{Plan, PlanError, Step};
use super::simulated::{Needs, SimRow};
use kvs_core::protocol::NodeId;

/// Every kind of fault, in the order in which lists have them.
pub static FAULTS: &[&FaultRow] = &[
    &partition::ROW,
    &kill::ROW,
    &pause::ROW,
    &packet::ROW,
    &clock::ROW,
    &disk::ROW,
    #[cfg(test)]
    &toy::ROW,
];

/// A kind of fault.
#[derive(Debug)]
pub struct FaultRow {
    /// What `--nemesis` calls it.
    pub name: &'static str,
    /// What happens, in a line.
    pub help: &'static str,
    /// One such fault, in a word or two: how reports count them.
    pub noun: &'static str,
    /// Its colour in charts.
    pub colour: &'static str,
    /// Its ways, as `what` of a fault that was written down names them; none where there is only
    /// one.
    pub ways: &'static [&'static str],
    /// What of a node it acts on: a store that does not let a nemesis at all of it cannot have it.
    pub acts_on: &'static [Part],
    /// Whether it hits the nodes that a target draws; otherwise it divides whole groups.
    pub hits_targets: bool,
    /// Whether processes end by it, and lose what they had in memory alone.
    pub ends_processes: bool,
    /// The ways in which it comes in a simulated world.
    pub simulated: &'static [&'static SimRow],
    /// Draws one.
    pub(super) draw: fn(&mut Draws<'_>) -> Fault,
    /// The one that was written down. What that does not say is as it was drawn.
    pub(super) parse: fn(&mut Draws<'_>, Fault, &Written<'_>) -> Result<Fault, PlanError>,
    /// The same for this node of this group, and no other.
    pub(super) aim: fn(&Fault, NodeId, &[NodeId]) -> Fault,
}

/// What of a node a fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its process.
    Process,
    /// What it sends and receives.
    Network,
    /// The clock that it reads.
    Clock,
    /// The files that it writes.
    Disk,
}

/// What a fault is drawn from.
#[derive(Debug)]
pub(super) struct Draws<'a> {
    pub(super) plan: &'a Plan,
    pub(super) groups: &'a [Vec<NodeId>],
    /// The nodes that the target drew.
    pub(super) nodes: Vec<NodeId>,
    pub(super) random: &'a mut Pcg64,
}

/// What somebody wrote down of a fault.
#[derive(Clone, Debug)]
pub(super) struct Written<'a> {
    /// Its way, if it says one: one of the row's.
    pub(super) way: Option<&'static str>,
    /// The nodes that it names, in ascending order, if it names any.
    pub(super) nodes: &'a [NodeId],
}

/// A kind of fault, as `--nemesis` takes it: its row.
#[derive(Clone, Copy)]
pub struct FaultKind(&'static FaultRow);

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; FAULTS.len()] = {
        let mut all = [Self(FAULTS[0]); FAULTS.len()];
        let mut place = 0;
        while place < FAULTS.len() {
            all[place] = Self(FAULTS[place]);
            place += 1;
        }
        all
    };

    const NAMES: [&'static str; FAULTS.len()] = {
        let mut names = [""; FAULTS.len()];
        let mut place = 0;
        while place < FAULTS.len() {
            names[place] = FAULTS[place].name;
            place += 1;
        }
        names
    };

    /// The kind of this row.
    pub(super) const fn of(row: &'static FaultRow) -> Self {
        Self(row)
    }

    /// Its row.
    #[must_use]
    pub const fn row(self) -> &'static FaultRow {
        self.0
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The kind of this name, in capitals or not.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let named = |kind: &Self| kind.name().eq_ignore_ascii_case(word);
        Self::ALL.into_iter().find(named)
    }

    /// The kind that somebody wants of a run who says this word; none where no kind has that name.
    ///
    /// # Errors
    /// When it is a fault that only a simulated world has.
    pub fn meant(word: &str) -> Result<Option<Self>, PlanError> {
        { Self::ALL.into_iter() }.try_for_each(|kind| kind.refuse_simulated(word))?;
        Ok(Self::from_word(word))
    }

    /// The way of this name.
    pub(super) fn way(self, name: &str) -> Result<&'static str, PlanError> {
        let ways = self.0.ways;
        self.refuse_simulated(name)?;
        if ways.is_empty() {
            return Err(PlanError::OneWay { kind: self });
        }
        let way = ways.iter().find(|way| **way == name);
        way.copied().ok_or_else(|| PlanError::What {
            kind: self,
            what: name.to_owned(),
            known: ways.join(", "),
        })
    }

    /// Refuses one of its ways that processes do not have.
    fn refuse_simulated(self, word: &str) -> Result<(), PlanError> {
        let is_it = |row: &&&SimRow| row.name == word && row.needs.contains(&Needs::Simulation);
        match self.0.simulated.iter().find(is_it) {
            Some(row) => Err(PlanError::Simulated { what: row.name }),
            None => Ok(()),
        }
    }

    /// Its place in the table.
    fn place(self) -> usize {
        let place = FAULTS.iter().position(|row| row.name == self.name());
        place.expect("a kind is a row of the table")
    }
}

impl Step {
    /// What was written down of the fault, read as the row has it.
    pub(super) fn written<'a>(&self, nodes: &'a [NodeId]) -> Result<Written<'a>, PlanError> {
        let way = { self.what.as_deref() }
            .map(|what| self.kind.way(what))
            .transpose()?;
        Ok(Written { way, nodes })
    }
}

/// Puts a fault that hits nodes on those that were written down, if any were.
fn on_written(fault: Fault, written: &Written<'_>) -> Fault {
    match written.nodes {
        [] => fault,
        nodes => fault.on(nodes),
    }
}

/// Aims a fault that hits nodes.
fn on_one(fault: &Fault, node: NodeId, _: &[NodeId]) -> Fault {
    fault.on(&[node])
}

impl fmt::Debug for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl PartialEq for FaultKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for FaultKind {}

impl Hash for FaultKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialOrd for FaultKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In the order of the table.
impl Ord for FaultKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl Serialize for FaultKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for FaultKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let named = Self::ALL.into_iter().find(|kind| kind.name() == name);
        named.ok_or_else(|| D::Error::unknown_variant(&name, &Self::NAMES))
    }
}

#[cfg(test)]
mod tests;
