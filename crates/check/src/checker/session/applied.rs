//! The session guarantees by what clients saw and nothing else, where a put supersedes all that its
//! replica had applied.
//!
//! A guarantee is violated when, under every order that happens-before allows, the session saw a
//! state older than one it had to see. Read-your-writes and monotonic reads: a put `w` of the
//! session on the key, or one it had read, is missing from a get, and all that the get returned is
//! before `w`. Monotonic writes and writes-follow-reads: the same for puts that the session had to
//! see because it had read later ones, with before and after by one kind of edge only (a session's
//! put to its later put; a put to the later puts of whoever read it).
//!
//! Happens-before is asked in two passes of clocks: the first gathers the gets that did not show
//! what they had seen, unless what they returned had seen it too; the second asks whether what
//! was missing had seen what was returned. Most of what is missing was invoked before what was
//! returned, and is not asked about: whoever reads a put returns after its invoke, so that puts
//! happen before later ones only, except where a read is from the future.

use super::super::happens_before::{Clocks, Graph, LastSeen, Seen, TooMany, too_many};
use super::super::index::Table;
use super::super::time::OVER;
use super::GUARANTEES;
use super::along::{Along, VISITS_MAX};
use super::found::{Found, MR, MW, RYW, WFR};

/// Gets with something missing that are gathered at most; beyond it the question is left open.
const SUSPECTS_MAX: usize = 4 << 20;

/// A get that lacks a put which had happened before it.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    missing: u32,
    get: u32,
    /// Whether the session had put it, and whether it had read it.
    own: bool,
    read: bool,
}

/// Adds to what was found; an error says what was left open. `causes` are the rows, causes first.
pub(super) fn find<'g, 'a, 'h>(
    graph: &'g Graph<'a, 'h>,
    causes: &[u32],
    found: &mut Found<'g, 'a, 'h>,
) -> Result<(), String> {
    let mut rank = vec![0; graph.chain.len()];
    for (place, row) in (0u32..).zip(causes) {
        rank[*row as usize] = place;
    }
    let mut judge = WhereApplied {
        graph,
        found,
        rank,
        visits: 0,
    };
    judge.run(causes)
}

struct WhereApplied<'f, 'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    found: &'f mut Found<'g, 'a, 'h>,
    /// Row to its place among the causes.
    rank: Vec<u32>,
    visits: usize,
}

impl WhereApplied<'_, '_, '_, '_> {
    fn run(&mut self, causes: &[u32]) -> Result<(), String> {
        let graph = self.graph;
        let too_many = |TooMany| too_many(graph);
        let mut gather = Gather::new(graph);
        let mut clocks = Clocks::new(graph);
        let time = &graph.index.time;
        let mut ticker = time.ticker(GUARANTEES, 2 * causes.len());
        let mut in_time = || match ticker.is_over() {
            true => Err(OVER.to_owned()),
            false => Ok(()),
        };
        for row in causes {
            in_time()?;
            clocks.enter(*row).map_err(too_many)?;
            gather.visit(*row, &clocks);
            clocks.leave(*row);
            if gather.suspects.len().max(gather.stale.len()) > SUSPECTS_MAX {
                return Err(format!("more than {SUSPECTS_MAX} gets lack something"));
            }
        }
        self.monotonic_writes(&gather.skipped);
        let mut followed: Table<u32, ()> = Table::default();
        for get in gather.stale {
            in_time()?;
            followed.insert(get, ());
            self.follow(get);
        }
        let mut suspects = gather.suspects;
        suspects.sort_unstable_by_key(|s| (s.missing, s.get));
        let mut is_missing = vec![false; graph.chain.len()];
        for suspect in &suspects {
            is_missing[suspect.missing as usize] = true;
        }
        let mut left = suspects.len();
        let mut clocks = Clocks::new(graph);
        for row in causes {
            if left == 0 {
                break;
            }
            in_time()?;
            clocks.enter(*row).map_err(too_many)?;
            let first = match is_missing[*row as usize] {
                true => suspects.partition_point(|s| s.missing < *row),
                false => suspects.len(),
            };
            for suspect in suspects[first..].iter().take_while(|s| s.missing == *row) {
                left -= 1;
                in_time()?;
                let now = clocks.now(*row);
                let knew = |put: &u32| now.of(graph.column(*put)) >= graph.place[*put as usize];
                let returned = graph.sources(suspect.get);
                if returned.iter().all(knew) {
                    self.own_past(*suspect);
                }
                if (returned.is_empty() || returned.iter().any(knew))
                    && followed.insert(suspect.get, ()).is_none()
                {
                    self.follow(suspect.get);
                }
            }
            clocks.leave(*row);
        }
        Ok(())
    }

