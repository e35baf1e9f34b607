//! The runs of each key by what clocks can say of them, so that a get need not look at the runs of
//! all sessions that ever wrote.

use super::graph::Graph;

/// Where the runs of each key are: first those of folded sessions in the order of folding, then
/// those of sessions that have a lane, then the others.
#[derive(Debug)]
pub(super) struct LiveRuns {
    /// Runs, key by key.
    order: Vec<u32>,
    /// A run to its place there.
    place: Vec<u32>,
    /// Key to how many of its runs were folded, and how many have a lane.
    parts: Vec<[u32; 2]>,
    /// The runs of each column.
    by_column: Vec<u32>,
    column_starts: Vec<u32>,
}

impl LiveRuns {
    pub(super) fn new(graph: &Graph<'_, '_>) -> Self {
        let runs = graph.runs.len() as u32;
        let mut by_column: Vec<u32> = (0..runs).collect();
        let column = |run: &u32| graph.runs[*run as usize].column;
        by_column.sort_unstable_by_key(|run| (column(run), *run));
        let columns = 0..=graph.columns.len() as u32;
        let column_starts = columns
            .map(|c| by_column.partition_point(|run| column(run) < c) as u32)
            .collect();
        Self {
            order: (0..runs).collect(),
            place: (0..runs).collect(),
            parts: vec![[0; 2]; graph.index.by_key.len()],
            by_column,
            column_starts,
        }
    }

    fn of_column(&self, column: u32) -> std::ops::Range<usize> {
        let column = column as usize;
        self.column_starts[column] as usize..self.column_starts[column + 1] as usize
    }

    /// Exchanges a run with the one at `to` among those of its key.
    fn move_to(&mut self, run: u32, to: usize) {
        let from = self.place[run as usize];
        self.order.swap(from as usize, to);
        self.place[self.order[from as usize] as usize] = from;
        self.place[run as usize] = to as u32;
    }

    /// A session has got a lane.
    pub(super) fn start(&mut self, column: u32, graph: &Graph<'_, '_>) {
        for at in self.of_column(column) {
            let run = self.by_column[at];
            let key = graph.key_of_run(run);
            let [folded, live] = self.parts[key as usize];
            self.move_to(run, graph.runs_of(key).start + (folded + live) as usize);
            self.parts[key as usize][1] += 1;
        }
    }

    /// A session that had a lane was folded.
    pub(super) fn fold(&mut self, column: u32, graph: &Graph<'_, '_>) {
        for at in self.of_column(column) {
            let run = self.by_column[at];
            let key = graph.key_of_run(run);
            let [folded, _] = self.parts[key as usize];
            self.move_to(run, graph.runs_of(key).start + folded as usize);
            let [folded, live] = &mut self.parts[key as usize];
            *folded += 1;
            *live -= 1;
        }
    }

    /// A session that had a lane is not known any more.
    pub(super) fn stop(&mut self, column: u32, graph: &Graph<'_, '_>) {
        for at in self.of_column(column) {
            let run = self.by_column[at];
            let key = graph.key_of_run(run);
            self.parts[key as usize][1] -= 1;
            let [folded, live] = self.parts[key as usize];
            self.move_to(run, graph.runs_of(key).start + (folded + live) as usize);
        }
    }

    /// The runs of a key whose sessions were folded, in the order of folding.
    pub(super) fn folded(&self, key: u32, graph: &Graph<'_, '_>) -> &[u32] {
        let start = graph.runs_of(key).start;
        &self.order[start..start + self.parts[key as usize][0] as usize]
    }

    /// The runs of a key whose sessions had a lane and were not folded.
    pub(super) fn live(&self, key: u32, graph: &Graph<'_, '_>) -> &[u32] {
        let [folded, live] = self.parts[key as usize];
        let start = graph.runs_of(key).start + folded as usize;
        &self.order[start..start + live as usize]
    }
}
