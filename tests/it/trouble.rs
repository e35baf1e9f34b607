//! Runs in trouble: nodes that die or stop, interruptions, a full disk. Real processes; to know
//! where a run is, the tests watch its directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use kvs_zoo::history::{History, Outcome, Phase};
use kvs_zoo::measure::{RunRecord, VerdictWord};
use kvs_zoo::run::{self, Config, Observer};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{Ended, PROGRAM, Running, bench, is_alive, run_directory, signal, until};

/// A run that no test waits for the end of.
const ENDLESS: &str = "--duration=1h";

/// A run with its results in a place of its own.
struct Trouble {
    running: Running,
    results: TempDir,
}

impl Trouble {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(Command::new(PROGRAM), arguments)
    }

    fn start_with(mut command: Command, arguments: &[&str]) -> Self {
        let results = tempfile::tempdir().unwrap();
        command
            .args(["--records=300", "--sessions=4", "--warmup=0s"])
            .args(["--timeout-ms=500", "--budget=0.1"])
            .arg(format!("--results={}", results.path().display()))
            .args(arguments);
        let running = Running::start(&mut command);
        Self { running, results }
    }

    fn directory(&self) -> PathBuf {
        run_directory(self.results.path()).expect("the run has a directory")
    }

    /// Waits until the workload is being driven: the latency log is created then.
    fn until_it_runs(&self) {
        until("the workload is driven", || {
            run_directory(self.results.path())
                .is_some_and(|directory| directory.join("latency.hlog").exists())
        });
    }

    /// Waits until operations of the workload are on disk.
    fn until_rows_are_saved(&self) {
        self.until_it_runs();
        let path = self.directory().join("history.arrows");
        until("the history has rows of the workload", || {
            History::read(&path).is_ok_and(|history| rows(&history, Outcome::Ok) > 0)
        });
    }

    /// Waits for its end, which leaves no process.
    fn end(self) -> (Ended, TempDir) {
        let nodes = self.running.nodes();
        let ended = self.running.wait();
        until("no node is left", || {
            !nodes.iter().any(|&node| is_alive(node))
        });
        (ended, self.results)
    }
}

fn record(results: &TempDir) -> RunRecord {
    let directory = run_directory(results.path()).unwrap();
    let json = std::fs::read_to_string(directory.join("run.json")).unwrap();
    serde_json::from_str(&json).unwrap()
}

fn history(results: &TempDir) -> History {
    let directory = run_directory(results.path()).unwrap();
    History::read(&directory.join("history.arrows")).unwrap()
}

/// How many rows of the workload ended like this.
fn rows(history: &History, outcome: Outcome) -> usize {
    (0..history.len())
        .map(|i| history.row(i))
        .filter(|row| row.phase == Phase::Run && row.outcome == outcome)
        .count()
}

/// That what is left of the history can be judged, and that no operation of it is held against
/// the store: at worst nobody can tell.
#[track_caller]
fn can_be_checked(results: &TempDir) {
    let directory = run_directory(results.path()).unwrap();
    let checked = bench(&["check", "--budget=0.1", directory.to_str().unwrap()]);
    let told = format!("{}{}", checked.stdout, checked.stderr);
    assert!([0, 2].contains(&checked.code()), "{told}");
    assert!(!checked.stdout.is_empty());
}

/// Does `harm` to the second of three replicas, and returns its fate as recorded.
fn with_a_node_harmed(harm: Signal) -> String {
    let trouble = Trouble::start(&["--arch=replicated", "--duration=2s"]);
    trouble.until_rows_are_saved();
    let nodes = trouble.running.nodes();
    assert_eq!(nodes.len(), 3);
    signal(nodes[1], harm);
    let (ended, results) = trouble.end();

    // Not every replica could be asked: the promise may be seen broken (what only the killed node
    // had is lost), but never kept.
    let record = record(&results);
    assert!([1, 2].contains(&ended.code()), "{}", ended.stderr);
    assert_ne!(record.verdict.verdict, VerdictWord::Valid);
    assert!(!record.verdict.engines.is_empty(), "it was judged");
    assert_eq!(ended.stderr, "");
    assert!(!record.statistics.errors.is_empty(), "errors are counted");
    let seconds = record.statistics.throughput.seconds;
    assert!(seconds >= 2.0, "the run goes on: {seconds} s");
    let history = history(&results);
    assert!(history.end.is_some() && history.damage.is_none());
    assert!(rows(&history, Outcome::Info) + rows(&history, Outcome::Fail) > 0);
    assert!(rows(&history, Outcome::Ok) > 0, "the control");

    let fate = record.nodes[1].fate.clone().expect("its fate is stated");
    assert!(ended.stdout.contains("Verdict"), "{}", ended.stdout);
    assert!(ended.stdout.contains("n1: "), "{}", ended.stdout);
    assert!(record.nodes[0].fate.is_none() && record.nodes[2].fate.is_none());
    fate
}

