//! Sequential consistency by search, for small histories: one order of all operations on all keys
//! that keeps each session's order. Lamport, *How to make a multiprocessor computer that correctly
//! executes multiprocess programs*, IEEE Trans. Comput. 1979. It is not local, and deciding it is
//! NP-complete even when values are unique (Gibbons and Korach 1997), so that limits matter.
//!
//! A state is how far each session has got, which pending operations were taken, and the value of
//! each key; none is searched from twice. As in `wing_gong`, what may come now and only observes
//! comes now.

use hashbrown::HashSet;

use super::index::{Index, Table};
use super::one_value::siblings;
use super::ordering::{Action, Limits, NOTHING, Op, Registers, Token, operation, smallest};
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost, Searched};
use super::verdict::{Check, Findings, Verdict};
use crate::history::History;

/// Bytes of a remembered state beside its words.
const STATE_BYTES: usize = 32;

/// Up to this many operations the ladder searches for the order, even if the verdict does not need
/// it.
const UNASKED_MAX: usize = 10_000;

/// The row of the table.
pub(super) struct BySearch;

impl Checker for BySearch {
    fn properties(&self) -> &'static [Property] {
        &[Property::Sequential]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Search {
            unasked_max: UNASKED_MAX,
            is_dear: false,
        }
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        let limits = Limits::for_ladder(ask.time, ask.is_asked);
        vec![check(ask.index.history, limits)]
    }

    fn obstacle(&self, ask: &Ask<'_, '_>) -> Option<String> {
        siblings(ask.index)
    }

    fn settled_by(&self, ask: &Ask<'_, '_>) -> &'static [Property] {
        match ask.is_asked {
            true => &[],
            false => &[Property::Linearizable],
        }
    }

    fn search(&self) -> Option<Searched> {
        Some(Searched {
            unasked_max: UNASKED_MAX,
            run: check,
        })
    }
}

/// Whether the history has an order that keeps its sessions' order.
pub(super) fn check(history: &History, limits: Limits) -> Check {
    let answer = |verdict| Check {
        property: Property::Sequential,
        checked: 0,
        verdict,
    };
    let mut registers = Registers::new(history);
    let sessions = match operation::sessions(history) {
        Ok(sessions) => sessions,
        Err(reason) => return answer(Verdict::unknown(reason)),
    };
    let by_row = match registers.operations(history) {
        Ok(ops) => ops,
        Err(reason) => return answer(Verdict::not_applicable(reason)),
    };
    let ops: Vec<Op> = by_row.iter().flatten().copied().collect();
    let mut session_of = vec![0u32; by_row.len()];
    for (number, rows) in (0..).zip(&sessions) {
        for row in rows {
            session_of[*row as usize] = number;
        }
    }
    let order_of = |op: &Op| {
        let row = op.row as usize;
        (session_of[row], history.columns.index[row])
    };
    let mut findings = Findings::new(history, Property::Sequential);
    match search(&ops, order_of, &mut registers, &mut limits.clone()) {
        Answer::Order => {}
        Answer::Limit => {
            let on = format!("all {} operations", ops.len());
            return answer(Verdict::unknown(limits.reason(&on)));
        }
        Answer::NoOrder => {
            let has_no_order = |ops: &[Op]| {
                !limits.time.is_over()
                    && search(ops, order_of, &mut registers, &mut limits.clone()) == Answer::NoOrder
            };
            let ops = smallest::by_sessions(ops.clone(), has_no_order);
            let is_cut = limits.time.is_over();
            let shown = smallest::shown(&ops);
            findings.add_found(AnomalyKind::NotSequential, &shown, is_cut, || {
                format!(
                    "no single order of these {} operations keeps each session's order and \
                     explains what each of them saw",
                    ops.len()
                )
            });
        }
    }
    findings.check(ops.len() as u64)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Order,
    NoOrder,
    Limit,
}

/// One step back.
struct Frame {
    step: Step,
    key: u32,
    before: Token,
    forced: bool,
    /// Which choice it was.
    choice: usize,
}

#[derive(Clone, Copy)]
enum Step {
    Session(usize),
    Pending(usize),
}

/// A pending operation, and how far its session must have got.
struct Pending {
    op: Op,
    session: usize,
    position: u32,
    /// The one of the same session or none that does the same and comes first.
    twin: Option<usize>,
}

struct Search<'a> {
    registers: &'a mut Registers,
    sessions: Vec<Vec<Op>>,
    pending: Vec<Pending>,
    /// Sessions' progress, then which pending operations were taken, then the values of the keys.
    state: Vec<u32>,
    left: usize,
    stack: Vec<Frame>,
    memory: HashSet<Box<[u32]>, foldhash::fast::FixedState>,
}

fn search(
    ops: &[Op],
    order_of: impl Fn(&Op) -> (u32, u32),
    registers: &mut Registers,
    limits: &mut Limits,
) -> Answer {
    let mut search = Search::new(ops, order_of, registers);
    search.run(limits)
}

