//! Everything that a seed decides before the simulation begins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use kvs_check::history::Model;
use kvs_core::bug::{Bug, Trigger};
use kvs_core::protocol::Lattice;
use kvs_core::server::{Architecture, Settings, WitnessKind};
use kvs_core::session::{Policy, Routing};
use kvs_load::workload::{Distribution, Mix, ValueSize, Workload};

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::kinds;
use super::topology::Topology;
use kvs_load::nemesis::SimFault;

/// Steps of the safety phase, unless told otherwise.
pub const STEPS_DEFAULT: u64 = 1_000;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;

/// What the caller decides; the seed draws all else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// What is simulated.
    pub architecture: Architecture,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// What the verdict holds the store to, instead of what it promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Model>,
    /// A known mistake to build the store with.
    pub bug: Option<Bug>,
    /// What clients do: the mix, keys and sizes of this workload, which its name finds again. Its
    /// rate, its times and its faults are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Steps of the workload in the safety phase; a read-modify-write is one step of two
    /// operations.
    pub steps: u64,
    /// How many sessions there are at a time.
    pub sessions: Option<u32>,
    /// How many keys there are at first.
    pub keys: Option<u64>,
    /// How a session chooses among replicas.
    pub routing: Option<Routing>,
    /// Whether requests carry what their session has seen.
    pub context: bool,
    /// How far apart nodes are.
    pub topology: Topology,
    /// Kinds of fault that do not happen.
    pub without: BTreeSet<SimFault>,
    /// Whether faults that come from time to time are meant for the node that leads its group then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_leader: bool,
    /// Whether all that happens is written down.
    pub trace: bool,
}

impl Options {
    /// Everything is left to the seed.
    #[must_use]
    pub const fn new(architecture: Architecture, lattice: Lattice) -> Self {
        Self {
            architecture,
            lattice,
            promise: None,
            bug: None,
            workload: None,
            steps: STEPS_DEFAULT,
            sessions: None,
            keys: None,
            routing: None,
            context: true,
            topology: Topology::Lan,
            without: BTreeSet::new(),
            at_leader: false,
            trace: false,
        }
    }

    /// Whether puts that die with the only state that had them can be told from others: their dots
    /// name them.
    fn can_tell_lost_puts(&self) -> bool {
        let store = self.architecture.kind();
        store.facts().has_copies() && store.facts().witness(self.lattice) == WitnessKind::Causal
    }

    /// The kinds of fault that seeds draw from and that never came in what was counted.
    #[must_use]
    pub fn never_came(&self, counters: &Counters) -> Vec<SimFault> {
        { SimFault::ALL.iter().copied() }
            .filter(|fault| !self.without.contains(fault) && fault.can_meet(&self.architecture))
            .filter(|fault| counters.faults[fault.index()] == 0)
            .collect()
    }
}

/// Everything that decides a simulation: the same plan gives the same history, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Decides every draw.
    pub seed: u64,
    /// What is simulated.
    pub architecture: Architecture,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// What the verdict holds the store to, instead of what it promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Model>,
    /// A known mistake that the store is built with.
    pub bug: Option<Bug>,
    /// Steps of the safety phase.
    pub steps: u64,
    /// What the steps are.
    pub workload: Workload,
    /// Whether each key is put once before the workload begins.
    pub preload: bool,
    /// How sessions behave.
    pub policy: Policy,
    /// How many clients the sessions belong to: those of one share what they suspect.
    pub clients: u16,
    /// How long a session pauses between two steps on average, in ns.
    pub think_ns: u64,
    /// How long a client waits for an answer, in ns.
    pub timeout_ns: u64,
    /// Intervals and bounds of the replicas.
    pub settings: Settings,
    /// Where nodes and clients are.
    pub topology: Topology,
    /// How the network behaves.
    pub network: Network,
    /// How wrong clocks are.
    pub clocks: Clocks,
    /// The faults that there are: how often those come that do so from time to time, and how long
    /// they last. The others stand until everything is healed.
    pub faults: BTreeMap<SimFault, Rate>,
    /// Whether those that come from time to time are meant for the node that leads its group then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_leader: bool,
    /// Whether a node may lose puts together with its state: acknowledged, and applied by no other
    /// replica. Otherwise it loses its state only while every put that it has is held elsewhere.
    pub loses_puts: bool,
    /// Whether a replica that keeps its state comes back from the changes that it had persisted;
    /// otherwise it is what `Replica::recover` leaves of it.
    pub replays: bool,
    /// How long disks take to make changes durable, and how often they fail to.
    pub syncs: Syncs,
    /// Whether it is watched how updates spread: sessions begin after a pause, and nothing is
    /// healed.
    pub watched: bool,
    /// Whether all that happens is written down.
    pub trace: bool,
}

