//! Makes a set of operations that has no order small.
//!
//! Every step keeps this true: were the whole history in order, so would be what is left. A prefix
//! by return time keeps it, with what was open at its end pending. So does leaving out what only
//! observes. So does leaving out a value: all that wrote or observed it, and what those wrote in
//! turn; unless a mismatch or an append is there, which observe what they do not name. So does
//! leaving out one write, together with whatever may have observed it ([`Links::with_observers`]).
//! That is repeated until nothing more can be left out, as far as the tries go.

use super::super::index::Table;
use super::operation::{Action, NOTHING, Op, Token};
use crate::history::NEVER;

/// Searches that making evidence small may cost.
const TRIES_MAX: usize = 2_000;
/// Operations that all those searches together look at.
const WORK_MAX: usize = 1_500_000;
/// Operations that an anomaly shows.
const SHOWN_MAX: usize = 12;

/// What is left.
pub(in super::super) struct Evidence {
    pub(in super::super) ops: Vec<Op>,
}

/// The smallest evidence that greedy steps find where order is by time. `has_no_order` holds for
/// `ops`; what had returned before `end` has an order with what was open.
pub(in super::super) fn smallest(
    ops: &[Op],
    end: u64,
    mut has_no_order: impl FnMut(&[Op]) -> bool,
) -> Evidence {
    let ops = shortest_prefix(ops, end, &mut has_no_order);
    smallest_in_any_time(ops, has_no_order)
}

/// The same where only the sessions' order counts: what was read may have been written later.
pub(in super::super) fn smallest_in_any_time(
    mut ops: Vec<Op>,
    mut has_no_order: impl FnMut(&[Op]) -> bool,
) -> Evidence {
    let mut tries = Tries {
        left: TRIES_MAX,
        work: WORK_MAX,
    };
    let parts = values(&ops);
    leave_out(&mut ops, parts, &mut has_no_order, &mut tries);
    let mut size = ops.len().div_ceil(2);
    loop {
        let before = ops.len();
        leave_out_single(&mut ops, size, &mut has_no_order, &mut tries);
        if size > 1 {
            size = size.div_ceil(2);
        } else if ops.len() == before || tries.left == 0 {
            return Evidence { ops };
        }
    }
}

/// Leaves out single operations, `size` of them at a time, those that only observe first.
fn leave_out_single(
    ops: &mut Vec<Op>,
    size: usize,
    has_no_order: &mut impl FnMut(&[Op]) -> bool,
    tries: &mut Tries,
) {
    let links = Links::new(ops);
    let mut all = ops.clone();
    all.sort_by_key(|op| !op.action.only_observes());
    for some in all.chunks(size.max(1)) {
        let gone = links.with_observers(some);
        if !ops.iter().any(|op| gone.contains_key(&op.row)) {
            continue;
        }
        if !tries.spend(ops.len()) {
            return;
        }
        let rest = without(ops, &gone);
        if has_no_order(&rest) {
            *ops = rest;
        }
    }
}

fn without(ops: &[Op], gone: &Table<u32, ()>) -> Vec<Op> {
    let kept = ops.iter().filter(|op| !gone.contains_key(&op.row));
    kept.copied().collect()
}

/// Who may have observed what.
pub(super) struct Links {
    /// What observed a value of a key.
    observers: Table<(u32, Token), Vec<Op>>,
    /// What observed values of a key that it does not name.
    unnamed: Table<u32, Vec<Op>>,
}

impl Links {
    pub(super) fn new(ops: &[Op]) -> Self {
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
    pub(super) fn with_observers(&self, ops: &[Op]) -> Table<u32, ()> {
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

struct Tries {
    left: usize,
    work: usize,
}

impl Tries {
    /// Pays for a search among so many operations.
    const fn spend(&mut self, ops: usize) -> bool {
        if self.left == 0 || self.work < ops {
            self.left = 0;
            return false;
        }
        self.left -= 1;
        self.work -= ops;
        true
    }
}

/// Leaves out as many of the parts as it can: half of them, then a quarter, and so on.
fn leave_out(
    ops: &mut Vec<Op>,
    mut parts: Vec<Vec<u32>>,
    has_no_order: &mut impl FnMut(&[Op]) -> bool,
    tries: &mut Tries,
) {
    let mut size = parts.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < parts.len() {
            if !tries.spend(ops.len()) {
                return;
            }
            let end = (start + size).min(parts.len());
            let gone: Table<u32, ()> = parts[start..end]
                .iter()
                .flatten()
                .map(|row| (*row, ()))
                .collect();
            let rest = without(ops, &gone);
            if has_no_order(&rest) {
                *ops = rest;
                parts.drain(start..end);
            } else {
                start = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
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
