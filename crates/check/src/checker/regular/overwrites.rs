//! Which writes of one key a read may show: those that had begun before it ended, and that no other
//! write had certainly overwritten before it began.

/// A value as a number.
pub(super) type Token = u64;
/// The value that nobody wrote.
pub(super) const INITIAL: Token = 0;
/// Writes of one value that an anomaly shows.
const CANDIDATES_SHOWN: usize = 5;

/// When an operation was under way, and where it is in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) row: u32,
    pub(super) session: u32,
    pub(super) index: u32,
    pub(super) invoke: u64,
    pub(super) returned: u64,
}

impl Span {
    /// Whether it was over before the other began, in real time or in their session.
    pub(super) const fn precedes(&self, other: &Self) -> bool {
        (self.session == other.session && self.index < other.index) || self.returned < other.invoke
    }
}

/// A write of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) span: Span,
    pub(super) value: Token,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// This value.
    Value(Token),
    /// Some other value than this.
    Other(Token),
}

/// A read of the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) span: Span,
    pub(super) seen: Seen,
}

/// Why no write explains a read.
#[derive(Clone, Debug, Default)]
pub(super) struct Stale {
    /// A write that was over before the read began, where the initial value is excluded by that.
    pub(super) first: Option<Span>,
    /// The latest writes of what was read, each with what had overwritten it; with nothing, where it
    /// began after the read had ended.
    pub(super) candidates: Vec<(Span, Option<Span>)>,
}

impl Stale {
    /// The rows that show it.
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> {
        let pairs = self.candidates.iter();
        let shown = pairs.flat_map(|(write, by)| [Some(*write), *by]);
        let first = self.first.filter(|_| self.candidates.is_empty());
        shown.chain([first]).flatten().map(|span| span.row)
    }
}

/// The writes of a key.
pub(super) struct Writes {
    /// By value, those of one value in the order of their invokes; each with the place among them of
    /// the one that was over last, of those up to it.
    by_value: Vec<(Write, u32)>,
    /// All in the order of their invokes, likewise.
    by_invoke: Vec<(Write, u32)>,
    /// In the order of their returns, each with the one of those up to it that was invoked last.
    by_return: Vec<(u64, Span)>,
    /// In the order of sessions, where times alone do not tell that.
    by_session: Vec<Span>,
}

impl Writes {
    /// `has_ties` says whether sessions know of an order that the times do not tell.
    pub(super) fn new(mut writes: Vec<Write>, has_ties: bool) -> Self {
        let mut by_session: Vec<Span> = Vec::new();
        if has_ties {
            by_session.extend(writes.iter().map(|write| write.span));
            by_session.sort_unstable_by_key(|span| (span.session, span.index));
        }
        let mut by_return: Vec<(u64, Span)> = writes
            .iter()
            .map(|write| (write.span.returned, write.span))
            .collect();
        by_return.sort_unstable_by_key(|(returned, span)| (*returned, span.row));
        for at in 1..by_return.len() {
            let before = by_return[at - 1].1;
            if before.invoke > by_return[at].1.invoke {
                by_return[at].1 = before;
            }
        }
        writes.sort_unstable_by_key(|write| (write.span.invoke, write.span.row));
        let by_invoke = reaching(&writes);
        writes.sort_by_key(|write| write.value);
        let by_value = writes.chunk_by(|a, b| a.value == b.value);
        let by_value = by_value.flat_map(reaching).collect();
        Self {
            by_value,
            by_invoke,
            by_return,
            by_session,
        }
    }

    /// Whether some write explains a read.
    ///
    /// # Errors
    /// With what excludes the writes of what it found.
    pub(super) fn explain(&self, read: &Read) -> Result<(), Stale> {
        let over = self.over_before(&read.span);
        let first = over.iter().flatten().next().copied();
        let (candidates, other) = match read.seen {
            Seen::Value(value) => (self.of_value(value), None),
            Seen::Other(value) => (self.by_invoke.as_slice(), Some(value)),
        };
        let may_be_initial = match read.seen {
            Seen::Value(value) => value == INITIAL,
            Seen::Other(value) => value != INITIAL,
        };
        if may_be_initial && first.is_none() {
            return Ok(());
        }
        let mut stale = Stale {
            first: first.filter(|_| may_be_initial),
            candidates: Vec::new(),
        };
        let overwritten_from = over[0].map_or(0, |latest| latest.invoke);
        let begun =
            candidates.partition_point(|(write, _)| write.span.invoke <= read.span.returned);
        let last = |place: u32| &candidates[place as usize].0;
        let may_explain =
            |write: &Write| other != Some(write.value) && write.span.row != read.span.row;
        // What excludes a write: nothing, or what came after it.
        let excluded = |write: &Write| {
            // What the read's session did next at the same instant began after it.
            let is_later = read.span.precedes(&write.span);
            let by = self.overwriter(&write.span, &read.span, over);
            (is_later || by.is_some()).then(|| by.filter(|_| !is_later))
        };
        // Mostly the one that was over last does, however many were overwritten since.
        let over_last = candidates[..begun].last().map(|(_, place)| last(*place));
        if over_last.is_some_and(|write| may_explain(write) && excluded(write).is_none()) {
            return Ok(());
        }
        for (write, place) in candidates[..begun].iter().rev() {
            if may_explain(write) {
                let Some(by) = excluded(write) else {
                    return Ok(());
                };
                if stale.candidates.len() < CANDIDATES_SHOWN {
                    stale.candidates.push((write.span, by));
                    continue;
                }
            }
            if last(*place).span.returned < overwritten_from {
                // So are all that were invoked before it.
                break;
            }
        }
        if let ([], Some((later, _))) = (stale.candidates.as_slice(), candidates.get(begun)) {
            stale.candidates.push((later.span, None));
        }
        Err(stale)
    }

