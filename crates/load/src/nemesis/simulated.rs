//! The ways in which faults come in a simulated world. They are rows of their kinds, in the words
//! of those that come to real processes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::fault::Fault;
use super::faults::{FAULTS, FaultKind, FaultRow};
use kvs_core::protocol::NodeId;
use kvs_core::server::Architecture;

/// A way in which a fault comes in a simulated world.
#[derive(Debug)]
pub struct SimRow {
    /// Its number, which decides what a seed draws for it: it never changes. A new row takes the
    /// next. Seeds then draw other plans, since that fault comes in every other one.
    pub number: u16,
    /// Its name, as `--without` takes it.
    pub name: &'static str,
    /// The ways of its kind that it is, where the nemesis of a run has them too; other names for it.
    pub ways: &'static [&'static str],
    /// What happens, as one sentence.
    pub meaning: &'static str,
    /// What it needs to come.
    pub needs: &'static [Needs],
    /// Draws what is wrong from the beginning until everything is healed, if anything is. How bad
    /// that is, and how often it shows, is a matter of the world.
    pub stands: Option<fn(&mut dyn SimDraws) -> Fault>,
    /// Draws one that comes from time to time, if such come: at this node, where it hits one.
    pub strikes: Option<fn(&mut dyn SimDraws, NodeId) -> Strike>,
}

/// What a fault needs to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Some key with more than one replica: without, there is no message between replicas, and
    /// whatever happens to those happens to none.
    Peers,
    /// A node that lost its state must be able to get it back from others: without, nothing would be
    /// left to promise anything about.
    Copies,
    /// A simulated world: nobody does such a thing to processes.
    Simulation,
    /// Processes: a simulated world has no such thing.
    Processes,
}

impl Needs {
    /// Whether a simulated store of this architecture has it.
    fn is_met(self, architecture: &Architecture) -> bool {
        match self {
            Self::Peers => architecture.groups().iter().any(|group| group.len() > 1),
            Self::Copies => architecture.kind().facts().has_copies(),
            Self::Simulation => true,
            Self::Processes => false,
        }
    }

    /// Whether a fault that lacks it must not come; otherwise it may, and comes to nothing.
    const fn is_strict(self) -> bool {
        match self {
            Self::Peers => false,
            Self::Copies | Self::Simulation | Self::Processes => true,
        }
    }
}

/// What is missing, as a sentence has it.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peers => "a key with more than one replica",
            Self::Copies => "others that still have what a node forgot",
            Self::Simulation => "a simulated world (kvs-bench sim)",
            Self::Processes => "real processes (kvs-bench run)",
        })
    }
}

/// What a fault of a simulated world is drawn from: the world, and a stream of its own.
pub trait SimDraws {
    /// How many nodes there are.
    fn nodes(&self) -> u16;

    /// How many clients there are.
    fn clients(&self) -> u16;

    /// How far a clock is from the truth at first, in ns, either way.
    fn skew_ns(&mut self) -> i64;

    /// How much too fast or too slow a clock goes, in millionths.
    fn drift_ppm(&mut self) -> i64;

    /// How far a clock jumps, in ns, either way.
    fn jump_ns(&mut self) -> i64;

    /// Uniform in `0..n`.
    fn below(&mut self, n: usize) -> usize;

    /// Whether something of this probability happens.
    fn chance(&mut self, probability: f64) -> bool;
}

impl dyn SimDraws + '_ {
    /// The nodes, in the order of their ids.
    pub(super) fn every_node(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes()).map(NodeId)
    }
}

/// A fault that comes to a simulated world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The fault.
    pub fault: Fault,
    /// How it divides the world, for a trace; empty where it does not.
    pub sides: String,
}

impl From<Fault> for Strike {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            sides: String::new(),
        }
    }
}

