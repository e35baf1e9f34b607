//! The search for an order of one register's operations.
//!
//! Wing and Gong, *Testing and verifying concurrent objects*, J. Parallel Distrib. Comput. 1993:
//! calls and returns stand in a list by time; an operation may come next when its call stands
//! before every return, and is then lifted out; a return at the front is a dead end. Lowe, *Testing
//! for linearizability*, Concurrency Comput. 2017, section 4: what was lifted, together with the
//! value, is remembered, and never searched from twice.
//!
//! Three steps lose nothing and save most of the work: an operation that may come now and only
//! observes comes now; of two pending operations that do the same the earlier comes
//! first; a pending operation that would change nothing never comes.

use hashbrown::HashSet;

use super::super::index::Table;
use super::Limits;
use super::operation::{Action, NOTHING, Op, Registers, Token};

/// What a search answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Answer {
    /// An order explains the operations.
    Order,
    /// None does.
    NoOrder,
    /// The limits were reached first.
    Limit,
}

/// Marks the end of the list, and the absence of an operation.
const NONE: u32 = u32::MAX;
/// Bytes of a remembered state beside its words.
const STATE_BYTES: usize = 32;

/// One step back.
#[derive(Clone, Copy, Debug)]
struct Frame {
    op: u32,
    before: Token,
    /// No other operation need be tried in its place.
    forced: bool,
}

struct Search<'a, 'h> {
    ops: &'a [Op],
    /// The number of operations that return, which come first in `ops`, by invoke.
    required: usize,
    registers: &'a mut Registers<'h>,
    /// The list: entry `2 * op + 1` is an operation's call, the one after it its return, 0 the
    /// front.
    next: Vec<u32>,
    previous: Vec<u32>,
    /// The operation that comes before each in spite of the clock.
    after: Vec<u32>,
    /// The pending operation that does the same and comes first.
    twin: Vec<u32>,
    taken: Vec<bool>,
    taken_pending: Vec<u64>,
    left: usize,
    base: usize,
    state: Token,
    stack: Vec<Frame>,
    memory: HashSet<Box<[u64]>, foldhash::fast::FixedState>,
    words: Vec<u64>,
}

/// Searches for an order of operations on one register.
pub(in super::super) fn search(
    ops: &[Op],
    registers: &mut Registers<'_>,
    limits: &mut Limits,
) -> Answer {
    if observes_the_unwritten(ops) {
        return Answer::NoOrder;
    }
    let ops = sorted(ops);
    let mut search = Search::new(&ops, registers);
    search.run(limits)
}

/// Whether an operation observed what no other could have written: no search is needed then.
fn observes_the_unwritten(ops: &[Op]) -> bool {
    let mut written: HashSet<Token, foldhash::fast::FixedState> = HashSet::default();
    for op in ops {
        match op.action {
            Action::Put(value) | Action::Cas(_, value) => {
                written.insert(value);
            }
            // Appends write what they do not name.
            Action::Append(_) => return false,
            Action::Get(_) | Action::Mismatch(_) => {}
        }
    }
    ops.iter().any(|op| match op.action {
        Action::Get(value) | Action::Cas(value, _) => {
            !op.is_pending() && value != NOTHING && !written.contains(&value)
        }
        Action::Put(_) | Action::Mismatch(_) | Action::Append(_) => false,
    })
}

/// The operations that return, by invoke, and after them the pending ones that could help one.
fn sorted(ops: &[Op]) -> Vec<Op> {
    let observes_any = ops
        .iter()
        .any(|op| matches!(op.action, Action::Mismatch(_) | Action::Append(_)));
    let mut observed: HashSet<Token, foldhash::fast::FixedState> = HashSet::default();
    for op in ops {
        if let Action::Get(value) | Action::Cas(value, _) = op.action {
            observed.insert(value);
        }
    }
    let helps = |op: &Op| match op.action {
        Action::Put(value) | Action::Cas(_, value) => observes_any || observed.contains(&value),
        Action::Append(_) => true,
        Action::Get(_) | Action::Mismatch(_) => false,
    };
    let mut sorted: Vec<Op> = ops
        .iter()
        .filter(|op| !op.is_pending() || helps(op))
        .copied()
        .collect();
    sorted.sort_by_key(|op| (op.is_pending(), op.invoke, op.row));
    sorted
}

const fn call(op: u32) -> u32 {
    2 * op + 1
}

impl<'a, 'h> Search<'a, 'h> {
    fn new(ops: &'a [Op], registers: &'a mut Registers<'h>) -> Self {
        let required = ops.iter().filter(|op| !op.is_pending()).count();
        let mut events = Vec::with_capacity(2 * ops.len());
        for (number, op) in (0..).zip(ops) {
            events.push((op.invoke, false, call(number)));
            if !op.is_pending() {
                events.push((op.returned, true, call(number) + 1));
            }
        }
        events.sort_unstable();
        let mut next = vec![NONE; 2 * ops.len() + 1];
        let mut previous = vec![0; 2 * ops.len() + 1];
        let mut last = 0;
        for (_, _, entry) in events {
            next[last as usize] = entry;
            previous[entry as usize] = last;
            last = entry;
        }
        let rows: Table<u32, u32> = (0..).zip(ops).map(|(n, op)| (op.row, n)).collect();
        let after = ops
            .iter()
            .map(|op| op.after.and_then(|row| rows.get(&row).copied()))
            .map(|op| op.unwrap_or(NONE))
            .collect();
        let mut same: Table<Action, u32> = Table::default();
        let mut twin = vec![NONE; ops.len()];
        for number in required..ops.len() {
            if let Some(earlier) = same.insert(ops[number].action, number as u32) {
                twin[number] = earlier;
            }
        }
        Self {
            ops,
            required,
            registers,
            next,
            previous,
            after,
            twin,
            taken: vec![false; ops.len()],
            taken_pending: vec![0; (ops.len() - required).div_ceil(64)],
            left: required,
            base: 0,
            state: NOTHING,
            stack: Vec::new(),
            memory: HashSet::default(),
            words: Vec::new(),
        }
    }

