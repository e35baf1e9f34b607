//! What a run and `kvs-bench check` say about a broken promise.

use std::path::Path;

use crate::program::{Ended, bench, run_directory};

/// The judgement of a history of the corpus that breaks several properties.
fn checked(more: &[&str]) -> Ended {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/testdata/histories/monotonic-reads/bad-non-monotonic-read.jsonl");
    let path = path.to_str().unwrap();
    bench(&[&["check", path], more].concat())
}

#[test]
fn check_prints_the_first_anomaly_of_each_broken_property_with_its_picture() {
    let ended = checked(&[]);
    assert_eq!(ended.code(), 1, "{}", ended.stderr);
    insta::assert_snapshot!(ended.stdout);
}

#[test]
fn explain_prints_every_kind_with_its_count_and_its_meaning() {
    let ended = checked(&["--explain"]);
    assert_eq!(ended.code(), 1, "{}", ended.stderr);
    insta::assert_snapshot!(ended.stdout);
}

#[test]
fn a_broken_run_shows_a_picture_and_keeps_each_anomaly_as_a_history_that_is_invalid() {
    let results = tempfile::tempdir().unwrap();
    let ended = bench(&[
        &format!("--results={}", results.path().display()),
        "--arch=local",
        "--workload=contended",
        "--bug=stale-reads",
        "--warmup=0s",
        "--duration=500ms",
    ]);
    assert_eq!(ended.code(), 1, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.lines().count() <= kvs_zoo::report::LINES_MAX,
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("[#"), "{}", ended.stdout);
    let directory = run_directory(results.path()).unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(directory.join("anomalies")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let again = bench(&["check", path.to_str().unwrap()]);
        assert_eq!(again.code(), 1, "{}{}", again.stdout, again.stderr);
        let (_, kind) = name.split_once('-').unwrap();
        assert!(again.stdout.contains(kind), "{name}: {}", again.stdout);
        // The file says in words what is wrong, and draws it.
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("// {kind}: ")), "{text}");
        assert!(text.contains("//   session "), "{text}");
        files += 1;
    }
    assert!(files > 0);
}
