//! The last call of each session, so that a write that is sent again happens once (Ongaro, 2014,
//! section 6.3). Every replica applies the same entries, so every replica has the same table.

use std::collections::BTreeMap;

use crate::protocol::{Call, LastCall};

/// The last calls of the sessions that called last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Calls {
    by_session: BTreeMap<u32, LastCall>,
    /// The sessions by the index of their last call.
    by_index: BTreeMap<u64, u32>,
    /// Whether any session was ever forgotten.
    forgets: bool,
}

/// What is known of a call before it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: it is new.
    New,
    /// It was applied.
    Applied(LastCall),
    /// A later call of its session was applied, so nobody waits for this one.
    Overtaken,
    /// Its session was forgotten: whether it was applied is unknown.
    Forgotten,
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.by_session.len()
    }

    pub(super) fn known(&self, call: &Call) -> Known {
        match self.by_session.get(&call.session) {
            Some(last) if last.operation == call.operation => Known::Applied(*last),
            Some(last) if last.operation > call.operation => Known::Overtaken,
            Some(_) => Known::New,
            // It has had an answer that is not there, or may have had one.
            None if call.previous > 0 || call.again && self.forgets => Known::Forgotten,
            None => Known::New,
        }
    }

    /// Takes in the last call of a session. The session that has not called for longest is forgotten
    /// beyond `max`.
    pub(super) fn note(&mut self, session: u32, last: LastCall, max: u32) {
        if let Some(before) = self.by_session.insert(session, last) {
            self.by_index.remove(&before.index);
        }
        self.by_index.insert(last.index, session);
        while self.by_session.len() > max as usize
            && let Some((_, oldest)) = self.by_index.pop_first()
        {
            self.by_session.remove(&oldest);
            self.forgets = true;
        }
    }

    pub(super) const fn forgets(&self) -> bool {
        self.forgets
    }

    pub(super) const fn note_that_it_forgets(&mut self) {
        self.forgets = true;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, LastCall)> + '_ {
        self.by_session
            .iter()
            .map(|(session, last)| (*session, *last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u32 = 2;

    fn call(session: u32, operation: u32) -> Call {
        Call {
            session,
            operation,
            previous: 0,
            again: false,
        }
    }

    fn last(operation: u32, index: u64) -> LastCall {
        LastCall {
            operation,
            index,
            took_effect: true,
        }
    }

    #[test]
    fn a_call_is_new_once_and_known_from_then_on() {
        let mut calls = Calls::default();
        assert_eq!(calls.known(&call(1, 3)), Known::New);
        calls.note(1, last(3, 7), MAX);
        assert_eq!(calls.known(&call(1, 3)), Known::Applied(last(3, 7)));
        assert_eq!(calls.known(&call(1, 2)), Known::Overtaken);
        assert_eq!(calls.known(&call(1, 4)), Known::New);
    }

    #[test]
    fn a_session_that_was_forgotten_is_told_from_a_new_one() {
        let mut calls = Calls::default();
        for session in 1..=3 {
            calls.note(session, last(0, session.into()), MAX);
        }
        assert_eq!(calls.len(), 2);
        let next = Call {
            previous: 1,
            ..call(1, 1)
        };
        assert_eq!(calls.known(&next), Known::Forgotten);
        let again = Call {
            again: true,
            ..call(1, 0)
        };
        assert_eq!(calls.known(&again), Known::Forgotten);
        assert_eq!(calls.known(&call(9, 0)), Known::New);
    }

    #[test]
    fn the_session_that_called_longest_ago_is_forgotten_first() {
        let mut calls = Calls::default();
        calls.note(1, last(0, 1), MAX);
        calls.note(2, last(0, 2), MAX);
        calls.note(1, last(1, 3), MAX);
        calls.note(3, last(0, 4), MAX);
        let left: Vec<u32> = calls.iter().map(|(session, _)| session).collect();
        assert_eq!(left, [1, 3]);
    }
}
