//! The cells of the matrix: a store, its durability, a fault, and the outcome that theory expects.

use std::time::Duration;

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::{Architecture, Losses};
use kvs_harness::run::Config;
use kvs_load::nemesis::{FaultKind, Part, Wanted};
use kvs_node::node::Durability;

/// How long an answer may take: well below the faults' length.
const TIMEOUT: Duration = Duration::from_millis(500);
/// How long each cell is driven before it is measured.
const WARMUP: Duration = Duration::from_millis(500);

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
            Self::Of(kind) => kind.row().ends_processes,
            Self::All => true,
        }
    }
}

/// A store under a fault.
#[derive(Clone, Debug)]
pub struct Cell {
    architecture: Architecture,
    /// Where its store has one.
    lattice: Option<Lattice>,
    durability: Durability,
    faults: Faults,
}

impl Cell {
    /// Every cell, in the order of the table.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for (architecture, lattice) in stores() {
            for durability in [Durability::Memory, Durability::Disk] {
                for faults in Faults::every() {
                    let cell = Self {
                        architecture: architecture.clone(),
                        lattice,
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
        let needs_disk = |kind: FaultKind| kind.row().acts_on.contains(&Part::Disk);
        self.durability == Durability::Disk
            || !matches!(self.faults, Faults::Of(kind) if needs_disk(kind))
    }

    /// Its four words: architecture, lattice, durability, faults.
    #[must_use]
    pub fn words(&self) -> [String; 4] {
        [
            self.architecture.to_string(),
            self.lattice.map_or("-", Lattice::name).to_owned(),
            self.durability.name().to_owned(),
            self.faults.name().to_owned(),
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
        let own = self.words();
        let is_own = |word: &&str| own.iter().any(|own| own == word);
        words.iter().all(is_own)
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
        let is_it = |wanted| self.lattice == Some(wanted);
        Architecture::from(facts.store) == self.architecture && facts.lattice.is_none_or(is_it)
    }

    /// What theory says that comes of it.
    #[must_use]
    pub fn expected(&self) -> Losses {
        match (self.durability, self.faults.kills()) {
            (Durability::Disk, _) | (Durability::Memory, false) => Losses::Kept,
            (Durability::Memory, true) => self.losses_of_memory(),
        }
    }

    fn losses_of_memory(&self) -> Losses {
        self.architecture.kind().facts().losses_of_memory()
    }

    /// Its run; `common` has what all cells have in common: the load, the interval of faults, the
    /// seed, where the results go.
    #[must_use]
    pub fn config(&self, common: &Config) -> Config {
        let load = common.load.clone().with_records(self.records());
        Config {
            architecture: self.architecture.clone(),
            lattice: self.lattice.unwrap_or_default(),
            durability: self.durability,
            load: load.warmed_up_for(WARMUP),
            timeout: TIMEOUT,
            faults: self.faults.wanted(common.faults.interval),
            ..common.clone()
        }
    }

    /// How many keys there are. Few, so that faults meet puts of one key; where what is lost is only
    /// seen in keys that are not put again, more than are put before the end.
    fn records(&self) -> u64 {
        match self.losses_of_memory() {
            Losses::Loses => 5_000,
            Losses::Kept | Losses::MayLose => 200,
        }
    }
}

/// The stores, each with every lattice that it can have.
fn stores() -> Vec<(Architecture, Option<Lattice>)> {
    let stores = Architecture::zoo().into_iter().flat_map(|architecture| {
        let lattices = architecture.kind().row().lattices;
        let with = |lattice| (architecture.clone(), lattice);
        match lattices {
            [] => vec![with(None)],
            some => some.iter().map(|lattice| with(Some(*lattice))).collect(),
        }
    });
    stores.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kills_of_what_is_in_memory_may_lose_anything() {
        let cells = Cell::all();
        // Nothing, each kind, and all of them; memory has no disk that could fail.
        let columns = FaultKind::ALL.len() + 2;
        let of_disks = |kind: &FaultKind| kind.row().acts_on.contains(&Part::Disk);
        let of_disks = FaultKind::ALL.into_iter().filter(of_disks).count();
        assert_eq!(cells.len(), stores().len() * (2 * columns - of_disks));
        for cell in cells {
            let [store, lattice, durability, faults] = &cell.words();
            let kills = ["kill", "all"].contains(&faults.as_str()) && durability == "memory";
            let expected = match (kills, lattice.as_str()) {
                (false, _) => Losses::Kept,
                (true, "-") if ["local", "sharded"].contains(&store.as_str()) => Losses::Loses,
                (true, _) => Losses::MayLose,
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