    fn of_value(&self, value: Token) -> &[(Write, u32)] {
        let start = self
            .by_value
            .partition_point(|(write, _)| write.value < value);
        let rest = &self.by_value[start..];
        &rest[..rest.partition_point(|(write, _)| write.value == value)]
    }

    /// Writes that were over before an operation began: of those that time tells of the one that
    /// was invoked last, and the last of the operation's own session.
    fn over_before(&self, span: &Span) -> [Option<Span>; 2] {
        let end = self
            .by_return
            .partition_point(|(returned, _)| *returned < span.invoke);
        let latest = end.checked_sub(1).map(|last| self.by_return[last].1);
        let place = (span.session, span.index);
        let end = self
            .by_session
            .partition_point(|own| (own.session, own.index) < place);
        let own = end.checked_sub(1).map(|last| self.by_session[last]);
        [latest, own.filter(|own| own.session == span.session)]
    }

    /// What came after a write and was over before the read began: of what comes after it in time
    /// the one that was invoked last, of what comes after it in its session the next.
    fn overwriter(&self, write: &Span, read: &Span, over: [Option<Span>; 2]) -> Option<Span> {
        let mut over = over.into_iter().flatten();
        over.find(|by| write.precedes(by)).or_else(|| {
            let place = (write.session, write.index);
            let next = self
                .by_session
                .partition_point(|own| (own.session, own.index) <= place);
            let next = self.by_session.get(next).copied();
            next.filter(|next| next.session == write.session && next.precedes(read))
        })
    }
}

/// Writes in the order of their invokes, each with the place of the one that was over last, of those
/// up to it.
fn reaching(writes: &[Write]) -> Vec<(Write, u32)> {
    let mut last = 0;
    let reach = writes.iter().enumerate().map(|(place, write)| {
        if write.span.returned > writes[last].span.returned {
            last = place;
        }
        (*write, last as u32)
    });
    reach.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::NEVER;

    fn span(row: u32, invoke: u64, returned: u64) -> Span {
        Span {
            row,
            session: row,
            index: 0,
            invoke,
            returned,
        }
    }

    fn explained(writes: &[(u64, u64, Token)], read: (u64, u64), seen: Seen) -> bool {
        let write = |(row, (invoke, returned, value)): (u32, &(u64, u64, Token))| Write {
            span: span(row, *invoke, *returned),
            value: *value,
        };
        let writes = (0..).zip(writes).map(write).collect();
        let span = span(99, read.0, read.1);
        Writes::new(writes, true)
            .explain(&Read { span, seen })
            .is_ok()
    }

    #[test]
    fn a_read_may_show_what_overlaps_it_and_what_nothing_certainly_overwrote() {
        let writes = [(0, 10, 1), (20, 30, 2), (25, 60, 3)];
        let shown = |value| explained(&writes, (40, 50), Seen::Value(value));
        assert_eq!(
            [0, 1, 2, 3, 4].map(shown),
            [false, false, true, true, false]
        );
        let early = |value| explained(&writes, (5, 9), Seen::Value(value));
        assert_eq!([0, 1, 2, 3].map(early), [true, true, false, false]);
    }

    #[test]
    fn equal_times_are_no_order() {
        let writes = [(0, 10, 1), (10, 20, 2)];
        let shown = |value| explained(&writes, (20, 30), Seen::Value(value));
        assert_eq!([1, 2].map(shown), [true, true]);
    }

    #[test]
    fn one_write_of_a_value_that_was_not_overwritten_explains_it() {
        let writes = [(0, 10, 1), (20, 30, 2), (40, NEVER, 1)];
        let shown = |value| explained(&writes, (50, 60), Seen::Value(value));
        assert_eq!([1, 2].map(shown), [true, true]);
        let other = |value| explained(&writes, (50, 60), Seen::Other(value));
        assert_eq!([1, 2, 3].map(other), [true, true, true]);
        assert!(!explained(&writes[..2], (50, 60), Seen::Other(2)));
    }
}
