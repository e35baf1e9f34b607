//! The session guarantees by recorded vectors, over all pairs of a session (Terry et al., 1994).

use crate::checker::index::Index;
use crate::history::{Evidence, History, Kind, dot_counter, dot_origin};

fn covers(vector: &[u64], dot: u64) -> bool {
    dot_counter(dot) == 0
        || vector
            .iter()
            .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}

/// Whether every later operation of kind `second` had all that each earlier one of kind `first`
/// of the session stands for: a put for itself, a get for all that its replica had. Open when there
/// is none of kind `second`.
fn guaranteed(history: &History, first: Kind, second: Kind) -> Option<bool> {
    let index = Index::new(history).ok()?;
    let columns = &history.columns;
    let rows: Vec<usize> = (0..history.len())
        .filter(|row| index.counts(*row) && columns.evidence[*row] == Evidence::Causal)
        .collect();
    let asked = rows.iter().any(|row| columns.kind[*row] == second);
    asked.then(|| {
        rows.iter().filter(|a| columns.kind[**a] == first).all(|a| {
            let own = [columns.dot[*a]];
            let past = match first {
                Kind::Put => &own[..],
                Kind::Get | Kind::Cas | Kind::Append => columns.vector.at(*a),
            };
            rows.iter()
                .filter(|b| {
                    columns.kind[**b] == second && columns.session[**b] == columns.session[*a]
                })
                .filter(|b| columns.index[**b] > columns.index[*a])
                .all(|b| past.iter().all(|dot| covers(columns.vector.at(*b), *dot)))
        })
    })
}

pub(in crate::checker::tests) fn read_your_writes(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Put, Kind::Get)
}

pub(in crate::checker::tests) fn monotonic_reads(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Get, Kind::Get)
}

pub(in crate::checker::tests) fn monotonic_writes(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Put, Kind::Put)
}

pub(in crate::checker::tests) fn writes_follow_reads(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Get, Kind::Put)
}
