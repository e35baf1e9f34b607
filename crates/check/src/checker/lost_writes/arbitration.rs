//! The order of puts that last write wins forces, whatever versions the store gave.
//!
//! A replica incarnation never goes back on a key: what it showed or acknowledged comes before what
//! it showed later, and before what was put there later. And what an origin put later has the
//! larger version, on whatever key. Each is a *view*: puts with the earliest return and the latest
//! invoke of the operations that showed them. One is below another when in some view its earliest
//! return is before the other's latest invoke. A put is lost when it comes, closed over all views,
//! above all that its key holds in the end: a clock that is behind may rightly lose the later put,
//! so that time alone says nothing.
//!
//! One order of all puts that keeps every view is found by taking puts away (as in
//! `lww_black_box.rs`), the earliest invoked first. A put that stands before a final value in that
//! order is not above it. The few others are searched from the final value on, as far as they stand
//! behind it. O(n log n), plus what lies between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::index::{Index, NO_PUT, Table};
use super::super::lww_black_box::{Shown, Value, View};
use crate::history::{Kind, NEVER, origin};

/// Exposures that are looked at in all searches together at most.
const STEPS_MAX: usize = 50_000_000;
/// Stands for no position.
const NONE: u32 = u32::MAX;

/// The views of all keys and origins, and an order of the puts that keeps them.
pub(super) struct Arbitration<'a, 'h> {
    index: &'a Index<'h>,
    /// Rows of the puts that are known, ascending: their places are their numbers.
    puts: Vec<u32>,
    views: Vec<View>,
    /// For each view, from each place by latest invoke on, the first position in the order.
    first: Vec<Vec<u32>>,
    /// Number, view and place of each exposure, by number.
    shown_in: Vec<[u32; 3]>,
    /// Number to position in the order.
    position: Vec<u32>,
    steps: std::cell::Cell<usize>,
}

/// How a search arrived at a put: from which, and the two operations that order them.
#[derive(Clone, Copy)]
struct Step {
    from: u32,
    rows: [Option<u32>; 2],
}

impl<'a, 'h> Arbitration<'a, 'h> {
    /// Lays out every view.
    pub(super) fn new(index: &'a Index<'h>) -> Self {
        let mut shown = exposures(index);
        let mut puts: Vec<u32> = shown.iter().map(|(_, shown)| shown.put).collect();
        puts.sort_unstable();
        puts.dedup();
        shown.sort_unstable_by_key(|(viewer, shown)| (*viewer, shown.put, shown.row));
        let mut views: Vec<View> = Vec::new();
        for view in shown.chunk_by(|a, b| a.0 == b.0) {
            let view: Vec<Shown> = view.iter().map(|(_, shown)| *shown).collect();
            views.push(View::new(&view, &puts));
        }
        let mut shown_in = Vec::new();
        for (number, view) in (0..).zip(&views) {
            for (place, exposure) in (0..).zip(view.exposures()) {
                shown_in.push([exposure.value, number, place]);
            }
        }
        shown_in.sort_unstable();
        let mut arbitration = Self {
            index,
            puts,
            views,
            first: Vec::new(),
            shown_in,
            position: Vec::new(),
            steps: std::cell::Cell::new(0),
        };
        arbitration.put_in_order();
        arbitration
    }

    fn shown_in(&self, number: u32) -> &[[u32; 3]] {
        super::super::lww_black_box::shown_in(&self.shown_in, number)
    }

    /// Takes puts away, the earliest invoked first among those that nothing left comes before. What
    /// is never taken away comes last.
    fn put_in_order(&mut self) {
        let mut values = vec![Value::default(); self.puts.len()];
        for [number, ..] in &self.shown_in {
            values[*number as usize].hold();
        }
        let (mut ready, mut released) = (BinaryHeap::new(), Vec::new());
        for view in &mut self.views {
            view.release(&mut values, &mut released);
        }
        let mut position = vec![NONE; self.puts.len()];
        let mut next = 0;
        loop {
            let invoke = |number: u32| self.index.invoke(self.puts[number as usize] as usize);
            ready.extend(
                released
                    .drain(..)
                    .map(|number| Reverse((invoke(number), number))),
            );
            let Some(Reverse((_, number))) = ready.pop() else {
                break;
            };
            if !values[number as usize].take() {
                continue;
            }
            position[number as usize] = next;
            next += 1;
            let start = self.shown_in.partition_point(|shown| shown[0] < number);
            for [own, view, _] in &self.shown_in[start..] {
                if *own != number {
                    break;
                }
                self.views[*view as usize].release(&mut values, &mut released);
            }
        }
        // Replicas that contradict each other leave puts over: each may come above each.
        for position in position.iter_mut().filter(|position| **position == NONE) {
            *position = next;
        }
        self.position = position;
        let position = &self.position;
        let firsts = self.views.iter().map(|view| {
            let by_invoke = view
                .by_invoke()
                .map(|exposure| position[exposure.value as usize]);
            let mut first: Vec<u32> = by_invoke.collect();
            for place in (1..first.len()).rev() {
                first[place - 1] = first[place - 1].min(first[place]);
            }
            first
        });
        self.first = firsts.collect();
    }

