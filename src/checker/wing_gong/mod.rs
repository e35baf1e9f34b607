//! Linearizable registers by search, for histories whose values repeat or that hold more than puts
//! and gets: key by key, since linearizability is local (Herlihy and Wing 1990). `search.rs` is
//! the search, `evidence.rs` makes what it refutes small.

pub(super) mod evidence;
pub(super) mod operation;
mod search;

use super::index::Table;
use super::property::{AnomalyKind, Property};
use super::time::{OVER, Pace, Time};
use super::verdict::{Check, Findings, Verdict};
use crate::history::History;
use operation::{Op, Registers};
use search::{Answer, search};

/// What a search may cost. It never ends in `valid` or `invalid` by running out.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// States that it may remember.
    pub(super) states: usize,
    /// Bytes that those may take.
    pub(super) bytes: usize,
    /// The time that it has.
    pub(super) time: Time,
    pace: Pace,
}

/// States that a search remembers at most.
const STATES_MAX: usize = 5_000_000;
/// Bytes that they take at most.
const BYTES_MAX: usize = 512 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self::within(&Time::default())
    }
}

impl Limits {
    /// As much as any search may cost, in so much time.
    pub(super) fn within(time: &Time) -> Self {
        Self {
            states: STATES_MAX,
            bytes: BYTES_MAX,
            time: time.clone(),
            pace: Pace::new("search for an order", 0),
        }
    }

    /// Takes one more step. Whether the time is over.
    pub(super) fn is_over(&mut self) -> bool {
        self.pace.is_over(&self.time)
    }

    /// Why a search ended that had come to a limit; `on` says what it was about.
    pub(super) fn reason(&self, on: &str) -> String {
        if self.time.is_over() {
            return OVER.to_owned();
        }
        format!(
            "the search for an order of {on} reached its limit of {} states or {} MiB",
            self.states,
            self.bytes >> 20
        )
    }

    /// Pays for one state; `beside` bytes are taken by something else.
    pub(super) const fn spend(&mut self, bytes: usize, beside: usize) -> bool {
        if self.states == 0 || self.bytes < bytes + beside {
            return false;
        }
        self.states -= 1;
        self.bytes -= bytes;
        true
    }
}

/// Checks every key. Each key's search may cost `limits`.
pub(super) fn check(history: &History, limits: Limits) -> Check {
    check_keys(history, limits, |_| true)
}

/// Checks the keys with an operation in a row for which `is_asked` holds.
pub(super) fn check_keys(
    history: &History,
    limits: Limits,
    is_asked: impl Fn(usize) -> bool,
) -> Check {
    let answer = |verdict| Check {
        property: Property::Linearizable,
        checked: 0,
        verdict,
    };
    if !history.header.real_time {
        return answer(Verdict::not_applicable(NO_REAL_TIME));
    }
    let mut registers = Registers::new(history);
    let keys = match by_key(history, &mut registers) {
        Ok(keys) => keys,
        Err(Refused::Sessions(reason)) => return answer(Verdict::unknown(reason)),
        Err(Refused::Siblings(reason)) => return answer(Verdict::not_applicable(reason)),
    };
    let mut findings = Findings::new(history, Property::Linearizable);
    let (mut checked, mut given_up) = (0, None);
    let asked = |ops: &&Vec<Op>| ops.first().is_some_and(|op| is_asked(op.row as usize));
    for ops in keys.iter().filter(asked) {
        match search(ops, &mut registers, &mut limits.clone()) {
            Answer::Order => {}
            Answer::NoOrder => add(history, ops, &mut registers, &limits, &mut findings),
            Answer::Limit => given_up = given_up.or(Some((ops[0].row, ops.len()))),
        }
        checked += ops.len() as u64;
    }
    if let (Some((row, count)), true) = (given_up, findings.is_empty()) {
        let key = history.key_name(history.columns.key[row as usize]);
        let on = format!("the {count} operations on {key}");
        return answer(Verdict::unknown(limits.reason(&on)));
    }
    findings.check(checked)
}

/// Why a history without real time is not judged by models that need it.
pub(super) const NO_REAL_TIME: &str =
    "the history has no real time, only an order within each session";

/// Why a history has no operations to order.
enum Refused {
    /// A session has several operations at once.
    Sessions(String),
    /// A get returned several values.
    Siblings(String),
}

/// The operations of each key that an order has to explain or may use.
fn by_key(history: &History, registers: &mut Registers<'_>) -> Result<Vec<Vec<Op>>, Refused> {
    let sessions = operation::sessions(history).map_err(Refused::Sessions)?;
    let mut ops = registers.operations().map_err(Refused::Siblings)?;
    let columns = &history.columns;
    // Of each key of a session the last operation, and when it was certainly over.
    let mut last: Table<u64, (u32, u64)> = Table::default();
    for rows in sessions {
        last.clear();
        for row in rows {
            let Some(op) = &mut ops[row as usize] else {
                continue;
            };
            let before = last.get(&columns.key[row as usize]);
            op.after = before
                .filter(|(_, returned)| *returned == op.invoke)
                .map(|(row, _)| *row);
            if !op.is_pending() {
                last.insert(columns.key[row as usize], (row, op.returned));
            }
        }
    }
    let mut keys: Vec<Vec<Op>> = Vec::new();
    for op in ops.into_iter().flatten() {
        let key = op.key as usize;
        if key >= keys.len() {
            keys.resize(key + 1, Vec::new());
        }
        keys[key].push(op);
    }
    Ok(keys)
}

/// Adds the smallest evidence found that a key's operations have no order.
fn add(
    history: &History,
    ops: &[Op],
    registers: &mut Registers<'_>,
    limits: &Limits,
    findings: &mut Findings<'_>,
) {
    let all = ops.len();
    let has_no_order = |ops: &[Op]| {
        !ops.is_empty()
            && !limits.time.is_over()
            && search(ops, registers, &mut limits.clone()) == Answer::NoOrder
    };
    let evidence = evidence::smallest(ops, has_no_order);
    let key = history.key_name(history.columns.key[ops[0].row as usize]);
    let count = evidence.ops.len();
    let rows = evidence::shown(&evidence.ops);
    findings.add(AnomalyKind::NotLinearizable, &rows, || {
        let shown = if rows.len() < count {
            format!(", the last {} of which are shown", rows.len())
        } else {
            String::new()
        };
        format!(
            "no order of these {count} operations on {key} (of {all}) explains what each of them \
             saw{shown}"
        )
    });
}

#[cfg(test)]
mod tests;
