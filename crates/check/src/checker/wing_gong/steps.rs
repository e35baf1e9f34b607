//! From a configuration to those in which one more operation may return.

use std::collections::VecDeque;

use hashbrown::HashSet;

use super::super::index::Table;
use super::super::ordering::Limits;
use super::super::ordering::operation::{Action, Token};
use super::config::{COMPARED_MAX, Config};
use super::search::{OTHER, Sweep};
use super::timeline::NONE;
use super::wanted::Wanted;

/// From one configuration so many times as many are gone on from as are kept.
const STEPS_MAX: usize = 2;

/// The steps to the return of one operation.
pub(super) struct Reach {
    goal: u32,
    /// How many configurations each one may lead to.
    steps_max: usize,
    is_whole: bool,
    /// By value.
    seen: Table<Token, Vec<Config>>,
    next: VecDeque<Config>,
    done: HashSet<Config, foldhash::fast::FixedState>,
}

impl Reach {
    pub(super) fn new(goal: u32, width: usize) -> Self {
        Self {
            goal,
            steps_max: STEPS_MAX * width,
            is_whole: true,
            seen: Table::default(),
            next: VecDeque::new(),
            done: HashSet::default(),
        }
    }

    /// Adds a configuration in which the operation may return.
    pub(super) fn done(&mut self, config: Config) {
        self.done.insert(config);
    }

    /// Those, and whether they are all.
    pub(super) fn into_done(self) -> (Vec<Config>, bool) {
        (self.done.into_iter().collect(), self.is_whole)
    }

    /// Takes the operation and, before it, whatever else may help. `None` when the limits are
    /// reached.
    pub(super) fn explore(
        &mut self,
        sweep: &mut Sweep<'_>,
        from: Config,
        limits: &mut Limits,
    ) -> Option<()> {
        self.push(from);
        let mut left = self.steps_max;
        while let Some(config) = self.next.pop_front() {
            if left == 0 {
                self.is_whole = false;
                self.next.clear();
                return Some(());
            }
            left -= 1;
            if limits.is_over() || !limits.spend(0, sweep.registers.bytes()) {
                return None;
            }
            if self.finish(sweep, &config) {
                continue;
            }
            self.look_back(sweep, &config);
            self.commit(sweep, &config);
            let wanted = Wanted::of(self.goal, sweep, &config);
            self.take_open(sweep, &config, &wanted);
            self.take_pending(sweep, &config, &wanted);
        }
        Some(())
    }

    fn push(&mut self, config: Config) {
        let seen = self.seen.entry(config.value).or_default();
        let mut compared = seen.iter().rev().take(COMPARED_MAX);
        if !compared.any(|other| other.dominates(&config)) {
            seen.push(config.clone());
            self.next.push_back(config);
        }
    }

    /// Looks back behind the last put: the operation, if it only observes, or what observes what it
    /// writes, may have come before that put, where a put of that value could come too. The present
    /// value stays.
    pub(super) fn look_back(&mut self, sweep: &Sweep<'_>, config: &Config) {
        let action = sweep.line.action(self.goal);
        let observes = action.only_observes() && sweep.was_open(config, self.goal);
        let mut firsts: Vec<(Token, u32)> = Vec::new();
        for op in &sweep.open {
            let Action::Put(value) = sweep.line.action(*op) else {
                continue;
            };
            let slot = sweep.line.slot[*op as usize];
            let helps = *op == self.goal || (observes && action.is_observed_in(value));
            if !helps
                || config.spent.has(slot)
                || !config.free.has(slot)
                || !sweep.was_open(config, *op)
            {
                continue;
            }
            let returned = |op: u32| sweep.line.ops[op as usize].returned;
            match firsts.iter_mut().find(|(other, _)| *other == value) {
                Some((_, first)) if returned(*first) > returned(*op) => *first = *op,
                Some(_) => {}
                None => firsts.push((value, *op)),
            }
        }
        for (value, op) in &firsts {
            let mut next = config.clone();
            next.spent.set(sweep.line.slot[*op as usize]);
            self.came_before(sweep, config, next, *value);
        }
        if !observes {
            return;
        }
        for (value, classes) in &sweep.sources {
            if !action.is_observed_in(*value) || firsts.iter().any(|(other, _)| other == value) {
                continue;
            }
            for class in classes {
                let is_put = matches!(sweep.line.classes[*class as usize], Action::Put(_));
                let ready = &sweep.line.pending[*class as usize];
                let before = ready.partition_point(|ready| *ready < config.put_at) as u32;
                let is_left = match sweep.reuses {
                    true => before > 0,
                    false => before > config.used(*class),
                };
                if is_put && is_left {
                    let mut next = config.clone();
                    if !sweep.reuses {
                        next.add_used(*class);
                    }
                    self.came_before(sweep, config, next, *value);
                }
            }
        }
    }