    /// Reports a get that shows what came before the put it has to show.
    fn add(&mut self, guarantee: usize, missing: u32, get: u32, why: &str) {
        let index = self.graph.index;
        let id = index
            .history
            .value_name(index.columns.written[missing as usize]);
        let shown = if self.graph.sources(get).contains(&missing) {
            format!("{id} and also what came before it")
        } else {
            format!("neither {id} nor anything that can have replaced it")
        };
        self.found.add(guarantee, missing, get, &shown, why);
    }

    fn own_past(&mut self, suspect: Suspect) {
        if suspect.own {
            self.add(RYW, suspect.missing, suspect.get, "its session had put it");
        }
        if suspect.read {
            self.add(MR, suspect.missing, suspect.get, "its session had read it");
        }
    }

    fn monotonic_writes(&mut self, skipped: &[(u32, u32)]) {
        for (missing, get) in skipped {
            let why = "its session had read a later put of the same writer";
            self.add(MW, *missing, *get, why);
        }
    }

    /// Writes-follow-reads, until the budget is spent; what was cut short by it is left open.
    fn follow(&mut self, get: u32) {
        if self.visits <= VISITS_MAX {
            self.follow_reads(get);
        }
        if self.visits > VISITS_MAX {
            self.found.open[WFR] = Some(format!("more than {VISITS_MAX} operations along reads"));
        }
    }

    /// What the get's session had to see along reads, and what it returned.
    fn follow_reads(&mut self, get: u32) {
        let graph = self.graph;
        let returned = graph.sources(get);
        let mut seen = Along::new(graph);
        seen.reads(get, true);
        self.visits += seen.visits;
        let key = graph.index.key[get as usize];
        let mut missing: Vec<u32> = seen.puts.keys().copied().collect();
        missing.retain(|put| {
            graph.index.key[*put as usize] == key && (returned.len() > 1 || !returned.contains(put))
        });
        missing.sort_unstable();
        if !returned.is_empty() && !missing.is_empty() {
            let knowing = self.knowing(&seen, returned);
            missing.retain(|put| knowing.contains_key(&graph.previous[*put as usize]));
            self.visits += seen.visits;
        }
        if let Some(put) = missing.first() {
            let why = "its session had read what was put by somebody who had read it";
            self.add(WFR, *put, get, why);
        }
    }

    /// Of what an operation has before it along reads, that which has some puts before it in turn.
    fn knowing(&self, seen: &Along<'_, '_, '_>, puts: &[u32]) -> Table<u32, ()> {
        let graph = self.graph;
        let mut rows: Vec<u32> = seen.rows.keys().copied().collect();
        rows.sort_unstable_by_key(|row| self.rank[*row as usize]);
        let mut knowing: Table<u32, ()> = Table::default();
        for row in rows {
            let mut sources = graph.sources(row).iter();
            if knowing.contains_key(&graph.previous[row as usize])
                || sources.any(|put| puts.contains(put) || knowing.contains_key(put))
            {
                knowing.insert(row, ());
            }
        }
        knowing
    }
}

/// What a session had put and read of a key: the last of each writer.
#[derive(Default)]
struct Past {
    own: Option<u32>,
    read: Vec<u32>,
}

struct Gather<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    /// By chain and key.
    pasts: Table<(u32, u32), Past>,
    /// By chain and column the largest place among the puts that were read.
    largest: Table<(u32, u32), u32>,
    suspects: Vec<Suspect>,
    /// Puts that a get skipped under monotonic writes.
    skipped: Vec<(u32, u32)>,
    /// Gets that returned a put together with one that had happened before it.
    stale: Vec<u32>,
    /// Whether some get returned before what it returned was invoked.
    reads_from_the_future: bool,
    last_seen: LastSeen,
}

impl<'g, 'a, 'h> Gather<'g, 'a, 'h> {
    fn new(graph: &'g Graph<'a, 'h>) -> Self {
        let index = graph.index;
        let is_early = |row: &u32| {
            let returned = index.returned(*row as usize);
            let mut puts = graph.sources(*row).iter();
            puts.any(|put| index.invoke(*put as usize) > returned)
        };
        Self {
            graph,
            reads_from_the_future: graph.rows.iter().any(is_early),
            last_seen: LastSeen::new(graph),
            pasts: Table::default(),
            largest: Table::default(),
            suspects: Vec::new(),
            skipped: Vec::new(),
            stale: Vec::new(),
        }
    }

