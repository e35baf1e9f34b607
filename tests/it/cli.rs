//! The command line: what it prints, what it refuses, and how it exits.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kvs_zoo::measure::RunRecord;

use crate::program::{Ended, PROGRAM, bench, run_directory};

/// A run of a second.
const SHORT: &[&str] = &[
    "--records=500",
    "--sessions=4",
    "--warmup=100ms",
    "--duration=500ms",
];

fn short_run(results: &Path, more: &[&str]) -> Ended {
    let results = format!("--results={}", results.display());
    let arguments = [SHORT, &[results.as_str()], more].concat();
    bench(&arguments)
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let ended = bench(arguments);
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
    ended.stdout
}

#[test]
fn help_teaches() {
    insta::assert_snapshot!(printed(&["--help"]));
}

#[test]
fn list_shows_what_there_is_to_choose_from() {
    insta::assert_snapshot!(printed(&["list"]));
}

#[test]
fn the_glossary_explains_one_word_or_all_and_refuses_what_is_none() {
    let ryw = printed(&["glossary", "RYW"]);
    assert!(ryw.starts_with("ryw\n    Read your writes"), "{ryw}");
    let all = printed(&["glossary"]);
    assert!(all.contains(&ryw) && all.contains("void\n    "), "{all}");
    let refusal = ["\"zipf\"", "`kvs-bench glossary`"];
    refused(&["glossary", "zipf"], &refusal);
}

#[test]
fn completions_know_the_options() {
    for (shell, option) in [("bash", "--arch"), ("zsh", "--arch="), ("fish", "-l arch")] {
        let script = printed(&["completions", shell]);
        assert!(script.contains(option), "{shell}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    for arguments in [&["list"][..], &["bugs"], &["completions", "zsh"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(PROGRAM)
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""));
    }
}

/// Asserts that the arguments are refused in one line that has each of `words`.
#[track_caller]
fn refused(arguments: &[&str], words: &[&str]) {
    let ended = bench(arguments);
    assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
    for word in words {
        let line = ended.error_line();
        assert!(line.contains(word), "{word:?} is missing: {line}");
    }
}

#[test]
fn names_that_do_not_exist_are_refused_with_the_nearest_one() {
    refused(&["--arch=replicatd"], &["`replicatd`", "`replicated`"]);
    refused(&["--workload=zipff"], &["`zipff`", "`zipf`"]);
    refused(&["--set=recrods=5"], &["`recrods`", "`records`"]);
    refused(&["--bug=overwritng"], &["overwritng", "overwriting-merge"]);
}

#[test]
fn what_clap_refuses_exits_the_same_way_and_its_first_line_names_the_problem() {
    for (arguments, problem) in [
        (&["--lattice=lw"][..], "invalid value 'lw' for '--lattice"),
        (&["bogus"], "unrecognized subcommand 'bogus'"),
        (&["--timeout-ms=0"], "0 is not in 1..=600000"),
        (&["--no-such-option"], "unexpected argument"),
    ] {
        let ended = bench(arguments);
        assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
        let first = ended.stderr.lines().next().unwrap();
        assert!(first.starts_with("error: "), "{first}");
        assert!(first.contains(problem), "{first}");
    }
    let stderr = bench(&["--lattice=lw"]).stderr;
    assert!(stderr.contains("'lww'"), "the nearest: {stderr}");
}

#[test]
fn a_shard_inside_a_replica_is_refused_with_the_way_around() {
    refused(
        &["--arch=replicated(sharded(3, local))"],
        &["replicated", "turn the two around"],
    );
}

#[test]
fn impossible_sizes_are_refused_with_the_possible_ones() {
    refused(&["--sessions=0"], &["sessions is 0", "from 1 to"]);
    refused(&["--records=0"], &["records is 0", "from 1 to"]);
    refused(&["--value-size=1"], &["1 bytes", "at least 16"]);
    refused(&["--rate=0"], &["rate is 0", "above 0"]);
    refused(&["--arch=replicated(0)"], &["at least 1"]);
    refused(&["--arch=sharded(9999)"], &["9999", "at most 4096"]);
    refused(&["--duration=x"], &["duration", "`x`", "5s"]);
    refused(&["--budget=-1"], &["--budget"]);
}

