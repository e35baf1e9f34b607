//! What steps do to the state of one key.

use super::contents::{Effect, OTHER};
use super::register::{State, Step};
use super::steps::OneKey;
use super::timeline::{NONE, Timed};

impl OneKey<'_> {
    /// Frees what may come now and changes nothing.
    pub(super) fn settle(&self, state: &mut State) {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for place in 0..state.open.len() {
                let op = state.open[place];
                let Timed {
                    effect,
                    slot,
                    after,
                    ..
                } = self.op(op);
                if !state.free.has(slot)
                    && self.contents.step(state.held, effect) == Some(state.held)
                    && self.may_come(state, after)
                {
                    state.free.set(slot);
                    is_settled = false;
                }
            }
        }
    }

    /// Takes a put of a value that is written once, when nothing is lost by that. Whether it did.
    pub(super) fn take_what_loses_nothing(&self, state: &mut State) -> bool {
        let line = self.line;
        if line.has_appends
            || line.has_mismatches
            || line.uses(state.held).may_be_found
            || self.is_needed(state, state.held)
        {
            return false;
        }
        let loses_nothing = |op: &&u32| {
            let Timed {
                effect,
                after,
                is_followed,
                ..
            } = self.op(**op);
            let Effect::Put(content) = effect else {
                return false;
            };
            let uses = line.uses(content);
            let is_tied = after != NONE || is_followed;
            !is_tied
                && !self.is_spent(state, **op)
                && (content == OTHER || uses.writers == 1)
                && !uses.may_be_found
                && !uses.is_found_by_others
                && !Self::is_to_come(state, uses.found)
                && (!self.is_free(state, **op) || self.is_needed(state, content))
        };
        let Some(op) = state.open.iter().find(loses_nothing).copied() else {
            return false;
        };
        self.take_op(state, op);
        true
    }

    /// An operation returns that is free. Whether what has to be found still can be.
    pub(super) fn pass(&self, state: &mut State, op: u32) -> bool {
        let Timed { effect, slot, .. } = self.op(op);
        // It may as well come last, and once more write what is there.
        if effect == Effect::Put(state.held) && !state.spent.has(slot) {
            self.free_unseen(state);
        }
        state.free.clear(slot);
        state.spent.clear(slot);
        state.open.retain(|open| *open != op);
        state.at += 1;
        state.returned += 1;
        state.is_wanted = false;
        self.settle(state);
        self.forget(state);
        effect
            .writes()
            .is_none_or(|content| !self.is_lost(state, content))
            && !(self.line.has_appends && self.is_text_lost(state))
    }

    /// Forgets how many were taken of classes that nobody can tell any more.
    fn forget(&self, state: &mut State) {
        let mut used = std::mem::take(&mut state.used);
        used.retain(|(class, _)| {
            let written = self.line.classes[*class as usize].effect.writes();
            written.is_none_or(|content| self.is_seen(state, content))
        });
        state.used = used;
    }

    /// Takes a step. Whether what has to be found still can be.
    pub(super) fn take(&self, state: &mut State, step: Step) -> bool {
        let before = state.held;
        match step {
            Step::Pass => {
                let first = self.returns_next(state);
                return first.is_some_and(|op| self.pass(state, op));
            }
            Step::Take(op) => {
                let first = self.returns_next(state);
                state.is_wanted = first.is_some_and(|first| {
                    first != op && self.is_free(state, first) && !self.is_spent(state, first)
                });
                self.take_op(state, op);
            }
            Step::Guess(class) => {
                let first = self.returns_next(state);
                state.is_wanted |= first.is_some_and(|first| self.is_free(state, first));
                match state.used.binary_search_by_key(&class, |(class, _)| *class) {
                    Ok(place) => state.used[place].1 += 1,
                    Err(place) => state.used.insert(place, (class, 1)),
                }
                self.take_effect(state, self.line.classes[class as usize].effect, None);
            }
        }
        !self.is_lost(state, before)
    }

    /// Frees what a put may follow at once: whatever is open and changes the content unseen.
    fn free_unseen(&self, state: &mut State) {
        for place in 0..state.open.len() {
            let Timed {
                effect,
                slot,
                after,
                ..
            } = self.op(state.open[place]);
            if effect.is_blind() && self.may_come(state, after) {
                state.free.set(slot);
            }
        }
    }

    fn take_op(&self, state: &mut State, op: u32) {
        let Timed { effect, slot, .. } = self.op(op);
        self.take_effect(state, effect, Some(slot));
    }

    /// Has an effect, be it that of the open operation in a slot.
    fn take_effect(&self, state: &mut State, effect: Effect, slot: Option<u32>) {
        if let Effect::Put(_) = effect {
            self.free_unseen(state);
        }
        if let Some(slot) = slot {
            state.free.set(slot);
            state.spent.set(slot);
        }
        if let Some(content) = self.contents.step(state.held, effect) {
            state.held = content;
        }
        self.settle(state);
    }
}
