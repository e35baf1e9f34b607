//! Regular registers with many writers. O(n log n).
//!
//! A get returns what some put wrote that had begun before the get ended, and that was not certainly
//! overwritten: no other put began after that put had ended, and ended before the get began. The
//! initial value was put before time began. This is Lamport's definition for one writer (*On
//! interprocess communication*, 1986), and for many the weakest one of Shao, Welch, Pierce and Lee
//! (*Multiwriter consistency conditions for shared memory registers*, SIAM J. Comput. 2011): each get
//! has an order of its own with all puts, which keeps real time and explains what it returned. It is
//! what strict quorums without write-back give. Gets owe each other nothing: of two in a row the
//! second may return the older value (new-old inversion).
//!
//! So a get is judged by itself, also where values repeat: it needs one put of what it returned.
//! `overwrites.rs` decides that on one key. A compare-and-set that succeeded is a get and then a put
//! of its session; one that did not match found some other value. Appends make values of what they
//! find, which this model says nothing of.

mod overwrites;
mod repeats;

use super::index::Index;
use super::one_value::siblings;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost, Searched};
use super::verdict::{Check, Findings, Verdict};
use super::wing_gong::NO_REAL_TIME;
use crate::history::History;
use overwrites::{INITIAL, Read, Seen, Span, Stale, Token, Write, Writes};

/// The row of the table.
pub(super) struct ByOverwrites;

impl Checker for ByOverwrites {
    fn properties(&self) -> &'static [Property] {
        &[Property::Regular]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(ask.index)]
    }

    fn settled_by(&self, ask: &Ask<'_, '_>) -> &'static [Property] {
        match ask.is_asked {
            true => &[],
            false => &[Property::Linearizable],
        }
    }

    fn search(&self) -> Option<Searched> {
        Some(Searched {
            unasked_max: usize::MAX,
            run: repeats::check,
        })
    }
}

/// Why nothing is said of appends.
pub(super) const APPENDS: &str =
    "an append makes a value of what it finds, and a regular register does not say what that is";

/// Checks every get against the puts of its key.
pub(super) fn check(index: &Index<'_>) -> Check {
    if !index.history.header.real_time {
        return not_applicable(NO_REAL_TIME);
    }
    if let Some(reason) = siblings(index) {
        return not_applicable(reason);
    }
    let mut findings = Findings::new(index.history, Property::Regular);
    let mut ticker = index
        .time
        .ticker(Property::Regular.name(), index.by_key.len());
    let mut checked = 0;
    for key in 0..index.by_key.len() {
        if ticker.is_over() {
            return findings.cut(checked);
        }
        let (writes, reads) = of_key(index, key as u32);
        checked += (writes.len() + reads.len()) as u64;
        let writes = Writes::new(writes, index.has_untold_ties_on(key as u32));
        for read in &reads {
            if let Err(stale) = writes.explain(read) {
                add(index.history, read, &stale, &mut findings);
            }
        }
    }
    findings.check(checked)
}

fn not_applicable(reason: impl Into<String>) -> Check {
    Check::without_a_look(Property::Regular, Verdict::not_applicable(reason))
}

/// What took effect on a key, and what was read of it. A value is the row of its put.
fn of_key(index: &Index<'_>, key: u32) -> (Vec<Write>, Vec<Read>) {
    let span = |row: usize| Span {
        row: row as u32,
        session: index.session[row],
        index: index.columns.index[row],
        invoke: index.fine_invoke(row),
        returned: index.fine_return(row),
    };
    let value = |put: u32| Token::from(put) + 1;
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for row in index.by_key.at(key as usize) {
        let span = span(*row as usize);
        if index.is_effective_put(*row as usize) {
            let value = value(*row);
            writes.push(Write { span, value });
        } else if index.is_usable_get(*row as usize) {
            let put = index.puts_read(*row as usize).first();
            let seen = Seen::Value(put.map_or(INITIAL, |put| value(*put)));
            reads.push(Read { span, seen });
        }
    }
    (writes, reads)
}

/// Says what no put explains.
fn add(history: &History, read: &Read, stale: &Stale, findings: &mut Findings<'_>) {
    let mut rows: Vec<usize> = stale.rows().map(|row| row as usize).collect();
    rows.push(read.span.row as usize);
    rows.sort_unstable_by_key(|row| (history.columns.invoke[*row], *row));
    findings.add(AnomalyKind::NotRegular, &rows, || {
        sentence(history, read, stale)
    });
}

fn sentence(history: &History, read: &Read, stale: &Stale) -> String {
    let name = |span: &Span| history.operation_name(span.row as usize);
    let get = name(&read.span);
    let found = history.columns.read.at(read.span.row as usize).first();
    let found = found.map_or_else(|| "nothing".to_owned(), |id| history.value_name(*id));
    match (read.seen, stale.candidates.as_slice()) {
        (Seen::Other(_), _) => {
            format!("{get} found something else than {found}, and all else had been overwritten")
        }
        (Seen::Value(INITIAL), _) => match &stale.first {
            Some(by) => format!(
                "{get} returned nothing, though {} had ended before it began",
                name(by)
            ),
            None => format!("{get} returned nothing"),
        },
        (Seen::Value(_), []) => format!("{get} returned {found}, which nobody had written by then"),
        (Seen::Value(_), [(put, Some(by))]) => format!(
            "{get} returned {found} of {}, which had been overwritten: {} began after that had \
             ended, and ended before the get began",
            name(put),
            name(by)
        ),
        (Seen::Value(_), [(put, None)]) => format!(
            "{get} returned {found} of {}, which began after the get had ended",
            name(put)
        ),
        (Seen::Value(_), _) => format!(
            "{get} returned {found}, and each put of that had been overwritten before the get \
             began, or began after it had ended"
        ),
    }
}
