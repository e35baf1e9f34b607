//! The simulator as its users have it: the program, and what it finds over ranges of seeds.

use std::fs;

use kvs_zoo::bug::Bug;
use kvs_zoo::protocol::Lattice;
use kvs_zoo::sim::{Options, Plan, SimVerdict, run, shows_at_leader};

use crate::program::{Ended, bench};

fn simulate(arguments: &[&str]) -> Ended {
    bench(&[&["sim"], arguments].concat())
}

/// Runs a command that a screen has printed.
fn again(command: &str) -> Ended {
    let arguments = command
        .strip_prefix("kvs-bench ")
        .expect("a command of ours");
    let unquoted = |word| str::trim_matches(word, '\'');
    bench(&arguments.split(' ').map(unquoted).collect::<Vec<_>>())
}

/// What follows `label` on a line of its own.
#[track_caller]
fn after<'a>(label: &str, text: &'a str) -> &'a str {
    let found = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(label));
    found.unwrap_or_else(|| panic!("no {label:?} in:\n{text}"))
}

/// The line about a failing seed.
fn anomaly(text: &str) -> &str {
    after("seed ", text)
}

const MISSING: &[&str] = &["--bug", "missing-sibling", "--seeds", "0..10"];

fn options(arch: &str, lattice: Lattice) -> Options {
    Options::new(arch.parse().expect("an architecture"), lattice)
}

/// After how many seeds, from 0, each planted bug is found at the latest.
const FOUND_WITHIN: &[(Bug, u64)] = &[
    (Bug::OverwritingMerge, 10),
    (Bug::DeliveryBeforeDependencies, 10),
    (Bug::ForgottenContext, 10),
    (Bug::StaleReads, 10),
    (Bug::ForeignKeys, 10),
    (Bug::MissingSibling, 10),
    (Bug::LostUpdateOnTransfer, 10),
    (Bug::ReusedDots, 10),
    (Bug::UnloggedPut, 10),
    (Bug::RestartReusesDots, 30),
    (Bug::StaleAfterPause, 30),
    (Bug::ResurrectedSibling, 30),
    (Bug::ArrivalOrder, 10),
    (Bug::ClockNotCarried, 30),
    (Bug::NoRepair, 30),
    (Bug::ForgottenContextOnFailover, 60),
    (Bug::AckBeforeSync, 30),
    (Bug::NoWriteBack, 500),
    (Bug::SharedVersion, 10),
    (Bug::ReusedVersion, 600),
    (Bug::EmptyReplicaVotes, 30),
    (Bug::FirstAnswer, 10),
    (Bug::VoteNotSynced, 30),
    (Bug::TwoVotes, 10),
    (Bug::CountsEarlierTerms, 800),
    (Bug::ReadsBeforeOwnEntry, 10),
    (Bug::OldHeartbeat, 30),
    (Bug::WallClockLease, 100),
    (Bug::SnapshotForgetsCalls, 10),
    (Bug::TruncatesCommitted, 10),
];

#[test]
fn every_planted_bug_is_found_within_a_stated_number_of_seeds() {
    for bug in Bug::ALL.into_iter().filter(|bug| bug.facts().sim) {
        let row = FOUND_WITHIN.iter().find(|(known, _)| *known == bug);
        let (_, seeds) = row.unwrap_or_else(|| panic!("{bug}: say how many seeds it takes"));
        let lattice = bug.facts().lattice.unwrap_or_default();
        let options = Options {
            bug: Some(bug),
            at_leader: shows_at_leader(bug),
            ..Options::new(bug.facts().store.into(), lattice)
        };
        let found = (0..*seeds).find(|seed| {
            let verdict = run(&Plan::draw(*seed, &options)).verdict;
            verdict.is_failure()
        });
        assert!(found.is_some(), "{bug} is not found in {seeds} seeds");
    }
}

