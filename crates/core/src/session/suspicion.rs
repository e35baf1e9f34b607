//! Which nodes a client distrusts. A client avoids a node that did not answer for a while, and for
//! twice as long each time that the node fails again. After that, one operation tests it.

use crate::protocol::NodeId;

/// How long the first suspicion of a node lasts, in nanoseconds.
pub const SUSPICION_NS_FIRST: u64 = 100_000_000;
/// The longest that a suspicion lasts, in nanoseconds: a node that came back is tried again
/// within this time.
pub const SUSPICION_NS_MAX: u64 = 2_000_000_000;

/// The nodes that one client distrusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Suspicion {
    /// Indexed by node id.
    nodes: Vec<Suspect>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Suspect {
    until_ns: u64,
    /// How long the last suspicion lasted; 0 while the node is trusted.
    lasted_ns: u64,
}

impl Suspicion {
    /// Trusts each of `nodes` nodes.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![Suspect::default(); nodes],
        }
    }

    /// The node did not answer at `now_ns`. Further failures within one suspicion, of operations
    /// that were under way together, do not lengthen it.
    pub fn suspect(&mut self, node: NodeId, now_ns: u64) {
        let suspect = &mut self.nodes[usize::from(node.0)];
        if now_ns < suspect.until_ns {
            return;
        }
        suspect.lasted_ns = match suspect.lasted_ns {
            0 => SUSPICION_NS_FIRST,
            lasted => (lasted * 2).min(SUSPICION_NS_MAX),
        };
        suspect.until_ns = now_ns + suspect.lasted_ns;
    }

    /// An operation was sent to the node at `now_ns`. If it has not answered since its last
    /// failure, that one operation tests it, and further ones go on avoiding it: else every session
    /// would wait for a dead node each time that a suspicion is over.
    pub fn test(&mut self, node: NodeId, now_ns: u64) {
        if self.nodes[usize::from(node.0)].lasted_ns > 0 {
            self.suspect(node, now_ns);
        }
    }

    /// The node answered.
    pub fn trust(&mut self, node: NodeId) {
        self.nodes[usize::from(node.0)] = Suspect::default();
    }

    /// Whether the node is to be avoided at `now_ns`.
    #[must_use]
    pub fn suspects(&self, node: NodeId, now_ns: u64) -> bool {
        now_ns < self.nodes[usize::from(node.0)].until_ns
    }
}
