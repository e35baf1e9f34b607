//! Linearizable registers for histories whose values repeat or that hold more than puts and gets:
//! key by key, since linearizability is local (Herlihy and Wing 1990). `clusters.rs` judges values
//! that were written once, `search.rs` searches for an order of the rest.

mod clusters;
mod config;
mod matters;
mod search;
mod steps;
mod timeline;
mod to_come;
mod wanted;

use super::EXPLAINED_FOR_MIN;
use super::index::Table;
use super::ordering::{Limits, Op, Registers, operation, smallest};
use super::property::{AnomalyKind, Property};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{History, NEVER};
use clusters::Judged;
use search::{Answer, search};

/// States that making evidence small may go through at least; it may take as many as judging took.
const EXPLAIN_STATES_MIN: usize = 200_000;

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
        let before = limits.time.spent();
        let mut left = limits.clone();
        let (refuted, end) = match clusters::judge(ops, &registers) {
            Judged::Order => (None, NEVER),
            Judged::Conflict(refuted) => (Some(refuted), 0),
            Judged::Open => match search(ops, &mut registers, &mut left) {
                Answer::Order => (None, NEVER),
                Answer::NoOrder(end) => (Some(ops.clone()), end),
                Answer::Limit => {
                    given_up = given_up.or(Some((ops[0].row, ops.len())));
                    continue;
                }
            },
        };
        checked += ops.len() as u64;
        let Some(refuted) = refuted else {
            continue;
        };
        let took = limits.time.spent().saturating_sub(before);
        let limits = Limits {
            states: (limits.states - left.states).max(EXPLAIN_STATES_MIN),
            time: limits.time.at_most(took.max(EXPLAINED_FOR_MIN)),
            ..limits.clone()
        };
        let refuted = Refuted {
            ops: &refuted,
            end,
            of: ops.len(),
        };
        add(history, &refuted, &mut registers, limits, &mut findings);
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
fn by_key(history: &History, registers: &mut Registers) -> Result<Vec<Vec<Op>>, Refused> {
    let sessions = operation::sessions(history).map_err(Refused::Sessions)?;
    let mut ops = registers.operations(history).map_err(Refused::Siblings)?;
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

/// Operations that have no order, of so many on the key; what had returned before `end` may have.
struct Refuted<'o> {
    ops: &'o [Op],
    end: u64,
    of: usize,
}

/// Adds the smallest evidence found within the limits that a key's operations have no order.
fn add(
    history: &History,
    refuted: &Refuted<'_>,
    registers: &mut Registers,
    mut limits: Limits,
    findings: &mut Findings<'_>,
) {
    let mut is_cut = false;
    let has_no_order = |ops: &[Op]| {
        let answer = search(ops, registers, &mut limits);
        is_cut |= answer == Answer::Limit;
        matches!(answer, Answer::NoOrder(_))
    };
    let evidence = smallest::by_time(refuted.ops, refuted.end, has_no_order);
    let all = refuted.of;
    let row = refuted.ops.first().map_or(0, |op| op.row as usize);
    let key = history.key_name(history.columns.key[row]);
    let count = evidence.len();
    let rows = smallest::shown(&evidence);
    findings.add_found(AnomalyKind::NotLinearizable, &rows, is_cut, || {
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

#[cfg(all(test, feature = "stateright"))]
mod tests;
