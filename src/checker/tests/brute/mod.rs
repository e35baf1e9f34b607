//! The definitions themselves, by trying everything: for histories of a few operations.

mod causal;
mod eventual;
mod lww;
mod register;
mod session;
mod single;

pub(in crate::checker::tests) use causal::{causal, causal_witness};
pub(in crate::checker::tests) use eventual::{convergence, integrity, lost_writes};
pub(in crate::checker::tests) use lww::{arbitrable, lww, lww_axioms};
pub(in crate::checker::tests) use register::{linearizable, sequential};
pub(in crate::checker::tests) use session::{
    monotonic_reads, monotonic_reads_seen, monotonic_writes, monotonic_writes_seen,
    read_your_writes, read_your_writes_seen, writes_follow_reads, writes_follow_reads_seen,
};
pub(in crate::checker::tests) use single::{causal_convergence, causal_memory, weak_causal};

use crate::history::{History, Kind, NEVER, Outcome};

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

fn was_read(history: &History, id: u64) -> bool {
    let columns = &history.columns;
    (0..columns.len())
        .any(|row| columns.outcome[row] == Outcome::Ok && columns.read.at(row).contains(&id))
}

fn returned(history: &History, row: usize) -> u64 {
    match history.columns.outcome[row] {
        Outcome::Ok => history.columns.returned[row],
        Outcome::Info | Outcome::Fail => NEVER,
    }
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
