//! Explanations prove their anomaly, and every operation of them is needed.

use super::generate::{self, Random, Store};
use crate::checker::explain::{judge, picture, proofs};
use crate::checker::{Anomaly, Options, Shown, Verdict, check};
use crate::history::{self, History, Kind, Row};

/// Broken histories that are tried of each store.
const HISTORIES: u64 = 400;
/// Fewer explanations would prove little.
const EXPLANATIONS_MIN: usize = 500;

/// The history without row `removed`, and without the gets that read what it wrote.
fn without(history: &History, removed: usize) -> History {
    let gone = history.row(removed);
    let stays = |row: &Row<'_>| gone.kind != Kind::Put || !row.read.contains(&gone.written);
    let rows: Vec<Row<'_>> = (0..history.len())
        .filter(|row| *row != removed)
        .map(|row| history.row(row))
        .filter(stays)
        .collect();
    History::from_rows(history.header.clone(), rows)
}

/// Every anomaly of the history proves itself, and nothing is left of that without any one
/// operation. Returns how many there were.
#[track_caller]
fn assert_minimal(history: &History, name: &str) -> usize {
    let report = check(history, &Options::default());
    let anomalies: Vec<Anomaly> = report.anomalies().cloned().collect();
    for (anomaly, proof) in anomalies.iter().zip(proofs(history, &anomalies)) {
        let Some(Verdict::Invalid { found, .. }) = judge(&proof, anomaly.model) else {
            panic!("{name}: not invalid by itself: {anomaly}");
        };
        assert!(found.contains_key(&anomaly.kind), "{name}: {anomaly}");
        for removed in 0..proof.len() {
            let rest = judge(&without(&proof, removed), anomaly.model);
            assert!(
                !rest.is_some_and(|verdict| verdict.is_invalid()),
                "{name}: session {} #{} can be spared: {anomaly}",
                proof.columns.session[removed],
                proof.columns.index[removed]
            );
        }
    }
    anomalies.len()
}

fn broken(seed: u64, store: Store, operations: usize) -> History {
    let mut random = Random(seed);
    let mut ops = generate::valid(&mut random, store, operations);
    for _ in 0..1 + random.below(4) {
        if random.one_in(2) {
            generate::mutate(&mut random, store, &mut ops);
        } else {
            generate::mutate_visibly(&mut random, store, &mut ops);
        }
    }
    generate::history(store, &ops)
}

#[test]
fn every_anomaly_of_random_histories_proves_itself_and_nothing_of_it_can_be_spared() {
    for store in [Store::Register, Store::Causal, Store::Lww] {
        let mut seen = 0;
        for seed in 0..HISTORIES {
            let history = broken(seed, store, 6 + (seed % 30) as usize);
            seen += assert_minimal(&history, &format!("seed {seed}"));
        }
        assert!(seen >= EXPLANATIONS_MIN, "{seen}");
    }
}

/// The first and last column of each box of a picture, line by line.
fn boxes(picture: &[String]) -> Vec<(usize, usize)> {
    let mut boxes = Vec::new();
    for line in picture {
        let mut start = 0;
        for (at, letter) in line.chars().enumerate() {
            match letter {
                '[' => start = at,
                ']' => boxes.push((start, at)),
                '?' => boxes.push((start, usize::MAX)),
                _ => {}
            }
        }
    }
    boxes
}

/// Whether `a` was over before `b` began, in time or in their session.
fn precedes(a: &Shown, b: &Shown) -> bool {
    let known = a.returned.filter(|_| a.outcome != history::Outcome::Info);
    known.is_some_and(|returned| {
        returned < b.invoke || (a.session == b.session && a.index < b.index)
    })
}

