//! The edges of visibility that gets force, or that are presumed.

use super::world::NONE;

/// A put that comes before another one because a get forces it. Nodes, and a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forced {
    pub(super) before: u32,
    pub(super) after: u32,
    pub(super) get: u32,
    pub(super) next: u32,
}

/// All of them, in the order in which they came.
pub(super) struct ForcedEdges {
    /// Node to the last edge from it, or [`NONE`].
    from: Vec<u32>,
    edges: Vec<Forced>,
}

impl ForcedEdges {
    /// None between so many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            from: vec![NONE; nodes],
            edges: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.edges.len()
    }

    /// Adds an edge, which raises nothing yet.
    pub(super) fn add(&mut self, before: u32, after: u32, get: u32) {
        self.edges.push(Forced {
            before,
            after,
            get,
            next: self.from[before as usize],
        });
        self.from[before as usize] = self.edges.len() as u32 - 1;
    }

    /// Takes back all but the first `len`.
    pub(super) fn undo(&mut self, len: usize) {
        for forced in self.edges.drain(len..).rev() {
            self.from[forced.before as usize] = forced.next;
        }
    }

    /// The number of the last edge from a node, or [`NONE`].
    pub(super) fn last_from(&self, node: u32) -> u32 {
        self.from[node as usize]
    }

    /// The edge of a number.
    pub(super) fn at(&self, edge: u32) -> Option<Forced> {
        self.edges.get(edge as usize).copied()
    }

    /// The puts that come after a node's because a get forces it.
    pub(super) fn after(&self, node: u32) -> impl Iterator<Item = u32> {
        let mut edge = self.last_from(node);
        std::iter::from_fn(move || {
            let forced = self.at(edge)?;
            edge = forced.next;
            Some(forced.after)
        })
    }

    /// The get that forced one put before the other, if one did.
    pub(super) fn by(&self, before: u32, after: u32) -> Option<u32> {
        let mut edges = self.edges.iter().rev();
        let edge = edges.find(|f| f.before == before && f.after == after);
        edge.map(|forced| forced.get)
    }
}
