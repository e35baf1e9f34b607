//! The nemesis on real processes. It did and undid what it says, and the run is judged.

use std::path::Path;
use std::process::Command;

use kvs_zoo::measure::{RunRecord, VerdictWord};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ended, PROGRAM, Running, bench, is_alive, run_directory, signal, until};

/// A cut of node 1 in the middle of three seconds.
const CUT: &str = r#"nemesis=[{ at = "1s", for = "1s", fault = "partition", nodes = [1] }]"#;

/// A short run with these arguments: how it ended, and what it recorded.
fn run(arguments: &[&str]) -> (Ended, RunRecord, Vec<Value>, TempDir) {
    let results = tempfile::tempdir().unwrap();
    let to = format!("--results={}", results.path().display());
    let short = [
        "--warmup=100ms",
        "--set=records=200",
        "--timeout-ms=500",
        &to,
    ];
    let ended = bench(&[&short, arguments].concat());
    let directory =
        run_directory(results.path()).unwrap_or_else(|| panic!("{}{}", ended.stdout, ended.stderr));
    let record = RunRecord::load(&directory)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    let log = log(&directory);
    (ended, record, log, results)
}

/// What the nemesis has written down.
fn log(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join("nemesis.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// That every fault was installed and healed, and nothing failed.
#[track_caller]
fn all_undone(record: &RunRecord, log: &[Value]) {
    assert_eq!(record.faults.failures, [""; 0]);
    let count = |outcome: &str| log.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!(count("installed"), record.faults.windows.len());
    assert_eq!(count("healed"), record.faults.windows.len());
    for window in &record.faults.windows {
        assert!(window.from_ns < window.to_ns, "{window:?}");
    }
}

#[test]
fn a_partition_is_felt_while_it_lasts_and_over_when_it_is_healed() {
    let (ended, record, log, _results) = run(&[
        "--arch=replicated",
        "--routing=sticky",
        "--duration=4s",
        "--set",
        CUT,
    ]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    let [window] = &record.faults.windows[..] else {
        panic!("{:?}", record.faults)
    };
    assert_eq!(window.nodes, [0, 1, 2]);
    // What is put on one side appears on the other only when the cut is over.
    let lag = record.staleness.unwrap().visibility_lag_ns;
    assert!(lag.max.unwrap() > 500_000_000, "{lag:?}");
    assert!(lag.p50.unwrap() < 100_000_000, "the control: {lag:?}");
    assert!(ended.stdout.contains("partition"), "{}", ended.stdout);
}

#[test]
fn clients_that_are_cut_from_a_node_feel_it_and_find_it_again() {
    let cut = r#"nemesis=[{ at = "1s", for = "1s", fault = "partition", what = "clients" }]"#;
    let (ended, record, log, _results) = run(&[
        "--arch=local",
        "--duration=4s",
        "--sessions=4",
        "--set",
        cut,
    ]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    let window = &record.faults.windows[0];
    assert!(window.during.errors > 0, "{window:?}");
    // A request that was on its way when the cut began may have got through.
    assert!(
        window.during.operations < window.before.operations / 100,
        "{window:?}"
    );
    assert!(
        window.after.operations > window.before.operations / 10,
        "{window:?}"
    );
}

#[test]
fn a_killed_node_comes_back_and_clients_find_it_at_its_new_address() {
    let kill = r#"nemesis=[{ at = "500ms", for = "500ms", fault = "kill", nodes = [1] }]"#;
    // On disk: of memory a killed node loses what it has not told its peers, and that is invalid.
    let arguments = [
        "--arch=replicated",
        "--durability=disk",
        "--duration=3s",
        "--set",
        kill,
    ];
    let (ended, record, log, results) = run(&arguments);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    assert!(record.nodes.iter().all(|node| node.fate.is_none()));
    // All of this it has done in its second life.
    assert!(record.nodes[1].requests > 0, "{:?}", record.nodes[1]);
    let told = std::fs::read_to_string(run_directory(results.path()).unwrap().join("nodes/n1.log"));
    assert_eq!(told.unwrap().matches("serves at").count(), 2);
}

#[test]
fn a_lone_node_that_is_killed_in_memory_is_found_to_have_lost_writes() {
    let kill = r#"nemesis=[{ at = "1s", for = "300ms", fault = "kill" }]"#;
    let arguments = [
        "--arch=local",
        "--records=5000",
        "--sessions=2",
        "--duration=2s",
    ];
    let (ended, record, log, _results) = run(&[&arguments[..], &["--set", kill]].concat());
    assert_eq!(ended.code(), 1, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    assert_eq!(record.verdict.anomalies[0].kind, "lost-write");
    assert!(record.verdict.lost_writes.unwrap() > 100);
    // The same on disk loses nothing.
    let disk = ["--durability=disk", "--set", kill];
    let (ended, record, log, results) = run(&[&arguments[..], &disk].concat());
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    assert_eq!(record.configuration.durability, "disk");
    assert!(record.nodes[0].commits.unwrap() > 0);
    let nodes = run_directory(results.path()).unwrap().join("nodes");
    for stored in ["n0.redb", "n0.0.journal", "n0.1.journal"] {
        assert!(!nodes.join(stored).exists(), "what was stored is removed");
    }
}

#[test]
fn a_node_whose_disk_fails_gives_up_and_comes_back_with_all_it_acknowledged() {
    for what in ["full", "sync-fails", "torn-write"] {
        let disk = format!(
            r#"nemesis=[{{ at = "500ms", for = "500ms", fault = "disk", what = "{what}" }}]"#
        );
        let (ended, record, log, results) = run(&[
            "--arch=local",
            "--durability=disk",
            "--sessions=4",
            "--duration=2s",
            "--set",
            &disk,
        ]);
        assert_eq!(ended.code(), 0, "{what}: {}{}", ended.stdout, ended.stderr);
        all_undone(&record, &log);
        let path = run_directory(results.path()).unwrap().join("nodes/n0.log");
        let told = std::fs::read_to_string(path).unwrap();
        assert_eq!(told.matches("serves at").count(), 2, "{what}: {told}");
        let says_why = told.contains("giving up: cannot make changes durable");
        assert_eq!(says_why, what != "torn-write", "{what}: {told}");
        assert!(record.statistics.throughput.errors > 0, "{what}");
    }
}

#[test]
fn packets_and_clocks_and_pauses_leave_the_promise_whole() {
    let (ended, record, log, _results) = run(&[
        "--arch=sharded_replicated",
        "--workload=contended",
        "--nemesis=pause,packet,clock",
        "--nemesis-interval=600ms",
        "--duration=5s",
    ]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    for kind in ["pause", "packet", "clock"] {
        let came = { &record.faults.windows }
            .iter()
            .any(|window| window.kind == kind);
        assert!(came, "{kind}");
    }
}

#[test]
fn a_clock_that_moves_while_its_node_stands_still_heaps_up_no_commands() {
    // More turns of the clock than commands that a node may leave unanswered.
    let both = r#"nemesis=[
        { at = "100ms", for = "1800ms", fault = "clock", what = "drift", nodes = [1] },
        { at = "200ms", for = "1500ms", fault = "pause", nodes = [1] }]"#
        .replace('\n', " ");
    let (ended, record, log, _results) =
        run(&["--arch=replicated", "--duration=3s", "--set", &both]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    all_undone(&record, &log);
    assert_eq!(record.faults.windows.len(), 2);
}

#[test]
fn an_interrupted_run_undoes_its_faults_at_once() {
    let results = tempfile::tempdir().unwrap();
    let pause = r#"nemesis=[{ at = "100ms", for = "1h", fault = "pause", nodes = [0, 1] }]"#;
    let mut command = Command::new(PROGRAM);
    command
        .args(["--arch=replicated", "--duration=1h", "--warmup=0s"])
        .args(["--records=200", "--timeout-ms=500", "--set", pause])
        .arg(format!("--results={}", results.path().display()));
    let running = Running::start(&mut command);
    let is_installed = || {
        run_directory(results.path()).is_some_and(|directory| {
            std::fs::read_to_string(directory.join("nemesis.jsonl"))
                .is_ok_and(|log| log.contains("installed"))
        })
    };
    until("the fault is installed", is_installed);
    let nodes = running.nodes();
    signal(running.pid(), Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.code(), 130, "{}", ended.stderr);
    until("no node is left", || {
        !nodes.iter().any(|node| is_alive(*node))
    });
    let directory = run_directory(results.path()).unwrap();
    let log = log(&directory);
    assert_eq!(log.last().unwrap()["outcome"], "healed");
    let record = RunRecord::load(&directory).unwrap();
    assert_eq!(record.verdict.verdict, VerdictWord::Unknown);
    assert_eq!(record.faults.failures, [""; 0]);
}

#[test]
fn a_fault_that_cannot_be_undone_fails_the_harness_and_not_the_verdict() {
    // While node 0 is down its program is taken away, so that it cannot be started again.
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("kvs-bench");
    std::fs::copy(PROGRAM, &program).unwrap();
    let results = place.path().join("results");
    let kill = r#"nemesis=[{ at = "100ms", for = "500ms", fault = "kill", nodes = [0] }]"#;
    let mut command = Command::new(&program);
    command
        .args(["--arch=sharded", "--duration=1500ms", "--warmup=0s"])
        .args(["--records=50", "--timeout-ms=200", "--set", kill])
        .arg(format!("--results={}", results.display()));
    let running = Running::start(&mut command);
    until("the fault is installed", || {
        run_directory(&results).is_some_and(|directory| {
            std::fs::read_to_string(directory.join("nemesis.jsonl"))
                .is_ok_and(|log| log.contains("installed"))
        })
    });
    std::fs::remove_file(&program).unwrap();
    let ended = running.wait();
    let directory = run_directory(&results).unwrap();
    let record = RunRecord::load(&directory).unwrap();
    assert_eq!(record.faults.failures.len(), 1, "{:?}", record.faults);
    let fate = record.nodes[0].fate.as_ref().expect("its fate is stated");
    assert!(fate.contains("not started again"), "{fate}");
    assert!(
        ended.stdout.contains("THE NEMESIS FAILED"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("Verdict"), "{}", ended.stdout);
    let expected = if record.verdict.verdict == VerdictWord::Invalid {
        1
    } else {
        255
    };
    assert_eq!(ended.code(), expected, "{}{}", ended.stdout, ended.stderr);
    let again = bench(&["check", directory.to_str().unwrap()]);
    let told = "the nemesis failed: ";
    assert!(again.stdout.contains(told), "{}", again.stdout);
    assert_ne!(again.code(), 0, "{}", again.stdout);
}

#[test]
fn what_a_nemesis_cannot_do_is_said_before_anything_starts() {
    let cases: [(&[&str], &str); 11] = [
        (
            &["--nemesis=earthquake"],
            "there is no fault \"earthquake\"",
        ),
        (&["--nemesis=kill,amnesia"], "need a simulated world"),
        (&["--nemesis=disk"], "--durability disk"),
        (
            &["--nemesis=kill", "--nemesis-interval=soon"],
            "a time with its unit",
        ),
        (
            &[
                "--set",
                r#"nemesis=[{ at = "1s", for = "1s", fault = "kill", nodes = [9] }]"#,
            ],
            "n9",
        ),
        (
            &[
                "--set",
                r#"nemesis=[{ at = "1s", for = "1s", fault = "packet", what = "rain" }]"#,
            ],
            "rain",
        ),
        (
            &[
                "--arch=local",
                "--nemesis=partition",
                "--nemesis-partitions=bridge",
            ],
            "bridge",
        ),
        (&["--nemesis-interval=1s"], "add --nemesis"),
        (&["--nemesis-targets=all"], "add --nemesis"),
        (
            &["--nemesis=kill", "--nemesis-targets=one,leader"],
            "this store has no such node",
        ),
        (
            &["--nemesis=kill", "--nemesis-partitions=one"],
            "add --nemesis partition",
        ),
    ];
    for (arguments, told) in cases {
        let ended = bench(arguments);
        assert_eq!(ended.code(), 254, "{arguments:?}: {}", ended.stderr);
        let line = ended.error_line();
        assert!(line.contains(told), "{arguments:?}: {line}");
    }
}

#[test]
fn faults_that_cannot_come_in_the_time_there_is_are_refused_with_what_would_do() {
    let short = [
        "--arch=replicated",
        "--workload=uniform",
        "--records=200",
        "--warmup=100ms",
    ];
    let refused = |more: &[&str]| {
        let ended = bench(&[&short, more].concat());
        assert_eq!(ended.code(), 254, "{more:?}: {}", ended.stderr);
        ended.error_line().to_owned()
    };
    let two = "--duration=2s";
    let told = refused(&[two, "--nemesis=pause,kill", "--nemesis-interval=10s"]);
    for part in ["--duration 31s", "--nemesis-interval 650ms", "kill, pause"] {
        assert!(told.contains(part), "{told}");
    }
    let kill = r#"nemesis=[{at="10s",for="1s",fault="kill"}]"#;
    let told = refused(&[two, "--set", kill]);
    assert!(told.contains("--duration 11s"), "{told}");
    let told = refused(&["--nemesis=all", "--duration=20ms"]);
    assert!(told.contains("--duration 100ms"), "{told}");
}

/// How much came of a kind.
fn installed(record: &RunRecord, kind: &str) -> Option<u64> {
    let mut coverage = record.faults.coverage.iter();
    Some(coverage.find(|coverage| coverage.kind == kind)?.installed)
}

#[test]
fn a_run_that_ended_before_its_faults_is_unknown_and_says_which_never_came() {
    let (ended, record, log, results) =
        run(&["--arch=local", "--operations=200", "--nemesis=kill,pause"]);
    assert_eq!(ended.code(), 2, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(log.len(), 0);
    assert_eq!(record.verdict.verdict, VerdictWord::Unknown);
    assert_eq!(record.verdict.gaps.len(), 2, "{:?}", record.verdict.gaps);
    let said = ended
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for kind in ["kill", "pause"] {
        assert_eq!(installed(&record, kind), Some(0));
        assert!(said.contains(&format!("no {kind} was installed")), "{said}");
    }

    // Judged again it is what it was; its history alone cannot tell.
    let directory = run_directory(results.path()).unwrap();
    let history = directory.join("history.arrows");
    for path in [&directory, &history, &directory.join("run.json")] {
        let again = bench(&["check", path.to_str().unwrap()]);
        assert_eq!(again.code(), 2, "{}", again.stdout);
        let verdict = again.stdout.lines().next().unwrap();
        for gap in &record.verdict.gaps {
            assert!(verdict.contains(gap), "{gap} is not in {verdict}");
        }
    }
    let alone = results.path().join("alone.arrows");
    std::fs::copy(&history, &alone).unwrap();
    let by_itself = bench(&["check", alone.to_str().unwrap()]);
    assert_eq!(by_itself.code(), 0, "the control: {}", by_itself.stdout);
    std::fs::remove_file(directory.join("run.json")).unwrap();
    let partial = bench(&["check", directory.to_str().unwrap()]);
    assert_eq!(partial.code(), 2, "{}", partial.stdout);
    assert!(partial.stdout.contains("is partial"), "{}", partial.stdout);
}

#[test]
fn all_is_every_kind_that_the_store_can_have_each_at_least_once() {
    let stores: [(&str, &[&str]); 2] = [
        ("--arch=local", &["--durability=disk"]),
        ("--arch=sharded_replicated", &[]),
    ];
    for (store, more) in stores {
        let arguments = [store, "--nemesis=all", "--duration=6s", "--sessions=4"];
        let (ended, record, log, _results) = run(&[&arguments, more].concat());
        // In memory a kill may take what nobody else had yet.
        assert!(ended.code() <= 1, "{}{}", ended.stdout, ended.stderr);
        all_undone(&record, &log);
        assert_eq!(record.verdict.gaps, [""; 0]);
        for kind in ["partition", "kill", "pause", "packet", "clock"] {
            assert!(installed(&record, kind) >= Some(1), "{store} {kind}");
        }
        let said = ended
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if more.is_empty() {
            assert_eq!(installed(&record, "disk"), None);
            assert_eq!(record.faults.left_out, ["disk needs --durability disk"]);
            assert!(said.contains("(disk needs --durability disk)"), "{said}");
        } else {
            assert!(installed(&record, "disk") >= Some(1));
            assert!(said.contains("1 disk fault"), "{said}");
        }
    }
}

#[test]
fn a_fault_waits_for_its_node_to_come_back_and_is_left_out_when_that_is_too_late() {
    // Nobody to pause for as long as the second fault would last; somebody in time for the third.
    let steps = r#"nemesis=[
        { at = "100ms", for = "1500ms", fault = "kill" },
        { at = "300ms", for = "200ms", fault = "pause" },
        { at = "400ms", for = "30s", fault = "packet" }]"#
        .replace('\n', " ");
    let (ended, record, log, _results) = run(&[
        "--arch=local",
        "--durability=disk",
        "--duration=6s",
        "--set",
        &steps,
    ]);
    assert_eq!(ended.code(), 2, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(installed(&record, "kill"), Some(1));
    assert_eq!(installed(&record, "pause"), Some(0));
    assert_eq!(installed(&record, "packet"), Some(1));
    let gap = "no pause was installed: none of its nodes was running";
    assert_eq!(record.verdict.gaps, [gap]);
    let missed = log.iter().filter(|line| line["outcome"] == "missed");
    assert_eq!(missed.count(), 1);
    let [kill, packet] = &record.faults.windows[..] else {
        panic!("{:?}", record.faults)
    };
    assert!(packet.from_ns >= kill.to_ns, "{:?}", record.faults);
}
