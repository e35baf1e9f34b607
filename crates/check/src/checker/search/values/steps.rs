//! Which steps one key allows at an instant; `taking.rs` has what they do.

use super::contents::{Content, Contents, Effect, OTHER};
use super::register::{State, Step};
use super::timeline::{Event, NONE, Timed, Timeline};

/// The key that a state is at.
#[derive(Clone, Copy)]
pub(super) struct OneKey<'a> {
    pub(super) line: &'a Timeline,
    pub(super) contents: &'a Contents,
}

impl OneKey<'_> {
    pub(super) fn op(&self, op: u32) -> Timed {
        self.line.ops[op as usize]
    }

    /// The operation that returns first of those that have not.
    pub(super) fn stuck(&self, state: &State) -> Option<u32> {
        let left = self.line.events[state.at as usize..].iter();
        let mut returns = left.filter_map(|event| match event {
            Event::Return(op) => Some(*op),
            Event::Invoke(_) => None,
        });
        returns.next()
    }

    /// The operation that returns next.
    pub(super) fn returns_next(&self, state: &State) -> Option<u32> {
        match self.line.events.get(state.at as usize) {
            Some(Event::Return(op)) => Some(*op),
            Some(Event::Invoke(_)) | None => None,
        }
    }

    pub(super) fn is_free(&self, state: &State, op: u32) -> bool {
        state.free.has(self.op(op).slot)
    }

    pub(super) fn is_spent(&self, state: &State, op: u32) -> bool {
        state.spent.has(self.op(op).slot)
    }

    /// Whether what its session did at the same instant allows an operation.
    pub(super) fn may_come(&self, state: &State, after: u32) -> bool {
        if after == NONE || !state.open.contains(&after) {
            return true;
        }
        if self.op(after).effect.is_blind() {
            self.is_spent(state, after)
        } else {
            self.is_free(state, after)
        }
    }

    /// Operations of unknown outcome of a class that are left.
    fn left(&self, state: &State, class: u32) -> u32 {
        let invoked = self.line.classes[class as usize]
            .invokes
            .partition_point(|at| *at <= state.at) as u32;
        let used = state.used.binary_search_by_key(&class, |(class, _)| *class);
        invoked - used.map_or(0, |place| state.used[place].1)
    }

    /// Whether the instant has not come at which something last happens.
    pub(super) fn is_to_come(state: &State, last: Option<u32>) -> bool {
        last.is_some_and(|at| at >= state.at)
    }

    /// The open operations that could not come yet.
    fn waiting(&self, state: &State) -> impl Iterator<Item = u32> {
        let open = state.open.iter().copied();
        open.filter(|op| !self.is_free(state, *op))
    }

    /// Whether an operation that has to take effect still has to find a content.
    pub(super) fn is_needed(&self, state: &State, content: Content) -> bool {
        Self::is_to_come(state, self.line.uses(content).found)
            || self
                .waiting(state)
                .any(|op| self.op(op).effect.expects() == Some(content))
    }

    /// Whether anybody can still tell a content.
    pub(super) fn is_seen(&self, state: &State, content: Content) -> bool {
        self.line.has_mismatches
            || self.line.has_appends
            || self.line.uses(content).may_be_found
            || self.is_needed(state, content)
    }

    /// Whether a content has to be found that is not there and that nothing can write again.
    pub(super) fn is_lost(&self, state: &State, content: Content) -> bool {
        if self.line.has_appends {
            return self.is_text_lost(state);
        }
        let writes =
            |op: &u32| !self.is_spent(state, *op) && self.op(*op).effect.writes() == Some(content);
        content != state.held
            && content != OTHER
            && self.is_needed(state, content)
            && !Self::is_to_come(state, self.line.uses(content).written)
            && !state.open.iter().any(writes)
            && !self.may_guess(state, |effect| effect.writes() == Some(content))
    }

    /// Whether appends alone are left, and do not lead to a text that has to be found.
    pub(super) fn is_text_lost(&self, state: &State) -> bool {
        let writes =
            |op: &u32| !self.is_spent(state, *op) && self.op(*op).effect.writes().is_some();
        if Self::is_to_come(state, self.line.last_put)
            || state.open.iter().any(writes)
            || self.may_guess(state, |effect| effect.writes().is_some())
        {
            return false;
        }
        let mut found = self
            .waiting(state)
            .filter_map(|op| self.op(op).effect.expects());
        found.any(|text| !self.contents.is_start(state.held, text))
            || (state.held == OTHER && Self::is_to_come(state, self.line.last_found))
    }

    fn may_guess(&self, state: &State, is_asked: impl Fn(Effect) -> bool) -> bool {
        (0..self.line.classes.len() as u32).any(|class| {
            is_asked(self.line.classes[class as usize].effect) && self.left(state, class) > 0
        })
    }

    /// Whether somebody may need the effect of a free operation all the same: what it makes of the
    /// present content, or of what others first make of that.
    pub(super) fn is_choice(&self, state: &State, op: u32) -> bool {
        let effect = self.op(op).effect;
        if !effect.is_blind() || self.is_spent(state, op) {
            return false;
        }
        if let Effect::Put(content) = effect
            && !(self.is_told(content) && self.is_seen(state, content))
        {
            return false;
        }
        if self.changes(state, effect) {
            return true;
        }
        let mut others = state.open.iter().filter(|other| **other != op);
        others.any(|other| self.allows(state, *other, op).is_some())
            || (0..self.line.classes.len() as u32).any(|class| self.guesses(state, class).is_some())
    }

    /// Whether anything can tell a content from all those that nobody expects.
    const fn is_told(&self, content: Content) -> bool {
        content != OTHER || self.line.has_mismatches
    }

    /// Whether an effect makes a difference now.
    fn changes(&self, state: &State, effect: Effect) -> bool {
        let after = self.contents.step(state.held, effect);
        after.is_some_and(|after| after != state.held && self.is_told(after))
    }

    /// Whether something that may come right after would tell that the register holds `content`.
    fn is_useful(&self, state: &State, op: u32, content: Content) -> bool {
        let tells = |effect: Effect| match effect {
            Effect::Get(found) | Effect::Cas(found, _) => found == content,
            Effect::Mismatch(expected) => expected != content,
            Effect::Append(_) => content != OTHER,
            Effect::Put(_) => false,
        };
        // An append that is free may still be wanted.
        let is_left = |other: &u32| match self.op(*other).effect {
            Effect::Append(_) => !self.is_spent(state, *other),
            Effect::Get(_) | Effect::Cas(..) | Effect::Mismatch(_) | Effect::Put(_) => {
                !self.is_free(state, *other)
            }
        };
        let mut others = state.open.iter().filter(|other| **other != op);
        content != state.held
            && (others.any(|other| is_left(other) && tells(self.op(*other).effect))
                || self.may_guess(state, tells))
    }

    /// The steps from a state, the most promising first.
    pub(super) fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        let Some(first) = self.returns_next(state) else {
            return;
        };
        if self.is_free(state, first) && !state.is_wanted {
            steps.push(Step::Pass);
        }
        let wanted = self.op(first).effect.expects();
        let mut later = Vec::new();
        let mut found: Vec<u32> = state.open.clone();
        found.sort_by_key(|op| (*op != first, self.op(*op).returned, *op));
        for op in found {
            let Some(after) = self.allows(state, op, first) else {
                continue;
            };
            let is_idle = op == first && self.is_free(state, op);
            if is_idle && !self.changes(state, self.op(op).effect) {
                continue;
            }
            if op == first || wanted == Some(after) {
                steps.push(Step::Take(op));
            } else {
                later.push(Step::Take(op));
            }
        }
        for class in 0..self.line.classes.len() as u32 {
            match self.guesses(state, class) {
                Some(after) if wanted == Some(after) => steps.push(Step::Guess(class)),
                Some(_) => later.push(Step::Guess(class)),
                None => {}
            }
        }
        steps.append(&mut later);
    }

    /// The content after one of a class of unknown outcome, where one may be taken.
    fn guesses(&self, state: &State, class: u32) -> Option<Content> {
        let kind = &self.line.classes[class as usize];
        let after = self.contents.step(state.held, kind.effect)?;
        let comes = (self.is_useful(state, NONE, after) || self.covers(state, NONE, kind.effect))
            && self.left(state, class) > 0
            && self.may_come(state, kind.after);
        comes.then_some(after)
    }

    /// The content after an open operation, where it may be taken for that.
    fn allows(&self, state: &State, op: u32, first: u32) -> Option<Content> {
        let Timed {
            effect,
            after,
            is_followed,
            ..
        } = self.op(op);
        let is_open = if effect.is_blind() {
            !self.is_spent(state, op)
        } else {
            !self.is_free(state, op)
        };
        if !is_open || !self.may_come(state, after) {
            return None;
        }
        let is_tied = effect.is_blind() && (after != NONE || is_followed);
        let content = self.contents.step(state.held, effect)?;
        let comes = op == first
            || is_tied
            || matches!(effect, Effect::Cas(..))
            || self.is_useful(state, op, content)
            || self.covers(state, op, effect);
        comes.then_some(content)
    }

    /// Whether an effect writes once more what is there, so that what is open may come unseen.
    fn covers(&self, state: &State, op: u32, effect: Effect) -> bool {
        effect == Effect::Put(state.held)
            && self.waiting(state).any(|other| {
                let Timed { effect, after, .. } = self.op(other);
                other != op && effect.is_blind() && self.may_come(state, after)
            })
    }
}
