//! Makes a set of operations that has no order small.
//!
//! Every step keeps this true: if the whole history has an order, so has what is left. Four steps
//! do. The first takes a prefix by return time, in which what was open at its end is pending. The
//! second leaves out operations that only observe. The third leaves out a value: all that wrote or
//! observed it, and what those wrote in turn; not if there is a mismatch or an append, which
//! observe what they do not name. The fourth leaves out one write, together with whatever may have
//! observed it ([`Links::with_observers`]). The steps are repeated until nothing more can be left
//! out or the tries are used up.

use super::super::index::Table;
use super::super::minimise::{Shrinking, Tried, halve, minimise};
use super::operation::{Action, NOTHING, Op, Token};
use crate::history::NEVER;

/// Searches that making evidence small may cost.
const TRIES_MAX: usize = 2_000;
/// Operations that all those searches together look at.
const WORK_MAX: usize = 1_500_000;
/// Operations that an anomaly shows.
const SHOWN_MAX: usize = 12;

/// The smallest evidence that greedy steps find where order is by time. `has_no_order` holds for
/// `ops`; what had returned before `end` has an order with what was open.
pub(in super::super) fn by_time(
    ops: &[Op],
    end: u64,
    mut has_no_order: impl FnMut(&[Op]) -> bool,
) -> Vec<Op> {
    let ops = shortest_prefix(ops, end, &mut has_no_order);
    by_sessions(ops, has_no_order)
}

/// The same where only the sessions' order counts: what was read may have been written later.
pub(in super::super) fn by_sessions(
    ops: Vec<Op>,
    has_no_order: impl FnMut(&[Op]) -> bool,
) -> Vec<Op> {
    let mut tries = Tries {
        ops,
        has_no_order,
        left: TRIES_MAX,
        work: WORK_MAX,
    };
    let parts = values(&tries.ops);
    halve(&mut Values {
        tries: &mut tries,
        parts,
    });
    minimise(&mut Singles {
        links: Links::new(&[]),
        tries: &mut tries,
    });
    tries.ops
}

/// Operations that have no order, and how much may still be tried with them.
struct Tries<F> {
    ops: Vec<Op>,
    has_no_order: F,
    left: usize,
    work: usize,
}

impl<F: FnMut(&[Op]) -> bool> Tries<F> {
    /// Pays for one search.
    const fn spend(&mut self) -> bool {
        let ops = self.ops.len();
        if self.left == 0 || self.work < ops {
            self.left = 0;
            return false;
        }
        self.left -= 1;
        self.work -= ops;
        true
    }

    /// Leaves rows out, if the others have no order. `None` when no more may be tried.
    fn leave_out(&mut self, gone: &Table<u32, ()>) -> Option<bool> {
        if !self.spend() {
            return None;
        }
        let rest = without(&self.ops, gone);
        let is_shown = (self.has_no_order)(&rest);
        if is_shown {
            self.ops = rest;
        }
        Some(is_shown)
    }
}

/// Leaves out values, with all that wrote or observed them.
struct Values<'t, F> {
    tries: &'t mut Tries<F>,
    /// The rows of each.
    parts: Vec<Vec<u32>>,
}

impl<F: FnMut(&[Op]) -> bool> Shrinking for Values<'_, F> {
    type Item = Vec<u32>;

    fn items(&mut self) -> Vec<Vec<u32>> {
        self.parts.clone()
    }

    fn size(&self) -> usize {
        self.parts.len()
    }

    fn leave_out(&mut self, parts: &[Vec<u32>]) -> Tried {
        let gone: Table<u32, ()> = parts.iter().flatten().map(|row| (*row, ())).collect();
        match self.tries.leave_out(&gone) {
            Some(true) => {
                self.parts.retain(|part| !gone.contains_key(&part[0]));
                Tried::Decided
            }
            Some(false) => Tried::Decided,
            None => Tried::Over,
        }
    }
}

/// Leaves out single operations, those that only observe first.
struct Singles<'t, F> {
    tries: &'t mut Tries<F>,
    /// Who may have observed what, as it was when the pass began.
    links: Links,
}

impl<F: FnMut(&[Op]) -> bool> Shrinking for Singles<'_, F> {
    type Item = Op;

    fn items(&mut self) -> Vec<Op> {
        self.links = Links::new(&self.tries.ops);
        let mut all = self.tries.ops.clone();
        all.sort_by_key(|op| !op.action.only_observes());
        all
    }

    fn size(&self) -> usize {
        self.tries.ops.len()
    }

    fn leave_out(&mut self, some: &[Op]) -> Tried {
        let gone = self.links.with_observers(some);
        let is_there = |op: &Op| gone.contains_key(&op.row);
        if !self.tries.ops.iter().any(is_there) {
            return Tried::Decided;
        }
        match self.tries.leave_out(&gone) {
            Some(_) => Tried::Decided,
            None => Tried::Over,
        }
    }
}

fn without(ops: &[Op], gone: &Table<u32, ()>) -> Vec<Op> {
    let kept = ops.iter().filter(|op| !gone.contains_key(&op.row));
    kept.copied().collect()
}

