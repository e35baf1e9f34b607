//! The second engine: a history as a [`stateright::Model`].
//!
//! A state is how far each session has got and what the specification has to remember; a step lets
//! one session take its next operation when no untaken operation had returned before it was
//! invoked, and the specification allows its result. Reaching the end is the proof; a space that is
//! exhausted without it is the violation. If a step excludes no other, only that one is taken. So a
//! valid history of n operations costs n steps. Runs of such steps are one transition, because the
//! checker keeps the path to every pending state.
//!
//! Causal histories without evidence have choices of their own: `siblings.rs`. So have registers on
//! which times do not give the order of a session: `ties.rs`.

mod counting;
mod progress;
mod register;
mod siblings;
mod ties;
pub(super) mod values;

use std::hash::{Hash, Hasher};

use stateright::{Checker, Model, Property};

use super::index::Index;
use super::searched::Deadline;
pub(super) use super::searched::{Found, Search, Searchable};
use crate::history::NEVER;
use progress::Progress;

/// Steps without a choice that one transition takes at most.
const RUN_STEPS: usize = 256;

/// An operation as the search sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    row: u32,
    invoke: u64,
    returned: u64,
    /// The session, numbered within the part.
    session: u32,
    /// The place in the session, within the part.
    place: u32,
}

/// Operations that can be ordered on their own: by locality the parts' orders make up the whole.
#[derive(Debug, Default)]
struct Part {
    /// In the order of their invokes.
    ops: Vec<Op>,
    /// Numbers of operations in the order of their returns.
    by_return: Vec<u32>,
    sessions: u32,
}

impl Part {
    /// Makes a part of rows, which need not be in order. Real time already orders sessions, except
    /// at ties of the clock. With `in_session_order` the order of a session holds there too.
    fn new(
        index: &Index<'_>,
        rows: &[u32],
        times: impl Fn(usize) -> (u64, u64),
        in_session_order: bool,
    ) -> Self {
        let mut rows: Vec<u32> = rows.to_vec();
        rows.sort_unstable_by_key(|row| {
            (
                index.session[*row as usize],
                index.columns.index[*row as usize],
            )
        });
        let mut ops: Vec<Op> = Vec::with_capacity(rows.len());
        let mut last: Option<(u32, u64)> = None;
        let (mut session, mut place) = (0, 0);
        for row in rows {
            let own = index.session[row as usize];
            let (invoke, returned) = times(row as usize);
            match last {
                Some((before, end)) if before == own && (in_session_order || end < invoke) => {
                    place += 1;
                }
                Some(_) => (session, place) = (session + 1, 0),
                None => {}
            }
            last = Some((own, returned));
            ops.push(Op {
                row,
                invoke,
                returned,
                session,
                place,
            });
        }
        ops.sort_unstable_by_key(|op| (op.invoke, op.row));
        let mut by_return: Vec<u32> = (0..ops.len() as u32).collect();
        by_return.sort_unstable_by_key(|op| (ops[*op as usize].returned, *op));
        Self {
            ops,
            by_return,
            sessions: session + 1,
        }
    }
}

/// Whether an operation may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Not in this state.
    No,
    /// Yes, and no order is lost by taking it now.
    Now,
    /// Yes, and no order is lost once nothing else can be taken now.
    Last,
}

/// What a state allows and remembers.
trait Specification: Send + Sync + 'static {
    /// What has to be remembered beside how far each session has got.
    type Memory: Clone + Send + Sync;

    /// Nothing taken yet of `part`.
    fn start(&self, part: usize) -> Self::Memory;

    /// Whether operation `op` of `part` may come next, `first` being the untaken operation with
    /// the earliest return, at `deadline`.
    fn step(
        &self,
        part: usize,
        memory: &Self::Memory,
        op: usize,
        first: Option<usize>,
        deadline: u64,
    ) -> Step;

    /// Takes operation `op`.
    fn take(&self, part: usize, memory: &mut Self::Memory, op: usize);
}

