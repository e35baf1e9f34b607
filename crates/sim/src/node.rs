//! A simulated node: the production replica in a process that may pause, end and come back, with a
//! clock of its own.

use std::collections::{BTreeMap, VecDeque};

use kvs_core::protocol::NodeId;
use kvs_core::replica::{Input, Replica, ReplicaSpec, Timer};
use kvs_load::nemesis::{ClockFault, DiskFault, Needs};

use super::disk::Disk;
use super::draw::{Draw, Purpose};
use super::outbox::Outbox;
use super::plan::Plan;
use super::queue::Event;

/// What an honest clock reads when the simulation begins, in ns since 1970: the first of January
/// 2026.
const EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// Inputs that wait for a paused node. Messages beyond them are lost, as a full socket's are.
pub(super) const INBOX_MAX: usize = 4_096;

/// Whether a node's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Paused,
    Down {
        /// Whether clients are told, as by a broken connection, or have to find out.
        refuses: bool,
    },
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) spec: ReplicaSpec,
    pub(super) replica: Replica,
    pub(super) state: State,
    /// Which process of the node this is: what was meant for an earlier one is lost with it.
    pub(super) life: u32,
    /// What waits while the node is paused.
    pub(super) inbox: VecDeque<Event>,
    /// What the replica has persisted; none where it comes back by itself.
    pub(super) disk: Option<Disk>,
    /// What that may do wrong.
    pub(super) suffers: Vec<DiskFault>,
    /// The timers that run, each with the number of its last setting: only that one counts.
    timers: BTreeMap<Timer, u64>,
    timers_set: u64,
    /// The peers, shuffled anew for each timer.
    peers: Vec<NodeId>,
    draw: Draw,
    bits: Draw,
    skew_ns: i64,
    drift_ppm: i64,
}

impl Node {
    pub(super) fn new(spec: ReplicaSpec, plan: &Plan) -> Self {
        Self {
            disk: plan.replays.then(|| Disk::new(spec.bug)),
            suffers: Vec::new(),
            replica: Replica::new(&spec),
            state: State::Up,
            life: 0,
            inbox: VecDeque::new(),
            peers: spec.peers.clone(),
            draw: Draw::new(plan.seed, Purpose::Node(spec.node.0)),
            bits: Draw::new(plan.seed, Purpose::Bits(spec.node.0)),
            timers: BTreeMap::new(),
            timers_set: 0,
            skew_ns: 0,
            drift_ppm: 0,
            spec,
        }
    }

    /// Makes the replica what is left when its process has ended: nothing, under the next
    /// incarnation, or what it had, of itself or from the disk.
    pub(super) fn come_back(&mut self, without_state: bool) {
        self.timers.clear();
        if without_state {
            self.spec.incarnation += 1;
            self.replica = Replica::new(&self.spec);
            self.disk = self.disk.take().map(|_| Disk::new(self.spec.bug));
        } else if let Some(disk) = &mut self.disk {
            self.replica = Replica::new(&self.spec);
            disk.restore(&mut self.replica);
        } else {
            self.replica.recover();
        }
    }

    /// Sets the clock wrong, or more so.
    pub(super) fn turn(&mut self, clock: ClockFault, now_ns: u64) {
        match clock {
            ClockFault::Bump { offset_ns } => self.skew_ns += offset_ns,
            ClockFault::Drift { ppm } => {
                // Until now it went right.
                self.skew_ns -= drift_ns(ppm, now_ns);
                self.drift_ppm += ppm;
            }
            ClockFault::Strobe { .. } => unreachable!("a strobe needs {}", Needs::Processes),
        }
    }

    /// The node's wall clock, right or wrong, in ns since 1970.
    pub(super) fn wall_ns(&self, now_ns: u64) -> u64 {
        (EPOCH_NS + now_ns)
            .saturating_add_signed(self.skew_ns)
            .saturating_add_signed(drift_ns(self.drift_ppm, now_ns))
    }

    /// A timer runs from now on, anew if it ran already. Gives the number of this setting.
    pub(super) fn set_timer(&mut self, timer: Timer) -> u64 {
        self.timers_set += 1;
        self.timers.insert(timer, self.timers_set);
        self.timers_set
    }

    /// What the replica is told with an input.
    pub(super) fn input(&mut self, now_ns: u64) -> Input<'static> {
        Input {
            wall_ns: self.wall_ns(now_ns),
            peers: &[],
            random: self.random(),
        }
    }

    fn random(&mut self) -> u64 {
        if self.spec.draws().random {
            self.bits.bits()
        } else {
            0
        }
    }

    /// Fires every timer that it sets again for ever, as if its time had come.
    pub(super) fn fire_recurring(&mut self, now_ns: u64, out: &mut Outbox) {
        let running: Vec<(Timer, u64)> = self
            .timers
            .iter()
            .map(|(timer, at)| (*timer, *at))
            .collect();
        for (timer, setting) in running.into_iter().filter(|(timer, _)| timer.recurs()) {
            self.fire(timer, setting, now_ns, out);
            self.set_timer(timer);
        }
    }

    /// Fires a timer with the peers that are drawn for it, unless it was set again since.
    pub(super) fn fire(&mut self, timer: Timer, setting: u64, now_ns: u64, out: &mut Outbox) {
        if self.timers.get(&timer) != Some(&setting) {
            return;
        }
        self.timers.remove(&timer);
        let chosen = self.spec.draws().peers.min(self.peers.len());
        for place in 0..chosen {
            let other = place + self.draw.below(self.peers.len() - place);
            self.peers.swap(place, other);
        }
        let random = self.random();
        let input = Input {
            wall_ns: self.wall_ns(now_ns),
            peers: &self.peers[..chosen],
            random,
        };
        self.replica.handle_timer(timer, &input, out);
    }

    /// Whether clients find no connection to it.
    pub(super) fn refuses(&self) -> bool {
        self.state == State::Down { refuses: true }
    }

    pub(super) const fn is_down(&self) -> bool {
        matches!(self.state, State::Down { .. })
    }
}

/// How far a clock is off that goes wrong by so many millionths, after so long.
fn drift_ns(ppm: i64, since_ns: u64) -> i64 {
    ClockFault::Drift { ppm }.offset_ns(since_ns)
}

/// Uniform between minus and plus `most`.
pub(super) fn either_way(draw: &mut Draw, most: u64) -> i64 {
    draw.between(0, 2 * most).cast_signed() - most.cast_signed()
}

#[cfg(test)]
mod tests {
    use kvs_core::protocol::Lattice;
    use kvs_core::replica::GossipTimer;
    use kvs_core::server::Architecture;

    use super::*;
    use crate::{Options, SimHost};

    #[test]
    fn a_timer_that_was_set_again_fires_only_as_it_was_set_last() {
        let architecture = Architecture::replicated(2).expect("a size");
        let plan = Plan::draw(0, &Options::new(architecture, Lattice::Causal));
        let mut host = SimHost::new(plan.settings, None);
        plan.architecture.deploy(&mut host, plan.lattice);
        let mut node = Node::new(host.into_specs().remove(0), &plan);
        let timer = Timer::Gossip(GossipTimer::AntiEntropy);
        let [first, last] = [(); 2].map(|()| node.set_timer(timer));
        let mut sent = |setting| {
            let mut out = Outbox::default();
            node.fire(timer, setting, 0, &mut out);
            out.messages.len()
        };
        assert_eq!([first, last, last].map(&mut sent), [0, 1, 0]);
    }
}
