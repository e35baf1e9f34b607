//! `local`: one node with every key.

use super::{KindFacts, KindRow, Losses, Promise, StoreKind, WitnessKind};
use crate::protocol::{GroupId, Lattice};
use crate::server::{ImpossibleSize, ReplicaKind, Route};

pub(super) static ROW: KindRow = KindRow {
    name: "local",
    help: "one node; linearizable",
    sharded: "sharded",
    sharded_help: "3 shards of one node; linearizable, since an operation touches one key",
    usual: StoreKind::Local(LocalStore),
    lattices: &[],
    parse: |arguments| {
        arguments.none()?;
        Ok(StoreKind::Local(LocalStore))
    },
};

/// One node with every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalStore;

impl KindFacts for LocalStore {
    fn row(&self) -> &'static KindRow {
        &ROW
    }

    fn size(&self) -> u16 {
        1
    }

    fn parameters(&self) -> String {
        String::new()
    }

    fn with_replicas(&self, _: u16) -> Result<StoreKind, ImpossibleSize> {
        Err(ImpossibleSize::NothingReplicated)
    }

    fn replica(&self, _: Lattice) -> ReplicaKind {
        ReplicaKind::Local
    }

    fn route(&self, group: GroupId) -> Route {
        Route::Node(group)
    }

    fn promise(&self, _: Lattice) -> Promise {
        Promise::Linearizable
    }

    fn witness(&self, _: Lattice) -> WitnessKind {
        WitnessKind::None
    }

    fn compares_and_sets(&self) -> bool {
        true
    }

    fn has_copies(&self) -> bool {
        false
    }

    fn losses_of_memory(&self) -> Losses {
        Losses::Loses
    }
}
