//! Contradictions as anomalies: the operations that show them.

use super::super::index::Table;
use super::super::property::AnomalyKind;
use super::super::verdict::{ANOMALIES_KEPT, Findings};
use super::contradiction::Contradiction;
use super::saturation::Saturation;
use super::world::NONE;

/// Operations of a circle from which a shorter one is sought.
const CIRCLE_STARTS: usize = 8;

/// A row that a path reaches, and how.
#[derive(Clone, Copy)]
struct Hop {
    /// The hop before.
    parent: usize,
    /// The put by which the path left the session of the hop before.
    by: u32,
    row: u32,
}

/// Adds what was found.
pub(super) fn report(saturation: &Saturation<'_, '_>, findings: &mut Findings<'_>) {
    let mut circles = 0;
    for contradiction in &saturation.refuted.contradictions {
        circles += 1;
        let shortest = circles <= ANOMALIES_KEPT;
        add(saturation, contradiction, shortest, findings);
    }
}

fn add(
    saturation: &Saturation<'_, '_>,
    contradiction: &Contradiction,
    shortest: bool,
    findings: &mut Findings<'_>,
) {
    let index = saturation.world.index;
    let id = |put: u32| {
        index
            .history
            .value_name(index.columns.written[put as usize])
    };
    match contradiction {
        Contradiction::CyclicHb(circle) => {
            let circle = shortest_circle(saturation, circle);
            findings.add(AnomalyKind::CyclicHb, &circle, || {
                "what sessions did and what they read put each of these before the others: a circle"
                    .to_owned()
            });
        }
        Contradiction::Cyclic { before, after, get } => {
            let mut rows = match path(saturation, *after, *before).filter(|_| shortest) {
                Some(path) => path.into_iter().map(|row| row as usize).collect(),
                None => vec![*after as usize, *before as usize],
            };
            rows.push(*get as usize);
            findings.add(AnomalyKind::CyclicVisibility, &rows, || {
                format!(
                    "{} saw {} and returned {} in its place, which comes before it",
                    saturation.world.index.name(*get as usize),
                    id(*before),
                    id(*after)
                )
            });
        }
        Contradiction::Future { put, row } => {
            let rows = [*row as usize, *put as usize];
            findings.add(AnomalyKind::CyclicVisibility, &rows, || {
                format!(
                    "{} has to be visible to {}, which had returned before",
                    saturation.world.index.name(*put as usize),
                    saturation.world.index.name(*row as usize)
                )
            });
        }
        Contradiction::Stale { put, later, get } => {
            let rows = [*put as usize, *later as usize, *get as usize];
            findings.add(AnomalyKind::StaleRead, &rows, || {
                format!(
                    "{} returned {} although {}, which follows it, happened before that",
                    saturation.world.index.name(*get as usize),
                    id(*put),
                    id(*later)
                )
            });
        }
        Contradiction::Missed { put, get } => {
            findings.add(
                AnomalyKind::MissedWrite,
                &with_returned(saturation, *put, *get),
                || {
                    format!(
                        "the put of {} happened before {}, which neither returned it nor anything \
                         that can have superseded it",
                        id(*put),
                        saturation.world.index.name(*get as usize)
                    )
                },
            );
        }
        Contradiction::NoChoice { put, get } => {
            findings.add(
                AnomalyKind::MissedWrite,
                &with_returned(saturation, *put, *get),
                || {
                    format!(
                        "the put of {} happened before {}, and whichever of the values that this \
                         returned superseded it, other reads contradict that",
                        id(*put),
                        saturation.world.index.name(*get as usize)
                    )
                },
            );
        }
    }
}

fn with_returned(saturation: &Saturation<'_, '_>, put: u32, get: u32) -> Vec<usize> {
    let returned = saturation.world.index.puts_read(get as usize);
    let mut rows = vec![put as usize];
    rows.extend(returned.iter().map(|row| *row as usize));
    rows.push(get as usize);
    rows
}

/// The shortest circle through one of a circle's operations.
fn shortest_circle(saturation: &Saturation<'_, '_>, circle: &[u32]) -> Vec<usize> {
    let starts = circle.iter().take(CIRCLE_STARTS);
    let found = starts.filter_map(|row| path(saturation, *row, *row));
    let shortest = found.min_by_key(Vec::len);
    let rows = shortest.unwrap_or_else(|| circle.to_vec());
    rows.into_iter().map(|row| row as usize).collect()
}

/// The operations of a path along session order, reads and forced edges that leaves one session
/// for another as few times as possible, without what only passes it on. When `from` and `to` are
/// one, a circle.
fn path(saturation: &Saturation<'_, '_>, from: u32, to: u32) -> Option<Vec<u32>> {
    let world = saturation.world;
    let place = |row: u32| world.index.columns.index[row as usize];
    // From where on each session has been walked already.
    let mut walked: Table<usize, u32> = Table::default();
    let start = Hop {
        parent: 0,
        by: from,
        row: from,
    };
    let mut hops = vec![start];
    let mut at = 0;
    while let Some(hop) = hops.get(at).copied() {
        let session = world.session(hop.row);
        let arrived = session == world.session(to) && place(hop.row) <= place(to);
        if arrived && (at > 0 || from != to) {
            return Some(unwind(&hops, at, to));
        }
        let limit = walked.get(&session).copied().unwrap_or(u32::MAX);
        let mut row = hop.row;
        while row != NONE && place(row) < limit {
            if world.is_put(row) {
                let node = world.node[row as usize];
                let forced = saturation.forced.after(node);
                let after = forced.map(|after| world.row[after as usize]);
                let reached = world.readers(node).iter().copied().chain(after);
                hops.extend(reached.map(|reached| Hop {
                    parent: at,
                    by: row,
                    row: reached,
                }));
            }
            row = world.next[row as usize];
        }
        walked.insert(session, limit.min(place(hop.row)));
        at += 1;
    }
    None
}

/// The rows of a path whose last hop is `at`.
fn unwind(hops: &[Hop], at: usize, to: u32) -> Vec<u32> {
    let mut rows = vec![to];
    let mut at = at;
    loop {
        let hop = hops[at];
        rows.push(hop.row);
        rows.push(hop.by);
        if at == 0 {
            break;
        }
        at = hop.parent;
    }
    rows.reverse();
    rows.dedup();
    if rows.len() > 1 && rows.first() == rows.last() {
        rows.pop();
    }
    rows
}
