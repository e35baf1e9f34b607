//! The search for an order of one register's operations, in one pass through time.
//!
//! After each event the search holds every configuration (`config.rs`) that some order of what was
//! taken leads to. Operations are taken only when one returns: those that it needs, and it last
//! (Lowe, *Testing for linearizability*, Concurrency Comput. 2017, "just-in-time linearization";
//! the idea that an operation may come between its invoke and its return in any place is Wing and
//! Gong's, 1993). When no configuration is left the operations up to that return have no order.
//!
//! These rules lose no order and save most of the work:
//! - An operation that may come and only observes comes at once.
//! - A put that another put follows need not have been seen: it is free, whether it is ever taken
//!   for its effect or not. So is one of the value that the register holds.
//! - Of operations that do the same the one that returns first is taken, a pending one last.
//! - A value that nothing can observe any more is as good as any other such.
//! - A configuration whose followers another one's include is left out.
//! - A value that is still to be observed is not left when nothing can write it again.

use super::super::index::Table;
use super::super::ordering::Limits;
use super::super::ordering::operation::{Action, NOTHING, Op, Registers, Token};
use super::config::{Bits, Config, undominated};
use super::steps::Reach;
use super::timeline::{Event, NONE, Timeline, observes_the_unwritten};
use super::to_come::ToCome;

/// What a search answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Answer {
    /// An order explains the operations.
    Order,
    /// None does. What had returned before that time has one, with what was open.
    NoOrder(u64),
    /// The limits were reached first.
    Limit,
}

/// How many configurations are kept at once, attempt after attempt. If some were left out, an order
/// that is found is a proof, but finding none proves nothing.
const WIDTHS: [usize; 5] = [4, 12, 48, 512, 8_192];

/// A value that no operation can tell from any other that it was not told of.
pub(super) const OTHER: Token = u32::MAX;

/// Searches for an order of operations on one register.
pub(in super::super) fn search(
    ops: &[Op],
    registers: &mut Registers,
    limits: &mut Limits,
) -> Answer {
    if let Some(end) = observes_the_unwritten(ops) {
        return Answer::NoOrder(end);
    }
    let mut line = Timeline::new(ops, registers);
    let has_pending = ops.iter().any(Op::is_pending);
    for width in WIDTHS {
        match Sweep::new(&mut line, &mut *registers, width, false).run(limits) {
            Swept::Order => return Answer::Order,
            Swept::NoOrder(end) => return Answer::NoOrder(end),
            Swept::Limit => return Answer::Limit,
            Swept::Open => {}
        }
        // There is no order even if pending operations may take effect any number of times. The
        // search then need not remember which of them did.
        if has_pending
            && let Swept::NoOrder(end) =
                Sweep::new(&mut line, &mut *registers, width, true).run(limits)
        {
            return Answer::NoOrder(end);
        }
    }
    Answer::Limit
}

enum Swept {
    Order,
    NoOrder(u64),
    /// Neither, since some configurations were left out.
    Open,
    Limit,
}

/// What all configurations have in common at one instant.
pub(super) struct Sweep<'a> {
    pub(super) line: &'a mut Timeline,
    pub(super) registers: &'a mut Registers,
    width: usize,
    /// Whether pending operations may be taken again and again.
    pub(super) reuses: bool,
    /// The number of the event.
    pub(super) now: u32,
    /// The operations that are open and return, by invoke.
    pub(super) open: Vec<u32>,
    /// Of those the puts and appends that need not wait for what their session did before, by slot.
    pub(super) writers: Bits,
    /// The others.
    pub(super) tied: Vec<u32>,
    /// Of each class the pending operations that were invoked.
    pub(super) pool: Vec<u32>,
    /// When those may come from, ascending.
    pub(super) pended: Vec<u32>,
    /// The classes with any, by the value that they write.
    pub(super) sources: Table<Token, Vec<u32>>,
    /// The compare-and-sets among them, and the appends.
    pub(super) steps: Vec<u32>,
    pub(super) to_come: ToCome,
    frontier: Vec<Config>,
}

impl<'a> Sweep<'a> {
    fn new(
        line: &'a mut Timeline,
        registers: &'a mut Registers,
        width: usize,
        reuses: bool,
    ) -> Self {
        let start = Config {
            value: NOTHING,
            put_at: 0,
            free: Bits::none(line.slots),
            spent: Bits::none(line.slots),
            used: Vec::new(),
        };
        Self {
            width,
            reuses,
            now: 0,
            open: Vec::new(),
            writers: Bits::none(line.slots),
            tied: Vec::new(),
            pool: vec![0; line.classes.len()],
            pended: Vec::new(),
            sources: Table::default(),
            steps: Vec::new(),
            to_come: ToCome::new(line),
            frontier: vec![start],
            line,
            registers,
        }
    }

    fn run(mut self, limits: &mut Limits) -> Swept {
        let mut is_whole = true;
        for number in 0..self.line.events.len() {
            self.now = number as u32;
            if limits.is_over() {
                return Swept::Limit;
            }
            match self.line.events[number] {
                Event::Invoke(op) => self.invoke(op),
                Event::Return(op) => {
                    let Some(reached) = self.returns(op, limits) else {
                        return Swept::Limit;
                    };
                    let (reached, is_whole_step) = reached;
                    let (kept, is_cut) = undominated(reached, self.width);
                    is_whole &= is_whole_step && !is_cut;
                    self.frontier = kept;
                    if self.frontier.is_empty() {
                        let end = self.line.ops[op as usize].returned;
                        return if is_whole {
                            Swept::NoOrder(end)
                        } else {
                            Swept::Open
                        };
                    }
                }
            }
        }
        Swept::Order
    }

