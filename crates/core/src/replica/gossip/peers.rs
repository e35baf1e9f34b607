//! What a replica knows of the others of its group.

use crate::protocol::{Dot, NodeId, Origin};
use crate::values::VectorClock;

/// The other replicas of a group, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peers(Vec<Peer>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Peer {
    node: NodeId,
    /// The latest life that was heard of.
    incarnation: u16,
    /// What that life said that it has applied; none when it was not heard.
    has: Option<VectorClock>,
}

impl Peers {
    pub(super) fn new(nodes: &[NodeId]) -> Self {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        let peer = |node| Peer {
            node,
            incarnation: 0,
            has: None,
        };
        Self(nodes.into_iter().map(peer).collect())
    }

    /// The same peers before any of them was heard.
    pub(super) fn unheard(&self) -> Self {
        Self::new(&self.nodes().collect::<Vec<_>>())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.place(node).is_some()
    }

    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + '_ {
        self.0.iter().map(|peer| peer.node)
    }

    /// Takes in what a peer says it has applied. Ignores an earlier life of the peer. A later life
    /// has lost what the earlier one had.
    pub(super) fn learn(&mut self, node: NodeId, incarnation: u16, vector: &[Dot]) {
        let Some(place) = self.place(node) else {
            return;
        };
        let peer = &mut self.0[place];
        if incarnation < peer.incarnation {
            return;
        }
        if incarnation > peer.incarnation {
            peer.incarnation = incarnation;
            peer.has = None;
        }
        peer.has.get_or_insert_default().merge(vector);
    }

    /// The last counter of `origin` that every peer is known to have.
    pub(super) fn all_have(&self, origin: Origin) -> u64 {
        let mut least = None;
        for peer in &self.0 {
            // Nothing is less, so that a large group is not asked in vain.
            let counter = match &peer.has {
                None => return 0,
                Some(vector) => vector.counter(origin),
            };
            least = Some(least.map_or(counter, |least: u64| least.min(counter)));
        }
        least.unwrap_or(0)
    }

    /// Whether every peer was heard.
    pub(super) fn all_heard(&self) -> bool {
        self.0.iter().all(|peer| peer.has.is_some())
    }

    /// What any peer is known to have.
    pub(super) fn known(&self) -> impl Iterator<Item = Dot> + '_ {
        self.0
            .iter()
            .filter_map(|peer| peer.has.as_ref())
            .flat_map(VectorClock::iter)
    }

    fn place(&self, node: NodeId) -> Option<usize> {
        self.0.binary_search_by_key(&node, |peer| peer.node).ok()
    }
}
