//! Nodes in network namespaces of their own: what is made is removed, whatever happens. These tests
//! need root and iproute2, and say so where they have none; `scripts/ci.sh` says so as well.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use kvs_zoo::measure::{RunRecord, VerdictWord};
use rustix::process::Signal;

use crate::program::{PROGRAM, Running, bench, run_directory, signal, until};

const SHORT: &[&str] = &["--duration=500ms", "--warmup=0s", "--records=100"];

/// Whether namespaces can be made here; says so when not.
fn can_be_made() -> bool {
    let name = format!("kvs-test-{:?}", std::thread::current().id()).replace(['(', ')'], "");
    let netns = |verb: &str| {
        let made = Command::new("ip").args(["netns", verb, &name]).output();
        made.is_ok_and(|output| output.status.success())
    };
    let can = netns("add") && netns("delete");
    if !can {
        eprintln!("not tested: no network namespace can be made here (not root, or no iproute2)");
    }
    can
}

/// `kvs-bench` that has made its namespaces, its results in `results`.
fn endless(results: &Path) -> Running {
    let mut command = Command::new(PROGRAM);
    command
        .args(["--arch=replicated", "--host=netns", "--duration=1h"])
        .args(["--warmup=0s", "--records=100"])
        .arg(format!("--results={}", results.display()));
    let running = Running::start(&mut command);
    until("the workload is driven", || {
        run_directory(results).is_some_and(|run| run.join("latency.hlog").exists())
    });
    running
}

/// The bridges that a process owns.
fn bridges_of(pid: u32) -> Vec<String> {
    let owner = format!("kvs-bench of process {pid}");
    let links = std::fs::read_dir("/sys/class/net").unwrap();
    links
        .map(|link| link.unwrap())
        .filter(|link| {
            std::fs::read_to_string(link.path().join("ifalias"))
                .is_ok_and(|alias| alias.trim() == owner)
        })
        .map(|link| link.file_name().into_string().unwrap())
        .collect()
}

/// How many namespaces and links are named after a bridge.
fn named_after(bridge: &str) -> usize {
    let count = |directory: &str, of_it: &dyn Fn(&str) -> bool| {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return 0;
        };
        entries
            .filter(|entry| of_it(entry.as_ref().unwrap().file_name().to_str().unwrap()))
            .count()
    };
    count("/run/netns", &|name| {
        name.starts_with(&format!("{bridge}-"))
    }) + count("/sys/class/net", &|name| {
        name == bridge || name.starts_with(&format!("{bridge}n"))
    })
}

#[test]
fn a_run_in_namespaces_is_judged_like_any_other_and_says_where_it_ran() {
    if !can_be_made() {
        return;
    }
    let results = tempfile::tempdir().unwrap();
    let to = format!("--results={}", results.path().display());
    let ended = bench(&[&["--arch=replicated", "--host=netns", &to], SHORT].concat());
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    let record = RunRecord::load(&run_directory(results.path()).unwrap()).unwrap();
    assert_eq!(record.configuration.host, "netns");
    assert_eq!(record.verdict.verdict, VerdictWord::Valid);
}

#[test]
fn an_interrupted_run_removes_its_namespaces() {
    if !can_be_made() {
        return;
    }
    let results = tempfile::tempdir().unwrap();
    let running = endless(results.path());
    let bridges = bridges_of(running.pid());
    assert_eq!(bridges.len(), 1, "the control");
    // A bridge, and for each of three nodes a namespace and a link.
    assert_eq!(named_after(&bridges[0]), 7, "the control");
    let pid = running.pid();
    signal(pid, Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.code(), 130, "{}", ended.stderr);
    assert_eq!(bridges_of(pid), [""; 0]);
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    if !can_be_made() {
        return;
    }
    let results = tempfile::tempdir().unwrap();
    let running = endless(results.path());
    let pid = running.pid();
    signal(pid, Signal::KILL);
    drop(running);
    assert_eq!(bridges_of(pid).len(), 1, "the control");
    let next = tempfile::tempdir().unwrap();
    let to = format!("--results={}", next.path().display());
    let ended = bench(&[&["--arch=local", "--host=netns", &to], SHORT].concat());
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_eq!(bridges_of(pid), [""; 0]);
}

#[test]
fn who_is_not_root_is_told_so_in_one_line() {
    // A program and a place that everybody may use.
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let program = place.path().join("kvs-bench");
    std::fs::copy(PROGRAM, &program).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups"]);
        command.arg(&program);
        command
    } else {
        Command::new(&program)
    };
    command
        .args(["--arch=local", "--host=netns"])
        .arg(format!("--results={}", place.path().display()));
    let ended = Running::start(&mut command).wait();
    assert_eq!(ended.code(), 254, "{}", ended.stderr);
    let line = ended.error_line();
    assert!(line.contains("need root"), "{line}");
}

#[test]
fn a_program_that_faults_in_namespaces_need_is_missed_before_anything_starts() {
    if !can_be_made() {
        return;
    }
    // A path on which there are ip and tc, and no nft.
    let path = tempfile::tempdir().unwrap();
    for program in ["ip", "tc"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|directory| directory.join(program))
            .find(|candidate| candidate.exists());
        let Some(found) = found else {
            eprintln!("not tested: there is no {program}");
            return;
        };
        std::os::unix::fs::symlink(found, path.path().join(program)).unwrap();
    }
    let run = |more: &[&str]| {
        let results = tempfile::tempdir().unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(["--arch=replicated", "--host=netns"])
            .args(["--duration=2s", "--warmup=0s", "--records=100"])
            .args(more)
            .arg(format!("--results={}", results.path().display()))
            .env("PATH", path.path());
        let ended = Running::start(&mut command).wait();
        (ended, run_directory(results.path()).is_some())
    };
    let (ended, has_started) = run(&["--nemesis=partition"]);
    assert_eq!(ended.code(), 254, "{}", ended.stderr);
    let line = ended.error_line();
    assert!(
        line.contains("nft") && line.contains("install the package nftables"),
        "{line}"
    );
    assert!(!has_started, "a run directory was made");
    let (ended, has_started) = run(&[]);
    assert_eq!(
        ended.code(),
        0,
        "without faults no nft is needed: {}",
        ended.stderr
    );
    assert!(has_started, "the control");
}
