//! What is changed in a history: most changes break something, some do not.

use super::{Op, Random, Seen, Store};
use crate::history::{CORRUPT, value_id};

/// Changes one thing that clients can see: what a get returned, or when a session was active.
pub(in crate::checker::tests) fn mutate_visibly(random: &mut Random, store: Store, ops: &mut [Op]) {
    let kind = random.below(3);
    change(random, store, ops, if kind == 2 { 4 } else { kind });
}

/// Changes one thing.
pub(in crate::checker::tests) fn mutate(random: &mut Random, store: Store, ops: &mut [Op]) {
    let kind = random.below(6);
    change(random, store, ops, kind);
}

fn change(random: &mut Random, store: Store, ops: &mut [Op], kind: usize) {
    let i = random.below(ops.len());
    let donors: Vec<Seen> = ops
        .iter()
        .filter(|op| op.is_put && op.dot != 0 && op.key == ops[i].key)
        .map(|op| Seen {
            id: op.id(),
            dot: op.dot,
            vector: op.vector.clone(),
            version: op.version,
        })
        .collect();
    let op = &mut ops[i];
    match kind {
        0 if !op.is_put => {
            op.seen.pop();
        }
        1 if !op.is_put && !donors.is_empty() => {
            let donor = donors[random.below(donors.len())].clone();
            if !matches!(store, Store::Causal | Store::Context) || random.one_in(2) {
                op.seen.clear();
            }
            if !op.seen.iter().any(|seen| seen.id == donor.id) {
                op.seen.push(donor);
            }
        }
        2 => {
            if let Some(place) = op.vector.len().checked_sub(1).map(|n| random.below(n + 1)) {
                let up = random.one_in(2) || op.vector[place] & 0xffff == 0;
                op.vector[place] = if up {
                    op.vector[place] + 1
                } else {
                    op.vector[place] - 1
                };
            }
        }
        3 => {
            if let Some(version) = &mut op.version {
                version.time = (version.time + 1).saturating_sub(random.below(3) as u64);
            }
            if let Some(version) = op.seen.first_mut().and_then(|seen| seen.version.as_mut()) {
                version.time = (version.time + 1).saturating_sub(random.below(3) as u64);
            }
        }
        _ => shift(random, ops),
    }
}

/// Changes what a put's client said that it had seen.
pub(in crate::checker::tests) fn mutate_context(random: &mut Random, ops: &mut [Op]) {
    let i = random.below(ops.len());
    let key = ops[i].key;
    let ids: Vec<u64> = ops
        .iter()
        .filter(|op| op.is_put && op.key == key)
        .map(Op::id)
        .collect();
    let op = &mut ops[i];
    if !op.is_put {
        return;
    }
    let context = op.context.get_or_insert_default();
    if random.one_in(2) {
        context.pop();
    } else {
        context.push(ids[random.below(ids.len())]);
    }
}

/// Moves one session in time.
fn shift(random: &mut Random, ops: &mut [Op]) {
    let session = ops[random.below(ops.len())].session;
    let by = 1 + random.below(12) as u64;
    for op in ops.iter_mut().filter(|op| op.session == session) {
        op.invoke += by;
        op.returned = op.returned.map(|returned| returned + by);
    }
}

/// Changes what only integrity is about: a put that failed, a value from nowhere, a broken one.
pub(in crate::checker::tests) fn misremember(random: &mut Random, ops: &mut [Op]) {
    let i = random.below(ops.len());
    let ids: Vec<u64> = ops.iter().map(Op::id).collect();
    let op = &mut ops[i];
    if op.is_put {
        op.failed = random.one_in(2);
        return;
    }
    if op.seen.is_empty() {
        op.seen.push(Seen {
            id: 0,
            dot: 0,
            vector: Vec::new(),
            version: None,
        });
    }
    op.seen[0].id = match random.below(4) {
        0 => CORRUPT,
        1 => value_id(90, 0),
        _ => ids[random.below(ids.len())],
    };
}
