//! `replicated(n)`: replicas of every key, which gossip.

use super::{KindFacts, KindRow, Losses, Promise, StoreKind, WitnessKind};
use crate::protocol::Lattice;
use crate::server::architecture::DEFAULT_SIZE;
use crate::server::parse::{Arguments, ParseArchitectureError};
use crate::server::{ImpossibleSize, REPLICAS_MAX, ReplicaKind};

pub(super) static ROW: KindRow = KindRow {
    name: "replicated",
    help: "3 replicas with epidemic gossip; causal or last-write-wins",
    sharded: "sharded_replicated",
    sharded_help: "3 shards of 3 replicas; each shard as replicated",
    usual: StoreKind::Replicated(ReplicatedStore {
        replicas: DEFAULT_SIZE,
    }),
    lattices: &[Lattice::Causal, Lattice::Lww],
    parse,
};

/// This many replicas of every key, which gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicatedStore {
    replicas: u16,
}

impl ReplicatedStore {
    pub(in crate::server) const fn new(replicas: u16) -> Result<Self, ImpossibleSize> {
        match replicas {
            0 => Err(ImpossibleSize::Zero("replicated")),
            1..=REPLICAS_MAX => Ok(Self { replicas }),
            _ => Err(ImpossibleSize::TooManyReplicas(replicas)),
        }
    }
}

fn parse(arguments: &mut Arguments<'_, '_>) -> Result<StoreKind, ParseArchitectureError> {
    let replicas = arguments.count()?.unwrap_or(DEFAULT_SIZE);
    if arguments.named(&[])?.is_some() || arguments.has_more() {
        return Err(ParseArchitectureError::InsideReplica(
            "replicated",
            replicas,
        ));
    }
    Ok(StoreKind::Replicated(ReplicatedStore::new(replicas)?))
}

impl KindFacts for ReplicatedStore {
    fn row(&self) -> &'static KindRow {
        &ROW
    }

    fn size(&self) -> u16 {
        self.replicas
    }

    fn parameters(&self) -> String {
        match self.replicas {
            DEFAULT_SIZE => String::new(),
            replicas => replicas.to_string(),
        }
    }

    fn with_replicas(&self, replicas: u16) -> Result<StoreKind, ImpossibleSize> {
        Ok(StoreKind::Replicated(Self::new(replicas)?))
    }

    fn replica(&self, lattice: Lattice) -> ReplicaKind {
        ReplicaKind::Replicated(lattice)
    }

    fn promise(&self, lattice: Lattice) -> Promise {
        match lattice {
            Lattice::Causal => Promise::Causal,
            Lattice::Lww => Promise::Lww,
        }
    }

    fn witness(&self, lattice: Lattice) -> WitnessKind {
        match lattice {
            Lattice::Causal => WitnessKind::Causal,
            Lattice::Lww => WitnessKind::Versions,
        }
    }

    /// Replicas that gossip cannot agree on what a key holds.
    fn compares_and_sets(&self) -> bool {
        false
    }

    fn has_copies(&self) -> bool {
        true
    }

    fn losses_of_memory(&self) -> Losses {
        Losses::MayLose
    }
}
