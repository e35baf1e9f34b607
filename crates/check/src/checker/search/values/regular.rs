//! The model of regular registers with many writers: each read has an order of its own with all
//! writes of its key, which keeps real time and sessions.
//!
//! The reads come one after another. A state is which read is at its turn, what of the writes around
//! it has come, and which write was the last. Only the last write counts, so that most steps lose
//! nothing:
//! - what something that has to come before the read has to come after is at the front of the order;
//! - a write that the read does not want comes as soon as it may;
//! - when all that has to come before the read has come, and the last is what it wants, it is read.
//!
//! So there is a choice only among several writes of what the read wants. A compare-and-set of
//! unknown outcome that was wanted is owed: what it found is a read that comes after all others.

use std::hash::{Hash, Hasher};

use stateright::{Model, Property};

use super::super::super::searched::Deadline;
use super::super::progress::Progress;
use super::super::{Search, searched};
use super::bits::Bits;
use super::contents::{Content, Effect, NOTHING};
use super::read::{Op, Read};

/// Writes around one read that are ordered at most; with more the search gives up.
const AROUND_MAX: usize = 4_096;
/// The number of no write.
const NONE: u32 = u32::MAX;

/// The writes of one key.
#[derive(Default)]
struct Line {
    /// In the order of their invokes.
    writes: Vec<u32>,
    /// For each the latest return of those up to it.
    reach: Vec<u64>,
    /// The invokes of writes by return, each the latest of those up to it.
    by_return: Vec<(u64, u64)>,
}

struct Regular {
    read: Read,
    /// By key.
    lines: Vec<Line>,
    /// What found something for certain.
    reads: Vec<u32>,
    /// Operations beside the reads that the history has for certain.
    writes: u64,
    progress: Progress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// The reads that have an order.
    explained: u32,
    /// Compare-and-sets of unknown outcome that took effect, in the order in which they were owed.
    owed: Vec<u32>,
    /// Which of the writes around the read have come.
    taken: Bits,
    last: u32,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.explained, &self.owed, &self.taken, self.last).hash(state);
    }
}

/// What comes next where there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A write that the read wants, by its place around it.
    Take(u32),
    /// The read itself, after a write that is owed for it.
    Read,
}

