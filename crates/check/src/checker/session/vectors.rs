//! The session guarantees by recorded vectors, with running maxima.
//!
//! A vector says what the replica had applied. A guarantee is violated when the session had to
//! see a put that the vector does not cover. Contexts are per replica group. O(n·r) for n
//! operations and r origins.

use super::super::index::{Index, Table};
use super::super::property::AnomalyKind;
use super::super::verdict::{Check, Findings, Verdict};
use super::{GUARANTEES, PROPERTIES};
use crate::history::{Evidence, Kind, dot_origin, dot_text};

/// What a session had seen of one origin, and the row that showed it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    dot: u64,
    row: usize,
}

/// A session's past in one replica group: the largest dot of each origin.
#[derive(Clone, Debug, Default)]
struct Past {
    /// Its own puts.
    written: Vec<Seen>,
    /// What its gets showed.
    read: Vec<Seen>,
}

fn note(seen: &mut Vec<Seen>, dot: u64, row: usize) {
    match seen
        .iter_mut()
        .find(|s| dot_origin(s.dot) == dot_origin(dot))
    {
        Some(entry) if entry.dot < dot => *entry = Seen { dot, row },
        Some(_) => {}
        None => seen.push(Seen { dot, row }),
    }
}

/// The first thing seen that a vector does not cover.
fn missing(seen: &[Seen], vector: &[u64]) -> Option<Seen> {
    seen.iter()
        .copied()
        .find(|s| !super::super::convergence::covers(vector, s.dot))
}

pub(super) fn check(index: &Index<'_>) -> [Check; 4] {
    let mut findings = PROPERTIES.map(|property| Findings::new(index.history, property));
    let mut checked = [0u64; 4];
    let mut pasts: Table<u16, Past> = Table::default();
    let mut ticker = index.time.ticker(GUARANTEES, index.history.len());
    for session in 0..index.by_session.len() {
        pasts.clear();
        for row in index.by_session.at(session).iter().map(|row| *row as usize) {
            if ticker.is_over() {
                return findings.map(|findings| findings.cut(0));
            }
            if index.columns.evidence[row] == Evidence::Causal && index.counts(row) {
                let past = pasts.entry(index.columns.group[row]).or_default();
                visit(index, row, past, &mut findings, &mut checked);
            }
        }
    }
    let mut checked = checked.into_iter();
    findings.map(|findings| {
        let checked = checked.next().unwrap_or(0);
        let mut check = findings.check(checked);
        if checked == 0 {
            check.verdict = Verdict::not_applicable("no operation carries a vector");
        }
        check
    })
}

fn visit(
    index: &Index<'_>,
    row: usize,
    past: &mut Past,
    findings: &mut [Findings<'_>; 4],
    checked: &mut [u64; 4],
) {
    let columns = index.columns;
    let vector = columns.vector.at(row);
    let is_get = columns.kind[row] == Kind::Get;
    let (own, others) = if is_get { (0, 1) } else { (2, 3) };
    let kinds = [
        AnomalyKind::ReadOwnWriteMissed,
        AnomalyKind::NonMonotonicRead,
        AnomalyKind::NonMonotonicWrite,
        AnomalyKind::WriteBeforeRead,
    ];
    for (guarantee, seen) in [(own, &past.written), (others, &past.read)] {
        checked[guarantee] += 1;
        if let Some(missed) = missing(seen, vector) {
            findings[guarantee].add(kinds[guarantee], &[missed.row, row], || {
                format!(
                    "session {} had {} {} in #{}, but node {} answered #{} from a state without it",
                    columns.session[row],
                    if guarantee == own { "written" } else { "seen" },
                    dot_text(missed.dot),
                    columns.index[missed.row],
                    columns.node[row],
                    columns.index[row],
                )
            });
        }
    }
    if is_get {
        for dot in vector {
            note(&mut past.read, *dot, row);
        }
    } else {
        note(&mut past.written, columns.dot[row], row);
    }
}
