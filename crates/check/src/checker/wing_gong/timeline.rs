//! The operations on one register as invokes and returns in the order of time, and until when each
//! value matters.

use hashbrown::HashSet;

use super::super::index::Table;
use super::super::ordering::operation::{Action, NOTHING, Op, Registers, Token};

/// Stands for no operation.
pub(super) const NONE: u32 = u32::MAX;

/// Something that happened; operations are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Invoke(u32),
    Return(u32),
}

/// A register's operations in time.
pub(super) struct Timeline {
    /// Those that return, by invoke, and after them the pending ones that could help one.
    pub(super) ops: Vec<Op>,
    /// How many return.
    pub(super) required: usize,
    pub(super) events: Vec<Event>,
    /// Operations that do the same have one class.
    pub(super) class: Vec<u32>,
    pub(super) classes: Vec<Action>,
    /// A pending operation that comes after another in spite of the clock has a class of its own:
    /// its number, by class.
    pub(super) tied: Vec<u32>,
    /// The operation that comes before each in spite of the clock.
    pub(super) after: Vec<u32>,
    /// The number of the event from which on each may come, whatever others do.
    pub(super) ready: Vec<u32>,
    /// Those of the pending operations of each class, ascending.
    pub(super) pending: Vec<Vec<u32>>,
    /// Whether one comes after it so.
    pub(super) is_followed: Vec<bool>,
    /// A small number that no other operation open at the same time has.
    pub(super) slot: Vec<u32>,
    pub(super) slots: usize,
    pub(super) has_appends: bool,
    pub(super) needs: Needs,
}

impl Timeline {
    pub(super) fn new(ops: &[Op], registers: &Registers) -> Self {
        let ops = sorted(ops);
        let required = ops.iter().filter(|op| !op.is_pending()).count();
        let after = predecessors(&ops);
        let mut is_followed = vec![false; ops.len()];
        for before in after.iter().filter(|before| **before != NONE) {
            is_followed[*before as usize] = true;
        }
        let events = events(&ops, &after);
        let (slot, slots) = slots(&events, ops.len(), required);
        let (mut class, mut classes, mut tied) = (Vec::new(), Vec::new(), Vec::new());
        let mut numbers: Table<Action, u32> = Table::default();
        for (number, op) in (0..).zip(&ops) {
            let next = classes.len() as u32;
            let is_tied = op.is_pending() && after[number as usize] != NONE;
            let own = if is_tied {
                next
            } else {
                *numbers.entry(op.action).or_insert(next)
            };
            if own == next {
                classes.push(op.action);
                tied.push(if is_tied { number } else { NONE });
            }
            class.push(own);
        }
        let ready = ready(&events, &after);
        let mut pending = vec![Vec::new(); classes.len()];
        for number in required..ops.len() {
            pending[class[number] as usize].push(ready[number]);
        }
        let has_appends = ops.iter().any(|op| matches!(op.action, Action::Append(_)));
        let needs = Needs::new(&ops, &events, &after, has_appends.then_some(registers));
        Self {
            ops,
            required,
            events,
            class,
            classes,
            tied,
            after,
            ready,
            pending,
            is_followed,
            slot,
            slots,
            has_appends,
            needs,
        }
    }

    pub(super) fn action(&self, op: u32) -> Action {
        self.ops[op as usize].action
    }

    pub(super) fn is_required(&self, op: u32) -> bool {
        (op as usize) < self.required
    }
}

