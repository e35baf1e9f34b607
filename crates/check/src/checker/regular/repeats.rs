//! Regular registers whose values repeat, or that hold more than puts and gets.
//!
//! A read needs one write of what it found, so that nothing has to be searched for. A compare-and-set
//! of unknown outcome is both or nothing: it may have written if what it would have read is
//! explained, and what explains that may be others of unknown outcome. Writes of unknown outcome
//! overwrite nothing for certain, so that the most of them that explain each other are the best.

use super::super::ordering::{Action, Limits, Op, Registers, operation};
use super::super::property::Property;
use super::super::verdict::{Check, Findings, Verdict};
use super::super::wing_gong::NO_REAL_TIME;
use super::overwrites::{Read, Seen, Span, Token, Write, Writes};
use super::{APPENDS, add, not_applicable};
use crate::history::{History, Kind};

/// Checks every read against the writes of its key.
pub(super) fn check(history: &History, limits: Limits) -> Check {
    let unknown = |reason: &str| Check::without_a_look(Property::Regular, Verdict::unknown(reason));
    if !history.header.real_time {
        return not_applicable(NO_REAL_TIME);
    }
    if history.columns.kind.contains(&Kind::Append) {
        return unknown(APPENDS);
    }
    if let Err(reason) = operation::sessions(history) {
        return unknown(&reason);
    }
    let mut ops: Vec<Op> = match Registers::new(history).operations(history) {
        Ok(ops) => ops.into_iter().flatten().collect(),
        Err(reason) => return not_applicable(reason),
    };
    ops.sort_by_key(|op| op.key);
    let mut findings = Findings::new(history, Property::Regular);
    let mut ticker = limits.time.ticker(Property::Regular.name(), ops.len());
    let mut checked = 0;
    for ops in ops.chunk_by(|a, b| a.key == b.key) {
        let key = Key::new(history, ops);
        let Some(writes) = key.writes(|| ticker.is_over()) else {
            return findings.cut(checked);
        };
        for read in &key.reads {
            if ticker.is_over() {
                return findings.cut(checked);
            }
            if let Err(stale) = writes.explain(read) {
                add(history, read, &stale, &mut findings);
            }
        }
        checked += ops.len() as u64;
    }
    findings.check(checked)
}

/// What happened to a key.
#[derive(Default)]
struct Key {
    /// What took effect, or may have.
    writes: Vec<Write>,
    /// What was found for certain.
    reads: Vec<Read>,
    /// Compare-and-sets of unknown outcome: what they would have found and written.
    pending: Vec<(Read, Write)>,
}

impl Key {
    fn new(history: &History, ops: &[Op]) -> Self {
        let mut key = Self::default();
        for op in ops {
            let row = op.row as usize;
            let span = Span {
                row: op.row,
                session: history.columns.session[row],
                index: history.columns.index[row],
                invoke: op.invoke,
                returned: op.returned,
            };
            let write = |value| Write {
                span,
                value: Token::from(value),
            };
            let read = |seen| Read { span, seen };
            match op.action {
                Action::Put(value) => key.writes.push(write(value)),
                Action::Get(value) => key.reads.push(read(Seen::Value(value.into()))),
                Action::Mismatch(value) => key.reads.push(read(Seen::Other(value.into()))),
                Action::Cas(expected, value) if op.is_pending() => {
                    let found = read(Seen::Value(expected.into()));
                    key.pending.push((found, write(value)));
                }
                Action::Cas(expected, value) => {
                    key.reads.push(read(Seen::Value(expected.into())));
                    key.writes.push(write(value));
                }
                Action::Append(_) => unreachable!("histories with appends are refused"),
            }
        }
        key
    }

    /// All writes, with those of unknown outcome that explain each other; none when `is_over`.
    fn writes(&self, mut is_over: impl FnMut() -> bool) -> Option<Writes> {
        let mut pending = self.pending.clone();
        loop {
            let unknown = pending.iter().map(|(_, write)| *write);
            let writes = Writes::new(self.writes.iter().copied().chain(unknown).collect(), true);
            let before = pending.len();
            pending.retain(|(read, _)| writes.explain(read).is_ok());
            if pending.len() == before {
                return Some(writes);
            }
            if is_over() {
                return None;
            }
        }
    }
}
