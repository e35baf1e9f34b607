//! The kinds of store: what one replica group can be. A kind is one file here and one row of
//! [`KINDS`]. Every list of kinds iterates the table, and everything else asks the kind itself.

mod local;
mod quorum;
mod raft;
mod replicated;
mod sloppy;
#[cfg(test)]
mod toy;

use std::fmt;

pub use local::LocalStore;
pub use quorum::QuorumStore;
pub use raft::RaftStore;
pub use replicated::ReplicatedStore;
pub use sloppy::SloppyStore;

use super::parse::{Arguments, ParseArchitectureError};
use super::ports::Route;
use super::{Architecture, DEFAULT_SIZE, ImpossibleSize, ReplicaKind};
use crate::protocol::{GroupId, Lattice};

/// Every kind of store, in the order in which lists have them.
pub static KINDS: &[&KindRow] = &[
    &local::ROW,
    &replicated::ROW,
    &quorum::ROW,
    &sloppy::ROW,
    &raft::ROW,
    #[cfg(test)]
    &toy::ROW,
];

/// What is known of a kind whatever its parameters are.
#[derive(Debug)]
pub struct KindRow {
    /// What `--arch` calls it.
    pub name: &'static str,
    /// What it is with its usual parameters, in a line.
    pub help: &'static str,
    /// What shards of it are called, each of usual size.
    pub sharded: &'static str,
    /// What those are, in a line.
    pub sharded_help: &'static str,
    /// It, with its usual parameters.
    pub usual: StoreKind,
    /// The lattices that `--lattice` chooses from; none where that makes no difference.
    pub lattices: &'static [Lattice],
    /// Reads its parameters, if any are given.
    pub(super) parse: fn(&mut Arguments<'_, '_>) -> Result<StoreKind, ParseArchitectureError>,
}

/// A kind of store with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// See [`LocalStore`].
    Local(LocalStore),
    /// See [`ReplicatedStore`].
    Replicated(ReplicatedStore),
    /// See [`QuorumStore`].
    Quorum(QuorumStore),
    /// See [`SloppyStore`].
    Sloppy(SloppyStore),
    /// See [`RaftStore`].
    Raft(RaftStore),
    /// The toy.
    #[cfg(test)]
    Echo(toy::EchoStore),
}

impl StoreKind {
    /// What it is.
    #[must_use]
    pub fn facts(&self) -> &dyn KindFacts {
        match self {
            Self::Local(store) => store,
            Self::Replicated(store) => store,
            Self::Quorum(store) => store,
            Self::Sloppy(store) => store,
            Self::Raft(store) => store,
            #[cfg(test)]
            Self::Echo(store) => store,
        }
    }

    /// Its row.
    #[must_use]
    pub fn row(&self) -> &'static KindRow {
        self.facts().row()
    }
}

/// What a store of one kind is, given its parameters, and the lattice where there is a choice.
pub trait KindFacts {
    /// The row of its kind.
    fn row(&self) -> &'static KindRow;

    /// How many nodes a group has, spares among them.
    fn size(&self) -> u16;

    /// How many of them serve no keys: the last ones.
    fn spares(&self) -> u16 {
        0
    }

    /// What is in parentheses behind its name; nothing when all is as usual.
    fn parameters(&self) -> String;

    /// The same with so many replicas.
    ///
    /// # Errors
    /// When it cannot have so many.
    fn with_replicas(&self, replicas: u16) -> Result<StoreKind, ImpossibleSize>;

    /// What its nodes run.
    fn replica(&self, lattice: Lattice) -> ReplicaKind;

    /// Which nodes of a group may serve a key.
    fn route(&self, group: GroupId) -> Route {
        Route::AnyOf(group)
    }

    /// What it promises.
    fn promise(&self, lattice: Lattice) -> Promise;

    /// What its answers say of the puts that they show.
    fn witness(&self, lattice: Lattice) -> WitnessKind;

    /// Whether it compares and sets.
    fn compares_and_sets(&self) -> bool;

    /// Whether one node of a group leads the others, and says so
    /// ([`Status::leads`](crate::replica::Status::leads)).
    fn has_leader(&self) -> bool {
        false
    }

