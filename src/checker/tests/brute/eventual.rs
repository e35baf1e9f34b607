//! Integrity, convergence and lost writes as they are written down.

use super::causal::{covers, evidence};
use super::lww::version_of;
use super::{put_of, superseded, was_read};
use crate::history::{Dominance, Evidence, History, Kind, Outcome, Phase};

/// Every id read was put to that key by a put that did not fail, not after the get was over.
pub(in crate::checker::tests) fn integrity(history: &History) -> bool {
    let columns = &history.columns;
    (0..history.len())
        .filter(|get| columns.kind[*get] == Kind::Get && columns.outcome[*get] == Outcome::Ok)
        .all(|get| {
            columns.read.at(get).iter().all(|id| {
                put_of(history, get, *id)
                    .is_some_and(|put| columns.invoke[put] <= columns.returned[get])
            })
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

/// Every put that took effect is in each final value of its key, or something there supersedes it; open
/// when no put was looked for.
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

/// Whether a final get shows the put, or what supersedes it in the model's own order.
fn survives(history: &History, put: usize, get: usize) -> bool {
    let columns = &history.columns;
    if columns.read.at(get).contains(&columns.written[put]) {
        return true;
    }
    if history.header.dominance == Some(Dominance::Context) {
        let superseded = superseded(history);
        let ids = columns.read.at(get).iter();
        let mut puts = ids.filter_map(|id| put_of(history, get, *id));
        return puts.any(|by| superseded[put][by]);
    }
    if columns.evidence[get] == Evidence::Lww {
        return columns.version(get) > version_of(history, put);
    }
    let dot = evidence(history, put).map(|evident| evident.dot);
    (0..columns.sibling_dots.at(get).len())
        .any(|j| dot.is_some_and(|dot| covers(columns.sibling_vector(get, j), dot)))
}