#[test]
fn a_bug_that_the_store_cannot_have_is_refused_with_the_command_that_has_it() {
    refused(
        &["--arch=local", "--bug=overwriting-merge"],
        &["local cannot have", "--arch replicated"],
    );
}

#[test]
fn a_workload_file_that_cannot_be_used_is_refused_by_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.toml");
    let workload = format!("--workload={}", path.display());
    refused(&[&workload], &["mine.toml", "No such file"]);
    fs::write(&path, "records = 10\nsessions = \"many\"\n").unwrap();
    refused(&[&workload], &["mine.toml", "line 2"]);
    fs::write(&path, "records = 10\n\nrecrods = 5\n").unwrap();
    refused(&[&workload], &["recrods", "records"]);
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    refused(&[&workload], &["mine.toml"]);
    let folder = format!("--workload={}", directory.path().display());
    refused(&[&folder], &["Is a directory"]);
}

#[test]
fn an_error_tells_its_cause_once() {
    let ended = bench(&["--workload=/nowhere/x.toml"]);
    let line = ended.error_line();
    assert_eq!(line.matches("No such file").count(), 1, "{line}");
}

#[test]
fn a_negative_number_is_refused_as_one() {
    refused(&["--rate", "-5"], &["--rate", "-5", "nothing below 0"]);
    refused(&["--duration", "-1s"], &["--duration", "-1s"]);
    refused(&["matrix", "--interval", "-3s"], &["--interval", "-3s"]);
    refused(&["--rate=-5"], &["rate", "-5"]);
}

#[test]
fn a_deployment_that_no_machine_holds_is_refused_before_it_starts() {
    let told = ["too large for this machine", "kvs-bench sim"];
    refused(&["--arch=replicated(2000)"], &told);
}

#[test]
fn results_that_cannot_be_written_are_a_failure_of_the_harness() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let ended = short_run(file.path(), &["--arch=local"]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (255, ""));
    assert!(ended.error_line().contains("--results"));
}

/// That nothing but text was printed: no colours, no progress line.
#[track_caller]
fn is_plain(ended: &Ended) {
    assert_eq!(ended.stderr, "");
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!ended.stdout.contains(control), "{:?}", ended.stdout);
}

#[test]
fn a_run_prints_one_plain_screen_that_report_prints_again() {
    let results = tempfile::tempdir().unwrap();
    let ran = short_run(results.path(), &["--arch=local"]);
    assert_eq!(ran.code(), 0, "{}{}", ran.stdout, ran.stderr);
    is_plain(&ran);
    assert!(ran.stdout.contains("Verdict     VALID"), "{}", ran.stdout);

    let directory = run_directory(results.path()).unwrap();
    let saved = fs::read_to_string(directory.join("report.txt")).unwrap();
    assert_eq!(saved.trim_end(), ran.stdout.trim_end());
    let latest = results.path().join("latest");
    for path in [&directory, &latest] {
        let again = bench(&["report", path.to_str().unwrap()]);
        assert_eq!(again.code(), ran.code());
        // It tells where it found the run.
        let (found, made) = (path.to_str().unwrap(), directory.to_str().unwrap());
        assert_eq!(again.stdout.replace(found, made), ran.stdout);
        is_plain(&again);
    }
}

#[test]
fn json_is_one_document_the_same_as_the_saved_one() {
    let results = tempfile::tempdir().unwrap();
    let ran = short_run(results.path(), &["--arch=sharded", "--json"]);
    assert_eq!(ran.code(), 0, "{}{}", ran.stdout, ran.stderr);
    is_plain(&ran);
    let printed: RunRecord = serde_json::from_str(&ran.stdout).unwrap();
    let directory = run_directory(results.path()).unwrap();
    let saved = fs::read_to_string(directory.join("run.json")).unwrap();
    assert_eq!(ran.stdout.trim_end(), saved.trim_end());
    assert_eq!(printed.configuration.architecture, "sharded");
    assert_eq!(printed.configuration.sessions, 4);
    assert!(printed.statistics.throughput.operations > 0);
    assert_eq!(Path::new(&printed.directory), directory);
}

