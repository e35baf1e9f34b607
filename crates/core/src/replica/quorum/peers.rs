//! The other replicas of a quorum, and which of them have not answered lately.

use crate::protocol::NodeId;

/// The other replicas, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peers(Vec<Peer>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Peer {
    node: NodeId,
    /// It was asked, and has said nothing since: others are asked before it.
    silent: bool,
}

impl Peers {
    pub(super) fn new(nodes: &[NodeId]) -> Self {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        let peer = |node| Peer {
            node,
            silent: false,
        };
        Self(nodes.into_iter().map(peer).collect())
    }

    /// The same peers before any of them was silent.
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

    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().map(|peer| peer.node)
    }

    /// Those who have not answered lately.
    pub(super) fn silent(&self) -> impl Iterator<Item = NodeId> + '_ {
        let silent = self.0.iter().filter(|peer| peer.silent);
        silent.map(|peer| peer.node)
    }

    /// All of them from place `start` on, those who are silent last.
    pub(super) fn from(&self, start: u64) -> impl Iterator<Item = NodeId> + '_ {
        let start = start.checked_rem(self.0.len() as u64).unwrap_or(0);
        let (before, from) = self
            .0
            .split_at(usize::try_from(start).expect("less than the number of peers"));
        let around = || from.iter().chain(before);
        let lively = around().filter(|peer| !peer.silent);
        let silent = around().filter(|peer| peer.silent);
        lively.chain(silent).map(|peer| peer.node)
    }

    pub(super) fn heard(&mut self, node: NodeId) {
        if let Some(place) = self.place(node) {
            self.0[place].silent = false;
        }
    }

    pub(super) fn unanswered(&mut self, node: NodeId) {
        if let Some(place) = self.place(node) {
            self.0[place].silent = true;
        }
    }

    fn place(&self, node: NodeId) -> Option<usize> {
        self.0.binary_search_by_key(&node, |peer| peer.node).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_asked_in_turn_and_silent_ones_last() {
        let mut peers = Peers::new(&[3, 1, 2].map(NodeId));
        let order = |peers: &Peers, start| peers.from(start).map(|node| node.0).collect::<Vec<_>>();
        assert_eq!(order(&peers, 0), [1, 2, 3]);
        assert_eq!(order(&peers, 5), [3, 1, 2]);
        peers.unanswered(NodeId(1));
        assert_eq!(order(&peers, 0), [2, 3, 1]);
        peers.heard(NodeId(1));
        assert_eq!(order(&peers, 0), [1, 2, 3]);
        assert_eq!(order(&Peers::new(&[]), 7), Vec::<u16>::new());
    }
}