    fn invoke(&mut self, op: u32) {
        self.to_come.invoke(self.line, op);
        if !self.line.is_required(op) {
            self.pend(op);
            return;
        }
        self.open.push(op);
        let slot = self.line.slot[op as usize];
        let is_write = matches!(self.line.action(op), Action::Put(_) | Action::Append(_));
        match self.line.after[op as usize] {
            _ if !is_write => {}
            NONE => self.writers.set(slot),
            _ => self.tied.push(op),
        }
        let mut frontier = std::mem::take(&mut self.frontier);
        for config in &mut frontier {
            self.settle_one(config, op);
        }
        self.frontier = frontier;
    }

    fn pend(&mut self, op: u32) {
        let class = self.line.class[op as usize];
        self.pool[class as usize] += 1;
        let ready = self.line.ready[op as usize];
        let place = self.pended.partition_point(|other| *other < ready);
        self.pended.insert(place, ready);
        if self.pool[class as usize] > 1 {
            return;
        }
        match self.line.action(op) {
            Action::Put(value) => self.sources.entry(value).or_default().push(class),
            Action::Cas(_, value) => {
                self.sources.entry(value).or_default().push(class);
                self.steps.push(class);
            }
            Action::Append(_) => self.steps.push(class),
            Action::Get(_) | Action::Mismatch(_) => {}
        }
    }

    /// The configurations in which an operation has returned, and whether those are all; `None`
    /// when the limits are reached.
    fn returns(&mut self, op: u32, limits: &mut Limits) -> Option<(Vec<Config>, bool)> {
        let slot = self.line.slot[op as usize];
        let mut reach = Reach::new(op, self.width);
        let frontier = std::mem::take(&mut self.frontier);
        let mut bytes = 0;
        for config in frontier {
            bytes += config.bytes();
            if !config.free.has(slot) {
                reach.explore(self, config, limits)?;
                continue;
            }
            if self.writes_what_matters(op) && !config.spent.has(slot) {
                reach.look_back(self, &config);
                reach.explore(self, config.clone(), limits)?;
            }
            reach.done(config);
        }
        if !limits.spend(bytes, self.registers.bytes()) {
            return None;
        }
        limits.bytes += bytes;
        self.open.retain(|open| *open != op);
        self.writers.clear(slot);
        let follower = self.follower(op);
        if let Some(place) = self.tied.iter().position(|tied| Some(*tied) == follower) {
            let follower = self.tied.swap_remove(place);
            self.writers.set(self.line.slot[follower as usize]);
        }
        let written = self.line.action(op).writes();
        let (mut reached, is_whole) = reach.into_done();
        reached.retain_mut(|config| {
            config.free.clear(slot);
            config.spent.clear(slot);
            if follower.is_some() {
                self.settle(config);
            }
            !written.is_some_and(|value| self.is_lost(config, value))
        });
        for config in &mut reached {
            self.forget(config);
        }
        Some((reached, is_whole))
    }

    /// The open operation that its session did after this one at the same instant.
    fn follower(&self, op: u32) -> Option<u32> {
        if !self.line.is_followed[op as usize] {
            return None;
        }
        let follows = |open: &&u32| self.line.after[**open as usize] == op;
        self.open.iter().find(follows).copied()
    }

    pub(super) fn has_more(&self, config: &Config, class: u32) -> bool {
        self.reuses || self.pool[class as usize] > config.used(class)
    }

    /// Whether there is a pending operation of a class to take now.
    pub(super) fn is_left(&self, config: &Config, class: u32) -> bool {
        let tied = self.line.tied[class as usize];
        self.has_more(config, class) && (tied == NONE || self.may_come(config, tied))
    }

    /// Whether what its session did before it at the same instant allows an operation.
    pub(super) fn may_come(&self, config: &Config, op: u32) -> bool {
        let before = self.line.after[op as usize];
        if before == NONE || !self.open.contains(&before) {
            return true;
        }
        let slot = self.line.slot[before as usize];
        match self.line.action(before) {
            Action::Put(_) | Action::Append(_) => config.spent.has(slot),
            Action::Get(_) | Action::Mismatch(_) | Action::Cas(..) => config.free.has(slot),
        }
    }

    /// Takes what may come and changes nothing.
    pub(super) fn settle(&self, config: &mut Config) {
        for op in &self.open {
            self.settle_one(config, *op);
        }
    }

    fn settle_one(&self, config: &mut Config, op: u32) {
        let slot = self.line.slot[op as usize];
        let changes_nothing = match self.line.action(op) {
            Action::Put(value) => config.value == value,
            action @ (Action::Get(_)
            | Action::Cas(..)
            | Action::Mismatch(_)
            | Action::Append(_)) => action.is_observed_in(config.value),
        };
        if changes_nothing && !config.free.has(slot) && self.may_come(config, op) {
            config.free.set(slot);
        }
    }
}