/// How the network behaves, and how badly where it has the faults of [`Plan::faults`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// How long a message takes at the least within a LAN, in ns.
    pub base_ns: u64,
    /// How much longer it takes on average, in ns.
    pub jitter_ns: u64,
    /// How long a node gathers fresh updates before it pushes them, in ns.
    pub batch_ns: u64,
    /// The chance that a message between replicas is lost, with that fault.
    pub loss: f64,
    /// The chance that it arrives twice, with that fault.
    pub duplicate: f64,
    /// The chance that it is slow, with the fault of delays.
    pub slow: f64,
    /// How much longer a slow one takes on average, in ns.
    pub slow_ns: u64,
}

/// How wrong the nodes' wall clocks are, with that fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// How far they are from the truth at first, either way, at most, in ns.
    pub skew_ns: u64,
    /// How much too fast or too slow they go, at most, in millionths.
    pub drift_ppm: u64,
    /// How far they jump, either way, at most, in ns.
    pub jump_ns: u64,
}

/// How disks behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Syncs {
    /// How long a sync takes on average, in ns; with 0 every change is durable at once.
    pub lasts_ns: u64,
    /// The chance that it fails, which ends the node's process: nobody can know what is durable.
    pub fail: f64,
}

/// Whether a planted bug shows where faults meet the node that leads, rather than any.
#[must_use]
pub fn shows_at_leader(bug: Bug) -> bool {
    let facts = bug.facts();
    let architecture = Architecture::from(facts.store);
    let has_leader = architecture.kind().facts().has_leader();
    has_leader && matches!(facts.provoked_by, Some(Trigger::Cut | Trigger::ClockSkew))
}

/// How often faults of a kind come and how long they last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The mean time between two, in ns.
    pub every_ns: u64,
    /// The mean time that one lasts, in ns.
    pub lasts_ns: u64,
}

impl Plan {
    /// Draws the plan of `seed`. What the options decide is drawn all the same, so that the rest
    /// does not depend on it.
    #[must_use]
    pub fn draw(seed: u64, options: &Options) -> Self {
        let mut draw = Draw::new(seed, Purpose::Plan);
        let network = network(&mut draw);
        let round_trip_ns = match options.topology {
            Topology::Lan => 2 * (network.base_ns + network.jitter_ns),
            Topology::Wan => 400 * MS,
        };
        let mut plan = Self {
            seed,
            architecture: options.architecture.clone(),
            lattice: options.lattice,
            promise: options.promise,
            bug: options.bug,
            steps: options.steps,
            workload: workload(&mut draw),
            preload: draw.chance(0.3),
            policy: Policy {
                routing: *pick(
                    &mut draw,
                    &[Routing::RoundRobin, Routing::Random, Routing::Sticky],
                ),
                context: options.context,
            },
            clients: draw.between(1, 3) as u16,
            think_ns: if draw.chance(0.3) {
                0
            } else {
                draw.magnitude(10 * US, 5 * MS)
            },
            timeout_ns: draw.magnitude(4, 200) * round_trip_ns,
            settings: kinds::settings(seed, &mut draw),
            topology: options.topology,
            network,
            clocks: clocks(&mut draw),
            faults: BTreeMap::new(),
            at_leader: options.at_leader,
            loses_puts: draw.chance(0.2) && options.can_tell_lost_puts(),
            replays: draw.chance(0.5),
            syncs: Syncs::default(),
            watched: false,
            trace: options.trace,
        };
        plan.draw_faults(&mut draw);
        plan.syncs = syncs(&mut draw);
        plan.apply(options);
        kinds::fit(&mut plan, round_trip_ns);
        plan
    }

