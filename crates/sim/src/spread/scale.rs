//! How updates spread among any number of replicas: a plan whose every parameter is given, and a
//! simulation that is watched instead of judged.

use serde::{Deserialize, Serialize};

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::replica::GossipSettings;
use kvs_core::server::{Architecture, Settings};
use kvs_core::session::{Policy, Routing};
use kvs_load::nemesis::SimFault;
use kvs_load::workload::{Mix, ValueSize, Workload};

use super::probe::{Probe, Spread};
use crate::outcome::SimVerdict;
use crate::plan::{Clocks, Network, Plan, Rate, Syncs};
use crate::said;
use crate::topology::Topology;
use crate::world::{MS, World};

/// What a message takes within a LAN at the least, and beyond that on average, in ns.
const LAN_NS: (u64, u64) = (100_000, 50_000);
/// How much longer than the way between the regions a message takes on average, in ns.
const WAN_JITTER_NS: u64 = 1_000_000;
/// How long a node gathers fresh updates before it pushes them, in ns.
const BATCH_NS: u64 = 20_000;
/// How many keys there are.
const KEYS: u64 = 1_000;
/// How long after the last put the replicas may take, in rounds of anti-entropy: what has not
/// spread by then does not spread.
const ROUNDS_MAX: u64 = 100;
/// How long a client waits: longer than any answer takes here.
const TIMEOUT_NS: u64 = 60_000 * MS;
/// The rate of a fault that stands, which has none.
const STANDS: Rate = Rate {
    every_ns: 0,
    lasts_ns: 0,
};

/// All that decides how updates spread, but for the seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// What is simulated.
    pub architecture: Architecture,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// A known mistake to build the store with.
    pub bug: Option<Bug>,
    /// How many peers a rumour is pushed to.
    pub fanout: u16,
    /// Time between two digests of one replica, in ms.
    pub anti_entropy_ms: u64,
    /// How far apart nodes are.
    pub topology: Topology,
    /// The chance that a message between replicas is lost.
    pub loss: f64,
    /// How many sessions put: each at the replica of its number in each group, so that as many
    /// replicas of a group take puts as there are sessions.
    pub sessions: u32,
    /// How many puts there are.
    pub updates: u64,
    /// The mean time between two puts, whoever makes them, in ms.
    pub every_ms: f64,
    /// Bytes of each value.
    pub value_bytes: u32,
}

impl Scale {
    /// The plan of one seed.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        let workload = Workload {
            name: "scale".to_owned(),
            records: KEYS,
            mix: Mix {
                update: 1.0,
                ..Mix::default()
            },
            value_size: ValueSize::Fixed(self.value_bytes),
            sessions: self.sessions,
            ..Workload::default()
        };
        let (base_ns, jitter_ns) = match self.topology {
            Topology::Lan => LAN_NS,
            Topology::Wan => (LAN_NS.0, WAN_JITTER_NS),
        };
        Plan {
            seed,
            architecture: self.architecture.clone(),
            lattice: self.lattice,
            promise: None,
            bug: self.bug,
            steps: self.updates,
            workload,
            preload: false,
            policy: Policy {
                routing: Routing::Sticky,
                context: true,
            },
            // A client each, so that it is in the region of the node that it asks.
            clients: self.sessions.min(u32::from(u16::MAX)) as u16,
            think_ns: (self.every_ms * MS as f64) as u64 * u64::from(self.sessions),
            timeout_ns: TIMEOUT_NS,
            settings: Settings {
                gossip: GossipSettings {
                    fanout: self.fanout,
                    anti_entropy_ms: self.anti_entropy_ms,
                    ..GossipSettings::default()
                },
                ..Settings::default()
            },
            topology: self.topology,
            network: Network {
                base_ns,
                jitter_ns,
                batch_ns: BATCH_NS,
                loss: self.loss,
                duplicate: 0.0,
                slow: 0.0,
                slow_ns: 0,
            },
            clocks: Clocks::default(),
            faults: [SimFault::LOSS, SimFault::REORDER]
                .map(|fault| (fault, STANDS))
                .into(),
            at_leader: false,
            loses_puts: false,
            replays: false,
            syncs: Syncs::default(),
            watched: true,
            trace: false,
        }
    }

    /// How many nodes there are, and in how many groups.
    #[must_use]
    pub fn groups(&self) -> (u32, u32) {
        let groups = self.architecture.groups();
        (groups.concat().len() as u32, groups.len() as u32)
    }

    /// How long a rumour takes from one replica to the next on average, in ms, with the time it is
    /// gathered.
    #[must_use]
    pub fn hop_ms(&self) -> f64 {
        let network = self.plan(0).network;
        let way_ns = self.topology.mean_one_way_ns(network.base_ns);
        (way_ns + network.jitter_ns as f64 + network.batch_ns as f64) / MS as f64
    }

    /// Lets one seed happen and says how its updates spread. The loss of messages does not end, and
    /// nobody reads: the world ends when every replica has every update, or a hundred rounds of
    /// anti-entropy after the last put.
    ///
    /// # Errors
    /// The store's code panicked.
    pub fn run(&self, seed: u64) -> Result<Spread, SimVerdict> {
        let plan = self.plan(seed);
        let lived = std::panic::catch_unwind(|| {
            let mut world = World::new(&plan);
            world.spread();
            let now_ns = world.now_ns;
            let probe = world.probe.take().expect("the plan is watched");
            Probe::into_spread(*probe, now_ns)
        });
        lived.map_err(|panic| SimVerdict::Crash {
            message: said(&*panic),
        })
    }
}

impl World<'_> {
    /// Runs until every put was made and is everywhere, or has had the time to be.
    fn spread(&mut self) {
        let grace_ns = ROUNDS_MAX * self.nodes[0].spec.round_ms() * MS;
        let mut until_ns = u64::MAX;
        loop {
            let ended = self.clients.pacer.is_idle();
            let quiet = self.probe.as_ref().is_none_or(|probe| probe.is_quiet());
            if ended {
                until_ns = until_ns.min(self.now_ns + grace_ns);
            }
            if ended && quiet || !self.step(until_ns) {
                return;
            }
        }
    }
}
