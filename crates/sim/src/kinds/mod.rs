//! What the simulator knows of each kind of replica: how its intervals and bounds are drawn, and when
//! it may lose its state.

mod gossip;
mod quorum;
mod raft;

use kvs_core::replica::{ReplicaKind, Settings};

use super::draw::{Draw, Purpose};
use super::plan::Plan;
use super::world::World;

/// How often one node loses its state at most: a vector keeps an entry for each of its lives.
const AMNESIAS_MAX: u16 = 4;

/// Draws intervals and bounds.
pub(super) fn settings(seed: u64, draw: &mut Draw) -> Settings {
    let mut own = Draw::new(seed, Purpose::Settings);
    Settings {
        gossip: gossip::settings(draw),
        quorum: quorum::settings(&mut own),
        raft: raft::settings(&mut own),
    }
}

/// Makes a plan one in which the store gets anywhere, on a network in which a message and its answer
/// take so long.
pub(super) fn fit(plan: &mut Plan, round_trip_ns: u64) {
    if plan.architecture.kind().facts().has_leader() {
        raft::fit(plan, round_trip_ns);
    }
}

impl World<'_> {
    /// Whether a node may lose its state without a put being lost that theory forbids to lose.
    pub(super) fn may_forget(&mut self, node: usize) -> bool {
        let spec = &self.nodes[node].spec;
        if spec.incarnation >= AMNESIAS_MAX {
            return false;
        }
        match spec.kind {
            ReplicaKind::Local => false,
            ReplicaKind::Quorum(rule) => quorum::may_forget(self, node, rule),
            ReplicaKind::Raft(_) => raft::may_forget(self, node),
            ReplicaKind::Replicated(_) => gossip::may_forget(self, node),
        }
    }
}