/// Who may have observed what.
pub(in super::super) struct Links {
    /// What observed a value of a key.
    observers: Table<(u32, Token), Vec<Op>>,
    /// What observed values of a key that it does not name.
    unnamed: Table<u32, Vec<Op>>,
}

impl Links {
    pub(in super::super) fn new(ops: &[Op]) -> Self {
        let mut links = Self {
            observers: Table::default(),
            unnamed: Table::default(),
        };
        for op in ops {
            match op.action {
                Action::Get(value) | Action::Cas(value, _) => {
                    let own = links.observers.entry((op.key, value)).or_default();
                    own.push(*op);
                }
                // An append makes values of all that came before.
                Action::Mismatch(_) | Action::Append(_) => {
                    links.unnamed.entry(op.key).or_default().push(*op);
                }
                Action::Put(_) => {}
            }
        }
        links
    }

    /// The rows of operations, with all that may have observed what they wrote, and what may have
    /// observed that in turn.
    pub(in super::super) fn with_observers(&self, ops: &[Op]) -> Table<u32, ()> {
        let mut gone: Table<u32, ()> = Table::default();
        let mut left = ops.to_vec();
        let mut followed: Table<(u32, Option<Token>), ()> = Table::default();
        while let Some(op) = left.pop() {
            gone.insert(op.row, ());
            if op.action.only_observes() {
                continue;
            }
            if followed.insert((op.key, None), ()).is_none() {
                left.extend(self.unnamed.get(&op.key).into_iter().flatten());
            }
            let written = match op.action {
                Action::Put(value) | Action::Cas(_, value) => Some(value),
                Action::Append(_) | Action::Get(_) | Action::Mismatch(_) => None,
            };
            for ((key, value), observers) in &self.observers {
                // Nobody can tell which values an append made.
                if *key == op.key
                    && written.is_none_or(|written| written == *value)
                    && followed.insert((*key, Some(*value)), ()).is_none()
                {
                    left.extend(observers);
                }
            }
        }
        gone
    }
}

/// The rows that an anomaly shows, by invoke: the latest, with the one that returned last, before
/// which there was an order.
pub(in super::super) fn shown(ops: &[Op]) -> Vec<usize> {
    let mut ops: Vec<&Op> = ops.iter().collect();
    ops.sort_by_key(|op| (op.invoke, op.row));
    let last = ops
        .iter()
        .filter(|op| !op.is_pending())
        .max_by_key(|op| op.returned)
        .copied();
    let first = ops.len().saturating_sub(SHOWN_MAX);
    let mut shown = ops.split_off(first);
    if let Some(last) = last.filter(|last| shown.iter().all(|op| op.row != last.row)) {
        shown[0] = last;
    }
    shown.iter().map(|op| op.row as usize).collect()
}

/// What an observer knew at `end`.
fn prefix(ops: &[Op], end: u64) -> Vec<Op> {
    let mut prefix = Vec::new();
    for op in ops {
        if op.returned <= end {
            prefix.push(*op);
        } else if op.invoke <= end && !op.action.only_observes() {
            prefix.push(Op {
                returned: NEVER,
                ..*op
            });
        }
    }
    prefix
}

fn shortest_prefix(ops: &[Op], end: u64, has_no_order: &mut impl FnMut(&[Op]) -> bool) -> Vec<Op> {
    let mut returns: Vec<u64> = ops
        .iter()
        .map(|op| op.returned)
        .filter(|returned| (end..NEVER).contains(returned))
        .collect();
    returns.sort_unstable();
    returns.dedup();
    let mut best = ops.to_vec();
    let (mut low, mut high) = (0, returns.len());
    while low < high {
        let middle = low.midpoint(high);
        let shorter = prefix(ops, returns[middle]);
        if has_no_order(&shorter) {
            best = shorter;
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    best
}

/// The rows of each value of each key: those that wrote or observed it, with what they wrote.
fn values(ops: &[Op]) -> Vec<Vec<u32>> {
    let unnamed = |op: &Op| matches!(op.action, Action::Mismatch(_) | Action::Append(_));
    if ops.iter().any(unnamed) {
        return Vec::new();
    }
    let mut joined: Table<(u32, Token), (u32, Token)> = Table::default();
    for op in ops {
        if let Action::Cas(expected, value) = op.action
            && expected != NOTHING
        {
            let (a, b) = (
                root(&joined, (op.key, expected)),
                root(&joined, (op.key, value)),
            );
            if a != b {
                joined.insert(a, b);
            }
        }
    }
    let mut parts: Vec<Vec<u32>> = Vec::new();
    let mut numbers: Table<(u32, Token), usize> = Table::default();
    for op in ops {
        let value = match op.action {
            Action::Put(value) | Action::Get(value) | Action::Cas(_, value) => value,
            Action::Mismatch(_) | Action::Append(_) => continue,
        };
        if value == NOTHING {
            continue;
        }
        let number = *numbers
            .entry(root(&joined, (op.key, value)))
            .or_insert(parts.len());
        if number == parts.len() {
            parts.push(Vec::new());
        }
        parts[number].push(op.row);
    }
    parts
}

fn root(joined: &Table<(u32, Token), (u32, Token)>, mut value: (u32, Token)) -> (u32, Token) {
    while let Some(next) = joined.get(&value) {
        value = *next;
    }
    value
}
