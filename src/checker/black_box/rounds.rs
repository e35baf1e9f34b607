//! One round: visibility as clocks over the sessions that wrote, and what it refutes.

use super::super::index::Table;
use super::super::property::AnomalyKind;
use super::super::verdict::Findings;
use super::world::{NONE, World};
use crate::history::{Kind, id_text};

/// Rows of a circle that are shown.
const CIRCLE_MAX: usize = 8;

/// A visible put that a get did not return.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    /// The put's number.
    pub(super) put: u32,
    /// The get's row.
    pub(super) get: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Entered,
    Done,
}

/// A round under given forced edges: for a put the puts that it has to supersede.
pub(super) struct Round<'a, 'w, 'h> {
    world: &'w World<'w, 'h>,
    forced: &'a Table<u32, Vec<u32>>,
    columns: usize,
    /// For each put how many puts of each session come before it, itself included.
    clocks: Vec<u32>,
    /// For each put the largest entries among the clocks of the gets that returned it.
    readers: Vec<u32>,
    /// The clock that each session has reached.
    sessions: Table<u32, Vec<u32>>,
    visits: Vec<Visit>,
    /// What was missing, once for each put and set of returned puts.
    missing: Table<(u32, Vec<u32>), u32>,
    scratch: Vec<u32>,
}

impl<'a, 'w, 'h> Round<'a, 'w, 'h> {
    pub(super) fn new(world: &'w World<'w, 'h>, forced: &'a Table<u32, Vec<u32>>) -> Self {
        Self {
            world,
            forced,
            columns: world.columns(),
            clocks: vec![0; world.entries()],
            readers: vec![0; world.entries()],
            sessions: Table::default(),
            visits: vec![Visit::New; world.index.history.len()],
            missing: Table::default(),
            scratch: Vec::new(),
        }
    }

    /// Visits every operation, causes first. False when a circle makes that impossible.
    pub(super) fn run(&mut self, findings: &mut Findings<'_>) -> bool {
        let mut stack = Vec::new();
        for row in &self.world.rows {
            stack.push(*row);
            while let Some(row) = stack.last().copied() {
                match self.visits[row as usize] {
                    Visit::Done => {
                        stack.pop();
                        continue;
                    }
                    Visit::New | Visit::Entered => {}
                }
                self.visits[row as usize] = Visit::Entered;
                match self.unvisited_cause(row) {
                    None => {
                        stack.pop();
                        self.visits[row as usize] = Visit::Done;
                        self.visit(row, findings);
                    }
                    Some(cause) if self.visits[cause as usize] == Visit::Entered => {
                        self.report_circle(&stack, cause, findings);
                        return false;
                    }
                    Some(cause) => stack.push(cause),
                }
            }
        }
        true
    }

    fn unvisited_cause(&self, row: u32) -> Option<u32> {
        let waiting = |cause: &u32| self.visits[*cause as usize] != Visit::Done;
        let previous = self.world.previous[row as usize];
        if previous != NONE && waiting(&previous) {
            return Some(previous);
        }
        if self.world.index.columns.kind[row as usize] == Kind::Get {
            return self
                .world
                .index
                .puts_read(row as usize)
                .iter()
                .copied()
                .find(waiting);
        }
        let before = self.forced.get(&self.world.number[row as usize])?;
        before
            .iter()
            .map(|put| self.world.row_of(*put) as u32)
            .find(waiting)
    }

    fn visit(&mut self, row: u32, findings: &mut Findings<'_>) {
        let session = self.world.index.session[row as usize];
        let mut clock = self
            .sessions
            .remove(&session)
            .unwrap_or_else(|| vec![0; self.columns]);
        if self.world.index.columns.kind[row as usize] == Kind::Get {
            for put in self.world.index.puts_read(row as usize) {
                let number = self.world.number[*put as usize];
                join(&mut clock, self.clock(number));
            }
            self.real_time(row, &clock, findings);
            self.judge_get(row, &clock, findings);
        } else {
            let number = self.world.number[row as usize];
            for before in self.forced.get(&number).into_iter().flatten() {
                join(&mut clock, self.clock(*before));
            }
            let put = self.world.puts[number as usize];
            clock[put.column as usize] = put.place;
            self.real_time(row, &clock, findings);
            let start = number as usize * self.columns;
            self.clocks[start..start + self.columns].copy_from_slice(&clock);
        }
        self.sessions.insert(session, clock);
    }