    /// Whether a node that lost its memory may get it back from others.
    fn has_copies(&self) -> bool;

    /// How many of a group's nodes may lose their memory, before replicas agree again, without any
    /// acknowledged put being lost.
    fn memories_to_spare(&self) -> u16 {
        0
    }

    /// What theory says that may become of acknowledged puts when processes end without being asked
    /// to, and what they acknowledged was in memory alone.
    fn losses_of_memory(&self) -> Losses;
}

/// What a store promises of what its clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Promise {
    /// Every operation takes effect at one moment between its start and its end.
    Linearizable,
    /// A get shows the last put before it, or one under way at the same time.
    Regular,
    /// Nobody sees an effect before its causes; concurrent puts are kept.
    Causal,
    /// The put with the largest version stays.
    Lww,
    /// Replicas agree in the end.
    Eventual,
}

/// What answers say of the puts that they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WitnessKind {
    /// Nothing.
    None,
    /// Dots, and what each put had seen.
    Causal,
    /// Versions.
    Versions,
}

/// What theory says of acknowledged puts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Losses {
    /// Nothing acknowledged is lost, and the promise is kept.
    Kept,
    /// Acknowledged puts are lost, and the checker finds that out: the only copy was in memory.
    Loses,
    /// Acknowledged puts may be lost, those that a killed node had not sent on yet; or all of them
    /// where every node of a group was down at once. Nothing else goes wrong.
    MayLose,
}

impl Losses {
    /// Its name, as tables print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Loses => "loses",
            Self::MayLose => "may lose",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)?;
        match self.facts().parameters() {
            usual if usual.is_empty() => Ok(()),
            parameters => write!(f, "({parameters})"),
        }
    }
}

impl KindRow {
    /// Every name that `--arch` takes, but for nestings.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let plain = KINDS.iter().map(|row| row.name);
        plain.chain(KINDS.iter().map(|row| row.sharded))
    }

    /// The kind of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|row| row.name == name)
    }

    /// The kind whose shards have this name.
    pub(super) fn sharded_named(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|row| row.sharded == name)
    }
}

impl Architecture {
    /// One group of each kind and shards of each, all of their usual size: the zoo.
    #[must_use]
    pub fn zoo() -> Vec<Self> {
        let stores = KINDS.iter().flat_map(|row| {
            let group = Self::Group(row.usual);
            let shards = Self::sharded(DEFAULT_SIZE, group.clone()).expect("a possible size");
            [group, shards]
        });
        stores.collect()
    }

    /// What its groups are.
    #[must_use]
    pub fn kind(&self) -> StoreKind {
        match self {
            Self::Group(kind) => *kind,
            Self::Sharded(_, inner) => inner.kind(),
        }
    }

    /// Whether a lattice decides what puts mean.
    #[must_use]
    pub fn has_lattice(&self) -> bool {
        !self.kind().row().lattices.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_by_its_name_and_printed_as_it_and_so_are_shards_of_it() {
        for row in KINDS {
            let usual = Architecture::Group(row.usual);
            let shards = Architecture::sharded(DEFAULT_SIZE, usual.clone()).expect("a size");
            for (name, store) in [(row.name, usual), (row.sharded, shards)] {
                assert_eq!(name.parse().as_ref(), Ok(&store), "{name}");
                assert_eq!(store.to_string(), name);
                assert!(std::ptr::eq(store.kind().row(), *row));
            }
        }
        let mut names: Vec<&str> = KindRow::names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2 * KINDS.len(), "each name is one store");
    }

    #[test]
    fn a_group_has_the_replicas_that_it_is_asked_for_or_none_at_all() {
        for row in KINDS {
            for replicas in 2..=9 {
                if let Ok(kind) = row.usual.facts().with_replicas(replicas) {
                    let facts = kind.facts();
                    assert_eq!(facts.size() - facts.spares(), replicas, "{kind}");
                    assert_eq!(kind.to_string().parse(), Ok(Architecture::Group(kind)));
                }
            }
        }
    }
}
