//! Registers: linearizable (Herlihy and Wing, 1990) and sequentially consistent (Lamport, 1979).
//! Values may repeat.

use super::some_order;
use crate::history::{ErrorKind, History, Kind, Outcome};

/// Some order that keeps real time and sessions explains every operation.
pub(in crate::checker::tests) fn linearizable(history: &History) -> bool {
    explained(history, true)
}

/// Some order that keeps sessions explains every operation.
pub(in crate::checker::tests) fn sequential(history: &History) -> bool {
    explained(history, false)
}

fn explained(history: &History, real_time: bool) -> bool {
    let columns = &history.columns;
    let before = |a: usize, b: usize| {
        let session =
            columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b];
        let over = columns.outcome[a] != Outcome::Info && columns.returned[a] < columns.invoke[b];
        session || (real_time && over)
    };
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
        some_order(&before, &mut rows, &Vec::new(), &|state, row| {
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
