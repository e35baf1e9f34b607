//! The operations of one key as invokes and returns in the order of time.

use super::super::super::index::Table;
use super::contents::{Content, Effect};
use super::read::Op;
use crate::history::NEVER;

/// No operation.
pub(super) const NONE: u32 = u32::MAX;

/// An invoke or a return of the operation of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Invoke(u32),
    Return(u32),
}

/// An operation that has to take effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) row: u32,
    pub(super) effect: Effect,
    pub(super) returned: u64,
    /// Where it is among those that are open with it.
    pub(super) slot: u32,
    /// What its session did on the key before it at the instant of its invoke, or [`NONE`].
    pub(super) after: u32,
    /// Whether something comes after it in that way.
    pub(super) is_followed: bool,
}

/// Operations of unknown outcome that do the same: any of them may take effect, or none.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) effect: Effect,
    /// What has to come before it, as in [`Timed::after`].
    pub(super) after: u32,
    /// The numbers of the events before which each was invoked, ascending.
    pub(super) invokes: Vec<u32>,
}

/// What is known of a content over all time, by numbers of events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uses {
    /// Operations that write it.
    pub(super) writers: u32,
    /// Where the last of them was invoked, pending ones included.
    pub(super) written: Option<u32>,
    /// Where the last operation that has to find it was invoked.
    pub(super) found: Option<u32>,
    /// Whether an operation of unknown outcome expects it.
    pub(super) may_be_found: bool,
    /// Whether a compare-and-set or an operation tied to another by its session expects it.
    pub(super) is_found_by_others: bool,
}

/// One key.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) ops: Vec<Timed>,
    pub(super) classes: Vec<Class>,
    pub(super) events: Vec<Event>,
    pub(super) slots: usize,
    pub(super) uses: Table<Content, Uses>,
    pub(super) has_appends: bool,
    pub(super) has_mismatches: bool,
    /// Where the last operation was invoked that writes without regard to what is there.
    pub(super) last_put: Option<u32>,
    /// Where the last operation was invoked that has to find something.
    pub(super) last_found: Option<u32>,
}

impl Timeline {
    /// Lays out the operations of one key, which are in the order of sessions.
    pub(super) fn new(mut ops: Vec<Op>) -> Self {
        let mut line = Self {
            has_appends: ops.iter().any(|op| matches!(op.effect, Effect::Append(_))),
            has_mismatches: ops
                .iter()
                .any(|op| matches!(op.effect, Effect::Mismatch(_))),
            ..Self::default()
        };
        if !line.has_appends {
            end_what_was_found(&mut ops);
        }
        let after = ties(&ops);
        let mut events: Vec<(u64, bool, u32, Event)> = Vec::new();
        let mut pending: Vec<(u32, u32)> = Vec::new();
        let mut known: Table<(Effect, u32), u32> = Table::default();
        let mut numbers: Vec<u32> = Vec::with_capacity(ops.len());
        for (op, after) in ops.iter().zip(after) {
            let number = line.ops.len() as u32;
            let before = if after == NONE {
                NONE
            } else {
                numbers[after as usize]
            };
            if before != NONE {
                line.ops[before as usize].is_followed = true;
            }
            if op.is_pending() {
                numbers.push(NONE);
                if line.matters(op) {
                    let class = line.class(&mut known, op.effect, before);
                    pending.push((class, op.row));
                    events.push((op.invoke, false, op.row, Event::Invoke(NONE)));
                }
                continue;
            }
            numbers.push(number);
            line.ops.push(Timed {
                row: op.row,
                effect: op.effect,
                returned: op.returned,
                slot: 0,
                after: before,
                is_followed: false,
            });
            events.push((op.invoke, false, op.row, Event::Invoke(number)));
            events.push((op.returned, true, op.row, Event::Return(number)));
        }
        events.sort_by_key(|(time, is_return, row, _)| (*time, *is_return, *row));
        let classes: Table<u32, u32> = pending
            .into_iter()
            .map(|(class, row)| (row, class))
            .collect();
        for (_, _, row, event) in events {
            let at = line.events.len() as u32;
            if event == Event::Invoke(NONE) {
                line.classes[classes[&row] as usize].invokes.push(at);
                line.note(at, line.classes[classes[&row] as usize].effect, None);
                continue;
            }
            line.events.push(event);
            if let Event::Invoke(op) = event {
                let Timed { effect, after, .. } = line.ops[op as usize];
                line.note(at, effect, Some(after));
            }
        }
        line.give_slots();
        line
    }