impl Regular {
    fn new(read: Read, progress: Progress) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        lines.resize_with(read.contents.len(), Line::default);
        let mut reads = Vec::new();
        let mut writes = 0;
        for (number, op) in (0..).zip(&read.ops) {
            if op.effect.writes().is_some() {
                lines[op.key as usize].writes.push(number);
            }
            let finds = matches!(
                op.effect,
                Effect::Get(_) | Effect::Cas(..) | Effect::Mismatch(_)
            );
            if finds && !op.is_pending() {
                reads.push(number);
            } else if !op.is_pending() {
                writes += 1;
            }
        }
        for line in &mut lines {
            line.sort(&read.ops);
        }
        Self {
            read,
            lines,
            reads,
            writes,
            progress,
        }
    }

    fn op(&self, op: u32) -> &Op {
        &self.read.ops[op as usize]
    }

    /// Whether one was over before the other began; numbers follow sessions.
    fn precedes(&self, a: u32, b: u32) -> bool {
        let (one, other) = (self.op(a), self.op(b));
        (one.session == other.session && a < b) || one.returned < other.invoke
    }

    /// The read at its turn: those that are owed come last.
    fn at(&self, state: &State) -> Option<u32> {
        let explained = state.explained as usize;
        let owed = || state.owed.get(explained - self.reads.len());
        self.reads.get(explained).or_else(owed).copied()
    }

    /// The writes that do not simply come first or after the read.
    fn around(&self, read: u32) -> &[u32] {
        let line = &self.lines[self.op(read).key as usize];
        let Op {
            invoke, returned, ..
        } = *self.op(read);
        let over = line.by_return.partition_point(|(at, _)| *at < invoke);
        let needed = over.checked_sub(1).map_or(0, |last| line.by_return[last].1);
        let is_begun = |write: &u32| self.op(*write).invoke <= returned;
        let end = line.writes.partition_point(is_begun);
        let start = line.reach.partition_point(|reach| *reach < needed).min(end);
        &line.writes[start..end]
    }

    fn is_wanted(&self, read: u32, held: u32) -> bool {
        let content = match held {
            NONE => NOTHING,
            write => self.op(write).effect.writes().unwrap_or(NOTHING),
        };
        // A compare-and-set writes after it has found.
        held != read && self.finds(read, content)
    }

    fn finds(&self, read: u32, content: Content) -> bool {
        match self.op(read).effect {
            Effect::Get(found) | Effect::Cas(found, _) => content == found,
            Effect::Mismatch(other) => content != other,
            Effect::Put(_) | Effect::Append(_) => false,
        }
    }

    /// Nothing has come yet of what is around the read at its turn.
    fn enter(&self, state: &mut State) {
        let around = self.at(state).map_or(0, |read| self.around(read).len());
        state.taken = Bits::none(around);
        state.last = NONE;
    }

    /// Takes all steps that lose nothing; those that are left, several or none.
    fn run(&self, state: &mut State) -> Vec<Step> {
        loop {
            let explained = u64::from(state.explained);
            let Some(read) = self.at(state) else {
                self.progress
                    .note(self.writes + self.reads.len() as u64, None);
                return Vec::new();
            };
            let most = (self.reads.len() as u64).min(explained);
            let is_last = most == self.reads.len() as u64;
            self.progress.note(
                self.writes + most - u64::from(is_last),
                Some(self.op(read).row),
            );
            let around = self.around(read);
            if around.len() > AROUND_MAX || self.progress.is_out_of_time() {
                self.progress.cut();
                return Vec::new();
            }
            let choices = self.steps(state, read, around);
            match choices.as_slice() {
                [only] => self.take(state, read, *only),
                [] | [_, ..] => return choices,
            }
        }
    }

    /// Has all come that is not wanted and may come; the steps that are left.
    fn steps(&self, state: &mut State, read: u32, around: &[u32]) -> Vec<Step> {
        let places = || (0u32..).zip(around.iter().copied());
        loop {
            let may_come = |state: &State, place: u32, write: u32| {
                let is_next = |(other, before): (u32, u32)| {
                    state.taken.has(other) || !self.precedes(before, write)
                };
                !state.taken.has(place)
                    && write != read
                    && !self.precedes(read, write)
                    && places().all(is_next)
            };
            let has_to =
                |(place, write): (u32, u32)| !state.taken.has(place) && self.precedes(write, read);
            let is_read = !places().any(has_to) && self.is_wanted(read, state.last);
            if is_read && !self.owes(state) {
                return vec![Step::Read];
            }
            let unwanted = places().find(|(place, write)| {
                !self.op(*write).is_pending()
                    && !self.is_wanted(read, *write)
                    && may_come(state, *place, *write)
            });
            if let Some((place, write)) = unwanted.filter(|_| !is_read) {
                state.taken.set(place);
                state.last = write;
                continue;
            }
            let wanted = places().filter(|(place, write)| {
                self.is_wanted(read, *write) && may_come(state, *place, *write)
            });
            let mut wanted: Vec<(u32, u32)> = wanted.collect();
            // The last is tried first: what owes nothing.
            wanted.sort_by_key(|(_, write)| !self.op(*write).is_pending());
            let owing = is_read.then_some(Step::Read).into_iter();
            return owing
                .chain(wanted.into_iter().map(|(place, _)| Step::Take(place)))
                .collect();
        }
    }

    /// Whether the last write took effect only if what it found is explained, too.
    fn owes(&self, state: &State) -> bool {
        state.last != NONE
            && self.op(state.last).is_pending()
            && matches!(self.op(state.last).effect, Effect::Cas(..))
            && !state.owed.contains(&state.last)
    }

    /// Takes a step towards the read at its turn.
    fn take(&self, state: &mut State, read: u32, step: Step) {
        match step {
            Step::Take(place) => {
                state.last = self.around(read)[place as usize];
                state.taken.set(place);
            }
            Step::Read => {
                if self.owes(state) {
                    state.owed.push(state.last);
                }
                state.explained += 1;
                self.enter(state);
            }
        }
    }
}

impl Line {
    fn sort(&mut self, ops: &[Op]) {
        let op = |write: &u32| &ops[*write as usize];
        self.writes.sort_by_key(|write| op(write).invoke);
        let mut latest = 0;
        for write in &self.writes {
            latest = latest.max(op(write).returned);
            self.reach.push(latest);
        }
        let ends = self.writes.iter().map(|w| (op(w).returned, op(w).invoke));
        self.by_return = ends.collect();
        self.by_return.sort_unstable();
        let mut latest = 0;
        for (_, invoke) in &mut self.by_return {
            latest = latest.max(*invoke);
            *invoke = latest;
        }
    }
}

impl Model for Regular {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            explained: 0,
            owed: Vec::new(),
            taken: Bits::none(0),
            last: NONE,
        };
        self.enter(&mut state);
        self.run(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        actions.extend(self.run(&mut state.clone()));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, self.at(state)?, step);
        self.run(&mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("explained", |model, state: &State| {
            model.at(state).is_none()
        })]
    }
}

/// Searches for an order of each read with all writes of its key.
pub(super) fn search(read: Read, states: usize, deadline: Deadline) -> Search {
    let model = Regular::new(read, Progress::until(deadline));
    let total = model.writes + model.reads.len() as u64;
    searched(model, |model| &model.progress, total, states)
}
