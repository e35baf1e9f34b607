//! Causal multi-value registers without evidence as a specification: the history itself as a model.
//!
//! Operations are taken one after another, in an order that keeps sessions, reads and real time. A
//! put on a key may see any of the puts on it that were taken before, and whatever those saw; a get
//! sees what its session and the puts that it returned saw, and has to have returned the maxima of
//! that on its key. A state is how far each session has got, and for each put that was taken the
//! set of puts that it sees. Nothing is visible to what had returned before it was invoked, since
//! such an operation was taken before.
//!
//! An operation that has no choice is taken at once, which loses nothing: a get never has one, and
//! a put has one only about puts that a get which returned it had to have seen and did not return.
//! Where contexts say what a put supersedes there is no choice at all (`dominance/`).
//!
//! Exponential in the puts on one key that are concurrent, so for small histories.

mod puts;

use std::time::Duration;

use stateright::{Model, Property};

use super::super::index::Index;
use super::super::options::Clock;
use super::progress::Progress;
use super::{Found, Part, Search, searched};
use crate::history::Dominance;
use puts::Puts;

/// Puts that one put can see by choice at most: each doubles the ways.
const CHOICES_MAX: usize = 16;

/// What one operation is and needs.
#[derive(Clone, Debug)]
struct Op {
    row: u32,
    session: u32,
    place: u32,
    invoke: u64,
    returned: u64,
    key: u32,
    /// A put's number.
    put: Option<u32>,
    /// The puts that a get returned, or that the context of a put names.
    sources: Puts,
    /// It returned what nobody put.
    impossible: bool,
    /// Puts that this one may have superseded, as far as a get says so.
    choices: Puts,
}

/// One replica group's operations: sessions owe causality within a group only.
#[derive(Debug)]
struct Group {
    ops: Vec<Op>,
    sessions: usize,
    /// Each key's puts.
    on_key: Vec<Puts>,
    /// Where contexts decide: the puts that each one has in its context.
    contexts: Option<Vec<Puts>>,
}

/// A history's groups, one after another.
#[derive(Debug)]
struct Siblings {
    groups: Vec<Group>,
    progress: Progress,
}

/// How far it has got.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    group: usize,
    /// How many operations of each session were taken.
    frontier: Vec<u32>,
    /// For each put that was taken what it sees, itself included.
    sees: Vec<Puts>,
    taken: Puts,
    /// What each session has seen.
    sessions: Vec<Puts>,
}

/// The next operation, and the puts that it sees by choice.
#[derive(Clone, Debug, PartialEq)]
struct Take {
    op: usize,
    chosen: Puts,
}

fn group(index: &Index<'_>, rows: &[u32]) -> Result<Group, Found> {
    let times = |row| (index.invoke(row), index.returned(row));
    let part = Part::new(index, rows, times, true);
    let mut numbers = vec![None; index.history.len()];
    let mut puts = 0;
    for op in part.ops.iter().map(|op| op.row as usize) {
        if index.is_effective_put(op) {
            numbers[op] = Some(puts);
            puts += 1;
        }
    }
    if puts as usize > Puts::MAX {
        return Err(Found::Budget);
    }
    let mut group = Group {
        ops: Vec::new(),
        sessions: part.sessions as usize,
        on_key: vec![Puts::default(); index.by_key.len()],
        contexts: (index.dominance == Dominance::Context)
            .then(|| vec![Puts::default(); puts as usize]),
    };
    for op in &part.ops {
        let row = op.row as usize;
        let sources = match numbers[row] {
            Some(_) => index.context_puts(row),
            None => index.puts_read(row),
        };
        let mut own = Op {
            row: op.row,
            session: op.session,
            place: op.place,
            invoke: op.invoke,
            returned: op.returned,
            key: index.key[row],
            put: numbers[row],
            sources: Puts::default(),
            impossible: false,
            choices: Puts::default(),
        };
        for source in sources {
            match numbers.get(*source as usize).copied().flatten() {
                Some(put) => own.sources.add(put),
                None => own.impossible = true,
            }
        }
        if let Some(put) = own.put {
            group.on_key[own.key as usize].add(put);
            if let Some(contexts) = &mut group.contexts {
                contexts[put as usize] = own.sources;
            }
        }
        group.ops.push(own);
    }
    group.find_choices();
    Ok(group)
}

