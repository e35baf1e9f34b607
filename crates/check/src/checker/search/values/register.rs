//! The model of linearizable registers, one key after another: by locality their orders make up one
//! of all (Herlihy and Wing 1990).
//!
//! A state is the time up to which everything that returned was taken, what the register holds, and
//! what of the open operations has come. What an operation returns that has not come yet, one of
//! the open ones is taken, until it can be: each order has one like it in which nothing is taken
//! earlier than that (Lowe 2017). What loses nothing is taken at once:
//! - what only finds what is there;
//! - a put whose value is written once, when all that find it are open and nobody needs what is
//!   there any more.
//!
//! A put or append that another put follows at once is seen by nobody, so that it may come there
//! for nothing: it is free, and need not be taken when it returns. A state is left when what
//! somebody has to find is gone and cannot be written again.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stateright::{Model, Property};

use super::super::super::options::Clock;
use super::super::progress::Progress;
use super::super::{Search, searched};
use super::bits::Bits;
use super::contents::{Content, Contents, NOTHING};
use super::read::{Op, Read};
use super::steps::OneKey;
use super::timeline::{Event, Timeline};

/// All keys.
struct Registers {
    lines: Vec<Timeline>,
    contents: Vec<Contents>,
    /// Operations that have to take effect on the keys before each.
    before: Vec<u64>,
    /// The farthest key that was reached: those before it have an order.
    reached: AtomicU32,
    progress: Progress,
}

/// How far one key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    key: u32,
    /// The next event.
    pub(super) at: u32,
    pub(super) held: Content,
    /// What may return, by slot.
    pub(super) free: Bits,
    /// What was taken for its effect, by slot.
    pub(super) spent: Bits,
    /// Of each class of operations of unknown outcome how many were taken, ascending by class.
    pub(super) used: Vec<(u32, u32)>,
    /// Whether what returns next is free and will be taken for its effect all the same.
    pub(super) is_wanted: bool,
    /// The open operations, which follow from `key` and `at`.
    pub(super) open: Vec<u32>,
    /// Operations that returned on this key, which follow from the same.
    pub(super) returned: u64,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.key, self.at, self.held, self.is_wanted).hash(state);
        (&self.free, &self.spent, &self.used).hash(state);
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What returns next, which needs no effect of its own.
    Pass,
    /// An open operation.
    Take(u32),
    /// One of a class of unknown outcome.
    Guess(u32),
}

impl Registers {
    fn new(read: Read, progress: Progress) -> Self {
        let mut by_key: Vec<Vec<Op>> = vec![Vec::new(); read.contents.len()];
        for op in read.ops {
            by_key[op.key as usize].push(op);
        }
        let lines: Vec<Timeline> = by_key.into_iter().map(Timeline::new).collect();
        let mut before = vec![0];
        for line in &lines {
            before.push(before[before.len() - 1] + line.ops.len() as u64);
        }
        Self {
            lines,
            contents: read.contents,
            before,
            reached: AtomicU32::new(0),
            progress,
        }
    }

    fn enter(&self, key: u32) -> State {
        let slots = self.lines.get(key as usize).map_or(0, |line| line.slots);
        self.reached.fetch_max(key, Ordering::Relaxed);
        State {
            key,
            at: 0,
            held: NOTHING,
            free: Bits::none(slots),
            spent: Bits::none(slots),
            used: Vec::new(),
            is_wanted: false,
            open: Vec::new(),
            returned: 0,
        }
    }

    /// The key that a state is at; none at the end.
    fn at<'a>(&'a self, state: &State) -> Option<OneKey<'a>> {
        let key = state.key as usize;
        let line = self.lines.get(key)?;
        Some(OneKey {
            line,
            contents: &self.contents[key],
        })
    }

    /// Goes on to the next return that leaves a choice. Returns whether every value that somebody
    /// has to find still can be found.
    fn advance(&self, state: &mut State) -> bool {
        let is_possible = loop {
            let Some(key) = self.at(state) else {
                break true;
            };
            match key.line.events.get(state.at as usize) {
                None => *state = self.enter(state.key + 1),
                Some(Event::Invoke(op)) => {
                    state.open.push(*op);
                    state.at += 1;
                    key.settle(state);
                }
                Some(Event::Return(op)) => {
                    let op = *op;
                    if key.take_what_loses_nothing(state) {
                        continue;
                    }
                    if !key.is_free(state, op) || key.is_choice(state, op) {
                        break true;
                    }
                    if !key.pass(state, op) {
                        break false;
                    }
                }
            }
        };
        let taken = self.before[(state.key as usize).min(self.lines.len())] + state.returned;
        let stuck = self.at(state).and_then(|key| key.stuck(state));
        let row = stuck.map(|op| self.lines[state.key as usize].ops[op as usize].row);
        self.progress.note(taken, row);
        is_possible
    }
}

impl Model for Registers {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let mut state = self.enter(0);
        let is_possible = self.advance(&mut state);
        is_possible.then_some(state).into_iter().collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        if state.key < self.reached.load(Ordering::Relaxed) || self.progress.is_out_of_time() {
            return;
        }
        if let Some(key) = self.at(state) {
            key.steps(state, actions);
            // The last is tried first.
            actions.reverse();
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let key = self.at(state)?;
        let mut next = state.clone();
        let is_possible = key.take(&mut next, step) && self.advance(&mut next);
        is_possible.then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("explained", |model, state: &State| {
            state.key as usize >= model.lines.len()
        })]
    }
}

/// Searches for an order of each key.
pub(super) fn search(read: Read, states: usize, clock: Option<(Clock, Duration)>) -> Search {
    let model = Registers::new(read, Progress::until(clock));
    let total = model.before[model.lines.len()];
    searched(model, |model| &model.progress, total, states)
}