#[test]
fn a_run_goes_on_and_is_judged_when_a_node_is_killed() {
    let fate = with_a_node_harmed(Signal::KILL);
    assert!(fate.contains("signal: 9"), "{fate}");
    assert!(fate.contains("nodes/n1.log"), "{fate}");
}

#[test]
fn a_run_goes_on_and_is_judged_when_a_node_stops_answering() {
    let fate = with_a_node_harmed(Signal::STOP);
    assert!(fate.contains("did not answer within"), "{fate}");
    assert!(fate.contains("nodes/n1.log"), "{fate}");
}

#[test]
fn a_run_whose_only_node_is_killed_ends_in_time() {
    let trouble = Trouble::start(&["--arch=local", "--duration=2s"]);
    trouble.until_rows_are_saved();
    signal(trouble.running.nodes()[0], Signal::KILL);
    let (ended, results) = trouble.end();
    assert!([0, 2].contains(&ended.code()), "{}", ended.stderr);
    let record = record(&results);
    assert!(record.statistics.throughput.errors > 0);
    assert!(record.nodes[0].fate.is_some());
    let history = history(&results);
    assert!(history.end.is_some());
    let answered = (0..history.len()).any(|i| {
        let row = history.row(i);
        row.phase == Phase::Final && row.outcome == Outcome::Ok
    });
    assert!(!answered, "there was nobody to read back from");
}

#[test]
fn an_interrupted_run_keeps_what_was_recorded_and_leaves_no_process() {
    let mut signals = vec![Signal::INT, Signal::TERM];
    // Under nohup it is ignored, by the test and by what it starts.
    if !ignores_hang_up() {
        signals.push(Signal::HUP);
    }
    for asked in signals {
        let trouble = Trouble::start(&["--arch=replicated", ENDLESS]);
        trouble.until_rows_are_saved();
        assert_eq!(trouble.running.nodes().len(), 3, "the control");
        signal(trouble.running.pid(), asked);
        let (ended, results) = trouble.end();
        assert_eq!(ended.code(), 130, "{}", ended.stderr);
        assert_eq!(ended.stderr, "");
        let record = record(&results);
        assert!(record.void.iter().any(|why| why.contains("interrupted")));
        assert_eq!(record.verdict.verdict, VerdictWord::Unknown);
        let history = history(&results);
        assert!(history.end.is_some() && history.damage.is_none());
        assert!(rows(&history, Outcome::Ok) > 0);
        assert_eq!(history.len() as u64, record.history.recorded);
        assert!(history.end.unwrap().interrupted && !record.history.complete);
        assert!(ended.stdout.contains("until the run was interrupted"));
        can_be_checked(&results);
        let directory = run_directory(results.path()).unwrap();
        let checked = bench(&["check", "--budget=0.1", directory.to_str().unwrap()]);
        let verdict = checked.stdout.lines().next().unwrap();
        assert!(verdict.contains("the run was interrupted"), "{verdict}");
        assert_eq!(checked.code(), 2, "a causal store is read back in the end");
    }
}

fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap() & 1 == 1
}

#[test]
fn an_interrupt_ends_a_run_that_waits_for_a_stopped_node() {
    let trouble = Trouble::start(&["--arch=local", ENDLESS]);
    trouble.until_it_runs();
    signal(trouble.running.nodes()[0], Signal::STOP);
    signal(trouble.running.pid(), Signal::INT);
    let (ended, results) = trouble.end();
    assert_eq!(ended.code(), 130, "{}", ended.stderr);
    assert!(history(&results).end.is_some());
}

