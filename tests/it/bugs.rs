//! `kvs-bench bugs`: the planted bugs, listed and caught.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Ended, PROGRAM, Running, bench, is_alive, signal, until};

#[track_caller]
fn hunted(arguments: &[&str]) -> (i32, Value) {
    let ended = bench(&[&["bugs", "run", "--json"], arguments].concat());
    let json = serde_json::from_str(&ended.stdout);
    (
        ended.code(),
        json.unwrap_or_else(|_| panic!("{}", ended.stderr)),
    )
}

#[test]
fn the_list_shows_who_must_catch_each_bug_and_how() {
    let listed = |arguments: &[&str]| {
        let Ended { stdout, stderr, .. } = bench(arguments);
        assert_eq!(stderr, "");
        stdout
    };
    let list = listed(&["bugs", "list"]);
    assert_eq!(list, listed(&["bugs"]), "it is what `bugs` does");
    insta::assert_snapshot!(list);
}

#[test]
fn a_name_that_does_not_exist_is_refused_with_the_nearest() {
    let ended = bench(&["bugs", "run", "reused-dotz"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
    let line = ended.error_line();
    assert!(
        line.contains("\"reused-dotz\"") && line.contains("\"reused-dots\""),
        "{line}"
    );
}

#[test]
fn a_bug_is_caught_by_a_real_run() {
    let (code, found) = hunted(&["delivery-before-dependencies", "--view", "real"]);
    assert_eq!(
        (code, &found["passed"]),
        (0, &Value::Bool(true)),
        "{found:#}"
    );
    let look = &found["looks"][0];
    assert_eq!(
        (&look["view"], &look["found"]),
        (&"real".into(), &"broken".into())
    );
}

/// The clocks of one machine agree, so that no real run shows it.
#[test]
fn a_bug_that_no_view_can_show_which_was_asked_is_missed() {
    let (code, found) = hunted(&["forgotten-context-on-failover", "--view", "real"]);
    assert_eq!(
        (code, &found["passed"]),
        (1, &Value::Bool(false)),
        "{found:#}"
    );
    assert_eq!(found["looks"], Value::Array(Vec::new()));
}

#[test]
fn a_bug_is_missed_where_the_fault_that_it_needs_does_not_happen() {
    for (bug, fault) in [
        ("restart-reuses-dots", "amnesia"),
        ("clock-not-carried", "clock"),
        ("ack-before-sync", "disk"),
    ] {
        let (code, found) = hunted(&[bug, "--view", "sim"]);
        assert_eq!(code, 0, "{found:#}");
        let without = ["--seeds", "100", "--without", fault];
        let (code, found) = hunted(&[&[bug, "--view", "sim"][..], &without].concat());
        assert_eq!((code, &found["passed"]), (1, &false.into()), "{found:#}");
        assert_eq!(found["looks"][0]["found"], "kept");
    }
}

#[test]
fn a_fault_that_does_not_exist_is_refused() {
    let ended = bench(&["bugs", "run", "all", "--without", "amnesa"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
    assert!(ended.error_line().contains("amnesia"), "{}", ended.stderr);
}

#[test]
fn a_bug_is_caught_by_every_view() {
    let (code, found) = hunted(&["forgotten-context"]);
    assert_eq!(code, 0, "{found:#}");
    assert_eq!(found["bugs"][0]["caught_by"], 3);
}

#[test]
fn an_interrupted_hunt_prints_what_it_has_and_leaves_no_node_behind() {
    let arguments = [
        "bugs",
        "run",
        "forgotten-context",
        "--view",
        "real",
        "--json",
    ];
    let hunt = Running::start(Command::new(PROGRAM).args(arguments));
    until("it has started its nodes", || hunt.nodes().len() == 3);
    let nodes = hunt.nodes();
    signal(hunt.pid(), Signal::INT);
    let ended = hunt.wait();
    assert_eq!(ended.code(), 130, "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&found["complete"], &found["passed"]),
        (&false.into(), &false.into())
    );
    until("its nodes have ended", || {
        nodes.iter().all(|node| !is_alive(*node))
    });
}
