//! The definitions themselves, by trying everything: for histories of a few operations.

mod causal;
mod eventual;
mod lww;
mod register;
mod session;
mod single;
mod toy;

pub(in crate::checker::tests) use causal::{causal, causal_witness, has_evidence};
pub(in crate::checker::tests) use eventual::{
    convergence, integrity, lost_writes, lost_writes_unsaid,
};
pub(in crate::checker::tests) use lww::{arbitrable, lww, lww_axioms};
pub(in crate::checker::tests) use register::{
    linearizable, linearizable_by_versions, regular, sequential,
};
pub(in crate::checker::tests) use session::{
    monotonic_reads, monotonic_reads_seen, monotonic_writes, monotonic_writes_seen,
    read_your_writes, read_your_writes_seen, writes_follow_reads, writes_follow_reads_seen,
};
pub(in crate::checker::tests) use single::{causal_convergence, causal_memory, weak_causal};
pub(in crate::checker::tests) use toy::found;

use crate::history::{Dominance, History, Kind, NEVER, Outcome};

/// Row numbers of what an order has to explain, and whether every get can be explained at all.
fn counted(history: &History) -> Option<Vec<usize>> {
    let columns = &history.columns;
    let mut rows = Vec::new();
    for row in 0..columns.len() {
        let ok = columns.outcome[row] == Outcome::Ok;
        match columns.kind[row] {
            Kind::Get if ok => {
                for id in columns.read.at(row) {
                    put_of(history, row, *id)?;
                }
                rows.push(row);
            }
            Kind::Put if ok || was_read(history, columns.written[row]) => rows.push(row),
            Kind::Get | Kind::Put | Kind::Cas | Kind::Append => {}
        }
    }
    Some(rows)
}

fn put_of(history: &History, get: usize, id: u64) -> Option<usize> {
    let columns = &history.columns;
    (0..columns.len()).find(|put| {
        columns.kind[*put] == Kind::Put
            && columns.written[*put] == id
            && columns.key[*put] == columns.key[get]
            && columns.outcome[*put] != Outcome::Fail
    })
}

/// Whether somebody knew of a value: a get returned it, or a client said that it had seen it.
fn was_read(history: &History, id: u64) -> bool {
    let columns = &history.columns;
    (0..columns.len()).any(|row| {
        let read = columns.outcome[row] == Outcome::Ok && columns.read.at(row).contains(&id);
        let said = context(history, row)
            .iter()
            .any(|put| columns.written[*put] == id);
        read || said
    })
}

/// The puts that a put's context names, where contexts decide what supersedes what.
fn context(history: &History, put: usize) -> Vec<usize> {
    let columns = &history.columns;
    if history.header.dominance != Some(Dominance::Context) || columns.kind[put] != Kind::Put {
        return Vec::new();
    }
    let last_get = (0..columns.len())
        .filter(|get| {
            columns.kind[*get] == Kind::Get
                && columns.outcome[*get] == Outcome::Ok
                && columns.key[*get] == columns.key[put]
                && columns.session[*get] == columns.session[put]
                && columns.index[*get] < columns.index[put]
        })
        .max_by_key(|get| columns.index[*get]);
    let read = last_get.map(|get| columns.read.at(get)).unwrap_or_default();
    let ids = columns.context(put).unwrap_or(read);
    let puts = ids.iter().filter_map(|id| put_of(history, put, *id));
    puts.filter(|named| *named != put).collect()
}

/// Which row supersedes which by contexts: `[put][by]`.
fn superseded(history: &History) -> Vec<Vec<bool>> {
    let n = history.len();
    let contexts: Vec<Vec<usize>> = (0..n).map(|by| context(history, by)).collect();
    let direct = (0..n).map(|put| contexts.iter().map(|named| named.contains(&put)).collect());
    close(direct.collect())
}

fn returned(history: &History, row: usize) -> u64 {
    match history.columns.outcome[row] {
        Outcome::Ok => history.columns.returned[row],
        Outcome::Info | Outcome::Fail => NEVER,
    }
}

/// Whether one operation was over before the other began: it returned before that was invoked, or
/// its session did it earlier.
fn precedes(history: &History, a: usize, b: usize) -> bool {
    let columns = &history.columns;
    let session = columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b];
    session || returned(history, a) < columns.invoke[b]
}

/// Tries every order of `left` that keeps `before`, with `step` as the specification.
fn some_order<S: Clone>(
    before: &impl Fn(usize, usize) -> bool,
    left: &mut Vec<usize>,
    state: &S,
    step: &impl Fn(&mut S, usize) -> bool,
) -> bool {
    if left.is_empty() {
        return true;
    }
    for place in 0..left.len() {
        let row = left[place];
        if left
            .iter()
            .any(|other| *other != row && before(*other, row))
        {
            continue;
        }
        let mut next = state.clone();
        if step(&mut next, row) {
            left.remove(place);
            let found = some_order(before, left, &next, step);
            left.insert(place, row);
            if found {
                return true;
            }
        }
    }
    false
}

/// The transitive closure.
fn close(mut vis: Vec<Vec<bool>>) -> Vec<Vec<bool>> {
    for via in 0..vis.len() {
        let from = vis[via].clone();
        for row in vis.iter_mut().filter(|row| row[via]) {
            for (to, from) in row.iter_mut().zip(&from) {
                *to |= from;
            }
        }
    }
    vis
}