/// A kind of fault of a simulated world: its row.
#[derive(Clone, Copy)]
pub struct SimFault(&'static SimRow);

impl SimFault {
    /// How many kinds there are.
    pub const COUNT: usize = {
        let (mut count, mut place) = (0, 0);
        while place < FAULTS.len() {
            count += FAULTS[place].simulated.len();
            place += 1;
        }
        count
    };

    /// Every kind, in the order of their numbers.
    pub const ALL: &'static [Self] = &{
        let mut all = [Self(FAULTS[0].simulated[0]); Self::COUNT];
        let mut place = 0;
        while place < FAULTS.len() {
            let rows = FAULTS[place].simulated;
            let mut way = 0;
            while way < rows.len() {
                all[rows[way].number as usize] = Self(rows[way]);
                way += 1;
            }
            place += 1;
        }
        all
    };

    const NAMES: [&'static str; Self::COUNT] = {
        let mut names = [""; Self::COUNT];
        let mut place = 0;
        while place < Self::COUNT {
            names[place] = Self::ALL[place].0.name;
            place += 1;
        }
        names
    };

    /// The kind of this row.
    pub(super) const fn of(row: &'static SimRow) -> Self {
        Self(row)
    }

    /// Its row.
    #[must_use]
    pub const fn row(self) -> &'static SimRow {
        self.0
    }

    /// Its name, as `--without` takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The kind of fault that it is, of those that come to real processes.
    #[must_use]
    pub fn kind(self) -> FaultKind {
        let has = |row: &FaultRow| row.simulated.iter().any(|row| row.number == self.0.number);
        let kind = FaultKind::ALL.into_iter().find(|kind| has(kind.row()));
        kind.expect("a row of the simulator is one of a kind")
    }

    /// What somebody means by this word: one by its name or by that of a way, or all of a kind;
    /// nothing where no fault has that name.
    ///
    /// # Errors
    /// When it is a fault that only processes have.
    pub fn meant(word: &str) -> Result<Vec<Self>, OnlyProcesses> {
        let all = || Self::ALL.iter().copied();
        if let Some(named) = all().find(|fault| fault.name() == word) {
            return Ok(vec![named]);
        }
        let of_kind = |fault: &Self| fault.kind().name() == word;
        let is_it = |fault: &Self| fault.0.ways.contains(&word) || of_kind(fault);
        let meant: Vec<Self> = all().filter(is_it).collect();
        let has = |row: &&FaultRow| row.name == word || row.ways.contains(&word);
        if meant.is_empty() && FAULTS.iter().any(has) {
            let what = word.to_owned();
            return Err(OnlyProcesses { what });
        }
        Ok(meant)
    }

    /// Its place in [`SimFault::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0.number as usize
    }

    /// Whether a store of this architecture notices it when it comes.
    #[must_use]
    pub fn can_meet(self, architecture: &Architecture) -> bool {
        let mut needs = self.0.needs.iter();
        needs.all(|need| need.is_met(architecture))
    }

    /// Whether it may come to a store of this architecture at all.
    #[must_use]
    pub fn may_come(self, architecture: &Architecture) -> bool {
        let mut needs = self.0.needs.iter().filter(|need| need.is_strict());
        needs.all(|need| need.is_met(architecture))
    }
}

/// A fault that no simulated world can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no simulated world has {what} faults, which need {}",
    Needs::Processes
)]
pub struct OnlyProcesses {
    /// What was asked for.
    pub what: String,
}

impl fmt::Debug for SimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for SimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl PartialEq for SimFault {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

impl Eq for SimFault {}

impl Hash for SimFault {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl PartialOrd for SimFault {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In the order of their numbers.
impl Ord for SimFault {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.number.cmp(&other.0.number)
    }
}

impl Serialize for SimFault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SimFault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let named = Self::ALL.iter().find(|fault| fault.name() == name);
        named
            .copied()
            .ok_or_else(|| D::Error::unknown_variant(&name, &Self::NAMES))
    }
}
