//! What a run says of arrivals and of its measured part, as its users see it. Nobody can rely on
//! the speed of real processes, so the tests only assert properties.

use std::fs;
use std::path::PathBuf;

use kvs_zoo::measure::{Measured, RunRecord};

use crate::program::{Ended, bench, run_directory};

/// A run of `local`: how it ended, its record, and its directory.
fn run(arguments: &[&str]) -> (Ended, RunRecord, tempfile::TempDir, PathBuf) {
    let results = tempfile::tempdir().unwrap();
    let into = format!("--results={}", results.path().display());
    let fixed = [
        "--arch=local",
        "--workload=uniform",
        "--engine=direct",
        &into,
    ];
    let ended = bench(&[&fixed, arguments].concat());
    let directory = run_directory(results.path()).expect("a run directory");
    let record = RunRecord::load(&directory).expect("a record");
    (ended, record, results, directory)
}

/// The lines of all kinds together of `timeseries.csv`, by the names of the columns.
fn seconds(directory: &std::path::Path) -> Vec<csv::StringRecord> {
    let path = directory.join(Measured::SERIES_FILE_NAME);
    let mut reader = csv::Reader::from_path(path).unwrap();
    let lines = reader.records().map(|line| line.unwrap());
    lines.filter(|line| &line[2] == "all").collect()
}

fn number(field: &str) -> f64 {
    field.parse().unwrap()
}

#[test]
fn a_rate_of_which_most_never_starts_is_void_and_its_objective_is_not_met() {
    let (ended, record, _results, _) = run(&[
        "--rate=5M",
        "--sessions=16",
        "--duration=200ms",
        "--warmup=0s",
        "--timeout-ms=100",
        "--records=100",
        "--slo=p99<10s,throughput>1",
    ]);
    assert_eq!(ended.code(), 2, "{}{}", ended.stdout, ended.stderr);
    let throughput = &record.statistics.throughput;
    let offered = throughput.offered.expect("an open loop");
    assert!(
        (990_000..=1_010_000).contains(&offered),
        "{offered}: the schedule"
    );
    assert!(throughput.not_started * 2 > offered, "{throughput:?}");
    let void = record.void.join("; ");
    assert!(void.contains("of the arrivals never started"), "{void}");
    assert!(record.objectives.iter().all(|one| one.met.is_none()));
    let screen = &ended.stdout;
    for text in ["VOID", "never started", "nobody can tell"] {
        assert!(screen.contains(text), "{text} is not in {screen}");
    }
    assert!(!screen.contains(": met"), "{screen}");
}

#[test]
fn a_run_in_which_nothing_was_measured_is_void() {
    let (ended, record, _results, _) = run(&["--duration=1ms", "--warmup=0s", "--records=10"]);
    // Whether an operation ends within a millisecond is the machine's affair.
    let is_measured = record.statistics.throughput.operations > 0;
    assert_eq!(record.void.is_empty(), is_measured, "{:?}", record.void);
    assert_eq!(
        ended.code(),
        if is_measured { 0 } else { 2 },
        "{}",
        ended.stdout
    );
}

#[test]
fn offered_is_what_the_schedule_has_in_each_second_though_the_store_stops() {
    let (_, record, _results, directory) = run(&[
        "--rate=1000",
        "--arrivals=constant",
        "--sessions=4",
        "--duration=4s",
        "--warmup=500ms",
        "--timeout-ms=5000",
        "--set",
        "nemesis=[{at=\"1s\",for=\"1s\",fault=\"pause\"}]",
        "--records=100",
    ]);
    assert_eq!(record.statistics.throughput.offered, Some(4000));
    let mut offered = 0.0;
    for line in seconds(&directory) {
        let scheduled = number(&line[6]);
        let length = number(&line[1]) - number(&line[0]);
        // What was under way at the end is answered after the schedule is over.
        let expected = (1000.0 * length).min(4000.0 - offered);
        assert!((scheduled - expected).abs() <= 1.0, "{line:?}");
        offered += scheduled;
    }
    assert!((offered - 4000.0).abs() < 0.5, "{offered}");
}

#[test]
fn no_line_of_some_microseconds_has_a_rate_of_its_own() {
    let (_, record, _results, directory) = run(&[
        "--records=100",
        "--duration=1s",
        "--warmup=100ms",
        "--no-history",
    ]);
    let lines = seconds(&directory);
    let operations: f64 = lines.iter().map(|line| number(&line[3])).sum();
    let counted = record.statistics.throughput.operations as f64;
    assert!(
        (operations - counted).abs() < 0.5,
        "{operations}, not {counted}"
    );
    for line in &lines {
        let length = number(&line[1]) - number(&line[0]);
        assert!(length >= 0.099 || line[4].is_empty(), "{line:?}");
    }
    let log = fs::read_to_string(directory.join(Measured::LOG_FILE_NAME)).unwrap();
    let entries: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("Tag="))
        .collect();
    assert!(!entries.is_empty(), "{log}");
    for entry in entries {
        assert_ne!(entry.split(',').nth(2), Some("0.000"), "{entry}");
    }
}
