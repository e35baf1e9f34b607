//! The session guarantees by what clients saw, where a put supersedes its context only (Dynamo,
//! Riak).
//!
//! A get stands for the puts that it returned, for what the contexts of those name, for what the
//! contexts of these name, and so on, and for nothing else: what else its replica had would have
//! been returned as well. A guarantee is violated when the session had to see a put on the key for
//! which the get does not stand: one of its own (read-your-writes), one that it had read (monotonic
//! reads), one that came before what it had read, along the puts of a session (monotonic writes) or
//! along reads (writes-follow-reads). A session has read what its gets returned and what the
//! contexts of its puts name.
//!
//! All that a session had to see had happened before the get. So one pass of clocks gathers what
//! had happened before and is not stood for, and each such put is asked what it is to the session.
//! O(n·k) for k sessions that wrote, and the search along reads from gets that lack something.

use super::super::dominance::Contexts;
use super::super::happens_before::{Clocks, Graph, Seen, TooMany, too_many};
use super::super::index::Table;
use super::super::time::OVER;
use super::GUARANTEES;
use super::along::{Along, VISITS_MAX};
use super::found::{Found, MR, MW, RYW, WFR};

/// Adds to what was found; an error says what was left open. `causes` are the rows, causes first.
pub(super) fn find<'g, 'a, 'h>(
    graph: &'g Graph<'a, 'h>,
    causes: &[u32],
    found: &mut Found<'g, 'a, 'h>,
) -> Result<(), String> {
    let mut judge = ByContexts {
        graph,
        found,
        largest: Table::default(),
        readers: Readers::new(graph),
        visits: 0,
    };
    judge.run(causes)
}

/// For each put the operations of whoever had read it: gets that returned it, puts whose context
/// names it.
struct Readers {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Readers {
    fn new(graph: &Graph<'_, '_>) -> Self {
        let mut starts = Vec::with_capacity(graph.readers.len() + 1);
        let mut end = 0;
        starts.push(end);
        for readers in &graph.readers {
            end += readers;
            starts.push(end);
        }
        let mut next = starts.clone();
        let mut rows = vec![0; end as usize];
        for row in &graph.rows {
            for put in graph.sources(*row) {
                rows[next[*put as usize] as usize] = *row;
                next[*put as usize] += 1;
            }
        }
        Self { starts, rows }
    }

    fn of(&self, put: u32) -> &[u32] {
        let put = put as usize;
        &self.rows[self.starts[put] as usize..self.starts[put + 1] as usize]
    }
}

struct ByContexts<'f, 'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    found: &'f mut Found<'g, 'a, 'h>,
    /// By chain and column the largest place among the puts that were read.
    largest: Table<(u32, u32), u32>,
    readers: Readers,
    visits: usize,
}

impl ByContexts<'_, '_, '_, '_> {
    fn run(&mut self, causes: &[u32]) -> Result<(), String> {
        let graph = self.graph;
        let mut contexts = Contexts::new(graph.index, graph.all_runs())?;
        let mut clocks = Clocks::new(graph);
        let mut ticker = graph.index.time.ticker(GUARANTEES, causes.len());
        for row in causes {
            if ticker.is_over() {
                return Err(OVER.to_owned());
            }
            clocks.enter(*row).map_err(|TooMany| too_many(graph))?;
            let chain = graph.chain[*row as usize];
            for put in graph.sources(*row) {
                let largest = self.largest.entry((chain, graph.column(*put))).or_insert(0);
                *largest = (*largest).max(graph.place[*put as usize]);
            }
            if !graph.is_put(*row) {
                self.get(*row, clocks.now(*row), &mut contexts)?;
            }
            clocks.leave(*row);
        }
        Ok(())
    }

    fn get(&mut self, get: u32, now: Seen<'_>, contexts: &mut Contexts<'_>) -> Result<(), String> {
        let graph = self.graph;
        let key = graph.index.key[get as usize];
        let seen = graph.seen_on(key, now);
        let returned = graph.index.puts_read(get as usize);
        let missing = contexts.not_stood_for(&seen, returned, key, |put| self.readers.of(put))?;
        if !missing.is_empty() {
            self.own_past(get, &missing);
            self.along_reads(get, &missing);
        }
        Ok(())
    }

    fn add(&mut self, guarantee: usize, missing: u32, get: u32, why: &str) {
        let id = self
            .graph
            .index
            .history
            .value_name(self.graph.index.columns.written[missing as usize]);
        let shown = format!("neither {id} nor anything whose context leads to it");
        self.found.add(guarantee, missing, get, &shown, why);
    }

    fn own_past(&mut self, get: u32, missing: &[u32]) {
        let graph = self.graph;
        let chain = graph.chain[get as usize];
        let index = |row: u32| graph.index.columns.index[row as usize];
        let mut skipped: Option<u32> = None;
        for put in missing.iter().copied() {
            if graph.chain[put as usize] == chain {
                self.add(RYW, put, get, "its session had put it");
            }
            let mut readers = self.readers.of(put).iter();
            if readers.any(|row| graph.chain[*row as usize] == chain && index(*row) < index(get)) {
                self.add(MR, put, get, "its session had read it");
            }
            let largest = self.largest.get(&(chain, graph.column(put)));
            if largest.is_some_and(|largest| graph.place[put as usize] <= *largest) {
                skipped = Some(put);
            }
        }
        if let Some(put) = skipped {
            let why = "its session had read that or a later put of the same writer";
            self.add(MW, put, get, why);
        }
    }

    /// Writes-follow-reads, until the budget is spent; what was cut short by it is left open.
    fn along_reads(&mut self, get: u32, missing: &[u32]) {
        let mut seen = Along::new(self.graph);
        if self.visits <= VISITS_MAX {
            seen.reads(get, true);
            self.visits += seen.visits;
        }
        if self.visits > VISITS_MAX {
            self.found.open[WFR] = Some(format!("more than {VISITS_MAX} operations along reads"));
        }
        if let Some(put) = missing.iter().find(|put| seen.puts.contains_key(*put)) {
            let why = "its session had read it, or what was put by somebody who had read it";
            self.add(WFR, *put, get, why);
        }
    }
}