#[test]
fn boxes_overlap_exactly_when_the_operations_did_and_no_line_is_too_long() {
    let (mut overlapping, mut apart, mut open) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let mut random = Random(seed);
        let count = 2 + random.below(9);
        let ops = generate::valid(&mut random, Store::Register, count);
        let history = generate::history(Store::Register, &ops);
        let shown: Vec<Shown> = (0..history.len())
            .map(|i| Shown::new(&history, i))
            .collect();
        let lines = picture(&shown);
        assert!(!lines.is_empty());
        assert!(
            lines.iter().all(|line| line.chars().count() <= 100),
            "{lines:#?}"
        );
        // The boxes are drawn session by session, in the order of the lines.
        let mut order: Vec<&Shown> = shown.iter().collect();
        let lane = |shown: &Shown| {
            let name = format!("session {} ", shown.session);
            lines.iter().position(|line| line.starts_with(&name))
        };
        order.sort_by_key(|shown| (lane(shown), shown.index));
        let boxes = boxes(&lines);
        assert_eq!(boxes.len(), order.len(), "{lines:#?}");
        for (a, left) in order.iter().zip(&boxes) {
            open += usize::from(left.1 == usize::MAX);
            for (b, right) in order.iter().zip(&boxes) {
                // What several sessions did without a tick of the clock between cannot be drawn.
                if a.session != b.session && a.returned == Some(b.invoke) {
                    continue;
                }
                assert_eq!(left.1 < right.0, precedes(a, b), "{a}\n{b}\n{lines:#?}");
                *(if left.1 < right.0 {
                    &mut apart
                } else {
                    &mut overlapping
                }) += 1;
            }
        }
    }
    assert!(
        overlapping > 1_000 && apart > 1_000 && open > 50,
        "{overlapping} {apart} {open}"
    );
}

#[test]
fn a_picture_of_too_many_sessions_is_left_out() {
    let rows: Vec<Row<'_>> = (0..100)
        .map(|session| Row {
            session,
            returned: Some(1),
            ..Row::EMPTY
        })
        .collect();
    let history = History::from_rows(history::Header::default(), rows);
    let shown: Vec<Shown> = (0..history.len())
        .map(|i| Shown::new(&history, i))
        .collect();
    assert!(picture(&shown).is_empty());
}

#[test]
fn what_connects_the_evidence_is_found_in_a_long_history() {
    // Between the put that was missed and the get that missed it one session told another, far
    // from either in rows: 3 operations out of thousands, on another key.
    let mut rows = Vec::new();
    let put = |session, index, key, at| Row {
        session,
        index,
        kind: Kind::Put,
        key,
        written: history::value_id(session, index),
        invoke: at,
        returned: Some(at + 1),
        ..Row::EMPTY
    };
    rows.push(put(0, 0, 0, 10));
    rows.push(put(0, 1, 1, 20));
    let read = [history::value_id(0, 1)];
    let noise: Vec<[u64; 1]> = (0..20_000).map(|i| [history::value_id(3, i)]).collect();
    for (i, seen) in (0..).zip(&noise) {
        let at = 100 + 10 * u64::from(i);
        rows.push(put(3, i, 2, at));
        rows.push(Row {
            session: 4,
            index: i,
            key: 2,
            read: seen,
            invoke: at + 2,
            returned: Some(at + 3),
            ..Row::EMPTY
        });
    }
    let get = |index, key, read, at| Row {
        session: 1,
        index,
        key,
        read,
        invoke: at,
        returned: Some(at + 1),
        ..Row::EMPTY
    };
    rows.push(get(0, 1, &read, 900_000));
    rows.push(get(1, 0, &[], 900_010));
    let header = history::Header {
        promise: Some(history::Model::Causal),
        ..Default::default()
    };
    let history = History::from_rows(header, rows);
    // It breaks monotonic writes, and so the causal order.
    assert_eq!(assert_minimal(&history, "long"), 2);
    let report = check(&history, &Options::default());
    for anomaly in report.anomalies() {
        assert_eq!(anomaly.operations.len(), 4, "{anomaly}");
    }
}
