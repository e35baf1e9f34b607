//! The model of sequential consistency: one order of all operations on all keys that keeps the
//! order of each session and no other.
//!
//! A state is how far each session has got, which operations of unknown outcome were taken, and
//! what each key holds. What only finds what is there comes at once, since it changes nothing.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use stateright::{Model, Property};

use super::super::super::options::Clock;
use super::super::progress::Progress;
use super::super::{Search, searched};
use super::bits::Bits;
use super::contents::{Content, NOTHING};
use super::read::{Op, Read};

struct Sessions {
    read: Read,
    /// The numbers of the operations of each session that have to take effect, in its order.
    lines: Vec<Vec<u32>>,
    /// Those of unknown outcome, each with how far its session has to be.
    pending: Vec<(u32, u32)>,
    total: u64,
    progress: Progress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    frontier: Vec<u32>,
    taken: Bits,
    held: Vec<Content>,
    /// How many have come, which follows from `frontier`.
    done: u64,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.frontier, &self.taken, &self.held).hash(state);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// What a session does next.
    Next(u32),
    /// An operation of unknown outcome.
    Guess(u32),
}

impl Sessions {
    fn new(read: Read, progress: Progress) -> Self {
        let mut lines: Vec<Vec<u32>> = vec![Vec::new(); read.sessions as usize];
        let mut pending = Vec::new();
        let mut total = 0;
        for (number, op) in (0..).zip(&read.ops) {
            let line = &mut lines[op.session as usize];
            if op.is_pending() {
                pending.push((number, line.len() as u32));
            } else {
                line.push(number);
                total += 1;
            }
        }
        Self {
            read,
            lines,
            pending,
            total,
            progress,
        }
    }

    fn op(&self, op: u32) -> &Op {
        &self.read.ops[op as usize]
    }

    /// What the session does next.
    fn head(&self, state: &State, session: u32) -> Option<u32> {
        let line = &self.lines[session as usize];
        line.get(state.frontier[session as usize] as usize).copied()
    }

    /// What the key of an operation holds after it, where it may come.
    fn after(&self, state: &State, op: u32) -> Option<Content> {
        let op = self.op(op);
        let key = op.key as usize;
        self.read.contents[key].step(state.held[key], op.effect)
    }

    fn holds(&self, state: &State, op: u32) -> Content {
        state.held[self.op(op).key as usize]
    }

    /// Takes what changes nothing, as long as there is any.
    fn settle(&self, state: &mut State) {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for session in 0..self.lines.len() as u32 {
                while let Some(op) = self.head(state, session)
                    && self.after(state, op) == Some(self.holds(state, op))
                    && !self.op(op).effect.is_blind()
                {
                    state.frontier[session as usize] += 1;
                    state.done += 1;
                    is_settled = false;
                }
            }
        }
        let mut heads = (0..self.lines.len() as u32).filter_map(|one| self.head(state, one));
        let stuck = heads.next().map(|op| self.op(op).row);
        self.progress.note(state.done, stuck);
    }
}

impl Model for Sessions {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            frontier: vec![0; self.lines.len()],
            taken: Bits::none(self.pending.len()),
            held: vec![NOTHING; self.read.contents.len()],
            done: 0,
        };
        self.settle(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        if self.progress.is_out_of_time() {
            return;
        }
        // The last is tried first: what is known to have happened.
        for (number, (op, from)) in (0..).zip(&self.pending) {
            let session = self.op(*op).session as usize;
            let comes = !state.taken.has(number) && state.frontier[session] >= *from;
            let after = comes.then(|| self.after(state, *op)).flatten();
            if after.is_some_and(|after| after != self.holds(state, *op)) {
                actions.push(Step::Guess(number));
            }
        }
        let mut next: Vec<u32> = (0..self.lines.len() as u32)
            .filter(|session| {
                let op = self.head(state, *session);
                op.is_some_and(|op| self.after(state, op).is_some())
            })
            .collect();
        next.sort_by_key(|session| {
            let op = self.head(state, *session);
            std::cmp::Reverse(op.map(|op| self.op(op).returned))
        });
        actions.extend(next.into_iter().map(Step::Next));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        let op = match step {
            Step::Next(session) => {
                let op = self.head(state, session)?;
                next.frontier[session as usize] += 1;
                next.done += 1;
                op
            }
            Step::Guess(number) => {
                next.taken.set(number);
                self.pending[number as usize].0
            }
        };
        next.held[self.op(op).key as usize] = self.after(state, op)?;
        self.settle(&mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("explained", |model, state: &State| {
            state.done == model.total
        })]
    }
}

/// Searches for one order of all sessions.
pub(super) fn search(read: Read, states: usize, clock: Option<(Clock, Duration)>) -> Search {
    let model = Sessions::new(read, Progress::until(clock));
    let total = model.total;
    searched(model, |model| &model.progress, total, states)
}
