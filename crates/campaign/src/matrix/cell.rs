//! The cells of the matrix: a store, its durability, a fault, and the outcome that theory expects.

use std::time::Duration;

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::Architecture;
use kvs_harness::run::Config;
use kvs_load::nemesis::{FaultKind, Wanted};
use kvs_node::node::Durability;

use crate::zoo::Zoo;

/// How long an answer may take: well below the faults' length.
const TIMEOUT: Duration = Duration::from_millis(500);
/// How long each cell is driven before it is measured.
const WARMUP: Duration = Duration::from_millis(500);

/// The stores, each with its lattice where it has one.
const STORES: [(Zoo, Option<Lattice>); 6] = [
    (Zoo::Local, None),
    (Zoo::Sharded, None),
    (Zoo::Replicated, Some(Lattice::Causal)),
    (Zoo::Replicated, Some(Lattice::Lww)),
    (Zoo::ShardedReplicated, Some(Lattice::Causal)),
    (Zoo::ShardedReplicated, Some(Lattice::Lww)),
];

/// What is done to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Faults {
    /// Nothing.
    None,
    /// Faults of one kind.
    Of(FaultKind),
    /// Faults of every kind that the store can have.
    All,
}

impl Faults {
    fn every() -> impl Iterator<Item = Self> {
        let kinds = FaultKind::ALL.map(Self::Of);
        std::iter::once(Self::None).chain(kinds).chain([Self::All])
    }

    /// The faults that are wanted, one of each kind in every `interval` where there is one kind.
    fn wanted(self, interval: Option<Duration>) -> Wanted {
        match self {
            Self::None => Wanted::default(),
            Self::Of(kind) => Wanted {
                interval,
                ..Wanted::of(kind)
            },
            // What holds one of each.
            Self::All => Wanted {
                all: true,
                ..Wanted::default()
            },
        }
    }

    /// Its name, as the table prints it.
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Of(kind) => kind.name(),
            Self::All => "all",
        }
    }

    /// Whether processes end without being asked to.
    const fn kills(self) -> bool {
        match self {
            Self::None => false,
            Self::Of(kind) => matches!(kind, FaultKind::Kill | FaultKind::Disk),
            Self::All => true,
        }
    }
}

/// What theory says that comes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The promise is kept and nothing acknowledged is lost.
    Kept,
    /// Acknowledged puts are lost, and the checker finds that out: the only copy was in memory.
    Loses,
    /// Acknowledged puts may be lost: those that a killed node had not sent on yet, or all of them
    /// when every node of a group was down at once. Nothing else goes wrong.
    MayLose,
}

impl Expected {
    /// Its name, as the table prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Loses => "loses",
            Self::MayLose => "may lose",
        }
    }
}

/// A store under a fault.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    store: (Zoo, Option<Lattice>),
    durability: Durability,
    faults: Faults,
}

impl Cell {
    /// Every cell, in the order of the table.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for store in STORES {
            for durability in [Durability::Memory, Durability::Disk] {
                for faults in Faults::every() {
                    let cell = Self {
                        store,
                        durability,
                        faults,
                    };
                    if cell.is_possible() {
                        cells.push(cell);
                    }
                }
            }
        }
        cells
    }

    /// Memory has no disk that could fail.
    fn is_possible(&self) -> bool {
        self.durability == Durability::Disk || self.faults != Faults::Of(FaultKind::Disk)
    }

    /// Its four words: architecture, lattice, durability, faults.
    #[must_use]
    pub fn words(&self) -> [&'static str; 4] {
        let (kind, lattice) = self.store;
        [
            kind.name(),
            lattice.map_or("-", Lattice::name),
            self.durability.name(),
            self.faults.name(),
        ]
    }

    /// Its name: its words.
    #[must_use]
    pub fn name(&self) -> String {
        self.words().join(" ")
    }

    /// Whether each of these is one of its words.
    #[must_use]
    pub fn has_words(&self, words: &[&str]) -> bool {
        words.iter().all(|word| self.words().contains(word))
    }

    /// Whether anything is done to its store.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.faults != Faults::None
    }

    /// Whether its store has the part that the bug is in.
    #[must_use]
    pub fn can_have(&self, bug: Bug) -> bool {
        let facts = bug.facts();
        let (kind, lattice) = self.store;
        let is_it = |wanted| lattice == Some(wanted);
        Architecture::from(facts.store) == kind.architecture() && facts.lattice.is_none_or(is_it)
    }

    /// What theory says that comes of it.
    #[must_use]
    pub const fn expected(&self) -> Expected {
        match (self.durability, self.faults.kills(), self.store.1) {
            (Durability::Disk, ..) | (Durability::Memory, false, _) => Expected::Kept,
            (Durability::Memory, true, None) => Expected::Loses,
            (Durability::Memory, true, Some(_)) => Expected::MayLose,
        }
    }

    /// Its run; `common` has what all cells have in common: the load, the interval of faults, the
    /// seed, where the results go.
    #[must_use]
    pub fn config(&self, common: &Config) -> Config {
        let (kind, lattice) = self.store;
        let load = common.load.clone().with_records(self.records());
        Config {
            architecture: kind.architecture(),
            lattice: lattice.unwrap_or_default(),
            durability: self.durability,
            load: load.warmed_up_for(WARMUP),
            timeout: TIMEOUT,
            faults: self.faults.wanted(common.faults.interval),
            ..common.clone()
        }
    }

    /// How many keys there are. Few, so that faults hit puts of one key. But if a loss shows only
    /// in keys that are not put again, then more keys than the run puts before its end.
    const fn records(&self) -> u64 {
        if self.store.1.is_some() { 200 } else { 5_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kills_of_what_is_in_memory_may_lose_anything() {
        let cells = Cell::all();
        // Six stores; in memory seven columns, on disk eight.
        assert_eq!(cells.len(), 6 * (7 + 8));
        for cell in cells {
            let [_, lattice, durability, faults] = cell.words();
            let kills = ["kill", "all"].contains(&faults) && durability == "memory";
            let expected = match (kills, lattice) {
                (false, _) => Expected::Kept,
                (true, "-") => Expected::Loses,
                (true, _) => Expected::MayLose,
            };
            assert_eq!(cell.expected(), expected, "{}", cell.name());
        }
    }

    #[test]
    fn cells_are_chosen_by_their_words() {
        let chosen = Cell::all()
            .into_iter()
            .filter(|cell| cell.has_words(&["replicated", "lww", "disk", "kill"]));
        let names: Vec<String> = chosen.map(|cell| cell.name()).collect();
        assert_eq!(names, ["replicated lww disk kill"]);
    }
}