    fn clock(&self, put: u32) -> &[u32] {
        let start = put as usize * self.columns;
        &self.clocks[start..start + self.columns]
    }

    /// Whether put `a` comes before (or is) put `b`.
    fn precedes(&self, a: u32, b: u32) -> bool {
        let put = self.world.puts[a as usize];
        self.clock(b)[put.column as usize] >= put.place
    }

    /// Nothing is visible to what had returned before it was invoked.
    fn real_time(&self, row: u32, clock: &[u32], findings: &mut Findings<'_>) {
        let index = self.world.index;
        let returned = index.returned(row as usize);
        for (column, place) in clock.iter().enumerate().filter(|(_, place)| **place > 0) {
            let put = self.world.row_of(self.world.nth(column, *place));
            if put != row as usize && index.invoke(put) > returned {
                findings.add(AnomalyKind::CyclicVisibility, &[row as usize, put], || {
                    format!(
                        "{} has to be visible to {}, which had returned before",
                        index.name(put),
                        index.name(row as usize)
                    )
                });
            }
        }
    }

    fn judge_get(&mut self, get: u32, clock: &[u32], findings: &mut Findings<'_>) {
        let index = self.world.index;
        let returned: Vec<u32> = index
            .puts_read(get as usize)
            .iter()
            .map(|row| self.world.number[*row as usize])
            .collect();
        let mut visible = std::mem::take(&mut self.scratch);
        self.world
            .visible_on_key(index.key[get as usize], clock, &mut visible);
        for put in &returned {
            let later = visible
                .iter()
                .find(|v| *v != put && self.precedes(*put, **v));
            if let Some(later) = later {
                let (put, later) = (self.world.row_of(*put), self.world.row_of(*later));
                findings.add(AnomalyKind::StaleRead, &[put, later, get as usize], || {
                    format!(
                        "{} returned {} although {}, which follows it, happened before that",
                        index.name(get as usize),
                        id_text(index.columns.written[put]),
                        id_text(index.columns.written[later])
                    )
                });
            }
            let start = *put as usize * self.columns;
            join(&mut self.readers[start..start + self.columns], clock);
        }
        for put in &visible {
            let superseded = visible.iter().any(|v| v != put && self.precedes(*put, *v));
            if !superseded && !returned.contains(put) {
                self.missing.entry((*put, returned.clone())).or_insert(get);
            }
        }
        self.scratch = visible;
    }

    /// Everything that was missing somewhere, in a fixed order.
    pub(super) fn take_missing(&mut self) -> Vec<Missing> {
        let missing = std::mem::take(&mut self.missing);
        let mut missing: Vec<_> = missing
            .into_iter()
            .map(|((put, _), get)| Missing { put, get })
            .collect();
        missing.sort_unstable_by_key(|missing| (missing.get, missing.put));
        missing
    }

    /// The returned puts that can have superseded what is missing.
    pub(super) fn superseders(&self, missing: &Missing) -> Vec<u32> {
        let readers = missing.put as usize * self.columns;
        let readers = &self.readers[readers..readers + self.columns];
        self.world
            .index
            .puts_read(missing.get as usize)
            .iter()
            .map(|row| self.world.number[*row as usize])
            .filter(|member| {
                let put = self.world.puts[*member as usize];
                !self.precedes(*member, missing.put) && readers[put.column as usize] < put.place
            })
            .collect()
    }

    fn report_circle(&self, stack: &[u32], cause: u32, findings: &mut Findings<'_>) {
        let start = stack.iter().rposition(|row| *row == cause).unwrap_or(0);
        let circle: Vec<usize> = stack[start..]
            .iter()
            .rev()
            .take(CIRCLE_MAX)
            .map(|row| *row as usize)
            .collect();
        let kind = if self.forced.is_empty() {
            AnomalyKind::CyclicHb
        } else {
            AnomalyKind::CyclicVisibility
        };
        findings.add(kind, &circle, || {
            "what sessions did and what they read put each of these before the others: a circle"
                .to_owned()
        });
    }
}

fn join(into: &mut [u32], from: &[u32]) {
    for (into, from) in into.iter_mut().zip(from) {
        *into = (*into).max(*from);
    }
}