    /// Each kind of fault is there in every other seed, and one seed in twenty has none.
    fn draw_faults(&mut self, draw: &mut Draw) {
        let calm = draw.chance(0.05);
        for fault in SimFault::ALL {
            let present = draw.chance(0.5) && !calm;
            let rate = Rate {
                every_ns: draw.magnitude(5 * MS, 300 * MS),
                lasts_ns: draw.magnitude(MS, 200 * MS),
            };
            if present {
                self.faults.insert(*fault, rate);
            }
        }
    }

    fn apply(&mut self, options: &Options) {
        let may_come = |fault: &SimFault| fault.may_come(&self.architecture);
        self.faults
            .retain(|fault, _| !options.without.contains(fault) && may_come(fault));
        if self.faults.contains_key(&SimFault::DISK) {
            self.replays = true;
        } else {
            self.syncs = Syncs::default();
        }
        if let Some(workload) = &options.workload {
            self.workload = Workload {
                sessions: self.workload.sessions,
                ..workload.clone()
            };
            self.workload.rate = None;
            self.workload.nemesis.clear();
        }
        self.workload.sessions = options.sessions.unwrap_or(self.workload.sessions);
        self.workload.records = options.keys.unwrap_or(self.workload.records);
        self.policy.routing = options.routing.unwrap_or(self.policy.routing);
    }
}

fn pick<'a, T>(draw: &mut Draw, from: &'a [T]) -> &'a T {
    &from[draw.below(from.len())]
}

fn network(draw: &mut Draw) -> Network {
    let base_ns = draw.magnitude(20 * US, 2 * MS);
    Network {
        base_ns,
        jitter_ns: draw.magnitude(base_ns / 10, base_ns * 4),
        batch_ns: draw.between(0, 200 * US),
        loss: draw.magnitude(1, 300) as f64 / 1e3,
        duplicate: draw.magnitude(1, 200) as f64 / 1e3,
        slow: draw.magnitude(1, 100) as f64 / 1e3,
        slow_ns: draw.magnitude(MS, 100 * MS),
    }
}

fn workload(draw: &mut Draw) -> Workload {
    let distributions = [
        Distribution::Uniform,
        Distribution::Zipfian { theta: 0.99 },
        Distribution::Latest { theta: 0.99 },
        Distribution::Hotspot {
            keys: 0.2,
            operations: 0.8,
        },
    ];
    let read = draw.between(10, 80) as f64 / 100.0;
    let rest = 1.0 - read;
    let read_modify_write = if draw.chance(0.4) { rest / 3.0 } else { 0.0 };
    let insert = if draw.chance(0.2) { rest / 10.0 } else { 0.0 };
    let large = draw.chance(0.05);
    Workload {
        name: "simulated".to_owned(),
        records: draw.magnitude(1, 40),
        mix: Mix {
            read,
            update: rest - read_modify_write - insert,
            read_modify_write,
            compare_and_set: 0.0,
            insert,
        },
        distribution: *pick(draw, &distributions),
        value_size: ValueSize::Uniform {
            min: 16,
            max: if large { 8_192 } else { 48 },
        },
        sessions: draw.magnitude(1, 16) as u32,
        ..Workload::default()
    }
}

fn clocks(draw: &mut Draw) -> Clocks {
    Clocks {
        skew_ns: draw.magnitude(MS, 1_000 * MS),
        drift_ppm: draw.magnitude(1, 1_000),
        jump_ns: draw.magnitude(MS, 1_000 * MS),
    }
}

fn syncs(draw: &mut Draw) -> Syncs {
    Syncs {
        lasts_ns: draw.magnitude(20 * US, 20 * MS),
        fail: draw.magnitude(1, 50) as f64 / 1e3,
    }
}