#[test]
fn without_a_history_the_verdict_is_unknown_and_says_why() {
    let results = tempfile::tempdir().unwrap();
    let ran = short_run(results.path(), &["--arch=local", "--no-history"]);
    assert_eq!(ran.code(), 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("UNKNOWN"), "{}", ran.stdout);
    assert!(ran.stdout.contains("--no-history"), "{}", ran.stdout);
}

#[test]
fn a_run_directory_that_cannot_be_reported_is_one_clear_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    refused(&["report", "/nowhere"], &["/nowhere", "No such file"]);
    // Partial: the record is written last.
    fs::write(directory.path().join("history.arrows"), "").unwrap();
    refused(&["report", path], &[path, "run.json"]);
    for damaged in ["", "{", "{}", "[1, 2]", "\u{0}\u{1}"] {
        fs::write(directory.path().join("run.json"), damaged).unwrap();
        refused(&["report", path], &[path, "run.json"]);
    }
}

#[test]
fn a_history_that_cannot_be_judged_is_one_clear_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    refused(&["check", "/nowhere"], &["/nowhere", "there is no"]);
    refused(
        &["check", path],
        &["history.arrows", "not a run's directory"],
    );
    for damaged in [&b""[..], b"{", b"no history", &[0xff; 64]] {
        fs::write(directory.path().join("history.arrows"), damaged).unwrap();
        refused(&["check", path], &["history.arrows"]);
    }
}

/// A history of the corpus.
fn histories(name: &str) -> String {
    format!(
        "{}/tests/testdata/histories/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn a_history_is_judged_by_the_model_that_was_asked_for() {
    let apart = histories("cc/ok-concurrent-puts-in-contrary-orders.jsonl");
    for (model, status) in [
        ("cc", 0),
        ("ccv", 1),
        ("sequential", 1),
        ("eventual", 2),
        // Without a promise the strongest decides.
        ("all", 1),
    ] {
        let output = bench(&["check", &apart, "--model", model]);
        let text = &output.stdout;
        assert_eq!(output.code(), status, "{model}: {text}");
        assert!(text.contains("cc           held"), "{text}");
        assert!(text.contains("ccv          broken"), "{text}");
    }
    refused(
        &["check", &apart, "--model", "strong"],
        &["--model", "linearizable"],
    );
}

#[test]
fn a_promise_decides_over_the_ladder_and_is_marked() {
    let stale = histories("lww/ok-stale-read-elsewhere.jsonl");
    let output = bench(&["check", &stale, "--model", "all"]);
    let text = &output.stdout;
    assert!(text.contains("* lww          held"), "{text}");
    assert!(text.contains("linearizable broken"), "{text}");
    assert_ne!(output.code(), 1, "{text}");
}

#[test]
fn a_promise_on_the_command_line_replaces_that_of_the_header() {
    let stale = histories("lww/ok-stale-read-elsewhere.jsonl");
    let output = bench(&["check", &stale, "--promise", "linearizable"]);
    assert_eq!(output.code(), 1, "{}", output.stdout);
    let output = bench(&["check", &stale, "--promise", "mr", "--model", "all"]);
    let text = &output.stdout;
    assert_eq!(output.code(), 0, "{text}");
    assert!(text.contains("* mr           held"), "{text}");
    // A model that is asked for decides all the same.
    let asked = ["--promise", "mr", "--model", "linearizable"];
    let output = bench(&[&["check", &stale][..], &asked].concat());
    assert_eq!(output.code(), 1, "{}", output.stdout);
    let output = bench(&["check", &stale, "--promise", "strong"]);
    assert_eq!(output.code(), 254, "{}", output.stderr);
    assert!(output.stderr.contains("linearizable"), "{}", output.stderr);
}

#[test]
fn either_engine_judges_alone() {
    let stale = histories("linearizable/bad-not-linearizable-stale-read.jsonl");
    for engine in ["direct", "stateright", "both"] {
        let output = bench(&["check", &stale, "--engine", engine]);
        let text = &output.stdout;
        assert_eq!(output.code(), 1, "{engine}: {text}");
        assert_eq!(text.contains("  stateright "), engine != "direct", "{text}");
        assert_eq!(
            text.contains("not-linearizable"),
            engine != "stateright",
            "{text}"
        );
    }
}
