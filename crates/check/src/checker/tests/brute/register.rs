//! Registers: linearizable (Herlihy and Wing, 1990) and sequentially consistent (Lamport, 1979).
//! Values may repeat.

use super::some_order;
use crate::history::{ErrorKind, History, Kind, Outcome};

/// Some order that keeps real time and sessions explains every operation.
pub(in crate::checker::tests) fn linearizable(history: &History) -> bool {
    some_explains(history, &|a, b| precedes(history, a, b))
}

/// The same of an order that puts the puts of each key by their versions, where they have one.
pub(in crate::checker::tests) fn linearizable_by_versions(history: &History) -> bool {
    let columns = &history.columns;
    let version = |put: usize| {
        let reads = |get: &usize| columns.read.at(*get) == [columns.written[put]];
        let mut gets = (0..history.len()).filter(reads);
        columns
            .version(put)
            .or_else(|| columns.version(gets.next()?))
    };
    let by_versions = |a: usize, b: usize| {
        let is_pair = columns.key[a] == columns.key[b]
            && columns.kind[a] == Kind::Put
            && columns.kind[b] == Kind::Put;
        is_pair && version(a).zip(version(b)).is_some_and(|(a, b)| a < b)
    };
    some_explains(history, &|a, b| {
        precedes(history, a, b) || by_versions(a, b)
    })
}

/// Some order that keeps sessions explains every operation.
pub(in crate::checker::tests) fn sequential(history: &History) -> bool {
    some_explains(history, &|a, b| is_earlier_in_session(history, a, b))
}

fn is_earlier_in_session(history: &History, a: usize, b: usize) -> bool {
    let columns = &history.columns;
    columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b]
}

fn precedes(history: &History, a: usize, b: usize) -> bool {
    let columns = &history.columns;
    let over = columns.outcome[a] != Outcome::Info && columns.returned[a] < columns.invoke[b];
    over || is_earlier_in_session(history, a, b)
}

/// Some order that keeps what is before what explains every operation.
fn some_explains(history: &History, before: &impl Fn(usize, usize) -> bool) -> bool {
    let columns = &history.columns;
    let kind = |row: usize| columns.kind[row];
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..history.len()).filter(|row| wanted(*row)).collect()
    };
    let maybe = of(&|row| columns.outcome[row] == Outcome::Info && kind(row) != Kind::Get);
    // A compare-and-set that did not match saw something.
    let certain = of(&|row| match columns.outcome[row] {
        Outcome::Ok => true,
        Outcome::Fail => columns.error[row] == Some(ErrorKind::Mismatch),
        Outcome::Info => false,
    });
    // An operation of unknown outcome took effect, or it did not.
    (0..1u32 << maybe.len()).any(|chosen| {
        let mut rows = certain.clone();
        let taken = maybe
            .iter()
            .enumerate()
            .filter(|(i, _)| chosen & (1 << i) != 0);
        rows.extend(taken.map(|(_, row)| *row));
        some_order(before, &mut rows, &Vec::new(), &|state, row| {
            step(history, state, row)
        })
    })
}

/// Keys and their values.
type State = Vec<(u64, u64)>;

fn step(history: &History, state: &mut State, row: usize) -> bool {
    let columns = &history.columns;
    let key = columns.key[row];
    let place = state.iter().position(|(k, _)| *k == key);
    let held = place.map(|place| state[place].1);
    let same = columns.read.at(row).iter().copied().eq(held);
    match columns.kind[row] {
        Kind::Get => return same,
        Kind::Cas if columns.outcome[row] == Outcome::Fail => return !same,
        Kind::Cas if !same => return false,
        Kind::Append => panic!("these histories append nothing"),
        Kind::Put | Kind::Cas => {}
    }
    match place {
        Some(place) => state[place].1 = columns.written[row],
        None => state.push((key, columns.written[row])),
    }
    true
}
