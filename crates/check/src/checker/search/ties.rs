//! Linearizable registers on keys where sessions did several operations at one instant, so that
//! sessions give their order and times do not. The steps that lose nothing on other keys
//! (`register.rs`) rest on times, so here every operation that may come next is tried. Exponential
//! in what is concurrent, and only such keys are judged so.

use std::time::Duration;

use stateright::{Model, Property};

use super::super::index::Index;
use super::super::options::Clock;
use super::progress::Progress;
use super::{Part, Search, searched};
use crate::history::Kind;

/// The value of a register that nobody put.
const INITIAL: u32 = u32::MAX;

/// What an operation does: puts a value, or finds one. Values are the rows of their puts.
#[derive(Clone, Copy, Debug)]
struct Effect {
    value: u32,
    is_put: bool,
}

/// The operations on one key.
#[derive(Debug)]
struct Register {
    part: Part,
    effects: Vec<Effect>,
    progress: Progress,
}

/// How far each session has got, and the value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    frontier: Vec<u32>,
    value: u32,
}

impl Register {
    fn new(index: &Index<'_>, rows: &[u32], clock: Option<(Clock, Duration)>) -> Self {
        let times = |row| (index.invoke(row), index.returned(row));
        let part = Part::new(index, rows, times, true);
        let effect = |row: u32| match index.columns.kind[row as usize] {
            Kind::Get => Effect {
                // What nobody put is found by none.
                value: index
                    .puts_read(row as usize)
                    .first()
                    .map_or(INITIAL, |put| (*put).min(INITIAL - 1)),
                is_put: false,
            },
            Kind::Put | Kind::Cas | Kind::Append => Effect {
                value: row,
                is_put: true,
            },
        };
        let effects = part.ops.iter().map(|op| effect(op.row)).collect();
        Self {
            part,
            effects,
            progress: Progress::until(clock),
        }
    }

    /// Notes how far a state is, and says when the first of what is left returned.
    fn first_return(&self, state: &State) -> Option<u64> {
        let is_left = |op: &&u32| {
            let op = &self.part.ops[**op as usize];
            state.frontier[op.session as usize] <= op.place
        };
        let first = self.part.by_return.iter().find(is_left);
        let first = first.map(|first| self.part.ops[*first as usize]);
        let taken = state.frontier.iter().map(|n| u64::from(*n)).sum();
        self.progress.note(taken, first.map(|first| first.row));
        first.map(|first| first.returned)
    }
}

impl Model for Register {
    type State = State;
    type Action = usize;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            frontier: vec![0; self.part.sessions as usize],
            value: INITIAL,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<usize>) {
        if self.progress.is_out_of_time() {
            return;
        }
        let Some(deadline) = self.first_return(state) else {
            return;
        };
        let ops = self.part.ops.iter().enumerate();
        let next = ops.filter(|(_, op)| state.frontier[op.session as usize] == op.place);
        let in_time = next.filter(|(_, op)| op.invoke <= deadline);
        let allowed = |op: &usize| {
            let effect = self.effects[*op];
            effect.is_put || effect.value == state.value
        };
        let found = in_time.map(|(op, _)| op).filter(allowed);
        // A get that may come now changes nothing, so that it may as well come first.
        let found: Vec<usize> = found.collect();
        match found.iter().find(|op| !self.effects[**op].is_put) {
            Some(get) => actions.push(*get),
            None => actions.extend(found),
        }
    }

    fn next_state(&self, state: &State, op: usize) -> Option<State> {
        let mut next = state.clone();
        next.frontier[self.part.ops[op].session as usize] += 1;
        next.value = self.effects[op].value;
        // Nothing is asked of the last state any more.
        self.first_return(&next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("explained", |model, state: &State| {
            state.frontier.iter().map(|n| *n as usize).sum::<usize>() == model.part.ops.len()
        })]
    }
}

/// Searches for an order of the operations of one key.
pub(super) fn search(
    index: &Index<'_>,
    rows: &[u32],
    states: usize,
    clock: Option<(Clock, Duration)>,
) -> Search {
    let model = Register::new(index, rows, clock);
    searched(model, |model| &model.progress, rows.len() as u64, states)
}
