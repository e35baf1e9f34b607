//! The newest lives that a replica knows of: who came back without its state.

use smallvec::SmallVec;

use crate::protocol::{NodeId, Origin};

/// One life a node, ascending; a node that is not there is in its first life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lives(SmallVec<[Origin; 2]>);

impl Lives {
    pub(super) fn of(&self, node: NodeId) -> u16 {
        self.place(node)
            .map_or(0, |place| self.0[place].incarnation())
    }

    /// Takes in that this life began. Whether that is news.
    pub(super) fn learn(&mut self, life: Origin) -> bool {
        if life.incarnation() <= self.of(life.node()) {
            return false;
        }
        match self.place(life.node()) {
            Ok(place) => self.0[place] = life,
            Err(place) => self.0.insert(place, life),
        }
        true
    }

    pub(super) fn list(&self) -> SmallVec<[Origin; 2]> {
        self.0.clone()
    }

    fn place(&self, node: NodeId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&node, |life| life.node())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_life_of_a_node_replaces_the_earlier_one_and_never_the_other_way_round() {
        let life = |node, incarnation| Origin::new(NodeId(node), incarnation);
        let mut lives = Lives::default();
        assert!(!lives.learn(life(1, 0)), "everybody begins with it");
        assert!(lives.learn(life(1, 2)));
        assert!(!lives.learn(life(1, 1)));
        assert!(lives.learn(life(0, 1)));
        assert_eq!([0, 1, 2].map(|node| lives.of(NodeId(node))), [1, 2, 0]);
        assert_eq!(lives.list().as_slice(), [life(0, 1), life(1, 2)]);
    }
}