impl Group {
    /// A put needs to see another one beyond what happened before it only where a get that returned
    /// it did not return the other.
    fn find_choices(&mut self) {
        if self.contexts.is_some() {
            return;
        }
        let mut choices = vec![Puts::default(); Puts::MAX];
        for get in self.ops.iter().filter(|op| op.put.is_none()) {
            let others = self.on_key[get.key as usize];
            for put in get.sources.iter() {
                for other in others.iter().filter(|other| !get.sources.has(*other)) {
                    choices[put as usize].add(other);
                }
            }
        }
        for op in &mut self.ops {
            if let Some(put) = op.put {
                op.choices = choices[put as usize];
            }
        }
    }

    fn start(&self, group: usize) -> State {
        State {
            group,
            frontier: vec![0; self.sessions],
            sees: vec![Puts::default(); self.ops.iter().filter(|op| op.put.is_some()).count()],
            taken: Puts::default(),
            sessions: vec![Puts::default(); self.sessions],
        }
    }

    fn is_taken(&self, state: &State, op: &Op) -> bool {
        state.frontier[op.session as usize] > op.place
    }

    /// What returned earliest of what was not taken: nothing invoked after that comes before it.
    fn first(&self, state: &State) -> Option<&Op> {
        let left = self.ops.iter().filter(|op| !self.is_taken(state, op));
        left.min_by_key(|op| op.returned)
    }

    /// The operations that may come next.
    fn enabled(&self, state: &State) -> impl Iterator<Item = usize> {
        let deadline = self.first(state).map_or(0, |first| first.returned);
        let may = move |op: &Op| {
            state.frontier[op.session as usize] == op.place
                && op.invoke <= deadline
                && op.sources.iter().all(|put| state.taken.has(put))
        };
        let ops = self.ops.iter().enumerate();
        ops.filter(move |(_, op)| may(op)).map(|(op, _)| op)
    }

    /// What an operation sees beside what was chosen for it.
    fn seen_by(&self, state: &State, op: &Op) -> Puts {
        let mut seen = state.sessions[op.session as usize];
        for put in op.sources.iter() {
            seen.join(&state.sees[put as usize]);
        }
        seen
    }

    /// Whether a get returned the maxima of what it sees on its key.
    fn explains(&self, state: &State, get: &Op, seen: &Puts) -> bool {
        let on_key = self.on_key[get.key as usize];
        let visible = || on_key.iter().filter(|put| seen.has(*put));
        let supersedes = |by: u32, put: u32| match &self.contexts {
            Some(contexts) => contexts[by as usize].has(put),
            None => by != put && state.sees[by as usize].has(put),
        };
        visible().all(|put| {
            let is_maximum = !visible().any(|by| supersedes(by, put));
            is_maximum == get.sources.has(put)
        })
    }

    /// The state after an operation, or `None` when that contradicts it.
    fn take(&self, state: &State, take: &Take) -> Option<State> {
        let op = &self.ops[take.op];
        let mut seen = self.seen_by(state, op);
        for put in take.chosen.iter() {
            seen.join(&state.sees[put as usize]);
        }
        if op.impossible || (op.put.is_none() && !self.explains(state, op, &seen)) {
            return None;
        }
        let mut next = state.clone();
        if let Some(put) = op.put {
            seen.add(put);
            next.sees[put as usize] = seen;
            next.taken.add(put);
        }
        next.sessions[op.session as usize] = seen;
        next.frontier[op.session as usize] += 1;
        Some(next)
    }

    /// What a put may see by choice: those choices that were taken and that it does not see anyway,
    /// and whether others are still to come.
    fn choices(&self, state: &State, op: &Op) -> (Vec<u32>, bool) {
        let seen = self.seen_by(state, op);
        let own = op.put;
        let open = |put: &u32| !seen.has(*put) && Some(*put) != own;
        let (now, later): (Vec<u32>, Vec<u32>) = op
            .choices
            .iter()
            .filter(open)
            .partition(|put| state.taken.has(*put));
        (now, !later.is_empty())
    }
}