/// A state of the search. Everything but `part` and `frontier` follows from these two.
#[derive(Clone)]
struct State<M> {
    part: usize,
    frontier: Vec<u32>,
    memory: M,
    /// Operations invoked before the deadline and not taken.
    open: Vec<u32>,
    /// Operations admitted to `open`, in the order of invokes.
    admitted: usize,
    /// Operations passed in the order of returns.
    returned: usize,
    taken: u64,
}

impl<M> PartialEq for State<M> {
    fn eq(&self, other: &Self) -> bool {
        self.part == other.part && self.frontier == other.frontier
    }
}

impl<M> Hash for State<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.part.hash(state);
        self.frontier.hash(state);
    }
}

struct Explain<S> {
    specification: S,
    parts: Vec<Part>,
    progress: Progress,
}

impl<S: Specification> Explain<S> {
    fn enter(&self, part: usize, taken: u64) -> State<S::Memory> {
        let sessions = self.parts.get(part).map_or(0, |part| part.sessions);
        State {
            part,
            frontier: vec![0; sessions as usize],
            memory: self.specification.start(part),
            open: Vec::new(),
            admitted: 0,
            returned: 0,
            taken,
        }
    }

    /// Takes steps that lose nothing until there is none, or enough for one transition.
    fn run(&self, state: &mut State<S::Memory>) -> usize {
        let mut steps = 0;
        while steps < RUN_STEPS {
            let Some(part) = self.parts.get(state.part) else {
                break;
            };
            let deadline = Self::admit(part, state);
            if state.open.is_empty() {
                *state = self.enter(state.part + 1, state.taken);
                continue;
            }
            let Some(place) = self.choose(part, state, deadline) else {
                break;
            };
            let op = state.open.swap_remove(place) as usize;
            self.specification.take(state.part, &mut state.memory, op);
            state.frontier[part.ops[op].session as usize] += 1;
            state.taken += 1;
            steps += 1;
        }
        self.note(state);
        steps
    }

    /// Moves on to the earliest return not yet taken, and admits what was invoked by then.
    fn admit(part: &Part, state: &mut State<S::Memory>) -> (Option<usize>, u64) {
        let taken = |op: &Op| state.frontier[op.session as usize] > op.place;
        while let Some(op) = part.by_return.get(state.returned)
            && taken(&part.ops[*op as usize])
        {
            state.returned += 1;
        }
        let first = part.by_return.get(state.returned).map(|op| *op as usize);
        let deadline = first.map_or(NEVER, |op| part.ops[op].returned);
        while let Some(op) = part.ops.get(state.admitted)
            && op.invoke <= deadline
        {
            state.open.push(state.admitted as u32);
            state.admitted += 1;
        }
        (first, deadline)
    }

    /// The place in `open` of an operation to take.
    fn choose(
        &self,
        part: &Part,
        state: &State<S::Memory>,
        (first, deadline): (Option<usize>, u64),
    ) -> Option<usize> {
        let mut last = None;
        for (place, op) in state.open.iter().enumerate() {
            let op = *op as usize;
            let Op {
                session,
                place: own,
                ..
            } = part.ops[op];
            if state.frontier[session as usize] != own {
                continue;
            }
            match self
                .specification
                .step(state.part, &state.memory, op, first, deadline)
            {
                Step::Now => return Some(place),
                Step::Last => last = Some(place),
                Step::No => {}
            }
        }
        last
    }

    fn note(&self, state: &State<S::Memory>) {
        let first = self.parts.get(state.part).and_then(|part| {
            let first = part.by_return.get(state.returned)?;
            Some(part.ops[*first as usize].row)
        });
        self.progress.note(state.taken, first);
    }
}

impl<S: Specification> Model for Explain<S> {
    type State = State<S::Memory>;
    type Action = ();

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.enter(0, 0)]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<()>) {
        if !self.progress.is_out_of_time() && state.part < self.parts.len() {
            actions.push(());
        }
    }

    fn next_state(&self, state: &Self::State, (): ()) -> Option<Self::State> {
        let mut next = state.clone();
        (self.run(&mut next) > 0 || next.part != state.part).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes(
            "explained",
            |model, state: &Self::State| state.part >= model.parts.len(),
        )]
    }
}

