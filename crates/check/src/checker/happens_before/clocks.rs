//! Happens-before as clocks, one pass over the operations with causes first.
//!
//! A clock says for each session that wrote how many of its puts came before. The pass keeps a
//! put's clock only while gets that read it are still to come, and a session's only until its last
//! operation. So memory depends on what is live and not on the length of the history. Sessions that
//! are over are folded (`lanes.rs`), so that the clocks count live ones only.

use super::graph::{Graph, NONE};
use super::lanes::Lanes;

/// How many entries of clocks may be live: 256 MiB of them. Beyond that the question stays open.
const ENTRIES_MAX: usize = 64 << 20;

/// More clocks would have been live at once than [`ENTRIES_MAX`] affords.
#[derive(Debug)]
pub(in crate::checker) struct TooMany;

/// Why the clocks of a graph were given up.
pub(in crate::checker) fn too_many(graph: &Graph<'_, '_>) -> String {
    format!(
        "the clocks of {} sessions are more than the check affords",
        graph.columns.len()
    )
}

/// A clock: what is before an operation in its replica group.
#[derive(Debug, Default)]
struct Entries {
    /// By lane; lanes past the end count nothing.
    entries: Vec<u32>,
    /// All sessions that were folded up to here are covered.
    epoch: u32,
    /// The group whose lanes these are, [`NONE`] for a clock that is free.
    group: u32,
}

impl Entries {
    fn entry(&self, lane: u32) -> u32 {
        self.entries.get(lane as usize).copied().unwrap_or(0)
    }
}

/// What an operation has before it.
#[derive(Clone, Copy)]
pub(in crate::checker) struct Seen<'c> {
    clock: &'c Entries,
    lanes: &'c Lanes,
}

impl Seen<'_> {
    /// How many puts of a session: all up to that place.
    pub(in crate::checker) fn of(self, column: u32) -> u32 {
        if let Some(entry) = self.clock.entries.get(self.lanes.lane(column) as usize) {
            return *entry;
        }
        let folded = self.lanes.folded(column);
        if self.clock.epoch >= folded.epoch {
            folded.puts
        } else {
            0
        }
    }

    /// The latest epoch of folding that is covered.
    pub(in crate::checker) const fn epoch(self) -> u32 {
        self.clock.epoch
    }
}

/// The clocks that are live.
pub(in crate::checker) struct Clocks<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    clocks: Vec<Entries>,
    free: Vec<u32>,
    /// Entries of all clocks together.
    entries: usize,
    /// Chain to its clock, and the operations that it has left.
    chains: Vec<(u32, u32)>,
    /// A put to its clock, and the gets that are still to come.
    puts: Vec<u32>,
    readers: Vec<u32>,
    lanes: Lanes,
}

impl<'g, 'a, 'h> Clocks<'g, 'a, 'h> {
    pub(in crate::checker) fn new(graph: &'g Graph<'a, 'h>) -> Self {
        Self {
            graph,
            clocks: Vec::new(),
            free: Vec::new(),
            entries: 0,
            chains: graph
                .chains
                .iter()
                .map(|chain| (NONE, chain.length))
                .collect(),
            puts: vec![NONE; graph.chain.len()],
            readers: graph.readers.clone(),
            lanes: Lanes::new(graph),
        }
    }

    /// The runs of a key whose sessions go on.
    pub(in crate::checker) fn live_runs(&self, key: u32) -> &[u32] {
        self.lanes.runs.live(key, self.graph)
    }

    /// The runs of a key whose sessions were folded, in the order in which they were.
    pub(in crate::checker) fn folded_runs(&self, key: u32) -> &[u32] {
        self.lanes.runs.folded(key, self.graph)
    }

    /// The epoch in which a column was folded.
    pub(in crate::checker) fn folded_in(&self, column: u32) -> u32 {
        self.lanes.folded(column).epoch
    }

