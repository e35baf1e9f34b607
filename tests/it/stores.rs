//! Foreign stores: what is refused before a run, what goes wrong on the way, and real ones, judged.
//! Tests that need Redis, etcd or Python say so where these are missing;
//! `scripts/install-stores.sh` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Ended, PROGRAM, Running, bench, run_directory};

/// What every refusal ends with.
const BAD_ARGUMENTS: i32 = 254;
/// What a run ends with that has no result.
const HARNESS_FAILED: i32 = 255;
/// How often a run may fail to show what is likely to be seen in each.
const TRIES: u32 = 5;
const SHORT: &[&str] = &[
    "--records=20",
    "--warmup=0s",
    "--duration=1s",
    "--workload=contended",
];

/// Whether a program is installed; says so when not.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !is_there {
        eprintln!("not tested: {program} is not installed");
    }
    is_there
}

fn http_store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/adapters/http-store.toml")
}

/// A run of a store, and where its results are.
fn run(store: &str, more: &[&str]) -> (Ended, TempDir) {
    let results = tempfile::tempdir().unwrap();
    let (store, to) = (
        format!("--store={store}"),
        format!("--results={}", results.path().display()),
    );
    let ended = bench(&[&[&store[..], &to], SHORT, more].concat());
    (ended, results)
}

/// A run of a store that is the file with this text below `[nodes]`.
fn run_file(nodes: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.toml");
    let head =
        "name = \"mine\"\npromise = \"linearizable\"\n[adapter]\nbuiltin = \"redis\"\n[nodes]\n";
    std::fs::write(&file, format!("{head}{nodes}")).unwrap();
    run(file.to_str().unwrap(), &[]).0
}

/// That a run is refused before it starts, with these words.
#[track_caller]
fn is_refused(store: &str, more: &[&str], words: &str) {
    let (ended, results) = run(store, more);
    assert_eq!(
        ended.code(),
        BAD_ARGUMENTS,
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    assert!(ended.error_line().contains(words), "{}", ended.stderr);
    assert!(
        run_directory(results.path()).is_none(),
        "a run directory was made"
    );
}

/// That the store keeps its promise in a run.
#[track_caller]
fn is_valid(store: &str, more: &[&str]) {
    let (ended, _results) = run(store, more);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("VALID: the store kept its promise"),
        "{}",
        ended.stdout
    );
}

