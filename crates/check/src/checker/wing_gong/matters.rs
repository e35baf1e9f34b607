//! What still matters of a configuration. What no operation can observe any more is forgotten. A
//! configuration that has lost what must be observed is dropped.

use super::super::index::Table;
use super::super::ordering::operation::{Action, Token};
use super::config::Config;
use super::search::{OTHER, Sweep};

impl Sweep<'_> {
    /// Whether a put or an append that nobody has seen may still be seen.
    pub(super) fn writes_what_matters(&self, op: u32) -> bool {
        match self.line.action(op) {
            Action::Put(_) | Action::Append(_) if self.line.has_appends => true,
            Action::Put(value) => self.line.needs.written(value) > self.now,
            Action::Append(_) => true,
            Action::Get(_) | Action::Mismatch(_) | Action::Cas(..) => false,
        }
    }

    /// Leaves out of a configuration what makes no difference any more.
    pub(super) fn forget(&mut self, config: &mut Config) {
        if self.line.needs.held(config.value, self.registers) <= self.now {
            config.value = OTHER;
        }
        config.put_at = self.put_that_matters(config);
        if config.used.is_empty() || self.line.has_appends {
            return;
        }
        let mut used = std::mem::take(&mut config.used);
        used.retain(|(class, count)| {
            let value = self.line.classes[*class as usize].writes();
            value.is_some_and(|value| {
                self.line.needs.written(value) > self.now
                    && self.pool[*class as usize] - *count < self.observers(value)
            })
        });
        config.used = used;
    }

    /// The latest that the last put can have come with the same operations before it; 0 where none
    /// of those still waits.
    fn put_that_matters(&self, config: &Config) -> u32 {
        let is_before = |op: &&u32| self.line.ready[**op as usize] < config.put_at;
        let waits = |op: &u32| !config.free.has(self.line.slot[*op as usize]);
        let mut before = self.open.iter().filter(is_before);
        if !before.clone().any(waits) {
            return 0;
        }
        let first = before
            .by_ref()
            .map(|op| self.line.ready[*op as usize])
            .max();
        let place = self.pended.partition_point(|ready| *ready < config.put_at);
        let pending = place.checked_sub(1).map(|place| self.pended[place]);
        first.max(pending).map_or(0, |ready| ready + 1)
    }

    /// At most how many operations can still observe a value that is written again for them.
    fn observers(&self, value: Token) -> u32 {
        if self.line.needs.others > self.now {
            return u32::MAX;
        }
        let expects = |op: &&u32| self.line.action(**op).expects() == Some(value);
        let to_come = self.to_come.observers.get(&value).copied().unwrap_or(0);
        let pending = self.to_come.pending.get(&value).copied().unwrap_or(0);
        to_come + pending + self.open.iter().filter(expects).count() as u32
    }

    /// Whether a value is still to be observed, is not there, and cannot come again.
    pub(super) fn is_lost(&self, config: &Config, value: Token) -> bool {
        if config.value == value || self.line.has_appends {
            return false;
        }
        let to_come = |table: &Table<Token, u32>| table.get(&value).is_some_and(|count| *count > 0);
        if to_come(&self.to_come.writers) {
            return false;
        }
        let slot = |op: &u32| self.line.slot[*op as usize];
        let action = |op: &u32| self.line.action(*op);
        let waits = |op: &u32| action(op).expects() == Some(value) && !config.free.has(slot(op));
        if !to_come(&self.to_come.observers) && !self.open.iter().any(waits) {
            return false;
        }
        let writes = |op: &u32| action(op).writes() == Some(value) && !config.spent.has(slot(op));
        let is_left = |class: &u32| self.has_more(config, *class);
        let pending = self.sources.get(&value);
        !self.open.iter().any(writes) && !pending.is_some_and(|all| all.iter().any(is_left))
    }
}
