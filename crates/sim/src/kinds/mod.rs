//! What the simulator knows of each kind of replica: how its intervals and bounds are drawn, and when
//! it may lose its state.

mod gossip;
mod quorum;

use kvs_core::replica::{ReplicaKind, Settings};

use super::draw::{Draw, Purpose};
use super::world::World;

/// How often one node loses its state at most: a vector keeps an entry for each of its lives.
const AMNESIAS_MAX: u16 = 4;

/// Draws intervals and bounds.
pub(super) fn settings(seed: u64, draw: &mut Draw) -> Settings {
    Settings {
        gossip: gossip::settings(draw),
        quorum: quorum::settings(&mut Draw::new(seed, Purpose::Settings)),
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
            ReplicaKind::Replicated(_) => gossip::may_forget(self, node),
        }
    }
}
