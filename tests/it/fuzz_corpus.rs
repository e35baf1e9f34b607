//! The seeds of the fuzz targets, and what once crashed them, run again without a fuzzer. A reader
//! or checker that panics fails here.

use std::collections::BTreeSet;
use std::path::Path;

#[expect(
    unreachable_pub,
    reason = "the crate of the fuzz targets is this file too"
)]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// Bytes of all seeds together.
const SEEDS_BYTES_MAX: u64 = 1 << 20;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 5] = [
    ("arrow", targets::arrow),
    ("checkers", targets::checkers),
    ("codec", targets::codec),
    ("imports", targets::imports),
    ("jsonl", targets::jsonl),
];

/// Runs a target on each of its seeds, and says how many there were.
fn replay(name: &str) -> usize {
    let target = TARGETS
        .iter()
        .find(|(target, _)| *target == name)
        .unwrap()
        .1;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(name);
    let mut seeds: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|seed| seed.unwrap().path())
        .collect();
    seeds.sort();
    for seed in &seeds {
        let bytes = std::fs::read(seed).unwrap();
        let ran = std::panic::catch_unwind(|| target(&bytes));
        assert!(ran.is_ok(), "{} crashes the target {name}", seed.display());
    }
    seeds.len()
}

#[test]
fn no_seed_of_json_lines_crashes_the_reader() {
    assert!(replay("jsonl") >= 10);
}

#[test]
fn no_seed_of_arrow_streams_crashes_the_reader() {
    assert!(replay("arrow") >= 10);
}

#[test]
fn no_seed_of_foreign_histories_crashes_an_import() {
    assert!(replay("imports") >= 10);
}

#[test]
fn no_seed_of_small_histories_crashes_a_check_or_makes_answers_contradict() {
    assert!(replay("checkers") >= 10);
}

#[test]
fn no_seed_of_the_wire_crashes_the_codec_or_decodes_to_something_else() {
    assert!(replay("codec") >= 10);
}

#[test]
fn every_folder_of_seeds_has_its_target_and_all_are_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut names = BTreeSet::new();
    let mut bytes = 0;
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap();
        names.insert(folder.file_name().into_string().unwrap());
        for seed in std::fs::read_dir(folder.path()).unwrap() {
            bytes += seed.unwrap().metadata().unwrap().len();
        }
    }
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, targets);
    assert!(bytes < SEEDS_BYTES_MAX, "{bytes} bytes of seeds");
}