    fn visit(&mut self, row: u32, clocks: &Clocks<'_, '_, '_>) {
        let graph = self.graph;
        let chain = graph.chain[row as usize];
        let key = graph.index.key[row as usize];
        if graph.is_put(row) {
            self.pasts.entry((chain, key)).or_default().own = Some(row);
            return;
        }
        let returned = graph.sources(row);
        for put in returned {
            let largest = self.largest.entry((chain, graph.column(*put))).or_insert(0);
            *largest = (*largest).max(graph.place[*put as usize]);
        }
        self.skips(row, chain, key);
        self.suspect(row, key, clocks);
        let past = self.pasts.entry((chain, key)).or_default();
        for put in returned {
            match past
                .read
                .iter_mut()
                .find(|p| graph.column(**p) == graph.column(*put))
            {
                Some(p) if graph.place[*p as usize] < graph.place[*put as usize] => *p = *put,
                Some(_) => {}
                None => past.read.push(*put),
            }
        }
    }

    /// Monotonic writes: a later put on the key by the writer of something returned (or by anyone,
    /// if nothing was), at or before one that the session had read.
    fn skips(&mut self, get: u32, chain: u32, key: u32) {
        let graph = self.graph;
        let returned = graph.sources(get);
        let is_behind = |put: &u32| {
            let largest = self.largest.get(&(chain, graph.column(*put)));
            largest.is_some_and(|largest| *largest > graph.place[*put as usize])
        };
        if !returned.is_empty() && !returned.iter().any(is_behind) {
            return;
        }
        for number in graph.runs_of(key) {
            let run = graph.runs[number];
            let members = returned
                .iter()
                .filter(|put| graph.column(**put) == run.column);
            let member = members.map(|put| graph.place[*put as usize]).min();
            if member.is_none() && !returned.is_empty() {
                continue;
            }
            let Some(largest) = self.largest.get(&(chain, run.column)) else {
                continue;
            };
            let last = self.last_seen.of(graph, number, *largest);
            let last = last.map(|at| graph.on_key[at as usize]);
            let after = member.unwrap_or(0);
            if let Some(last) = last.filter(|put| graph.place[*put as usize] > after)
                && self.skipped.len() < SUSPECTS_MAX
            {
                self.skipped.push((last, get));
            }
        }
    }

    fn suspect(&mut self, get: u32, key: u32, clocks: &Clocks<'_, '_, '_>) {
        let graph = self.graph;
        let returned = graph.sources(get);
        let now = clocks.now(get);
        let chain = graph.chain[get as usize];
        let past = self.pasts.get(&(chain, key));
        let place = |put: u32| graph.place[put as usize];
        let invoke = |put: u32| graph.index.invoke(put as usize);
        let in_no_order = self.reads_from_the_future || returned.is_empty();
        let may_have_known = |missing: u32| {
            in_no_order || returned.iter().any(|put| invoke(*put) <= invoke(missing))
        };
        let known: Vec<Seen<'_>> = returned.iter().map(|put| clocks.of_put(*put)).collect();
        for run in graph.runs_of(key) {
            let column = graph.runs[run].column;
            let before = known.iter().map(|seen| seen.of(column)).max().unwrap_or(0);
            if now.of(column) <= before {
                continue;
            }
            // Most are known by their places, which lie where they were searched.
            let last = self.last_seen.of(graph, run, now.of(column));
            let unknown = last.filter(|at| graph.places_on_key[*at as usize] > before);
            let Some(missing) = unknown.map(|at| graph.on_key[at as usize]) else {
                continue;
            };
            if !returned.contains(&missing) && may_have_known(missing) {
                self.suspects.push(Suspect {
                    missing,
                    get,
                    own: false,
                    read: false,
                });
            }
        }
        let knew = |put: &u32, other: &u32| {
            put != other && clocks.of_put(*put).of(graph.column(*other)) >= place(*other)
        };
        let is_stale = |other: &u32| returned.iter().any(|put| knew(put, other));
        if returned.len() > 1 && returned.iter().any(is_stale) {
            self.stale.push(get);
        }
        let Some(past) = past else { return };
        let mut add = |missing: u32, own: bool| {
            let column = graph.column(missing);
            let superseded = returned
                .iter()
                .any(|put| clocks.of_put(*put).of(column) >= place(missing));
            if !superseded && may_have_known(missing) {
                self.suspects.push(Suspect {
                    missing,
                    get,
                    own,
                    read: !own,
                });
            }
        };
        if let Some(own) = past.own {
            add(own, true);
        }
        for read in &past.read {
            add(*read, false);
        }
    }
}
