//! What a configuration lacks, and which operations bring it.

use super::super::ordering::operation::{Action, Token};
use super::config::Config;
use super::search::{OTHER, Sweep};
use super::timeline::NONE;

/// What a configuration lacks that a write may bring.
pub(super) struct Wanted {
    /// Values that an open operation waits for.
    pub(super) values: Vec<Token>,
    /// How many values an operation may wait for before the search looks back behind the last put,
    /// unless a compare-and-set brings them.
    pub(super) later: Vec<Token>,
    /// Something waits in the same way for any other value than the register's.
    pub(super) later_change: bool,
    /// Something waits for any other value than the register's.
    pub(super) change: bool,
    /// Whatever is there may be appended to.
    pub(super) anything: bool,
}

impl Wanted {
    fn has(&self, value: Token) -> bool {
        self.anything || self.change || self.values.contains(&value)
    }

    /// Whether an open operation waits for the result of an operation that has to follow another
    /// one. For that one the search cannot look back behind the last put.
    pub(super) fn waits_for(&self, action: Action, held: Token) -> bool {
        let brings = |value: Token| self.later_change || self.later.contains(&value);
        match action {
            Action::Put(value) => value != held && brings(value),
            Action::Cas(expected, value) => expected == held && brings(value),
            Action::Append(_) | Action::Get(_) | Action::Mismatch(_) => false,
        }
    }

    /// What a configuration lacks before the operation `goal` can return.
    pub(super) fn of(goal: u32, sweep: &Sweep<'_>, config: &Config) -> Self {
        let mut wanted = Self {
            values: Vec::new(),
            later: Vec::new(),
            later_change: false,
            change: false,
            anything: false,
        };
        for op in &sweep.open {
            let slot = sweep.line.slot[*op as usize];
            match sweep.line.action(*op) {
                Action::Append(_) => wanted.anything |= !config.spent.has(slot),
                _ if config.free.has(slot) => {}
                action @ (Action::Get(_) | Action::Mismatch(_))
                    if *op != goal
                        && !sweep.line.is_followed[*op as usize]
                        && sweep.line.after[*op as usize] == NONE =>
                {
                    wanted.later.extend(action.expects());
                    wanted.later_change |= action.expects().is_none();
                }
                Action::Get(value) | Action::Cas(value, _) => wanted.values.push(value),
                Action::Mismatch(_) => wanted.change = true,
                Action::Put(_) => {}
            }
        }
        wanted.anything |= sweep.line.has_appends && !sweep.steps.is_empty();
        // What pending compare-and-sets turn into a value that is wanted is wanted too.
        let mut known = 0;
        let steps = !sweep.steps.is_empty();
        while steps && known < wanted.later.len() + wanted.values.len() {
            let later = wanted.later.len();
            let value = match known.checked_sub(later) {
                None => wanted.later[known],
                Some(known) => wanted.values[known],
            };
            known += 1;
            for class in sweep.sources.get(&value).into_iter().flatten() {
                if let Action::Cas(expected, _) = sweep.line.classes[*class as usize]
                    && !wanted.values.contains(&expected)
                    && sweep.is_left(config, *class)
                {
                    wanted.values.push(expected);
                }
            }
        }
        wanted
    }

    /// Whether an action brings what is wanted.
    pub(super) fn is_helped(&self, sweep: &mut Sweep<'_>, config: &Config, action: Action) -> bool {
        match action {
            // Of the value that is there it makes other puts free, which a compare-and-set does
            // not.
            Action::Put(value) if value == config.value => {
                (self.anything || self.values.contains(&value)) && sweep.has_bound(config)
            }
            Action::Put(value) => self.has(value),
            Action::Cas(expected, value) => {
                expected == config.value
                    && (self.has(value) || self.later_change || self.later.contains(&value))
            }
            Action::Append(_) => {
                config.value != OTHER && {
                    let text = sweep.registers.step(config.value, action);
                    text.is_some_and(|text| {
                        sweep.line.needs.made(text, sweep.registers) >= sweep.now
                    })
                }
            }
            Action::Get(_) | Action::Mismatch(_) => false,
        }
    }
}
