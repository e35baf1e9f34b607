//! `kvs-bench compare` as CI uses it: the exit status of the gate, Markdown and JUnit say the same.
//!
//! Every set is of runs that are made by editing one `run.json`; the seed differs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::bench;

const RECORD: &str = include_str!("../testdata/records/before-faults.json");

/// Enough for any difference to be certain.
const RUNS: u64 = 10;

/// Writes so many runs into `set`, each of them changed so.
fn write_runs(set: &Path, count: u64, change: &dyn Fn(&mut Value)) {
    for seed in 1..=count {
        let mut record: Value = serde_json::from_str(RECORD).unwrap();
        record["configuration"]["seed"] = json!(seed);
        record["statistics"]["service"] = record["statistics"]["kinds"][0]["service"].clone();
        change(&mut record);
        let architecture = record["configuration"]["architecture"].as_str().unwrap();
        let directory = set.join(format!("{architecture}-{seed}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("run.json"), record.to_string()).unwrap();
    }
}

fn nothing(_: &mut Value) {}

fn throughput(record: &mut Value, per_second: f64) {
    record["statistics"]["throughput"]["achieved_per_s"] = json!(per_second);
}

fn messages(record: &mut Value, bytes: u64) {
    for node in record["nodes"].as_array_mut().unwrap() {
        node["message_bytes_sent"] = json!(bytes);
    }
}

/// What a gate may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Green,
    Refused,
    Undecided,
}

use Gate::{Green, Refused, Undecided};

/// Compares, and holds the exit status, Markdown and JUnit to the same answer; the screen.
#[track_caller]
fn gate(expected: Gate, fill: impl Fn(&Path, &Path)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let [a, b, ci] = ["A", "B", "ci"].map(|name| directory.path().join(name));
    fs::create_dir_all(&a).unwrap();
    fs::create_dir_all(&b).unwrap();
    fill(&a, &b);
    let [a, b, ci] = [&a, &b, &ci].map(|path| path.to_str().unwrap());
    let ended = bench(&["compare", a, b, "--gate", "--ci", ci]);
    let read = |name: &str| fs::read_to_string(Path::new(ci).join(name)).unwrap();
    let (summary, junit, page) = (read("summary.md"), read("junit.xml"), read("compare.html"));
    let screen = ended.stdout.clone();
    let (status, mark, tile) = match expected {
        Green => (0, "✅", "valid"),
        Refused => (1, "❌", "invalid"),
        Undecided => (2, "❔", "unknown"),
    };
    assert_eq!(ended.code(), status, "{screen}{}", ended.stderr);
    assert!(summary.starts_with(&format!("## {mark} ")), "{summary}");
    assert!(page.contains(&format!("class=\"tile {tile}\"")), "{screen}");
    assert_eq!(junit.contains("<failure"), expected == Refused, "{junit}");
    match expected {
        Green => assert!(!junit.contains("<error"), "{junit}"),
        Undecided => assert!(junit.contains("<error"), "{junit}"),
        // Beside what is worse something may be missing.
        Refused => {}
    }
    // Without a gate nothing is refused, and nothing that was not decided is green.
    let ended = bench(&["compare", a, b]);
    let allowed: &[i32] = match expected {
        Green => &[0],
        Refused => &[0, 2],
        Undecided => &[2],
    };
    assert!(allowed.contains(&ended.code()), "{screen}");
    // Wrapped lines are one sentence.
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same, of ten runs a side.
#[track_caller]
fn ten(expected: Gate, a: &dyn Fn(&mut Value), b: &dyn Fn(&mut Value)) -> String {
    gate(expected, |in_a, in_b| {
        write_runs(in_a, RUNS, a);
        write_runs(in_b, RUNS, b);
    })
}

#[track_caller]
fn says(screen: &str, text: &str) {
    assert!(screen.contains(text), "{text} is not in {screen}");
}

#[test]
fn the_same_twice_is_green_and_a_loss_of_a_fifth_is_refused() {
    says(&ten(Green, &nothing, &nothing), "NO LARGE CHANGE SHOWN");
    let slower = |record: &mut Value| throughput(record, 66_000.0);
    says(&ten(Refused, &nothing, &slower), "WORSE: 1 of");
    says(&ten(Green, &slower, &nothing), "BETTER: 1 of");
}

#[test]
fn a_base_of_zero_can_get_worse_and_better() {
    let quiet = |record: &mut Value| messages(record, 0);
    let loud = |record: &mut Value| messages(record, 500_000);
    let screen = ten(Refused, &quiet, &loud);
    says(&screen, "messages' bytes per operation 0 B");
    says(&screen, "from 0");
    says(&ten(Green, &loud, &quiet), "BETTER");
    ten(Green, &quiet, &quiet);

    let p99 =
        |ns: u64| move |record: &mut Value| record["statistics"]["service"]["p99"] = json!(ns);
    says(&ten(Refused, &p99(0), &p99(600_000)), "WORSE");
    let stopped = |record: &mut Value| throughput(record, 0.0);
    says(&ten(Green, &stopped, &nothing), "BETTER");
    says(&ten(Refused, &nothing, &stopped), "WORSE");
}

#[test]
fn a_measure_that_one_side_lacks_is_named() {
    let unknown = |record: &mut Value| {
        record["statistics"]["throughput"]["achieved_per_s"] = Value::Null;
    };
    let screen = ten(Undecided, &nothing, &unknown);
    says(&screen, "10 of 10 runs of B have no throughput");
    let screen = gate(Undecided, |a, b| {
        write_runs(a, RUNS, &nothing);
        write_runs(b, RUNS, &nothing);
        write_runs(b, 2, &unknown);
    });
    says(&screen, "2 of 10 runs of B have no throughput");
}

#[test]
fn runs_of_different_machines_are_never_certain() {
    let elsewhere = |record: &mut Value| {
        record["machine"]["cores"] = json!(64);
        record["machine"]["cpu"] = json!("Another");
        throughput(record, 250_000.0);
    };
    let screen = ten(Undecided, &nothing, &elsewhere);
    says(&screen, "OTHER MACHINES");
    says(&screen, "2 cores, AMD EPYC");
    says(&screen, "64 cores, Another");
    assert!(!screen.contains("BETTER"), "{screen}");
    // One run that moved is enough.
    let screen = gate(Undecided, |a, b| {
        write_runs(a, RUNS, &nothing);
        write_runs(b, RUNS, &nothing);
        write_runs(b, 1, &elsewhere);
    });
    says(&screen, "different machines");
}

#[test]
fn a_cell_that_one_side_lacks_is_named() {
    let local = |record: &mut Value| record["configuration"]["architecture"] = json!("local");
    for (swap, only) in [(false, "it is in A only"), (true, "it is in B only")] {
        let screen = gate(Undecided, |a, b| {
            let (both, one) = if swap { (b, a) } else { (a, b) };
            write_runs(both, RUNS, &nothing);
            write_runs(both, RUNS, &local);
            write_runs(one, RUNS, &nothing);
        });
        says(&screen, &format!("local causal zipf: {only}"));
    }
}

#[test]
fn void_runs_and_unknown_verdicts_are_named_and_not_green() {
    let void = |record: &mut Value| record["void"] = json!(["the generator was late"]);
    let screen = ten(Undecided, &nothing, &void);
    says(&screen, "NOTHING WAS COMPARED");
    says(&screen, "void and does not count");
    says(&ten(Undecided, &void, &nothing), "a run of A is void");
    let screen = gate(Undecided, |a, b| {
        write_runs(a, RUNS, &nothing);
        write_runs(b, RUNS, &nothing);
        write_runs(b, 1, &void);
    });
    says(&screen, "a run of B is void");

    let unknown = |record: &mut Value| {
        record["verdict"]["verdict"] = json!("unknown");
        record["verdict"]["reason"] = json!("no history was recorded");
    };
    let screen = ten(Undecided, &nothing, &unknown);
    says(
        &screen,
        "nobody can tell whether a run of B kept its promise",
    );
    says(&screen, "no history was recorded");
    let disagree = |record: &mut Value| record["verdict"]["disagreement"] = json!(true);
    says(&ten(Undecided, &nothing, &disagree), "the engines disagree");
    // A base of which nobody can tell is a base all the same.
    ten(Green, &unknown, &nothing);
}

#[test]
fn a_broken_promise_is_refused_whatever_is_missing_beside_it() {
    let broken = |record: &mut Value| record["verdict"]["verdict"] = json!("invalid");
    says(&ten(Refused, &nothing, &broken), "A PROMISE BROKE: 10");
    let screen = gate(Refused, |a, b| {
        write_runs(a, 1, &nothing);
        write_runs(b, 1, &broken);
    });
    says(&screen, "too few runs");
    says(
        &ten(Green, &broken, &nothing),
        "a run of A broke its promise",
    );
}

#[test]
fn too_few_runs_say_how_many_it_takes() {
    let slow = |record: &mut Value| throughput(record, 20_000.0);
    let screen = gate(Undecided, |a, b| {
        write_runs(a, 2, &nothing);
        write_runs(b, 2, &slow);
    });
    says(&screen, "TOO FEW RUNS");
    says(
        &screen,
        "2 of A and 2 of B are too few runs: 6 measures at p < 0.01 take 7 of each",
    );
    // And so many are enough.
    gate(Refused, |a, b| {
        write_runs(a, 7, &nothing);
        write_runs(b, 7, &slow);
    });
}

#[test]
fn runs_that_left_no_record_are_counted_and_named_and_other_directories_are_not() {
    let screen = gate(Undecided, |a, b| {
        write_runs(a, RUNS, &nothing);
        write_runs(b, RUNS, &nothing);
        let crashed = b.join("20261129T000000Z-replicated-zipf");
        fs::create_dir_all(crashed.join("nodes")).unwrap();
    });
    says(&screen, "B: 1 of 11 runs have no result");
    says(&screen, "20261129T000000Z-replicated-zipf");
    gate(Green, |a, b| {
        write_runs(a, RUNS, &nothing);
        write_runs(b, RUNS, &nothing);
        let sweep = b.join("20261129T000000Z-sweep");
        fs::create_dir_all(&sweep).unwrap();
        fs::write(sweep.join("sweep.json"), "{}").unwrap();
    });
}

#[test]
fn a_link_to_a_run_counts_as_the_run_and_never_twice() {
    gate(Refused, |a, b| {
        write_runs(a, RUNS, &nothing);
        let elsewhere = b.with_file_name("elsewhere");
        write_runs(&elsewhere, RUNS, &|record| throughput(record, 20_000.0));
        for run in fs::read_dir(&elsewhere).unwrap() {
            let run = run.unwrap();
            std::os::unix::fs::symlink(run.path(), b.join(run.file_name())).unwrap();
        }
    });
    let screen = gate(Undecided, |a, b| {
        write_runs(a, 1, &nothing);
        write_runs(b, 1, &nothing);
        std::os::unix::fs::symlink("replicated-1", b.join("latest")).unwrap();
    });
    says(&screen, "1 of A and 1 of B are too few");
}

#[test]
fn copies_of_one_run_are_not_so_many_runs() {
    let copied = |record: &mut Value| record["configuration"]["seed"] = json!(1);
    let screen = gate(Undecided, |a, b| {
        write_runs(a, RUNS, &nothing);
        write_runs(b, RUNS, &copied);
    });
    says(&screen, "B: 9 of 10 runs are copies of other runs in it");

    let directory = tempfile::tempdir().unwrap();
    write_runs(directory.path(), RUNS, &nothing);
    let set = directory.path().to_str().unwrap();
    let itself = bench(&["compare", set, set, "--gate"]);
    assert_eq!(itself.code(), 2, "{}", itself.stdout);
    says(&itself.stdout, "10 of 10 runs are runs of A as well");
}

#[test]
fn a_set_of_which_no_run_has_a_result_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let [a, b] = ["A", "B"].map(|name| directory.path().join(name));
    write_runs(&a, 1, &nothing);
    fs::create_dir_all(b.join("run/nodes")).unwrap();
    let ended = bench(&["compare", a.to_str().unwrap(), b.to_str().unwrap()]);
    assert_eq!(ended.code(), 254);
    let line = ended.error_line();
    assert!(
        line.contains("none of the 1 runs in it has a result"),
        "{line}"
    );
}