    fn run(&mut self, limits: &mut Limits) -> Answer {
        let mut from = None;
        while self.left > 0 {
            if limits.is_over() {
                return Answer::Limit;
            }
            if from.is_none() {
                if let Some(op) = self.observer() {
                    self.take(op, self.state, true);
                    continue;
                }
                from = Some(self.next[0]);
            }
            match self.branch(from.unwrap_or(NONE), limits) {
                Err(answer) => return answer,
                Ok(Some((op, state))) => {
                    self.take(op, state, false);
                    from = None;
                }
                Ok(None) => match self.back() {
                    Some(op) => from = Some(self.next[call(op) as usize]),
                    None => return Answer::NoOrder,
                },
            }
        }
        Answer::Order
    }

    /// The operation whose call an entry is, unless it is a return or the end.
    fn called(&self, entry: u32) -> Option<u32> {
        (entry != NONE && entry % 2 == 1).then_some(entry / 2)
    }

    /// Whether an operation may come now, its call being in front of every return.
    fn may_come(&self, op: u32) -> bool {
        let after = self.after[op as usize];
        after == NONE || self.taken[after as usize] || self.ops[after as usize].is_pending()
    }

    /// An operation that may come now and only observes.
    fn observer(&mut self) -> Option<u32> {
        let mut entry = self.next[0];
        while let Some(op) = self.called(entry) {
            let action = self.ops[op as usize].action;
            if (op as usize) < self.required
                && action.only_observes()
                && self.may_come(op)
                && self.registers.step(self.state, action).is_some()
            {
                return Some(op);
            }
            entry = self.next[entry as usize];
        }
        None
    }

    /// The first operation from `entry` on that leads to what was not yet searched.
    fn branch(
        &mut self,
        mut entry: u32,
        limits: &mut Limits,
    ) -> Result<Option<(u32, Token)>, Answer> {
        while let Some(op) = self.called(entry) {
            entry = self.next[entry as usize];
            let twin = self.twin[op as usize];
            if !self.may_come(op) || (twin != NONE && !self.taken[twin as usize]) {
                continue;
            }
            let action = self.ops[op as usize].action;
            let Some(state) = self.registers.step(self.state, action) else {
                continue;
            };
            if state == self.state && op as usize >= self.required {
                continue;
            }
            if self.is_new(op, state) {
                let bytes = 8 * self.words.len() + STATE_BYTES;
                if !limits.spend(bytes, self.registers.bytes()) {
                    return Err(Answer::Limit);
                }
                return Ok(Some((op, state)));
            }
        }
        Ok(None)
    }

    /// Whether what follows `op` was not yet searched; it is remembered. A state is the value, the
    /// first operation not yet taken, which of those invoked before its return are, and which
    /// pending ones are.
    fn is_new(&mut self, op: u32, state: Token) -> bool {
        self.mark(op, true);
        let mut base = self.base;
        while base < self.required && self.taken[base] {
            base += 1;
        }
        self.words.clear();
        self.words.push(((base as u64) << 32) | u64::from(state));
        let end = self.ops.get(base).map_or(0, |first| first.returned);
        let (mut word, mut bits) = (0u64, 0);
        for number in base + 1..self.required {
            if self.ops[number].invoke > end {
                break;
            }
            word |= u64::from(self.taken[number]) << bits;
            bits += 1;
            if bits == 64 {
                self.words.push(word);
                (word, bits) = (0, 0);
            }
        }
        self.words.push(word);
        self.words.extend_from_slice(&self.taken_pending);
        self.mark(op, false);
        if self.memory.contains(self.words.as_slice()) {
            return false;
        }
        self.memory.insert(self.words.as_slice().into());
        true
    }

    fn mark(&mut self, op: u32, taken: bool) {
        self.taken[op as usize] = taken;
        if let Some(pending) = (op as usize).checked_sub(self.required) {
            let bit = 1 << (pending % 64);
            if taken {
                self.taken_pending[pending / 64] |= bit;
            } else {
                self.taken_pending[pending / 64] &= !bit;
            }
        }
    }

    fn take(&mut self, op: u32, state: Token, forced: bool) {
        self.stack.push(Frame {
            op,
            before: self.state,
            forced,
        });
        self.state = state;
        self.mark(op, true);
        self.unlink(call(op));
        if (op as usize) < self.required {
            self.unlink(call(op) + 1);
            self.left -= 1;
        }
        while self.base < self.required && self.taken[self.base] {
            self.base += 1;
        }
    }

    /// Takes steps back to the last one that had alternatives, and says which it was.
    fn back(&mut self) -> Option<u32> {
        while let Some(Frame { op, before, forced }) = self.stack.pop() {
            if (op as usize) < self.required {
                self.link(call(op) + 1);
                self.left += 1;
                self.base = self.base.min(op as usize);
            }
            self.link(call(op));
            self.mark(op, false);
            self.state = before;
            if !forced {
                return Some(op);
            }
        }
        None
    }

    fn unlink(&mut self, entry: u32) {
        let (before, after) = (self.previous[entry as usize], self.next[entry as usize]);
        self.next[before as usize] = after;
        if after != NONE {
            self.previous[after as usize] = before;
        }
    }

    fn link(&mut self, entry: u32) {
        let (before, after) = (self.previous[entry as usize], self.next[entry as usize]);
        self.next[before as usize] = entry;
        if after != NONE {
            self.previous[after as usize] = entry;
        }
    }
}