#[test]
fn the_unbroken_store_raises_no_alarm() {
    let lattices = [Lattice::Causal, Lattice::Lww];
    let all = [
        "replicated",
        "sharded_replicated",
        "sharded(2, replicated(5))",
    ]
    .into_iter()
    .flat_map(|arch| lattices.map(|lattice| (arch, lattice)))
    .chain(
        [
            "local",
            "sharded",
            "quorum",
            "sharded(2, quorum(5))",
            "sloppy",
            "raft",
            "raft(5, reads = log)",
        ]
        .map(|arch| (arch, Lattice::Causal)),
    );
    for (arch, lattice) in all {
        for seed in 1_000..1_060 {
            let outcome = run(&Plan::draw(seed, &options(arch, lattice)));
            assert_eq!(
                outcome.verdict,
                SimVerdict::Valid,
                "{arch}, {lattice:?}, {seed}"
            );
        }
    }
}

#[test]
fn the_exit_status_says_what_came_of_it() {
    let cases: &[(&[&str], i32)] = &[
        (&["--seeds", "0..5"], 0),
        (&["--arch", "local", "--seed", "7"], 0),
        (MISSING, 1),
        (&["--seeds", "0..2", "--steps", "0"], 2),
        (&["--seeds", "5"], 254),
        (&["--seeds", "5..5"], 254),
        (&["--without", "rain"], 254),
        (&["--without", "loss,corrupt"], 254),
        (&["--nemesis-targets", "leader"], 254),
        (&["--arch", "local", "--nodes", "3"], 254),
        (&["--bug", "nothing"], 254),
        (&["--bug", "stale-reads"], 254),
        (&["--arch", "nowhere"], 254),
    ];
    for (arguments, status) in cases {
        let ended = simulate(arguments);
        assert_eq!(ended.code(), *status, "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.is_empty(), *status != 254, "{arguments:?}");
    }
}

#[test]
fn a_result_that_cannot_be_kept_is_a_failure_of_the_harness() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside = file.path().join("directory");
    let arguments = [MISSING, &["--out", inside.to_str().unwrap()]].concat();
    let ended = simulate(&arguments);
    assert_eq!(ended.code(), 255);
    assert!(ended.stderr.contains("cannot keep"), "{}", ended.stderr);
}

#[test]
fn the_printed_command_fails_in_exactly_the_same_way() {
    let ended = simulate(MISSING);
    let command = after("again: ", &ended.stdout);
    let replayed = again(command);
    assert_eq!(replayed.code(), 1, "{command}");
    assert_eq!(anomaly(&replayed.stdout), anomaly(&ended.stdout));
}

#[test]
fn a_shrunk_seed_fails_with_fewer_steps() {
    let ended = simulate(&[MISSING, &["--shrink"]].concat());
    let command = after("smaller, and fails in the same way: ", &ended.stdout);
    let words: Vec<&str> = command.split(' ').collect();
    let steps = words.windows(2).find(|pair| pair[0] == "--steps");
    let steps: u64 = steps.expect("the steps are said")[1].parse().unwrap();
    assert!(steps < 500, "{command}");
    assert_eq!(again(command).code(), 1, "{command}");
}

#[test]
fn what_is_kept_of_a_failing_seed_is_judged_invalid_again() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept");
    let ended = simulate(&[MISSING, &["--out", kept.to_str().unwrap()]].concat());
    assert_eq!(ended.code(), 1);
    let history = kept.join("history.jsonl");
    let checked = bench(&["check", history.to_str().unwrap()]);
    assert_eq!(checked.code(), 1, "{}", checked.stdout);
    let plan = fs::read_to_string(kept.join("plan.json")).unwrap();
    let plan: Plan = serde_json::from_str(&plan).unwrap();
    assert!(run(&plan).verdict.is_failure());
    let trace = fs::read_to_string(kept.join("trace.txt")).unwrap();
    assert!(trace.contains("everything is healed"));
}

#[test]
fn a_trace_shows_what_happens_and_ends_with_the_verdict() {
    let ended = simulate(&["--seed", "3", "--steps", "50", "--trace"]);
    assert_eq!(ended.code(), 0);
    assert!(ended.stdout.contains("hears n"));
    assert_eq!(ended.stdout.lines().last(), Some("valid"));
}

#[test]
fn how_many_threads_there_are_changes_nothing_that_is_counted() {
    let counted = |jobs: &str| {
        let ended = simulate(&[
            "--seeds", "0..12", "--steps", "200", "--json", "--jobs", jobs,
        ]);
        let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(json["operations_per_second"].as_f64().unwrap() > 0.0);
        (json["counters"].clone(), json["faults"].clone())
    };
    assert_eq!(counted("1"), counted("3"));
}