/// That a run has no result, and says why in a line with these words.
#[track_caller]
fn has_no_result(ended: &Ended, words: &[&str]) {
    assert_eq!(
        ended.code(),
        HARNESS_FAILED,
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    for word in words {
        assert!(
            ended.error_line().contains(word),
            "{word:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn a_store_that_is_not_there_is_told_with_those_that_are() {
    is_refused(
        "reddis",
        &[],
        "name one of redis, redis-replicated, redis-sentinel, etcd",
    );
    is_refused("no/such.toml", &[], "cannot read no/such.toml");
}

#[test]
fn an_option_that_a_store_has_not_is_told_with_those_that_it_has() {
    is_refused(
        "redis",
        &["--set=store.foo=1"],
        "it has store.appendfsync, store.appendonly",
    );
}

#[test]
fn a_store_of_somebody_and_one_of_the_zoo_exclude_each_other() {
    let (ended, _results) = run("redis", &["--arch=local"]);
    assert_eq!(ended.code(), BAD_ARGUMENTS, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cannot be used with '--arch"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_fault_that_a_store_cannot_have_is_refused_with_what_it_needs() {
    let elsewhere = ["--endpoints=127.0.0.1:1", "--nemesis=kill"];
    is_refused("etcd", &elsewhere, "leave --endpoints out");
    is_refused("redis", &["--nemesis=clock"], "cannot have a clock fault");
    is_refused("redis", &["--nemesis=disk"], "cannot have a disk fault");
    is_refused(
        "etcd",
        &["--nemesis=partition"],
        "needs its nodes in network namespaces: add --host netns, as root, such as `sudo kvs-bench \
         --store etcd --host netns --nemesis partition`",
    );
}

#[test]
fn faults_aimed_at_a_primary_need_a_store_that_has_one() {
    let aimed = ["--nemesis=kill", "--nemesis-targets=primary"];
    is_refused("redis", &aimed, "this store has no such node");
}

#[test]
fn a_program_that_is_not_installed_is_told_with_its_package() {
    let results = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args([
            "--store=redis",
            &format!("--results={}", results.path().display()),
        ])
        .env("PATH", "/nonexistent");
    let ended = Running::start(&mut command).wait();
    has_no_result(
        &ended,
        &["redis-server is not installed (Debian: apt-get install redis-server)"],
    );
}

#[test]
fn a_node_that_dies_at_its_start_is_told_with_the_end_of_its_log() {
    let ended = run_file(
        "start = [\"sh\", \"-c\", \"echo broken; exit 3\"]\nready = { tcp = \"client\" }\n",
    );
    has_no_result(
        &ended,
        &["node n0 ended before it served", "exit status: 3", "broken"],
    );
}

#[test]
fn a_node_that_never_serves_is_told_with_the_end_of_its_log_and_what_to_do() {
    let ended = run_file(
        "start = [\"sh\", \"-c\", \"echo still waiting for a friend; exec tail -f /dev/null\"]\n\
         ready = { tcp = \"client\", within = \"300ms\" }\n",
    );
    has_no_result(
        &ended,
        &[
            "sh of node n0 did not serve within 300ms",
            "give it longer, if that is all it needs, with `within` in its `ready`",
            "nodes/n0.log, ends with: still waiting for a friend",
        ],
    );
}

#[test]
fn a_port_that_is_taken_is_told_in_the_words_of_the_program() {
    if !is_installed("python3") {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = http_store().with_file_name("server.py");
    let ended = run_file(&format!(
        "start = [\"python3\", \"{}\", \"{port}\"]\nready = {{ tcp = \"client\" }}\n",
        server.display()
    ));
    has_no_result(
        &ended,
        &["node n0 ended before it served", "Address already in use"],
    );
}

#[test]
fn somebodys_own_store_is_judged_and_found_out_when_it_is_killed() {
    if !is_installed("python3") {
        return;
    }
    let file = http_store();
    is_valid(file.to_str().unwrap(), &[]);
    let killed = ["--nemesis=kill", "--nemesis-interval=1s", "--duration=3s"];
    let results = tempfile::tempdir().unwrap();
    let (store, to) = (
        format!("--store={}", file.display()),
        format!("--results={}", results.path().display()),
    );
    let common = ["--records=20", "--warmup=0s", "--workload=contended"];
    let ended = bench(&[&[&store[..], &to], &common[..], &killed].concat());
    assert_eq!(
        ended.code(),
        1,
        "its memory is all it has: {}{}",
        ended.stdout,
        ended.stderr
    );
    let directory = run_directory(results.path()).unwrap();
    for kept in ["nodes/n0", "nodes/n0.log", "nodes/n0-adapter.log"] {
        assert!(directory.join(kept).exists(), "{kept} was not kept");
    }
}

#[test]
fn redis_is_valid_also_where_results_go_to_the_folder_that_they_go_to_by_default() {
    if !is_installed("redis-server") || !is_installed("redis-sentinel") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for store in ["--store=redis", "--store=redis-sentinel"] {
        let mut command = Command::new(PROGRAM);
        command.arg(store).args(SHORT).current_dir(&folder);
        let ended = Running::start(&mut command).wait();
        assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    }
    assert!(run_directory(&folder.path().join("results")).is_some());
}

#[test]
fn etcd_is_valid() {
    if is_installed("etcd") {
        is_valid("etcd", &[]);
    }
}

#[test]
fn reads_at_replicas_of_redis_are_not_linearizable_and_it_does_not_promise_so() {
    if !is_installed("redis-server") {
        return;
    }
    is_valid("redis-replicated", &[]);
    let is_found = (0..TRIES).any(|_| {
        run("redis-replicated", &["--promise=linearizable"])
            .0
            .code()
            == 1
    });
    assert!(is_found, "no stale read in {TRIES} runs");
}