impl<'a> Search<'a> {
    fn new(ops: &[Op], order_of: impl Fn(&Op) -> (u32, u32), registers: &'a mut Registers) -> Self {
        let mut ops = ops.to_vec();
        ops.sort_by_key(&order_of);
        let (mut keys, mut numbers): (Table<u32, u32>, Table<u32, usize>) = Default::default();
        let mut sessions: Vec<Vec<Op>> = Vec::new();
        let mut pending: Vec<Pending> = Vec::new();
        let mut same: Table<(usize, u32, u32, Action), usize> = Table::default();
        for mut op in ops {
            let next = keys.len() as u32;
            op.key = *keys.entry(op.key).or_insert(next);
            let session = *numbers.entry(order_of(&op).0).or_insert(sessions.len());
            if session == sessions.len() {
                sessions.push(Vec::new());
            }
            if op.is_pending() {
                let position = sessions[session].len() as u32;
                // Pending operations that wait for nothing are alike whatever their session.
                let place = if position == 0 { usize::MAX } else { session };
                let twin = same.insert((place, position, op.key, op.action), pending.len());
                pending.push(Pending {
                    op,
                    session,
                    position,
                    twin,
                });
            } else {
                sessions[session].push(op);
            }
        }
        let state = vec![0; sessions.len() + pending.len().div_ceil(32) + keys.len()];
        let left = sessions.iter().map(Vec::len).sum();
        Self {
            registers,
            sessions,
            pending,
            state,
            left,
            stack: Vec::new(),
            memory: HashSet::default(),
        }
    }

    fn run(&mut self, limits: &mut Limits) -> Answer {
        let mut from = None;
        while self.left > 0 {
            if limits.is_over() {
                return Answer::Limit;
            }
            if from.is_none() && self.observe() {
                continue;
            }
            match self.branch(from.take().unwrap_or(0), limits) {
                Err(answer) => return answer,
                Ok(true) => {}
                Ok(false) => match self.back() {
                    Some(choice) => from = Some(choice + 1),
                    None => return Answer::NoOrder,
                },
            }
        }
        Answer::Order
    }

    fn value_at(&self, key: u32) -> usize {
        self.sessions.len() + self.pending.len().div_ceil(32) + key as usize
    }

    fn head(&self, session: usize) -> Option<Op> {
        self.sessions[session]
            .get(self.state[session] as usize)
            .copied()
    }

    /// Takes one operation that only observes, if one may come now.
    fn observe(&mut self) -> bool {
        for session in 0..self.sessions.len() {
            let Some(op) = self.head(session) else {
                continue;
            };
            let value = self.state[self.value_at(op.key)];
            if op.action.only_observes() && self.registers.step(value, op.action).is_some() {
                self.take(Step::Session(session), op.key, value, true, 0);
                return true;
            }
        }
        false
    }

    fn was_taken(&self, pending: usize) -> bool {
        self.state[self.sessions.len() + pending / 32] >> (pending % 32) & 1 == 1
    }

    /// The operation of a choice, when it may come now.
    fn choice(&self, choice: usize) -> Option<(Step, Op)> {
        if choice < self.sessions.len() {
            return self.head(choice).map(|op| (Step::Session(choice), op));
        }
        let number = choice - self.sessions.len();
        let pending = &self.pending[number];
        let comes = !self.was_taken(number)
            && pending.twin.is_none_or(|twin| self.was_taken(twin))
            && self.state[pending.session] >= pending.position;
        comes.then_some((Step::Pending(number), pending.op))
    }

    /// Takes the first choice from `from` on that leads to what was not yet searched.
    fn branch(&mut self, from: usize, limits: &mut Limits) -> Result<bool, Answer> {
        for choice in from..self.sessions.len() + self.pending.len() {
            let Some((step, op)) = self.choice(choice) else {
                continue;
            };
            let value = self.state[self.value_at(op.key)];
            let Some(next) = self.registers.step(value, op.action) else {
                continue;
            };
            if next == value && matches!(step, Step::Pending(_)) {
                continue;
            }
            self.take(step, op.key, next, false, choice);
            if self.memory.contains(self.state.as_slice()) {
                self.back();
                continue;
            }
            let bytes = 4 * self.state.len() + STATE_BYTES;
            if !limits.spend(bytes, self.registers.bytes()) {
                return Err(Answer::Limit);
            }
            self.memory.insert(self.state.as_slice().into());
            return Ok(true);
        }
        Ok(false)
    }

    fn take(&mut self, step: Step, key: u32, value: Token, forced: bool, choice: usize) {
        let at = self.value_at(key);
        self.stack.push(Frame {
            step,
            key,
            before: self.state[at],
            forced,
            choice,
        });
        self.state[at] = value;
        self.count(step, true);
    }

    fn count(&mut self, step: Step, taken: bool) {
        match step {
            Step::Session(session) if taken => {
                self.state[session] += 1;
                self.left -= 1;
            }
            Step::Session(session) => {
                self.state[session] -= 1;
                self.left += 1;
            }
            Step::Pending(number) => {
                self.state[self.sessions.len() + number / 32] ^= 1 << (number % 32);
            }
        }
    }

    /// Takes steps back to the last one that had alternatives, and says which choice it was.
    fn back(&mut self) -> Option<usize> {
        while let Some(frame) = self.stack.pop() {
            let at = self.value_at(frame.key);
            self.state[at] = frame.before;
            self.count(frame.step, false);
            if !frame.forced {
                return Some(frame.choice);
            }
        }
        None
    }
}

const _: () = assert!(
    NOTHING == 0,
    "a state of zeros is that of registers nobody wrote"
);