    /// Brings the row's session up to it, what it read or wrote included.
    pub(in crate::checker) fn enter(&mut self, row: u32) -> Result<(), TooMany> {
        let chain = self.graph.chain[row as usize] as usize;
        let group = self.graph.chains[chain].group;
        if self.chains[chain].0 == NONE {
            self.chains[chain].0 = self.take(group);
        }
        let own = self.chains[chain].0;
        for put in self.graph.sources(row) {
            let [to, from] = pair(&mut self.clocks, own, self.puts[*put as usize]);
            if to.entries.len() < from.entries.len() {
                self.entries += from.entries.len() - to.entries.len();
                to.entries.resize(from.entries.len(), 0);
            }
            for (to, from) in to.entries.iter_mut().zip(&from.entries) {
                *to = (*to).max(*from);
            }
            to.epoch = to.epoch.max(from.epoch);
        }
        if self.graph.is_put(row) {
            let lane = self.lanes.of(self.graph.chains[chain].column, self.graph) as usize;
            let to = &mut self.clocks[own as usize].entries;
            if to.len() <= lane {
                self.entries += lane + 1 - to.len();
                to.resize(lane + 1, 0);
            }
            to[lane] = self.graph.place[row as usize];
            if self.readers[row as usize] > 0 {
                let copy = self.take(group);
                let [from, to] = pair(&mut self.clocks, own, copy);
                to.entries.extend_from_slice(&from.entries);
                to.epoch = from.epoch;
                self.entries += to.entries.len();
                self.puts[row as usize] = copy;
            }
        }
        if self.entries > ENTRIES_MAX {
            return Err(TooMany);
        }
        Ok(())
    }

    /// The clock of the row that was entered last.
    pub(in crate::checker) fn now(&self, row: u32) -> Seen<'_> {
        let chain = self.graph.chain[row as usize] as usize;
        self.seen(self.chains[chain].0)
    }

    /// The clock of the put that the get which was entered last returned.
    pub(in crate::checker) fn of_put(&self, put: u32) -> Seen<'_> {
        self.seen(self.puts[put as usize])
    }

    fn seen(&self, clock: u32) -> Seen<'_> {
        Seen {
            clock: &self.clocks[clock as usize],
            lanes: &self.lanes,
        }
    }

    /// Frees what no later row needs.
    pub(in crate::checker) fn leave(&mut self, row: u32) {
        for put in self.graph.sources(row) {
            let readers = &mut self.readers[*put as usize];
            *readers -= 1;
            if *readers == 0 {
                self.release(self.puts[*put as usize]);
            }
        }
        let chain = self.graph.chain[row as usize] as usize;
        self.chains[chain].1 -= 1;
        if self.chains[chain].1 == 0 {
            self.release(self.chains[chain].0);
            let chain = self.graph.chains[chain];
            if chain.column != NONE && self.lanes.end(chain.column, chain.group) {
                self.fold(chain.group);
            }
        }
    }

    /// A clock of nothing.
    fn take(&mut self, group: u32) -> u32 {
        let clock = self.free.pop().unwrap_or_else(|| {
            self.clocks.push(Entries::default());
            self.clocks.len() as u32 - 1
        });
        self.clocks[clock as usize].group = group;
        clock
    }

    fn release(&mut self, clock: u32) {
        self.free.push(clock);
        let clock = &mut self.clocks[clock as usize];
        self.entries -= clock.entries.len();
        clock.entries.clear();
        (clock.epoch, clock.group) = (0, NONE);
    }

    /// Folds the sessions of a group that are over, as far as the clocks allow.
    fn fold(&mut self, group: u32) {
        for column in self.lanes.ended(group) {
            let lane = self.lanes.lane(column);
            let knowing = self.clocks.iter_mut().filter(|c| c.group == group);
            let mut knowing: Vec<&mut Entries> = knowing.filter(|c| c.entry(lane) > 0).collect();
            let Some(puts) = knowing.iter().map(|clock| clock.entry(lane)).max() else {
                self.lanes.forget(column, group, self.graph);
                continue;
            };
            let epoch = self.lanes.epoch(group);
            let covers = |clock: &&mut Entries| clock.entry(lane) == puts && clock.epoch == epoch;
            if !knowing.iter().all(covers) {
                self.lanes.keep(column, group);
                continue;
            }
            for clock in &mut knowing {
                clock.entries[lane as usize] = 0;
                clock.epoch = epoch + 1;
            }
            self.lanes.fold(column, group, puts, self.graph);
        }
    }
}

/// Two different clocks.
fn pair(clocks: &mut [Entries], a: u32, b: u32) -> [&mut Entries; 2] {
    let [a, b] = [a as usize, b as usize];
    let (low, high) = clocks.split_at_mut(a.max(b));
    if a < b {
        [&mut low[a], &mut high[0]]
    } else {
        [&mut high[0], &mut low[b]]
    }
}