impl Siblings {
    /// `first` returned first of what is left; nothing where nothing is.
    fn note(&self, state: &State, first: Option<&Op>) {
        let before = self.groups.iter().take(state.group);
        let before: usize = before.map(|group| group.ops.len()).sum();
        let taken = before as u64 + state.frontier.iter().map(|n| u64::from(*n)).sum::<u64>();
        self.progress.note(taken, first.map(|first| first.row));
    }

    /// Takes what has no choice, as long as there is such; `None` when that contradicts something.
    fn run(&self, mut state: State) -> Option<State> {
        loop {
            let Some(group) = self.groups.get(state.group) else {
                self.note(&state, None);
                return Some(state);
            };
            let Some(first) = group.first(&state) else {
                let next = state.group + 1;
                state = match self.groups.get(next) {
                    Some(group) => group.start(next),
                    None => State {
                        group: next,
                        frontier: Vec::new(),
                        sees: Vec::new(),
                        taken: Puts::default(),
                        sessions: Vec::new(),
                    },
                };
                continue;
            };
            self.note(&state, Some(first));
            let free = group.enabled(&state).find(|op| {
                let op = &group.ops[*op];
                op.put.is_none() || group.choices(&state, op) == (Vec::new(), false)
            });
            let Some(op) = free else {
                return Some(state);
            };
            let chosen = Puts::default();
            state = group.take(&state, &Take { op, chosen })?;
        }
    }
}

impl Model for Siblings {
    type State = State;
    type Action = Take;

    fn init_states(&self) -> Vec<State> {
        let first = self.groups.first().map(|group| group.start(0));
        first
            .and_then(|state| self.run(state))
            .into_iter()
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Take>) {
        if self.progress.is_out_of_time() {
            return;
        }
        let Some(group) = self.groups.get(state.group) else {
            return;
        };
        let enabled: Vec<usize> = group.enabled(state).collect();
        // One that waits for none of the others can come first.
        let ready = enabled
            .iter()
            .find(|op| !group.choices(state, &group.ops[**op]).1);
        let next = ready.map_or(enabled.as_slice(), std::slice::from_ref);
        for op in next {
            let (choices, _) = group.choices(state, &group.ops[*op]);
            if choices.len() > CHOICES_MAX {
                self.progress.cut();
                continue;
            }
            for ways in 0..1u32 << choices.len() {
                let mut chosen = Puts::default();
                for (place, put) in choices.iter().enumerate() {
                    if ways >> place & 1 == 1 {
                        chosen.add(*put);
                    }
                }
                actions.push(Take { op: *op, chosen });
            }
        }
    }

    fn next_state(&self, state: &State, take: Take) -> Option<State> {
        let group = self.groups.get(state.group)?;
        self.run(group.take(state, &take)?)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("explained", |model, state: &State| {
            state.group >= model.groups.len()
        })]
    }
}

/// Searches for a visibility order of the whole history.
pub(super) fn search(
    index: &Index<'_>,
    states: usize,
    clock: Option<(Clock, Duration)>,
) -> Result<Search, String> {
    let mut names: Vec<u16> = index.columns.group.iter().copied().collect();
    names.sort_unstable();
    names.dedup();
    let mut groups = Vec::new();
    for name in names {
        let rows: Vec<u32> = (0..index.history.len() as u32)
            .filter(|row| index.columns.group[*row as usize] == name)
            .filter(|row| {
                index.is_known_get(*row as usize) || index.is_effective_put(*row as usize)
            })
            .collect();
        match group(index, &rows) {
            Ok(group) => groups.push(group),
            Err(open) => return Ok(Search::of(open)),
        }
    }
    if groups.is_empty() {
        return Err("there is nothing to order".to_owned());
    }
    let total = groups.iter().map(|group| group.ops.len() as u64).sum();
    let model = Siblings {
        groups,
        progress: Progress::until(clock),
    };
    Ok(searched(model, |model| &model.progress, total, states))
}