/// The earliest return of an operation that observed what no other could have written: no search
/// is needed then.
pub(super) fn observes_the_unwritten(ops: &[Op]) -> Option<u64> {
    let mut written: HashSet<Token, foldhash::fast::FixedState> = HashSet::default();
    for op in ops {
        match op.action {
            Action::Put(value) | Action::Cas(_, value) => {
                written.insert(value);
            }
            // Appends write what they do not name.
            Action::Append(_) => return None,
            Action::Get(_) | Action::Mismatch(_) => {}
        }
    }
    let unwritten = ops.iter().filter(|op| match op.action {
        Action::Get(value) | Action::Cas(value, _) => {
            !op.is_pending() && value != NOTHING && !written.contains(&value)
        }
        Action::Put(_) | Action::Mismatch(_) | Action::Append(_) => false,
    });
    unwritten.map(|op| op.returned).min()
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
        Action::Put(value) | Action::Cas(_, value) => {
            !op.action.only_observes() && (observes_any || observed.contains(&value))
        }
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

/// For each operation the one that its session did before at the same instant.
fn predecessors(ops: &[Op]) -> Vec<u32> {
    let rows: Table<u32, u32> = (0..).zip(ops).map(|(n, op)| (op.row, n)).collect();
    let before = |op: &Op| {
        let before = rows.get(&op.after?).copied()?;
        (!ops[before as usize].is_pending()).then_some(before)
    };
    ops.iter().map(|op| before(op).unwrap_or(NONE)).collect()
}

/// How many operations come before each in spite of the clock.
fn depths(after: &[u32]) -> Vec<u32> {
    let mut depths = vec![NONE; after.len()];
    let mut path = Vec::new();
    for op in 0..after.len() {
        let mut at = op as u32;
        while at != NONE && depths[at as usize] == NONE {
            path.push(at);
            at = after[at as usize];
        }
        let mut depth = if at == NONE {
            0
        } else {
            depths[at as usize] + 1
        };
        while let Some(op) = path.pop() {
            depths[op as usize] = depth;
            depth += 1;
        }
    }
    depths
}

/// At one instant everything is invoked before anything returns, and what a session did before
/// what it did next.
fn events(ops: &[Op], after: &[u32]) -> Vec<Event> {
    let depths = depths(after);
    let mut events = Vec::with_capacity(2 * ops.len());
    for (number, op) in (0..).zip(ops) {
        let depth = depths[number as usize];
        events.push((op.invoke, false, depth, number));
        if !op.is_pending() {
            events.push((op.returned, true, depth, number));
        }
    }
    events.sort_unstable();
    let event = |(_, is_return, _, op): (u64, bool, u32, u32)| {
        if is_return {
            Event::Return(op)
        } else {
            Event::Invoke(op)
        }
    };
    events.into_iter().map(event).collect()
}

/// When each operation was invoked, and what its session did before at that instant had returned.
fn ready(events: &[Event], after: &[u32]) -> Vec<u32> {
    let mut ready = vec![0; after.len()];
    let mut returned = vec![0; after.len()];
    for (number, event) in (0..).zip(events) {
        match *event {
            Event::Invoke(op) => ready[op as usize] = number,
            Event::Return(op) => returned[op as usize] = number,
        }
    }
    for (op, before) in after
        .iter()
        .enumerate()
        .filter(|(_, before)| **before != NONE)
    {
        ready[op] = ready[op].max(returned[*before as usize]);
    }
    ready
}

fn slots(events: &[Event], ops: usize, required: usize) -> (Vec<u32>, usize) {
    let mut slot = vec![NONE; ops];
    let (mut free, mut slots) = (Vec::new(), 0);
    for event in events {
        match *event {
            Event::Invoke(op) if (op as usize) < required => {
                slot[op as usize] = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
            }
            Event::Invoke(_) => {}
            Event::Return(op) => free.push(slot[op as usize]),
        }
    }
    (slot, slots as usize)
}

/// Until which event, by number, something matters; [`NONE`] is for ever.
#[derive(Clone, Copy, Debug, Default)]
struct Until {
    /// That the register holds the value, once the operations then open have looked.
    held: u32,
    /// That it can be written.
    written: u32,
}

/// Until when each value matters.
#[derive(Debug, Default)]
pub(super) struct Needs {
    values: Table<Token, Until>,
    /// Every other value matters until then to operations that found one that they did not expect.
    pub(super) others: u32,
    /// With appends the observed texts in their order: a text matters as long as one that begins
    /// with it.
    texts: Option<Vec<(String, Until)>>,
    /// Until when texts matter that were asked for.
    known: Table<Token, u32>,
}

impl Needs {
    fn new(ops: &[Op], events: &[Event], after: &[u32], texts: Option<&Registers>) -> Self {
        let mut needs = Self::default();
        for (number, event) in (0..).zip(events) {
            match *event {
                Event::Invoke(op) => match ops[op as usize].action {
                    Action::Get(value) => {
                        let until = needs.value(value);
                        until.held = until.held.max(number);
                    }
                    Action::Cas(value, _) if ops[op as usize].is_pending() => {
                        *needs.value(value) = Until {
                            held: NONE,
                            written: NONE,
                        };
                    }
                    Action::Cas(..) | Action::Mismatch(_) | Action::Put(_) | Action::Append(_) => {}
                },
                Event::Return(op) => match ops[op as usize].action {
                    Action::Get(value) => {
                        let until = needs.value(value);
                        until.written = until.written.max(number);
                        // It may have to wait for what its session did before.
                        if after[op as usize] != NONE {
                            until.held = until.held.max(number);
                        }
                    }
                    Action::Cas(value, _) => {
                        let until = needs.value(value);
                        until.held = until.held.max(number);
                        until.written = until.written.max(number);
                    }
                    Action::Mismatch(value) => {
                        let until = needs.value(value);
                        until.held = until.held.max(number);
                        needs.others = number;
                    }
                    Action::Put(_) | Action::Append(_) => {}
                },
            }
        }
        needs.texts = texts.map(|registers| {
            let observed = needs.values.iter().filter_map(|(value, until)| {
                let text = registers.text(*value)?;
                Some((text.to_owned(), *until))
            });
            let mut texts: Vec<(String, Until)> = observed.collect();
            texts.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            texts
        });
        needs
    }

    fn value(&mut self, value: Token) -> &mut Until {
        self.values.entry(value).or_default()
    }

    /// Until which event it matters that the register holds a value.
    pub(super) fn held(&mut self, value: Token, registers: &Registers) -> u32 {
        let own = self.values.get(&value).map_or(0, |until| until.held);
        let (Some(texts), Some(text)) = (&self.texts, registers.text(value)) else {
            return own;
        };
        if let Some(known) = self.known.get(&value) {
            return *known;
        }
        let first = texts.partition_point(|(other, _)| other.as_str() <= text);
        let longer = texts[first..].iter();
        let longer = longer.take_while(|(other, _)| other.starts_with(text));
        // What is still to be appended may make it one of those as long as they are open.
        let until = longer.map(|(_, until)| until.written.max(until.held)).max();
        let until = own.max(until.unwrap_or(0));
        self.known.insert(value, until);
        until
    }

    /// Until which event it matters that an append makes a value.
    pub(super) fn made(&mut self, value: Token, registers: &Registers) -> u32 {
        self.held(value, registers).max(self.written(value))
    }

    /// Until which event it matters that a value can be written; without appends.
    pub(super) fn written(&self, value: Token) -> u32 {
        let own = self.values.get(&value).map_or(0, |until| until.written);
        own.max(self.others)
    }
}
