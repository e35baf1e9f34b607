//! What is still to be invoked, by the values that it observes and writes.

use super::super::index::Table;
use super::super::ordering::operation::Token;
use super::timeline::Timeline;

/// What is still to be invoked.
#[derive(Debug, Default)]
pub(super) struct ToCome {
    /// By value, those that return and expect it.
    pub(super) observers: Table<Token, u32>,
    /// By value, those that write it.
    pub(super) writers: Table<Token, u32>,
    /// By value, the pending ones that expect it, whether they were invoked or not.
    pub(super) pending: Table<Token, u32>,
}

impl ToCome {
    pub(super) fn new(line: &Timeline) -> Self {
        let mut to_come = Self::default();
        for op in 0..line.ops.len() as u32 {
            if let Some(value) = line.action(op).expects() {
                let observers = match line.is_required(op) {
                    true => &mut to_come.observers,
                    false => &mut to_come.pending,
                };
                *observers.entry(value).or_default() += 1;
            }
            if let Some(value) = line.action(op).writes() {
                *to_come.writers.entry(value).or_default() += 1;
            }
        }
        to_come
    }

    pub(super) fn invoke(&mut self, line: &Timeline, op: u32) {
        let observed = line.action(op).expects().filter(|_| line.is_required(op));
        if let Some(count) = observed.and_then(|value| self.observers.get_mut(&value)) {
            *count -= 1;
        }
        let written = line.action(op).writes();
        if let Some(count) = written.and_then(|value| self.writers.get_mut(&value)) {
            *count -= 1;
        }
    }
}
