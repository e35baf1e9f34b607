//! Registers on several keys where sessions went from one to another without a tick of the clock.
//!
//! Linearizability is local (Herlihy and Wing 1990): orders of single keys fit together into one
//! order of all, since real time is an interval order. But no interval order holds what sessions
//! did in order at one instant. Two sessions that go from `x` to `y` and from `y` to `x` at one
//! instant close a circle when both keys can only be ordered by having something that began at that
//! instant come before something that ended there. A key that has an order without that never
//! closes one.

use super::index::{Index, Table};

/// A session that ended an operation on one key and began one on another at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Move {
    instant: u64,
    from: u32,
    to: u32,
}

/// Says so when orders of single keys may not fit together into one order of all. `needs_ties` says
/// whether a dense key has no order in which what ended at an instant comes before what began
/// there.
pub(super) fn entangled(index: &Index<'_>, needs_ties: impl Fn(u32) -> bool) -> Option<String> {
    let mut known: Table<u32, bool> = Table::default();
    let mut moves = moves(index);
    let mut left: Vec<Move> = Vec::new();
    moves.sort_unstable();
    moves.dedup();
    for group in moves.chunk_by(|a, b| a.instant == b.instant) {
        if group.len() == 1 {
            continue;
        }
        left.clear();
        left.extend(group);
        // What nobody goes on from at that instant, or comes to, is in no circle.
        loop {
            let before = left.len();
            let from: Table<u32, ()> = left.iter().map(|m| (m.from, ())).collect();
            let to: Table<u32, ()> = left.iter().map(|m| (m.to, ())).collect();
            left.retain(|m| from.contains_key(&m.to) && to.contains_key(&m.from));
            if left.len() == before {
                break;
            }
        }
        left.retain(|m| {
            let mut needs = |key: u32| *known.entry(key).or_insert_with(|| needs_ties(key));
            needs(m.from) && needs(m.to)
        });
        if let [first, _, ..] = left.as_slice() {
            let name = |key: u32| index.key_name(index.by_key.at(key as usize)[0] as usize);
            return Some(format!(
                "sessions went from {} to {} and back at the instant {} ns: whether the orders of \
                 single keys make up one of all is not decided",
                name(first.from),
                name(first.to),
                first.instant
            ));
        }
    }
    None
}

fn moves(index: &Index<'_>) -> Vec<Move> {
    let mut moves = Vec::new();
    for session in 0..index.by_session.len() {
        let rows = index.by_session.at(session).iter().map(|row| *row as usize);
        let mut rows = rows.filter(|row| index.counts(*row));
        let Some(mut before) = rows.next() else {
            continue;
        };
        for row in rows {
            let (from, to) = (index.key[before], index.key[row]);
            if from != to && index.returned(before) == index.invoke(row) {
                let instant = index.invoke(row);
                moves.push(Move { instant, from, to });
            }
            before = row;
        }
    }
    moves
}
