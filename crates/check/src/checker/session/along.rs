//! What comes before an operation along reads, for writes-follow-reads.

use super::super::happens_before::{Graph, NONE};
use super::super::index::Table;

/// Operations that the search along reads visits at most, over all gets together.
pub(super) const VISITS_MAX: usize = 20_000_000;

/// What comes before an operation along reads: the puts that its session had read, those that
/// their writers had read before, and so on. Where the graph has contexts, what a put's client said
/// it had seen it had read.
pub(super) struct Along<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    pub(super) puts: Table<u32, ()>,
    pub(super) rows: Table<u32, ()>,
    pub(super) visits: usize,
}

impl<'g, 'a, 'h> Along<'g, 'a, 'h> {
    pub(super) fn new(graph: &'g Graph<'a, 'h>) -> Self {
        Self {
            graph,
            puts: Table::default(),
            rows: Table::default(),
            visits: 0,
        }
    }

    /// Goes back from a row, `itself` included or not.
    pub(super) fn reads(&mut self, row: u32, itself: bool) {
        let graph = self.graph;
        let mut left = vec![if itself {
            row
        } else {
            graph.previous[row as usize]
        }];
        while let Some(mut at) = left.pop() {
            while at != NONE && self.visits <= VISITS_MAX && self.rows.insert(at, ()).is_none() {
                self.visits += 1;
                for put in graph.sources(at) {
                    if self.puts.insert(*put, ()).is_none() {
                        left.push(*put);
                    }
                }
                at = graph.previous[at as usize];
            }
        }
    }
}
