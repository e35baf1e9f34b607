//! Traces of real processes: recorded with `--trace`, replayed with `kvs-bench check --trace`.

use std::fs;
use std::path::{Path, PathBuf};

use kvs_zoo::node::Launcher;
use kvs_zoo::protocol::NodeId;

use crate::program::{Ended, PROGRAM, awaited, bench, launch_with, on_runtime, run_directory};

/// A short run with traces, to its end; gives back its exit status and its directory.
fn traced_run(results: &Path, more: &[&str]) -> (i32, PathBuf) {
    let place = format!("--results={}", results.display());
    let short = [
        "--trace",
        "--records=300",
        "--sessions=4",
        "--warmup=0s",
        "--operations=3000",
        "--budget=0.1",
        &place,
    ];
    let ended = bench(&[&short, more].concat());
    let directory = run_directory(results).unwrap_or_else(|| panic!("{}", ended.stderr));
    (ended.code(), directory)
}

fn check_trace(path: &Path, more: &[&str]) -> Ended {
    let path = path.display().to_string();
    bench(&[&["check", "--trace", &path], more].concat())
}

/// Asserts that a replay ends so, and that it prints each of `words`.
#[track_caller]
fn assert_replay(path: &Path, more: &[&str], status: i32, words: &[&str]) {
    let ended = check_trace(path, more);
    assert_eq!(ended.code(), status, "{}{}", ended.stdout, ended.stderr);
    for word in words {
        assert!(ended.stdout.contains(word), "{word:?}: {}", ended.stdout);
    }
}

#[test]
fn runs_of_every_architecture_replay_the_same() {
    for (arguments, traces) in [
        (&["--arch=local"][..], "valid: 1 trace, "),
        (&["--arch=replicated"], "valid: 3 traces, "),
        (&["--arch=replicated", "--lattice=lww"], "valid: 3 traces, "),
        (&["--arch=sharded_replicated"], "valid: 9 traces, "),
    ] {
        let results = tempfile::tempdir().unwrap();
        let (status, directory) = traced_run(results.path(), arguments);
        assert_eq!(status, 0, "{arguments:?}");
        assert_replay(&directory, &[], 0, &[traces, "the same"]);
    }
}

#[test]
fn a_planted_bug_replays_the_same_and_differs_from_a_replica_without_it() {
    let results = tempfile::tempdir().unwrap();
    let planted = ["--arch=local", "--workload=contended", "--bug=stale-reads"];
    let (status, directory) = traced_run(results.path(), &planted);
    assert_eq!(status, 1, "the control");
    assert_replay(&directory, &[], 0, &["the same"]);
    let words = [
        "invalid: 1 trace",
        "n0, life 0",
        "input ",
        "get ",
        "when it ran: answers request",
        "in the replay: answers request",
        "recorded by kvs-bench",
    ];
    assert_replay(&directory, &["--without-bug"], 1, &words);
}

#[test]
fn a_node_that_was_killed_leaves_a_trace_that_is_unknown_and_its_next_life_another() {
    on_runtime(async {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("nodes");
        let launcher = Launcher::new(&logs, 1)
            .unwrap()
            .with_program(PROGRAM)
            .with_traces(Some("a test".to_owned()));
        let (mut launcher, _) = launch_with("replicated(2)", launcher).await;
        // The header is there when the node is; what follows is a record.
        let trace = logs.join("n0.trace");
        let length = || fs::metadata(&trace).unwrap().len();
        let header = length();
        awaited(|| length() > header).await;
        launcher.restart(NodeId(0), 1).await.unwrap();
        assert_eq!(launcher.shutdown_all().await, []);

        let cut = ["unknown: 1 trace", "n0, life 0", "cut short"];
        assert_replay(&trace, &[], 2, &cut);
        let next = logs.join("n0.1.trace");
        assert_replay(&next, &[], 0, &["valid: 1 trace", "n0, life 1"]);
        assert_replay(&logs.join("n1.trace"), &[], 0, &["valid"]);
        assert_replay(directory.path(), &[], 2, &["unknown: 3 traces", "the same"]);
    });
}

#[test]
fn what_cannot_be_replayed_is_one_line_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |path: &Path, word: &str| {
        let ended = check_trace(path, &[]);
        assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
        let line = ended.error_line();
        assert!(line.contains(word), "{line}");
    };
    refused(directory.path(), "neither a trace nor a run directory");
    let nodes = directory.path().join("nodes");
    fs::create_dir(&nodes).unwrap();
    fs::write(nodes.join("n0.log"), "no trace").unwrap();
    refused(directory.path(), "run with --trace");
    refused(&nodes.join("n0.log"), "it is not a trace");
    fs::write(nodes.join("n0.trace"), "kvs-zoo trace 999\n").unwrap();
    refused(directory.path(), "n0.trace: it is a trace of version 999");
}
