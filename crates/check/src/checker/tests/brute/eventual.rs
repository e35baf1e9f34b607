//! Integrity, convergence and lost writes as they are written down.

use super::causal::{covers, evidence};
use super::lww::version_of;
use super::{close, counted, precedes, put_of, superseded, was_read};
use crate::history::{Dominance, History, Kind, Model, Outcome, Phase, origin};

/// Every id read was put to that key by a put that did not fail, not after the get was over.
pub(in crate::checker::tests) fn integrity(history: &History) -> bool {
    let columns = &history.columns;
    (0..history.len())
        .filter(|get| columns.kind[*get] == Kind::Get && columns.outcome[*get] == Outcome::Ok)
        .all(|get| {
            columns
                .read
                .at(get)
                .iter()
                .all(|id| put_of(history, get, *id).is_some_and(|put| !precedes(history, get, put)))
        })
}

/// The keys that a put may have changed, each with what its replicas answered in the end; `None`
/// for one that did not answer.
fn finals(history: &History) -> Vec<(u64, Vec<Option<usize>>)> {
    let columns = &history.columns;
    let mut keys: Vec<u64> = (0..history.len())
        .filter(|row| columns.kind[*row] == Kind::Put && columns.outcome[*row] != Outcome::Fail)
        .map(|row| columns.key[row])
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let answer = |key: u64, node: u16| {
        (0..history.len()).find(|row| {
            columns.phase[*row] == Phase::Final
                && columns.outcome[*row] == Outcome::Ok
                && columns.key[*row] == key
                && columns.node[*row] == node
        })
    };
    let nodes = &history.header.groups[0].nodes;
    keys.iter()
        .map(|key| (*key, nodes.iter().map(|node| answer(*key, *node)).collect()))
        .collect()
}

/// Every two replicas answer alike; open when they do as far as they answered.
pub(in crate::checker::tests) fn convergence(history: &History) -> Option<bool> {
    let ids = |get: usize| {
        let mut ids = history.columns.read.at(get).to_vec();
        ids.sort_unstable();
        ids
    };
    let finals = finals(history);
    let alike = finals.iter().all(|(_, gets)| {
        let answered = || gets.iter().flatten();
        answered().all(|a| answered().all(|b| ids(*a) == ids(*b)))
    });
    let all = finals.iter().all(|(_, gets)| !gets.contains(&None));
    if finals.is_empty() {
        None
    } else if all || !alike {
        Some(alike)
    } else {
        None
    }
}

/// Every put that took effect is in each final value of its key, or something there supersedes it;
/// open when no put was looked for.
pub(in crate::checker::tests) fn lost_writes(history: &History) -> Option<bool> {
    let columns = &history.columns;
    let finals = finals(history);
    let took_effect = |put: &usize| {
        columns.kind[*put] == Kind::Put
            && (columns.outcome[*put] == Outcome::Ok
                || (columns.outcome[*put] == Outcome::Info
                    && was_read(history, columns.written[*put])))
    };
    let answers = |put: usize| {
        let gets = finals.iter().find(|(key, _)| *key == columns.key[put]);
        gets.into_iter().flat_map(|(_, gets)| gets.iter().flatten())
    };
    let puts: Vec<usize> = (0..history.len())
        .filter(took_effect)
        .filter(|put| answers(*put).next().is_some())
        .collect();
    let kept = |put: &usize| answers(*put).all(|get| survives(history, *put, *get));
    (!puts.is_empty()).then(|| puts.iter().all(kept))
}

/// Whether a final get shows the put, or what supersedes it in the model's own order, or what may
/// for all that is known.
fn survives(history: &History, put: usize, get: usize) -> bool {
    let columns = &history.columns;
    if columns.read.at(get).contains(&columns.written[put]) {
        return true;
    }
    let ids = columns.read.at(get);
    let named = |id: &u64| put_of(history, get, *id);
    if history.header.dominance == Some(Dominance::Context) {
        let superseded = superseded(history);
        let mut finals = ids.iter().filter_map(named);
        return finals.any(|by| superseded[put][by]);
    }
    ids.iter().enumerate().any(|(place, id)| {
        let last = named(id);
        let shown = columns.version(get);
        let shown = shown.or_else(|| version_of(history, last?));
        let vector = if columns.sibling_dots.at(get).len() == ids.len() {
            Some(columns.sibling_vector(get, place))
        } else {
            last.and_then(|last| Some(evidence(history, last)?.vector))
        };
        let versions = shown.zip(version_of(history, put));
        match (versions, vector.zip(evidence(history, put)), last) {
            (Some((last, own)), _, _) => last > own,
            (None, Some((vector, own)), _) => covers(vector, own.dot),
            // What nobody put may be anything.
            (None, None, None) => true,
            (None, None, Some(last)) => match history.header.promise {
                Some(Model::Causal) => may_see(history, put, last),
                Some(Model::Lww) => !is_forced(history, last, put),
                Some(_) | None => !precedes(history, last, put),
            },
        }
    })
}

/// Whether a put may be visible to another: that did not happen before it, and neither that nor
/// anything that it happened before was over before the put began.
fn may_see(history: &History, put: usize, last: usize) -> bool {
    let happens = happens_before(history);
    !happens[last][put]
        && (0..history.len()).all(|after| {
            let is_after = after == last || happens[last][after];
            !is_after || !precedes(history, after, put)
        })
}

/// Sessions and reads, closed.
fn happens_before(history: &History) -> Vec<Vec<bool>> {
    let columns = &history.columns;
    let rows = counted(history).unwrap_or_default();
    let edge = |a: usize, b: usize| {
        let session =
            columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b];
        let read = columns.kind[a] == Kind::Put && columns.read.at(b).contains(&columns.written[a]);
        rows.contains(&a) && rows.contains(&b) && (session || read)
    };
    let n = history.len();
    close(
        (0..n)
            .map(|a| (0..n).map(|b| edge(a, b)).collect())
            .collect(),
    )
}

/// Whether last write wins puts one put below another, whatever versions they got: what an origin
/// put later, what a replica showed or put later.
fn is_forced(history: &History, below: usize, above: usize) -> bool {
    forced(history)[below][above]
}

fn forced(history: &History) -> Vec<Vec<bool>> {
    let columns = &history.columns;
    let n = history.len();
    let place = |row: usize| origin(columns.node[row], columns.incarnation[row]);
    let mut shown: Vec<(usize, usize)> = Vec::new();
    for row in (0..n).filter(|row| columns.outcome[*row] == Outcome::Ok) {
        let put = match columns.kind[row] {
            Kind::Put => Some(row),
            Kind::Get | Kind::Cas | Kind::Append => {
                let id = columns.read.at(row).first();
                id.and_then(|id| put_of(history, row, *id))
            }
        };
        shown.extend(put.map(|put| (row, put)));
    }
    let mut below = vec![vec![false; n]; n];
    for (a, earlier) in &shown {
        for (b, later) in &shown {
            let puts = a == earlier && b == later;
            let one_view = place(*a) == place(*b) && (puts || columns.key[*a] == columns.key[*b]);
            if one_view && earlier != later && precedes(history, *a, *b) {
                below[*earlier][*later] = true;
            }
        }
    }
    close(below)
}

/// As [`lost_writes`], without evidence or with some: open where causes and effects form a circle.
pub(in crate::checker::tests) fn lost_writes_unsaid(history: &History) -> Option<bool> {
    let is_causal = history.header.promise == Some(Model::Causal);
    let happens = happens_before(history);
    let is_circular = is_causal && (0..history.len()).any(|row| happens[row][row]);
    if is_circular {
        None
    } else {
        lost_writes(history)
    }
}
