//! Sweeps in which nodes go.

use std::fs;

use serde_json::Value;

use crate::program::bench;

#[test]
fn a_sweep_tells_for_how_long_nobody_could_write_when_the_only_node_went() {
    let results = tempfile::tempdir().unwrap();
    let results_flag = format!("--results={}", results.path().display());
    let ended = bench(&[
        "sweep",
        "-a=local",
        "--rate=200..400",
        "--steps=2",
        "--duration=1s",
        "--warmup=100ms",
        "--fail-over=1",
        &results_flag,
    ]);
    // A busy machine can make rates void, and the sweep unknown.
    assert!([0, 2].contains(&ended.code()), "{}", ended.stdout);
    let sweep = fs::read_dir(results.path()).unwrap().flatten().next();
    let sweep = sweep.expect("a sweep").path();
    let json = fs::read_to_string(sweep.join("sweep.json")).unwrap();
    let record: Value = serde_json::from_str(&json).unwrap();
    let fail_overs = record["stores"][0]["fail_overs"].as_array().unwrap();
    let ways: Vec<&str> = { fail_overs.iter() }
        .map(|one| one["way"].as_str().unwrap())
        .collect();
    assert_eq!(
        ways,
        ["kill", "pause"],
        "nobody is there to be cut off from"
    );
    for one in fail_overs {
        // A fault lasts three tenths of five seconds at least, and nobody else could write.
        let outage = one["outages"][0]["without_writes_ns"].as_u64().unwrap();
        assert!(outage > 1_000_000_000, "{one}");
        assert_eq!(one["verdict"], "valid", "on a disk nothing is lost: {one}");
    }
    assert!(
        ended.stdout.contains("kill: median, worst"),
        "{}",
        ended.stdout
    );
    let page = fs::read_to_string(sweep.join("sweep.html")).unwrap();
    assert!(page.contains("For how long nobody could write"));
}

#[test]
fn what_a_sweep_with_fail_over_decides_cannot_be_given_after_the_dash() {
    for given in [
        "--nemesis=kill",
        "--nemesis-interval=1s",
        "--nemesis-targets=one",
    ] {
        let ended = bench(&["sweep", "-a=local", "--fail-over", "--", given]);
        assert_eq!(ended.code(), 254, "{}", ended.stderr);
        assert!(
            ended.error_line().contains("what the sweep decides"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_store_that_nobody_knows_is_refused_before_anything_runs() {
    let ended = bench(&["sweep", "--store=nothing-like-it"]);
    assert_eq!(ended.code(), 254, "{}", ended.stderr);
    assert!(
        ended.error_line().contains("nothing-like-it"),
        "{}",
        ended.stderr
    );
}
