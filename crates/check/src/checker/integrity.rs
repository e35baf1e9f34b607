//! Integrity: every value read was written to that key, by a put that did not fail, and not in a
//! get that was over before that put was invoked. A compare-and-set that succeeded read what it
//! expected. Every model contains it.

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
        // A put has read something where it stands for a compare-and-set.
        let may_have_read = is_known && index.columns.kind[get] == Kind::Put;
        if !may_have_read && !index.is_known_get(get) {
            continue;
        }
        let ids = index.columns.read.at(get);
        for (id, put) in ids.iter().zip(index.puts_read(get)) {
            if *put as usize == get {
                findings.add(AnomalyKind::ThinAirRead, &[get], || {
                    format!(
                        "the {} found {}, which it was to write itself",
                        asked(index, get),
                        index.history.value_name(*id)
                    )
                });
            } else if *put == NO_PUT {
                unresolved(index, &mut findings, get, *id);
            } else if index.precedes(get, *put as usize) {
                findings.add(AnomalyKind::FutureRead, &[get, *put as usize], || {
                    format!(
                        "the {} was over before the put of {} was invoked",
                        asked(index, get),
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
    let asked = asked(index, get);
    if id == CORRUPT {
        findings.add(AnomalyKind::CorruptRead, &[get], || {
            format!("the {asked} returned a payload that its own id does not derive")
        });
        return;
    }
    match put_of_id(index, id) {
        Some(put) if index.columns.key[put] == index.columns.key[get] => {
            findings.add(AnomalyKind::AbortedRead, &[put, get], || {
                format!(
                    "the {asked} returned {}, whose put certainly failed",
                    index.history.value_name(id)
                )
            });
        }
        Some(put) => findings.add(AnomalyKind::ThinAirRead, &[put, get], || {
            format!(
                "the {asked} returned {}, which was put to {} only",
                index.history.value_name(id),
                index.key_name(put)
            )
        }),
        None => findings.add(AnomalyKind::ThinAirRead, &[get], || {
            format!(
                "the {asked} returned {}, which nobody wrote",
                index.history.value_name(id)
            )
        }),
    }
}

/// What was asked, and of which key.
fn asked(index: &Index<'_>, row: usize) -> String {
    let what = match index.columns.kind[row] {
        Kind::Get => "get",
        Kind::Put | Kind::Cas | Kind::Append => "compare-and-set",
    };
    format!("{what} of {}", index.key_name(row))
}

/// The put that wrote an id to any key. Only anomalies ask, so it is a plain search.
fn put_of_id(index: &Index<'_>, id: u64) -> Option<usize> {
    let columns = index.columns;
    (0..columns.len()).find(|row| columns.kind[*row] == Kind::Put && columns.written[*row] == id)
}
