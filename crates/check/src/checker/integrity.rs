//! Integrity: every value read was written to that key, by a put that did not fail, and not in a
//! get that was over before that put was invoked. Every model contains it.

use super::index::{Index, NO_PUT};
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost, Reduction};
use super::verdict::{Check, Findings};
use crate::history::{CORRUPT, Kind, Outcome, Phase};

/// The row of the table.
pub(super) struct Integrity;

impl Checker for Integrity {
    fn properties(&self) -> &'static [Property] {
        &[Property::Integrity]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Basis
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(ask.index)]
    }

    /// Each id is judged on its own.
    fn reduction(&self) -> Reduction {
        Reduction::SingleValues
    }
}

/// Checks every known get.
pub(super) fn check(index: &Index<'_>) -> Check {
    let mut findings = Findings::new(index.history, Property::Integrity);
    let mut checked = 0;
    let mut ticker = index
        .time
        .ticker(Property::Integrity.name(), index.history.len());
    for get in 0..index.history.len() {
        if ticker.is_over() {
            return findings.cut(checked);
        }
        let is_known = index.columns.outcome[get] == Outcome::Ok;
        checked += u64::from(is_known && index.columns.phase[get] != Phase::Local);
        if !index.is_known_get(get) {
            continue;
        }
        let ids = index.columns.read.at(get);
        for (id, put) in ids.iter().zip(index.puts_read(get)) {
            if *put == NO_PUT {
                unresolved(index, &mut findings, get, *id);
            } else if index.precedes(get, *put as usize) {
                findings.add(AnomalyKind::FutureRead, &[get, *put as usize], || {
                    format!(
                        "the get of {} was over before the put of {} was invoked",
                        index.key_name(get),
                        index.history.value_name(*id)
                    )
                });
            }
        }
    }
    findings.check(checked)
}

/// Says why an id has no put.
fn unresolved(index: &Index<'_>, findings: &mut Findings<'_>, get: usize, id: u64) {
    let key = index.key_name(get);
    if id == CORRUPT {
        findings.add(AnomalyKind::CorruptRead, &[get], || {
            format!("the get of {key} returned a payload that its own id does not derive")
        });
        return;
    }
    match put_of_id(index, id) {
        Some(put) if index.columns.key[put] == index.columns.key[get] => {
            findings.add(AnomalyKind::AbortedRead, &[put, get], || {
                format!(
                    "the get of {key} returned {}, whose put certainly failed",
                    index.history.value_name(id)
                )
            });
        }
        Some(put) => findings.add(AnomalyKind::ThinAirRead, &[put, get], || {
            format!(
                "the get of {key} returned {}, which was put to {} only",
                index.history.value_name(id),
                index.key_name(put)
            )
        }),
        None => findings.add(AnomalyKind::ThinAirRead, &[get], || {
            format!(
                "the get of {key} returned {}, which nobody wrote",
                index.history.value_name(id)
            )
        }),
    }
}

/// The put that wrote an id to any key. Only anomalies ask, so it is a plain search.
fn put_of_id(index: &Index<'_>, id: u64) -> Option<usize> {
    let columns = index.columns;
    (0..columns.len()).find(|row| columns.kind[*row] == Kind::Put && columns.written[*row] == id)
}
