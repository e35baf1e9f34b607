//! Histories that the simulator records: real replicas on few keys, with every kind of fault.
//!
//! Nothing about them is made up: they have what generated histories lack, such as replicas that
//! diverge while they are cut off, sessions that end with an operation of unknown outcome, and
//! puts that nobody sees for long. The store is right, so that each is valid for what it promises.

use std::collections::BTreeMap;

use kvs_zoo::history::{History, Model};
use kvs_zoo::protocol::Lattice;
use kvs_zoo::server::{Architecture, Settings};
use kvs_zoo::session::{Policy, Routing};
use kvs_zoo::sim::{self, Clocks, Network, Options, Plan, Rate, SimFault, SimVerdict, Syncs};
use kvs_zoo::workload::Workload;

use crate::generate::Shape;

/// The workload: many sessions on eight keys.
const WORKLOAD: &str = "contended";
/// One seed for every cell, so that a cell is the same history on every machine.
const SEED: u64 = 1;
const US: u64 = 1_000;
const MS: u64 = 1_000_000;
/// Faults of one kind come this often, and each lasts so long, on average.
const RATE: Rate = Rate {
    every_ns: 60 * MS,
    lasts_ns: 20 * MS,
};
/// A replica loses its state only while others hold all of its puts, which is seldom so: it is tried
/// more often.
const AMNESIA_EVERY_NS: u64 = 6 * MS;
const NETWORK: Network = Network {
    base_ns: 100 * US,
    jitter_ns: 50 * US,
    batch_ns: 50 * US,
    loss: 0.02,
    duplicate: 0.02,
    slow: 0.02,
    slow_ns: 5 * MS,
};
const CLOCKS: Clocks = Clocks {
    skew_ns: 100 * MS,
    drift_ppm: 200,
    jump_ns: 100 * MS,
};
const SYNCS: Syncs = Syncs {
    lasts_ns: 200 * US,
    fail: 0.005,
};

/// A store that is simulated, with disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Local,
    Sharded,
    ReplicatedCausal,
    ReplicatedLww,
    ShardedReplicatedCausal,
    ShardedReplicatedLww,
}

impl System {
    pub(crate) const ALL: [Self; 6] = [
        Self::Local,
        Self::Sharded,
        Self::ReplicatedCausal,
        Self::ReplicatedLww,
        Self::ShardedReplicatedCausal,
        Self::ShardedReplicatedLww,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "faulted-local",
            Self::Sharded => "faulted-sharded",
            Self::ReplicatedCausal => "faulted-replicated-causal",
            Self::ReplicatedLww => "faulted-replicated-lww",
            Self::ShardedReplicatedCausal => "faulted-sharded-replicated-causal",
            Self::ShardedReplicatedLww => "faulted-sharded-replicated-lww",
        }
    }

    pub(crate) const fn promise(self) -> Model {
        match self {
            Self::Local | Self::Sharded => Model::Linearizable,
            Self::ReplicatedCausal | Self::ShardedReplicatedCausal => Model::Causal,
            Self::ReplicatedLww | Self::ShardedReplicatedLww => Model::Lww,
        }
    }

    /// Whether replies say what the replica did. Those of a store with one copy do not.
    pub(crate) fn has_evidence(self) -> bool {
        self.promise() != Model::Linearizable
    }

    const fn architecture(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Sharded => "sharded",
            Self::ReplicatedCausal | Self::ReplicatedLww => "replicated",
            Self::ShardedReplicatedCausal | Self::ShardedReplicatedLww => "sharded_replicated",
        }
    }

    const fn lattice(self) -> Lattice {
        match self {
            Self::Local
            | Self::Sharded
            | Self::ReplicatedCausal
            | Self::ShardedReplicatedCausal => Lattice::Causal,
            Self::ReplicatedLww | Self::ShardedReplicatedLww => Lattice::Lww,
        }
    }
}

/// Simulates a store for as many steps as the shape has operations, and says what came of it. A
/// read-modify-write is one step of two operations, and the final reads come on top.
///
/// # Panics
/// When the history is not valid.
pub(crate) fn record(system: System, shape: Shape) -> History {
    let architecture: Architecture = { system.architecture() }.parse().expect("a known name");
    let options = Options {
        steps: u64::from(shape.operations),
        ..Options::new(architecture, system.lattice())
    };
    let outcome = sim::run(&plan(&options, shape));
    let never_came = options.never_came(&outcome.counters);
    let counted = { outcome.counters.by_fault() }.into_iter();
    let came: Vec<String> = counted
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    eprintln!(
        "  {} operations in {:.1} s of virtual time; {}",
        outcome.history.len(),
        outcome.counters.virtual_ns as f64 / 1e9,
        came.join(", ")
    );
    assert_eq!(outcome.verdict, SimVerdict::Valid, "{system:?}");
    for fault in never_came {
        eprintln!("  never came: {fault}");
    }
    outcome.history
}

/// Every kind of fault that the store can meet, all the time.
fn plan(options: &Options, shape: Shape) -> Plan {
    let kinds = SimFault::ALL.iter().copied();
    let met = kinds.filter(|fault| fault.can_meet(&options.architecture));
    let mut faults: BTreeMap<SimFault, Rate> = met.map(|fault| (fault, RATE)).collect();
    if let Some(rate) = faults.get_mut(&SimFault::AMNESIA) {
        rate.every_ns = AMNESIA_EVERY_NS;
    }
    let contended = Workload::load(WORKLOAD).expect("it comes with the program");
    Plan {
        workload: Workload {
            sessions: shape.sessions,
            records: u64::from(shape.keys),
            ..contended
        },
        preload: false,
        policy: Policy {
            routing: Routing::RoundRobin,
            context: true,
        },
        clients: 3,
        think_ns: 500 * US,
        timeout_ns: 10 * MS,
        settings: Settings::default(),
        network: NETWORK,
        clocks: CLOCKS,
        faults,
        loses_puts: false,
        replays: true,
        syncs: SYNCS,
        ..Plan::draw(SEED, options)
    }
}