    fn came_before(&mut self, sweep: &Sweep<'_>, config: &Config, mut next: Config, value: Token) {
        let waited = sweep.waited(config, value);
        for op in &waited {
            next.free.set(sweep.line.slot[*op as usize]);
        }
        if !waited.is_empty() && !sweep.is_lost(&next, value) {
            self.done.insert(next);
        }
    }

    /// Takes the operation itself, if it may come now. Whether nothing need be tried before it.
    fn finish(&mut self, sweep: &mut Sweep<'_>, config: &Config) -> bool {
        let (goal, action) = (self.goal, sweep.line.action(self.goal));
        if action.only_observes() {
            let is_over = config.free.has(sweep.line.slot[goal as usize]);
            if is_over {
                self.done.insert(config.clone());
            }
            return is_over;
        }
        if sweep.may_come(config, goal)
            && let Some(next) = sweep.taken(config, action, Some(goal))
            && !sweep.is_lost(&next, config.value)
        {
            self.done.insert(next);
        }
        false
    }

    /// Gives up the effect of a put that need not be seen where its session's next operation, at
    /// the same instant, waits for it.
    fn commit(&mut self, sweep: &Sweep<'_>, config: &Config) {
        for op in &sweep.open {
            let slot = sweep.line.slot[*op as usize];
            let is_write = matches!(sweep.line.action(*op), Action::Put(_) | Action::Append(_));
            if sweep.line.is_followed[*op as usize]
                && *op != self.goal
                && is_write
                && config.free.has(slot)
                && !config.spent.has(slot)
            {
                let mut next = config.clone();
                next.spent.set(slot);
                sweep.settle(&mut next);
                // It has no more than before but for what now may come.
                let seen = self.seen.entry(next.value).or_default();
                if !seen.contains(&next) {
                    seen.push(next.clone());
                    self.next.push_back(next);
                }
            }
        }
    }

    /// Takes open operations but the last: of each class the one that returns first.
    fn take_open(&mut self, sweep: &mut Sweep<'_>, config: &Config, wanted: &Wanted) {
        let mut firsts: Vec<u32> = Vec::new();
        for place in 0..sweep.open.len() {
            let op = sweep.open[place];
            let line = &*sweep.line;
            let (slot, action) = (line.slot[op as usize], line.action(op));
            let is_over = match action {
                Action::Put(_) | Action::Append(_) => config.spent.has(slot),
                Action::Cas(..) => config.free.has(slot),
                Action::Get(_) | Action::Mismatch(_) => true,
            };
            if is_over || op == self.goal || !sweep.may_come(config, op) {
                continue;
            }
            let is_followed = line.is_followed[op as usize];
            // An open compare-and-set has to come at some time anyway.
            let is_due = matches!(action, Action::Cas(expected, _) if expected == config.value);
            let is_tied = line.after[op as usize] != NONE && wanted.waits_for(action, config.value);
            if !is_followed && !is_due && !is_tied && !wanted.is_helped(sweep, config, action) {
                continue;
            }
            let line = &*sweep.line;
            let returned = |op: u32| line.ops[op as usize].returned;
            // An append that must still come and one that need not are two things.
            let is_free = |op: u32| {
                matches!(action, Action::Append(_)) && config.free.has(line.slot[op as usize])
            };
            let is_same = |other: &&mut u32| {
                line.class[**other as usize] == line.class[op as usize]
                    && !line.is_followed[**other as usize]
                    && is_free(**other) == is_free(op)
            };
            match firsts.iter_mut().find(is_same) {
                Some(first) if !is_followed => {
                    if returned(op) < returned(*first) {
                        *first = op;
                    }
                }
                Some(_) | None => firsts.push(op),
            }
        }
        for op in firsts {
            let action = sweep.line.action(op);
            if let Some(next) = sweep.taken(config, action, Some(op)) {
                self.leave(sweep, config, next);
            }
        }
    }

