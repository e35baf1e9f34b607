//! Registers: linearizable (Herlihy and Wing, 1990), sequentially consistent (Lamport, 1979) and
//! regular (Lamport, 1986; Shao, Welch, Pierce and Lee, 2011, for many writers).
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

/// Whatever found something has an order of its own with all writes, which keeps real time and
/// sessions and explains what it found. Where a compare-and-set found and wrote, it is both.
pub(in crate::checker::tests) fn regular(history: &History) -> bool {
    let columns = &history.columns;
    let (certain, maybe) = counted(history);
    (0..1u32 << maybe.len()).any(|chosen| {
        let mut rows = certain.clone();
        rows.extend(taken(&maybe, chosen));
        let writes = |row: &usize| {
            matches!(columns.kind[*row], Kind::Put | Kind::Cas)
                && columns.outcome[*row] != Outcome::Fail
        };
        let finds = |row: &&usize| matches!(columns.kind[**row], Kind::Get | Kind::Cas);
        rows.iter().filter(finds).all(|reader| {
            let mut order: Vec<usize> = rows.iter().copied().filter(writes).collect();
            order.retain(|row| row != reader);
            order.push(*reader);
            let before = |a: usize, b: usize| precedes(history, a, b);
            some_order(&before, &mut order, &Vec::new(), &|state, row| {
                if row == *reader {
                    return finds_in(history, state, row);
                }
                write(history, state, row);
                true
            })
        })
    })
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
    let (certain, maybe) = counted(history);
    // An operation of unknown outcome took effect, or it did not.
    (0..1u32 << maybe.len()).any(|chosen| {
        let mut rows = certain.clone();
        rows.extend(taken(&maybe, chosen));
        some_order(before, &mut rows, &Vec::new(), &|state, row| {
            step(history, state, row)
        })
    })
}

/// The rows that took effect or found something, and those that may have taken effect.
fn counted(history: &History) -> (Vec<usize>, Vec<usize>) {
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
    (certain, maybe)
}

/// Those of some rows that a number's bits choose.
fn taken(maybe: &[usize], chosen: u32) -> impl Iterator<Item = usize> {
    let is_chosen = move |(i, _): &(usize, &usize)| chosen & (1 << i) != 0;
    maybe
        .iter()
        .enumerate()
        .filter(is_chosen)
        .map(|(_, row)| *row)
}

/// Keys and their values.
type State = Vec<(u64, u64)>;

fn step(history: &History, state: &mut State, row: usize) -> bool {
    let columns = &history.columns;
    let is_found = finds_in(history, state, row);
    match columns.kind[row] {
        Kind::Get => return is_found,
        Kind::Cas if columns.outcome[row] == Outcome::Fail || !is_found => return is_found,
        Kind::Append => panic!("these histories append nothing"),
        Kind::Put | Kind::Cas => {}
    }
    write(history, state, row);
    true
}

/// Whether a row finds in a state what it found.
fn finds_in(history: &History, state: &State, row: usize) -> bool {
    let columns = &history.columns;
    let held = state.iter().find(|(key, _)| *key == columns.key[row]);
    let same = columns
        .read
        .at(row)
        .iter()
        .copied()
        .eq(held.map(|(_, value)| *value));
    let is_mismatch = columns.kind[row] == Kind::Cas && columns.outcome[row] == Outcome::Fail;
    same != is_mismatch
}

fn write(history: &History, state: &mut State, row: usize) {
    let columns = &history.columns;
    let key = columns.key[row];
    match state.iter().position(|(k, _)| *k == key) {
        Some(place) => state[place].1 = columns.written[row],
        None => state.push((key, columns.written[row])),
    }
}