/// Searches for an order of the whole history.
pub(super) fn search(
    index: &Index<'_>,
    model: Searchable,
    states: usize,
    deadline: Deadline,
) -> Search {
    let built = (model.search)(index, states, deadline);
    let operations = index.history.len() as u64;
    let mut search = built.unwrap_or_else(|reason| Search::of(Found::NotApplicable { reason }));
    search.operations = operations;
    search.of = operations;
    if let Found::NoOrder { row, operation } = &mut search.found {
        *operation = index.name(*row as usize);
    }
    search
}

/// Searches for one of linearizable registers.
pub(super) fn linearizable(
    index: &Index<'_>,
    states: usize,
    deadline: Deadline,
) -> Result<Search, String> {
    let (spec, parts) = register::build(index)?;
    let search = explore(spec, parts, states, deadline.clone());
    let search = with_ties(index, search, states, deadline);
    Ok(match super::linearizable::entangled(index) {
        Some(reason) if search.found == Found::Order => Search::of(Found::NotApplicable { reason }),
        Some(_) | None => search,
    })
}

/// Searches for one of each get with all puts of its key.
pub(super) fn regular(
    index: &Index<'_>,
    states: usize,
    deadline: Deadline,
) -> Result<Search, String> {
    Ok(values::regular(index.history, states, deadline))
}

/// Searches for one of a last-write-wins store.
pub(super) fn lww(index: &Index<'_>, states: usize, deadline: Deadline) -> Result<Search, String> {
    let evident = counting::lww(index)?;
    let coverage = evident.coverage;
    let search = explore(evident.rules, evident.parts, states, deadline);
    if search.found != Found::Order || coverage.is_whole() {
        return Ok(search);
    }
    let reason = format!("only {coverage} carry a version, and the search knows no others");
    Ok(Search::of(Found::NotApplicable { reason }))
}

/// Searches for one of a causal store.
pub(super) fn causal(
    index: &Index<'_>,
    states: usize,
    deadline: Deadline,
) -> Result<Search, String> {
    if !counting::is_affordable(index) {
        return Ok(Search::of(Found::Budget));
    }
    // Without evidence there are choices.
    let Ok(evident) = counting::causal(index) else {
        return siblings::search(index, states, deadline);
    };
    let coverage = evident.coverage;
    let search = explore(evident.rules, evident.parts, states, deadline.clone());
    if search.found == Found::Order && !coverage.is_whole() {
        siblings::search(index, states, deadline)
    } else {
        Ok(search)
    }
}

/// The answer on the keys that times order, and on the others: the first that has no order decides,
/// then the first that was not decided.
fn with_ties(index: &Index<'_>, ordered: Search, states: usize, clock: Deadline) -> Search {
    let mut all = ordered;
    for key in index.untold_keys() {
        let part = ties::search(index, &register::rows(index, key), states, clock.clone());
        all.steps += part.steps;
        all.states += part.states;
        let is_worse = match (&all.found, &part.found) {
            (Found::NoOrder { .. }, _) | (_, Found::Order) => false,
            (_, Found::NoOrder { .. }) => true,
            (found, _) => *found == Found::Order,
        };
        if is_worse {
            all.found = part.found;
        }
    }
    all
}

fn explore<S: Specification>(
    specification: S,
    parts: Vec<Part>,
    states: usize,
    clock: Deadline,
) -> Search {
    let total = parts.iter().map(|part| part.ops.len() as u64).sum();
    let model = Explain {
        specification,
        parts,
        progress: Progress::until(clock),
    };
    searched(model, |model| &model.progress, total, states)
}

/// Searches a model of `total` operations, depth first, for what its progress tells of.
fn searched<M>(model: M, progress: impl Fn(&M) -> &Progress, total: u64, states: usize) -> Search
where
    M: Model + Send + Sync + 'static,
    M::State: Hash + Send + Sync + Clone + PartialEq + 'static,
    M::Action: Clone + PartialEq,
{
    let checker = model.checker().target_state_count(states);
    let checker = checker.spawn_dfs().join();
    let generated = (checker.state_count(), checker.unique_state_count());
    progress(checker.model()).answer(total, generated, states)
}
