//! A simulated node: the production replica in a process that may pause, end and come back, with a
//! clock of its own.

use std::collections::VecDeque;

use kvs_core::protocol::NodeId;
use kvs_core::replica::{Input, Replica, ReplicaSpec, Timer};

use super::disk::Disk;
use super::draw::{Draw, Purpose};
use super::outbox::Outbox;
use super::plan::{Clocks, Plan};
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
    /// The peers, shuffled anew for each timer.
    peers: Vec<NodeId>,
    draw: Draw,
    skew_ns: i64,
    drift_ppm: i64,
}

impl Node {
    pub(super) fn new(spec: ReplicaSpec, plan: &Plan) -> Self {
        Self {
            disk: plan.replays.then(|| Disk::new(spec.bug)),
            replica: Replica::new(&spec),
            state: State::Up,
            life: 0,
            inbox: VecDeque::new(),
            peers: spec.peers.clone(),
            draw: Draw::new(plan.seed, Purpose::Node(spec.node.0)),
            skew_ns: 0,
            drift_ppm: 0,
            spec,
        }
    }

    /// Makes the replica what is left when its process has ended: nothing, under the next
    /// incarnation, or what it had, of itself or from the disk.
    pub(super) fn come_back(&mut self, without_state: bool) {
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

    /// Sets the clock wrong, as far as `clocks` allows.
    pub(super) fn skew(&mut self, clocks: &Clocks, draw: &mut Draw) {
        self.skew_ns = either_way(draw, clocks.skew_ns);
        self.drift_ppm = either_way(draw, clocks.drift_ppm);
    }

    /// Lets the clock jump, as far as `clocks` allows.
    pub(super) fn jump(&mut self, clocks: &Clocks, draw: &mut Draw) {
        self.skew_ns += either_way(draw, clocks.jump_ns);
    }

    /// The node's wall clock, right or wrong, in ns since 1970.
    pub(super) fn wall_ns(&self, now_ns: u64) -> u64 {
        let drift_ns = i128::from(now_ns) * i128::from(self.drift_ppm) / 1_000_000;
        (EPOCH_NS + now_ns)
            .saturating_add_signed(self.skew_ns)
            .saturating_add_signed(drift_ns as i64)
    }

    /// Fires a timer, with as many peers as a rumour goes to drawn for it.
    pub(super) fn fire(&mut self, timer: Timer, now_ns: u64, out: &mut Outbox) {
        let chosen = usize::from(self.spec.settings.fanout).min(self.peers.len());
        for place in 0..chosen {
            let other = place + self.draw.below(self.peers.len() - place);
            self.peers.swap(place, other);
        }
        let input = Input {
            wall_ns: self.wall_ns(now_ns),
            peers: &self.peers[..chosen],
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

/// Uniform between minus and plus `most`.
fn either_way(draw: &mut Draw, most: u64) -> i64 {
    draw.between(0, 2 * most).cast_signed() - most.cast_signed()
}
