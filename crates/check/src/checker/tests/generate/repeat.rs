//! Histories of registers with few values that come again, and with compare-and-set.

use super::Random;
use crate::history::{End, ErrorKind, Header, History, Kind, Model, Outcome, Row};

/// Values of a key.
const VALUES: usize = 3;
/// Keys.
const KEYS: usize = 2;

/// What a register with puts, gets and compare-and-sets recorded, with up to three changes.
pub(in crate::checker::tests) fn repeating(random: &mut Random, count: usize) -> History {
    let sessions = 2 + random.below(2);
    let mut ends = vec![0u64; sessions];
    let mut places = vec![0u32; sessions];
    let mut names: Vec<u32> = (0..sessions as u32).collect();
    // When each takes effect, and what it is.
    let mut ops: Vec<(u64, Row<'static>, u64)> = Vec::new();
    for _ in 0..count {
        let session = random.below(sessions);
        let invoke = ends[session] + 1 + random.below(3) as u64;
        let returned = invoke + random.below(6) as u64;
        ends[session] = returned;
        let kind = [Kind::Put, Kind::Get, Kind::Get, Kind::Cas][random.below(4)];
        let unknown = kind != Kind::Get && random.one_in(8);
        let key = random.below(KEYS);
        let row = Row {
            session: names[session],
            index: places[session],
            kind,
            key: key as u64,
            written: if kind == Kind::Get {
                0
            } else {
                value(random, key)
            },
            invoke,
            intended: invoke,
            returned: (!unknown).then_some(returned),
            outcome: if unknown { Outcome::Info } else { Outcome::Ok },
            ..Row::EMPTY
        };
        places[session] += 1;
        if unknown {
            names[session] = 1 + names.iter().max().copied().unwrap_or(0);
            places[session] = 0;
        }
        let at = invoke + random.below((returned - invoke) as usize + 1) as u64;
        ops.push((at, row, value(random, key)));
    }
    finish(random, ops)
}

fn value(random: &mut Random, key: usize) -> u64 {
    (1 + key * VALUES + random.below(VALUES)) as u64
}

/// Runs the operations, changes some of what they saw, and records them.
fn finish(random: &mut Random, mut ops: Vec<(u64, Row<'static>, u64)>) -> History {
    ops.sort_by_key(|(at, row, _)| (*at, row.session, row.index));
    let mut held = [0u64; KEYS];
    let mut reads: Vec<Vec<u64>> = Vec::new();
    for (_, row, guess) in &mut ops {
        let register = &mut held[row.key as usize];
        let seen: Vec<u64> = Some(*register).filter(|id| *id != 0).into_iter().collect();
        let lost = row.outcome == Outcome::Info && random.one_in(2);
        let read = match row.kind {
            Kind::Get => seen,
            Kind::Cas => {
                let expected = if random.one_in(3) {
                    vec![*guess]
                } else {
                    seen.clone()
                };
                if expected == seen && !lost {
                    *register = row.written;
                } else if row.outcome == Outcome::Ok {
                    row.outcome = Outcome::Fail;
                    row.error = Some(ErrorKind::Mismatch);
                }
                expected
            }
            Kind::Put | Kind::Append => {
                if !lost {
                    *register = row.written;
                }
                Vec::new()
            }
        };
        reads.push(read);
    }
    for _ in 0..random.below(4) {
        let i = random.below(ops.len());
        if ops[i].1.kind != Kind::Put {
            let key = ops[i].1.key as usize;
            reads[i] = if random.one_in(4) {
                Vec::new()
            } else {
                vec![value(random, key)]
            };
        }
    }
    let header = Header {
        promise: Some(Model::Linearizable),
        values: (0..=KEYS * VALUES).map(|id| format!("v{id}")).collect(),
        ..Header::default()
    };
    let mut history = History::from_rows(header, []);
    for ((_, row, _), read) in ops.iter().zip(&reads) {
        history.columns.push(&Row { read, ..*row });
    }
    history.end = Some(End::of(ops.len() as u64));
    history
}