    fn number(&self, put: u32) -> Option<u32> {
        let number = self.puts.binary_search(&put).ok()?;
        Some(number as u32)
    }

    /// Of puts that `finals` do not hold those that come above all of them, each with the
    /// operations that say so.
    pub(super) fn lost(
        &self,
        finals: &[u32],
        puts: &[u32],
    ) -> Result<Vec<(u32, Vec<u32>)>, String> {
        let numbers = puts
            .iter()
            .filter_map(|put| Some((*put, self.number(*put)?)));
        let mut lost: Vec<(u32, u32, Vec<u32>)> = numbers
            .map(|(put, number)| (put, number, Vec::new()))
            .collect();
        for last in finals {
            let Some(last) = self.number(*last) else {
                return Ok(Vec::new());
            };
            let at = |number: u32| self.position[number as usize];
            lost.retain(|(_, number, _)| at(*number) >= at(last));
            let Some(farthest) = lost.iter().map(|(_, number, _)| at(*number)).max() else {
                return Ok(Vec::new());
            };
            let reached = self.above(last, farthest)?;
            lost.retain(|(_, number, _)| reached.contains_key(number));
            for (_, number, rows) in &mut lost {
                rows.extend(way(&reached, *number));
            }
        }
        Ok(lost.into_iter().map(|(put, _, rows)| (put, rows)).collect())
    }

    /// What comes above a put, up to a position in the order, and how that is known.
    fn above(&self, from: u32, farthest: u32) -> Result<Table<u32, Step>, String> {
        let mut reached: Table<u32, Step> = Table::default();
        // From which place by latest invoke on each view has been looked at.
        let mut done: Table<u32, usize> = Table::default();
        let mut left = vec![from];
        while let Some(number) = left.pop() {
            for [_, view, place] in self.shown_in(number) {
                let (first, exposures) = (&self.first[*view as usize], &self.views[*view as usize]);
                let own = exposures.exposures()[*place as usize];
                let start = exposures.invoked_after(own.earliest_return);
                let end = done.get(view).copied().unwrap_or(first.len());
                for (at, exposure) in exposures.by_invoke().enumerate().take(end).skip(start) {
                    if first[at] > farthest {
                        break;
                    }
                    self.steps.set(self.steps.get() + 1);
                    let value = exposure.value;
                    if value == number || value == from || reached.contains_key(&value) {
                        continue;
                    }
                    if self.position[value as usize] <= farthest {
                        let rows = [own.returned_by, exposure.invoked_by];
                        reached.insert(value, Step { from: number, rows });
                        left.push(value);
                    }
                }
                done.insert(*view, start.min(end));
            }
            if self.steps.get() > STEPS_MAX {
                return Err(format!(
                    "looking for what comes above the final values takes more than {STEPS_MAX} steps"
                ));
            }
        }
        Ok(reached)
    }
}

/// The operations on the way to a put that a search reached, from its start on.
fn way(reached: &Table<u32, Step>, to: u32) -> Vec<u32> {
    let steps = std::iter::successors(reached.get(&to), |step| reached.get(&step.from));
    let mut rows: Vec<u32> = steps
        .flat_map(|step| step.rows.into_iter().rev().flatten())
        .collect();
    rows.reverse();
    rows
}

/// Whose view it is: a place, a key of it or all that it put, and a session of its own where that
/// has ties that times do not tell.
type Viewer = (u32, Option<u32>, Option<u32>);

/// What every view shows.
fn exposures(index: &Index<'_>) -> Vec<(Viewer, Shown)> {
    let columns = index.columns;
    let tied = tied_sessions(index);
    let mut all = Vec::new();
    for row in 0..index.history.len() {
        let is_put = columns.kind[row] == Kind::Put;
        let put = if is_put {
            row as u32
        } else {
            index.puts_read(row).first().copied().unwrap_or(NO_PUT)
        };
        let is_shown = if is_put {
            index.returned(row) != NEVER
        } else {
            index.is_usable_get(row)
        };
        if !is_shown || put == NO_PUT {
            continue;
        }
        let place = origin(columns.node[row], columns.incarnation[row]);
        let mut show = |session: Option<u32>, invoke: u64, returned: u64| {
            let shown = Shown {
                viewer: (place, session),
                put,
                row: row as u32,
                invoke: invoke + 1,
                returned: returned + 1,
            };
            all.push(((place, Some(index.key[row]), session), shown));
            if is_put {
                all.push(((place, None, session), shown));
            }
        };
        show(None, index.invoke(row), index.returned(row));
        if tied[index.session[row] as usize] {
            let at = 2 * u64::from(columns.index[row]);
            show(Some(index.session[row]), at, at + 1);
        }
    }
    all
}

/// The sessions that did two operations without a tick of the clock between them.
fn tied_sessions(index: &Index<'_>) -> Vec<bool> {
    let has_tie = |session: usize| {
        let rows = index.by_session.at(session);
        rows.windows(2).any(|pair| {
            let returned = index.columns.returned[pair[0] as usize];
            returned == index.invoke(pair[1] as usize)
        })
    };
    (0..index.by_session.len()).map(has_tie).collect()
}
