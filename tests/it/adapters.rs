//! Adapters, right and wrong: what is wrong is told, costs no false verdict, and leaves nothing
//! behind. They are programs in Python; without Python these tests say that they were not run.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Ended, PROGRAM, Running, bench, until};
use crate::stores::is_installed;

/// The adapter, which misbehaves as it is told.
const ADAPTER: &str = include_str!("adapters/adapter.py");
/// The store that it speaks to.
const SERVER: &str = include_str!("../../examples/adapters/server.py");
/// One request in so many goes wrong in a run.
const ONE_IN: &str = "150";
/// One request in so many goes wrong when an adapter is checked: among a hundred at once.
const ONE_IN_WHEN_CHECKED: &str = "60";

/// A folder with the adapter, its store, and the file that names both.
fn folder(mode: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("adapter.py", ADAPTER);
    write("server.py", SERVER);
    let command = format!("[\"python3\", \"adapter.py\", \"{mode}\", \"{ONE_IN}\"]");
    write(
        "store.toml",
        &format!(
            "name = \"mine\"\npromise = \"linearizable\"\n[adapter]\ncommand = {command}\n[nodes]\n\
             start = [\"python3\", \"server.py\", \"{{port.client}}\", \"{{host}}\"]\n\
             ready = {{ tcp = \"client\" }}\n"
        ),
    );
    folder
}

/// Whether a process runs whose command names that folder.
fn is_used(folder: &Path) -> bool {
    let folder = folder.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    { processes }
        .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok())
        .any(|command| command.contains(folder))
}

/// A short run with an adapter, after which nothing runs. None where there is no Python.
fn run(mode: &str) -> Option<Ended> {
    if !is_installed("python3") {
        return None;
    }
    let folder = folder(mode);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let mut command = Command::new(PROGRAM);
    command
        .args([
            "--records=20",
            "--sessions=4",
            "--warmup=0s",
            "--duration=1s",
        ])
        .args(["--timeout-ms=200", "--workload=contended"])
        .args([
            format!("--store={}", at("store.toml")),
            format!("--results={}", at("results")),
        ]);
    // Its own command names the folder too: it has ended when this returns.
    let ended = Running::start(&mut command).wait();
    until("nothing is left", || !is_used(folder.path()));
    Some(ended)
}

/// What the screen says, on one line.
fn screen(ended: &Ended) -> String {
    ended
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// That a run with this adapter finds nothing wrong with the store, and says `words` of the
/// adapter.
#[track_caller]
fn is_told(mode: &str, words: &[&str]) {
    let Some(ended) = run(mode) else { return };
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!([0, 2].contains(&ended.code()), "{told}");
    assert!(!told.contains("INVALID"), "{told}");
    for word in words {
        assert!(screen(&ended).contains(word), "{word:?} in {told}");
    }
}

#[test]
fn a_right_adapter_drives_a_store_without_a_warning_and_the_pipe_has_its_price() {
    let Some(ended) = run("right") else { return };
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    let screen = screen(&ended);
    assert!(!screen.contains("Warning"), "{screen}");
    assert!(screen.contains("Errors none"), "{screen}");
    assert!(
        screen.contains("Pipe an adapter that answers at once"),
        "{screen}"
    );
    assert!(
        screen.contains("VALID: the store kept its promise, linearizable"),
        "{screen}"
    );
}

#[test]
fn an_adapter_that_dies_in_mid_run_is_started_again_and_told_of() {
    is_told(
        "dies",
        &["Warning the adapter of n0: it ended by itself (exit status: 7)"],
    );
}

#[test]
fn an_adapter_that_answers_twice_is_told_of() {
    is_told(
        "twice",
        &[
            "Warning the adapter of n0: it answers",
            "which it has answered",
        ],
    );
}

#[test]
fn an_adapter_that_answers_what_nobody_asked_is_told_of() {
    is_told(
        "unasked",
        &["Warning the adapter of n0: it answers 4000000000, which nobody asked"],
    );
}

#[test]
fn an_adapter_that_prints_nonsense_is_told_of_with_the_nonsense() {
    is_told("nonsense", &["Warning the adapter of n0:", "what?"]);
}

#[test]
fn an_adapter_that_fails_what_nobody_knows_contradicts_itself() {
    is_told(
        "indefinite fail",
        &["Warning the adapter of n0: `fail` says that nothing was done"],
    );
}

#[test]
fn what_an_adapter_never_answers_is_unknown() {
    is_told("never", &["timeout"]);
}

#[test]
fn what_an_adapter_answers_too_late_is_unknown() {
    is_told("late", &["timeout"]);
}

#[test]
fn an_adapter_that_runs_on_at_the_end_of_its_input_is_ended() {
    is_told(
        "runs on",
        &[
            "VALID",
            "Warning the adapter of n0: it ran on when its input had ended, and was killed 2 s later",
        ],
    );
}

#[test]
fn an_adapter_that_is_never_ready_is_given_up_in_one_line() {
    let Some(ended) = run("never ready") else {
        return;
    };
    assert_eq!(ended.code(), 255, "{}", ended.stderr);
    let line = ended.error_line();
    assert!(line.contains("did not say that it is ready"), "{line}");
}

/// `adapter check` of an adapter that misbehaves so. None where there is no Python.
fn checked(mode: &str) -> Option<Ended> {
    if !is_installed("python3") {
        return None;
    }
    let folder = folder(mode);
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let port = {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
    }
    .unwrap()
    .port();
    let mut server = Command::new("python3");
    server.arg(at("server.py")).arg(port.to_string());
    let server = Running::start(&mut server);
    until("the store serves", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let endpoint = format!("--endpoints=127.0.0.1:{port}");
    let adapter = at("adapter.py").display().to_string();
    let command = ["python3", &adapter, mode, ONE_IN_WHEN_CHECKED];
    let ended = bench(&[&["adapter", "check", &endpoint, "--"], &command[..]].concat());
    drop(server);
    until("nothing is left", || !is_used(folder.path()));
    Some(ended)
}

#[test]
fn a_check_of_a_right_adapter_finds_nothing_wrong() {
    let Some(ended) = checked("right") else {
        return;
    };
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("The adapter keeps the protocol."),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_check_says_what_is_wrong_with_each_adapter_that_is() {
    for (mode, words) in [
        ("dies", "it ended (exit status: 7)"),
        ("twice", "twice, or was never asked it"),
        (
            "unasked",
            "it answered 4000000000 twice, or was never asked it",
        ),
        ("nonsense", "what?"),
        ("indefinite fail", "`fail` says that nothing was done"),
        ("never", "no answer within 10 s, with 1 of 100 unanswered"),
        ("runs on", "it runs on"),
        ("never ready", "did not say that it is ready within 20 s"),
    ] {
        let Some(ended) = checked(mode) else { return };
        assert_eq!(ended.code(), 1, "{mode}: {}{}", ended.stdout, ended.stderr);
        let screen = screen(&ended);
        assert!(
            screen.contains("WRONG") && screen.contains(words),
            "{mode}: {screen}"
        );
    }
}

#[test]
fn a_check_names_the_program_of_an_adapter_that_is_not_installed() {
    let ended = bench(&["adapter", "check", "--", "no-such-adapter"]);
    assert_eq!(ended.code(), 1, "{}{}", ended.stdout, ended.stderr);
    let screen = screen(&ended);
    assert!(
        screen.contains("no-such-adapter is not installed"),
        "{screen}"
    );
}