    /// Notes an operation that is invoked there; `after` is that of one that has to take effect.
    fn note(&mut self, at: u32, effect: Effect, after: Option<u32>) {
        if let Some(content) = effect.writes() {
            let uses = self.uses.entry(content).or_default();
            uses.writers += 1;
            uses.written = Some(at);
            self.last_put = Some(at);
        }
        if let Some(content) = effect.expects() {
            let uses = self.uses.entry(content).or_default();
            match after {
                Some(_) => uses.found = Some(at),
                None => uses.may_be_found = true,
            }
            let is_get = matches!(effect, Effect::Get(_));
            uses.is_found_by_others |= !is_get || after != Some(NONE);
        }
        if after.is_some() && effect.expects().is_some() {
            self.last_found = Some(at);
        }
    }

    /// Whether an operation of unknown outcome may explain something.
    fn matters(&self, op: &Op) -> bool {
        let seen = |content| content != super::contents::OTHER;
        self.has_mismatches || self.has_appends || op.effect.writes().is_some_and(seen)
    }

    fn class(&mut self, known: &mut Table<(Effect, u32), u32>, effect: Effect, after: u32) -> u32 {
        let next = self.classes.len() as u32;
        let class = *known.entry((effect, after)).or_insert(next);
        if class == next {
            self.classes.push(Class {
                effect,
                after,
                invokes: Vec::new(),
            });
        }
        class
    }

    fn give_slots(&mut self) {
        let mut free: Vec<u32> = Vec::new();
        for event in &self.events {
            match event {
                Event::Invoke(op) => {
                    let slot = free.pop().unwrap_or_else(|| {
                        self.slots += 1;
                        self.slots as u32 - 1
                    });
                    self.ops[*op as usize].slot = slot;
                }
                Event::Return(op) => free.push(self.ops[*op as usize].slot),
            }
        }
    }

    /// What is known of a content.
    pub(super) fn uses(&self, content: Content) -> Uses {
        self.uses.get(&content).copied().unwrap_or_default()
    }
}

/// What was written once and found did take effect, before the first to find it returned.
fn end_what_was_found(ops: &mut [Op]) {
    let mut writers: Table<Content, u32> = Table::default();
    let mut found: Table<Content, u64> = Table::default();
    for op in &*ops {
        if let Some(content) = op.effect.writes() {
            *writers.entry(content).or_default() += 1;
        }
        if let Some(content) = op.effect.expects().filter(|_| !op.is_pending()) {
            let end = found.entry(content).or_insert(NEVER);
            *end = op.returned.min(*end);
        }
    }
    for op in ops.iter_mut().filter(|op| op.is_pending()) {
        let content = op.effect.writes().filter(|content| {
            *content != super::contents::NOTHING && writers.get(content) == Some(&1)
        });
        if let Some(end) = content.and_then(|content| found.get(&content)) {
            // What was found before it was invoked has no order, as the one that found it shows.
            op.returned = op.invoke.max(*end);
        }
    }
}

/// The operation of its session on the key that had returned at the instant of each one's invoke,
/// by place.
fn ties(ops: &[Op]) -> Vec<u32> {
    let mut last: Option<(u32, Op)> = None;
    let mut ties = Vec::with_capacity(ops.len());
    for (place, op) in (0..).zip(ops) {
        let tied =
            last.filter(|(_, before)| before.session == op.session && before.returned == op.invoke);
        ties.push(tied.map_or(NONE, |(place, _)| place));
        if !op.is_pending() {
            last = Some((place, *op));
        }
    }
    ties
}