    /// Takes pending operations, of each class of which no open one can be taken.
    fn take_pending(&mut self, sweep: &mut Sweep<'_>, config: &Config, wanted: &Wanted) {
        let mut classes: Vec<u32> = sweep.steps.clone();
        if wanted.anything || wanted.change || wanted.later_change {
            classes.extend(sweep.sources.values().flatten());
        } else {
            let wanted = wanted.values.iter().chain(&wanted.later);
            let sources = wanted.filter_map(|value| sweep.sources.get(value));
            classes.extend(sources.flatten());
        }
        classes.sort_unstable();
        classes.dedup();
        for class in classes {
            let action = sweep.line.classes[class as usize];
            let is_tied =
                sweep.line.tied[class as usize] != NONE && wanted.waits_for(action, config.value);
            if !sweep.is_left(config, class)
                || !(is_tied || wanted.is_helped(sweep, config, action))
                || self.has_open(sweep, config, class)
            {
                continue;
            }
            if let Some(mut next) = sweep.taken(config, action, None) {
                if !sweep.reuses {
                    next.add_used(class);
                }
                self.leave(sweep, config, next);
            }
        }
    }

    /// Whether an open operation of a class can be taken.
    fn has_open(&self, sweep: &Sweep<'_>, config: &Config, class: u32) -> bool {
        sweep.open.iter().any(|op| {
            *op != self.goal
                && sweep.line.class[*op as usize] == class
                && !config.spent.has(sweep.line.slot[*op as usize])
                && sweep.may_come(config, *op)
        })
    }

    /// Goes on from a configuration to the next, unless what the register held is lost by that.
    fn leave(&mut self, sweep: &Sweep<'_>, config: &Config, next: Config) {
        if !sweep.is_lost(&next, config.value) {
            self.push(next);
        }
    }
}

impl Sweep<'_> {
    /// Whether an open write has still to come.
    pub(super) fn has_bound(&self, config: &Config) -> bool {
        self.open.iter().any(|op| {
            matches!(self.line.action(*op), Action::Put(_) | Action::Append(_))
                && !config.free.has(self.line.slot[*op as usize])
        })
    }

    /// Whether the last put came when an operation could have come before it.
    fn was_open(&self, config: &Config, op: u32) -> bool {
        self.line.ready[op as usize] < config.put_at
    }

    /// What may have come just before the last put if the register held `value` then, and has not
    /// yet come.
    fn waited(&self, config: &Config, value: Token) -> Vec<u32> {
        let waits = |op: &u32| {
            self.line.action(*op).is_observed_in(value)
                && !config.free.has(self.line.slot[*op as usize])
                && self.was_open(config, *op)
        };
        self.open.iter().copied().filter(waits).collect()
    }

    /// The configuration after an action, of an open operation or a pending one.
    fn taken(&mut self, config: &Config, action: Action, op: Option<u32>) -> Option<Config> {
        let value = match (config.value, action) {
            (OTHER, Action::Append(_)) => OTHER,
            (value, action) => self.registers.step(value, action)?,
        };
        let mut next = config.clone();
        if let Some(op) = op {
            let slot = self.line.slot[op as usize];
            next.free.set(slot);
            next.spent.set(slot);
        }
        if matches!(action, Action::Put(_)) {
            next.put_at = self.now;
            next.free.add(&self.writers);
            for tied in &self.tied {
                if self.may_come(config, *tied) {
                    next.free.set(self.line.slot[*tied as usize]);
                }
            }
        }
        next.value = value;
        self.settle(&mut next);
        if self.line.needs.held(value, self.registers) < self.now {
            next.value = OTHER;
        }
        Some(next)
    }
}