#[test]
fn a_run_whose_place_is_killed_is_judged_and_says_what_became_of_its_nodes() {
    let trouble = Trouble::start(&["--arch=sharded", "--duration=2s"]);
    trouble.until_rows_are_saved();
    let nodes = trouble.running.nodes();
    assert_eq!(nodes.len(), 3, "the control");
    // Stopped, it would not notice by itself that nobody keeps it any more.
    signal(nodes[0], Signal::STOP);
    signal(trouble.running.agents()[0], Signal::KILL);
    until("no node is left", || {
        !nodes.iter().any(|&node| is_alive(node))
    });
    let (ended, results) = trouble.end();
    assert!([0, 2].contains(&ended.code()), "{}", ended.stderr);
    let record = record(&results);
    for node in &record.nodes {
        let fate = node.fate.as_ref().expect("its fate is stated");
        assert!(fate.contains("gone with its place"), "{fate}");
    }
}

#[test]
fn a_killed_launcher_leaves_no_node_not_even_a_stopped_one() {
    let trouble = Trouble::start(&["--arch=replicated", ENDLESS]);
    trouble.until_rows_are_saved();
    let nodes = trouble.running.nodes();
    assert_eq!(nodes.len(), 3);
    signal(nodes[0], Signal::STOP);
    signal(trouble.running.pid(), Signal::KILL);
    until("no node is left", || {
        !nodes.iter().any(|&node| is_alive(node))
    });
    let directory = trouble.directory();
    let history = History::read(&directory.join("history.arrows")).unwrap();
    assert!(history.end.is_none(), "it was cut short");
    assert!(rows(&history, Outcome::Ok) > 0, "whole batches are kept");
    assert!(!directory.join("run.json").exists(), "no result");
    can_be_checked(&trouble.results);
}

/// The largest file, in the blocks of `ulimit`: 512 bytes or 1 KiB, by the shell.
const FILE_BLOCKS_MAX: u32 = 6000;

#[test]
fn a_full_disk_ends_the_run_and_whole_batches_stay_readable() {
    // A limit on the size of files fails writes as a full disk does, and needs no privileges.
    let mut shell = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS_MAX}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script, PROGRAM]);
    let trouble = Trouble::start_with(shell, &["--arch=local", ENDLESS]);
    let (ended, results) = trouble.end();
    assert_eq!(ended.code(), 255, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "", "no half result");
    let line = ended.error_line();
    assert!(line.contains("cannot write the history"), "{line}");
    assert!(line.contains("File too large"), "{line}");
    let directory = run_directory(results.path()).unwrap();
    assert!(line.contains(directory.to_str().unwrap()), "{line}");
    assert!(!directory.join("run.json").exists(), "no result");
    let history = history(&results);
    assert!(history.end.is_none(), "it was cut short");
    assert!(rows(&history, Outcome::Ok) > 0, "whole batches are kept");
    can_be_checked(&results);
}

/// Is told, and does not care.
struct Deaf;

impl Observer for Deaf {
    fn stage(&mut self, _: &'static str) {}
    fn progress(&mut self, _: String) {}
}

fn start_nodes_with(program: &str, results: &Path) -> String {
    let config = Config {
        results: results.to_owned(),
        history_limit: None,
        program: Some(program.into()),
        ..Config::default()
    };
    let error = run::run(&config, &mut Deaf).expect_err("the nodes do not start");
    error.to_string()
}

#[test]
fn nodes_that_do_not_start_are_one_clear_line() {
    let results = tempfile::tempdir().unwrap();
    let told = start_nodes_with("/nowhere/kvs-bench", results.path());
    assert!(told.contains("did not start"), "{told}");
    assert!(told.contains("/nowhere/kvs-bench"), "{told}");
    let told = start_nodes_with("false", results.path());
    assert!(told.contains("(`false place`) is gone"), "{told}");
    assert!(told.ends_with("exit status: 1"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}
