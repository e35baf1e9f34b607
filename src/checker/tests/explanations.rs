//! Explanations prove their anomaly, and nothing of them can be spared.

use std::path::Path;

use super::generate::{self, Random, Store};
use crate::checker::explain::{judge, proofs};
use crate::checker::{Anomaly, Options, Verdict, check};
use crate::history::{History, Kind, Row};

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

#[test]
fn every_anomaly_of_the_corpus_proves_itself_and_nothing_of_it_can_be_spared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/histories");
    let mut seen = 0;
    for directory in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if let Ok(history) = History::read(&path) {
                seen += assert_minimal(&history, &path.display().to_string());
            }
        }
    }
    assert!(seen > 40, "{seen}");
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
