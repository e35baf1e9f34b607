//! Histories of other tools: what each format means, what is refused, and what is exported.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kvs_zoo::checker::{JudgedBy, Model, Options, Property, Report, Verdict, VerdictWord, check};
use kvs_zoo::history::{
    ArrowFile, FailedCas, Format, Header, History, ImportOptions, Kind, ReadError, Row,
    read_history, write_csv, write_jepsen_edn,
};

use crate::program::{PROGRAM, bench};

const FORMATS: [(&str, Format); 5] = [
    ("jepsen-edn", Format::JepsenEdn),
    ("jepsen-json", Format::JepsenJson),
    ("jepsen-log", Format::JepsenLog),
    ("porcupine-kv", Format::PorcupineKv),
    ("plume", Format::Plume),
];

fn corpus() -> Vec<(Format, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/imports");
    let mut files = Vec::new();
    for (name, format) in FORMATS {
        for file in fs::read_dir(root.join(name)).unwrap() {
            files.push((format, file.unwrap().path()));
        }
    }
    files.sort_by(|a, b| a.1.cmp(&b.1));
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// The verdict on the strongest model that the format can be held to.
fn verdict(history: &History) -> VerdictWord {
    if history.header.real_time {
        return check(history, &Options::default()).verdict();
    }
    let options = Options {
        judged_by: JudgedBy::Model(Model::Sequential),
        ..Options::default()
    };
    check(history, &options).verdict()
}

fn judged(text: &str, format: Format, options: &ImportOptions) -> Report {
    check(
        &imported(text, format, options).unwrap(),
        &Options::default(),
    )
}

fn imported(
    text: impl AsRef<[u8]>,
    format: Format,
    options: &ImportOptions,
) -> Result<History, ReadError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history");
    fs::write(&path, text).unwrap();
    read_history(&path, Some(format), options)
}

#[test]
fn every_foreign_history_gets_the_verdict_of_its_name_and_is_recognised() {
    let (mut good, mut bad) = (0, 0);
    for (format, path) in corpus() {
        if stem(&path).starts_with("refused-") {
            continue;
        }
        let history = read_history(&path, Some(format), &ImportOptions::default()).unwrap();
        let verdict = verdict(&history);
        let guessed = read_history(&path, None, &ImportOptions::default()).unwrap();
        assert_eq!(guessed, history, "{}", path.display());
        if stem(&path).starts_with("ok-") {
            assert_eq!(verdict, VerdictWord::Valid, "{}", path.display());
            good += 1;
        } else {
            assert_eq!(verdict, VerdictWord::Invalid, "{}", path.display());
            bad += 1;
        }
    }
    assert!(good >= 10 && bad >= 8, "{good} good, {bad} bad");
}

#[test]
fn a_stale_read_of_values_written_once_is_found_and_shown_among_many_that_repeat() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/imports/jepsen-edn");
    let path = root.join("bad-stale-read-among-crashes.edn");
    let history = read_history(&path, None, &ImportOptions::default()).unwrap();
    let report = check(&history, &Options::default());
    let linearizable = report.check(Property::Linearizable).unwrap();
    let anomalies = linearizable.verdict.anomalies();
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    assert!(anomalies[0].operations.len() <= 4, "{report}");
}

#[test]
fn what_is_no_history_is_refused_with_its_line() {
    let mut refused = 0;
    for (format, path) in corpus() {
        let Some(rest) = stem(&path).strip_prefix("refused-") else {
            continue;
        };
        let expected: usize = rest.split('-').next().unwrap().parse().unwrap();
        let error = read_history(&path, Some(format), &ImportOptions::default()).unwrap_err();
        let ReadError::Line { line, reason, .. } = error else {
            panic!("{}: {error}", path.display());
        };
        assert_eq!(line, expected, "{}: {reason}", path.display());
        assert!(!reason.contains('\n'), "{reason}");
        refused += 1;
    }
    assert!(refused >= 15, "{refused}");
}

/// Places at which each file is cut, about.
const CUTS_MAX: usize = 60;

#[test]
fn a_history_cut_anywhere_is_judged_or_refused_and_never_a_panic() {
    for (format, path) in corpus() {
        let text = fs::read(&path).unwrap();
        let step = (text.len() / CUTS_MAX).max(7);
        for end in (0..text.len()).step_by(step) {
            if let Ok(history) = imported(&text[..end], format, &ImportOptions::default()) {
                verdict(&history);
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text_and_empty_files_are_refused_in_every_format() {
    for (_, format) in FORMATS {
        for bytes in [
            &b""[..],
            b" \n\n",
            b"\0\0\0\0",
            b"\n\xff\xfe\n",
            b"{\0}",
            b"[[[[[[",
        ] {
            let error = imported(bytes, format, &ImportOptions::default()).unwrap_err();
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let error = imported(b"\n\xff\n", format, &ImportOptions::default()).unwrap_err();
        assert!(
            error.to_string().contains("line 2: it is not UTF-8"),
            "{error}"
        );
        let deep = "[".repeat(1_000_000);
        assert!(imported(&deep, format, &ImportOptions::default()).is_err());
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_by_its_number() {
    let text = format!("\n{{:process {}", "7 ".repeat(50_000_000));
    let error = imported(&text, Format::JepsenEdn, &ImportOptions::default()).unwrap_err();
    assert!(
        error.to_string().contains("line 2: an operation is longer"),
        "{error}"
    );
}

#[test]
fn ten_thousand_sessions_are_judged() {
    let mut text = String::new();
    for process in 0..10_000 {
        text += &format!("{{:process {process}, :type :invoke, :f :write, :value {process}}}\n");
        text += &format!("{{:process {process}, :type :ok, :f :write, :value {process}}}\n");
    }
    let report = judged(&text, Format::JepsenEdn, &ImportOptions::default());
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
    assert_eq!(report.totals.ok, 10_000);
}

#[test]
fn registers_start_with_what_the_caller_says() {
    let text = "{:process 0, :type :invoke, :f :read, :value nil}\n\
                {:process 0, :type :ok, :f :read, :value 0}\n";
    let initial = |value: Option<&str>| ImportOptions {
        initial: value.map(|value| value.parse().unwrap()),
        ..ImportOptions::default()
    };
    for (value, expected) in [
        (None, VerdictWord::Invalid),
        (Some("0"), VerdictWord::Valid),
        (Some("1"), VerdictWord::Invalid),
    ] {
        let report = judged(text, Format::JepsenEdn, &initial(value));
        assert_eq!(report.verdict(), expected, "{value:?}: {report}");
    }
}

#[test]
fn a_read_of_nil_matches_anything_only_when_told() {
    let text = "{:process 0, :type :invoke, :f :write, :value 1}\n\
                {:process 0, :type :ok, :f :write, :value 1}\n\
                {:process 0, :type :invoke, :f :read, :value nil}\n\
                {:process 0, :type :ok, :f :read, :value nil}\n";
    let told = ImportOptions {
        nil_reads_match_anything: true,
        ..ImportOptions::default()
    };
    let untold = judged(text, Format::JepsenEdn, &ImportOptions::default());
    assert_eq!(untold.verdict(), VerdictWord::Invalid);
    assert_eq!(
        judged(text, Format::JepsenEdn, &told).verdict(),
        VerdictWord::Valid
    );
}

#[test]
fn what_a_failed_compare_and_set_means_can_be_told() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/imports");
    let edn = root.join("jepsen-edn/ok-a-failed-cas-says-nothing.edn");
    let log = root.join("jepsen-log/bad-a-failed-cas-would-have-matched.log");
    for path in [edn, log] {
        for (meaning, expected) in [
            (FailedCas::Mismatch, VerdictWord::Invalid),
            (FailedCas::NoEffect, VerdictWord::Valid),
        ] {
            let options = ImportOptions {
                failed_cas: Some(meaning),
                ..ImportOptions::default()
            };
            let history = read_history(&path, None, &options).unwrap();
            let report = check(&history, &Options::default());
            assert_eq!(report.verdict(), expected, "{}: {report}", path.display());
        }
    }
}

#[test]
fn a_model_that_needs_real_time_does_not_judge_a_history_without_it() {
    let text = "w(0,1,0,0)\nr(0,1,1,1)\n";
    let history = imported(text, Format::Plume, &ImportOptions::default()).unwrap();
    let options = Options {
        promise: Some(Model::Linearizable),
        ..Options::default()
    };
    let report = check(&history, &options);
    let verdict = &report.check(Property::Linearizable).unwrap().verdict;
    assert!(matches!(verdict, Verdict::NotApplicable { .. }), "{report}");
    assert_eq!(report.verdict(), VerdictWord::Unknown);
}

fn exported(history: &History) -> String {
    let mut text = Vec::new();
    write_jepsen_edn(history, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_history_exported_to_edn_and_imported_again_has_the_same_verdict() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/histories/linearizable");
    let mut compared = 0;
    for file in fs::read_dir(root).unwrap() {
        let path = file.unwrap().path();
        let history = History::read(&path).unwrap();
        if history.columns.kind.contains(&Kind::Append) {
            continue;
        }
        let text = exported(&history);
        let options = ImportOptions {
            failed_cas: Some(FailedCas::Mismatch),
            ..ImportOptions::default()
        };
        let again = judged(&text, Format::JepsenEdn, &options);
        let first = check(&history, &Options::default());
        assert_eq!(
            again.verdict(),
            first.verdict(),
            "{}:\n{text}\n{again}",
            path.display()
        );
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

#[test]
fn what_edn_cannot_say_is_not_exported() {
    let several = Row {
        read: &[1, 2],
        returned: Some(1),
        ..Row::EMPTY
    };
    let history = History::from_rows(Header::default(), [several]);
    let error = write_jepsen_edn(&history, &mut Vec::new()).unwrap_err();
    let line =
        "session 0 #0 read several values, EDN's registers have one: export it with --format jsonl";
    assert_eq!(error.to_string(), line);
}

#[test]
fn csv_has_one_line_an_operation() {
    let row = Row {
        kind: Kind::Put,
        key: 0,
        written: 1,
        returned: Some(9),
        ..Row::EMPTY
    };
    let header = Header {
        keys: vec!["a,\"b\"".to_owned()],
        ..Header::default()
    };
    let mut text = Vec::new();
    write_csv(&History::from_rows(header, [row]), &mut text).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "session,index,kind,key,written,read,intended,invoke,return,outcome,error,node,\
         incarnation,group,phase\n0,0,put,\"a,\"\"b\"\"\",0:1,,0,0,9,ok,,0,0,0,run\n"
    );
}

#[test]
fn the_program_judges_and_exports_foreign_histories() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/imports");
    let path = |name: &str| root.join(name).display().to_string();
    let bad = path("jepsen-edn/bad-stale-read.edn");
    let ended = bench(&["check", &bad]);
    assert_eq!(ended.code(), 1, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("not-linearizable"),
        "{}",
        ended.stdout
    );
    let good = path("porcupine-kv/ok-appends.edn");
    assert_eq!(
        bench(&["check", &good, "--format", "porcupine-kv"]).code(),
        0
    );
    let cas = path("jepsen-edn/ok-a-failed-cas-says-nothing.edn");
    assert_eq!(
        bench(&["check", &cas, "--failed-cas", "mismatch"]).code(),
        1
    );
    let refused = path("jepsen-edn/refused-2-two-at-once.edn");
    let ended = bench(&["check", &refused]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
    assert!(
        ended.error_line().contains("line 2: process 0 invokes"),
        "{}",
        ended.stderr
    );
    let ended = bench(&["export", &bad, "--format", "jepsen-edn"]);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .starts_with("{:process 0, :type :invoke, :f :write, :value [\"k\" 1]")
    );
    assert_eq!(
        bench(&["export", &good, "--format", "jepsen-edn"]).code(),
        254
    );
}

#[test]
fn an_option_that_says_nothing_of_a_format_is_refused_by_its_name() {
    let ours = "{\"schema\":1,\"promise\":\"linearizable\"}\n\
        {\"session\":0,\"kind\":\"get\",\"key\":\"x\",\"read\":[],\"invoke\":1,\"return\":2}\n\
        {\"end\":{\"operations\":1}}\n";
    let plume = "w(0,1,0,0)\nr(0,1,0,1)\n";
    let porcupine = "{:process 0, :type :invoke, :f :get, :key \"0\", :value nil}\n\
        {:process 0, :type :ok, :f :get, :key \"0\", :value \"\"}\n";
    let initial: &[&str] = &["--initial", "5"];
    let nil: &[&str] = &["--nil-reads-match-anything"];
    let cas: &[&str] = &["--failed-cas", "mismatch"];
    for (text, format, options) in [
        (ours, "jsonl", &[initial, nil, cas][..]),
        (plume, "plume", &[initial, nil, cas]),
        (porcupine, "porcupine-kv", &[cas]),
    ] {
        let format = ["--format", format];
        let (code, told) = piped(text.as_bytes(), &format);
        assert!(matches!(code, Some(0 | 2)), "the control: {told}");
        for option in options {
            let (code, told) = piped(text.as_bytes(), &[&format, *option].concat());
            assert_eq!(code, Some(254), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
            assert!(
                told.contains(&format!("{} does not apply to a ", option[0])),
                "{told}"
            );
        }
    }
    let (code, told) = piped(
        porcupine.as_bytes(),
        &["--format=porcupine-kv", "--initial=5"],
    );
    assert_eq!(code, Some(1), "it is not ignored: {told}");
}

/// What `kvs-bench check` says of the bytes on its standard input: its status and its output.
fn piped(bytes: &[u8], arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(PROGRAM)
        .args(["check", "-", "--engine", "direct"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // A program that refuses its input need not read all of it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_history_on_the_standard_input_is_judged_as_its_file_is() {
    let directory = tempfile::tempdir().unwrap();
    let ok = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/testdata/histories/linearizable/ok-append.jsonl");
    let history = History::read(&ok).unwrap();
    let arrow = directory.path().join("history.arrows");
    let mut recorder = ArrowFile::create(&arrow, &history.header).unwrap();
    for row in 0..history.len() {
        recorder.push(&history.row(row)).unwrap();
    }
    recorder.finish().unwrap();
    let foreign = corpus().into_iter().map(|(_, path)| path);
    for path in foreign.chain([ok, arrow]) {
        let ended = bench(&["check", path.to_str().unwrap(), "--engine", "direct"]);
        let (status, text) = piped(&fs::read(&path).unwrap(), &[]);
        assert_eq!(status, ended.status.code(), "{}: {text}", path.display());
        // The name of a file may say more than its first records.
        if stem(&path).starts_with("refused-") {
            continue;
        }
        let file = ended.stdout + &ended.stderr;
        assert_eq!(text, file.replace(path.to_str().unwrap(), "-"));
    }
    assert_eq!(piped(b"", &[]).0, Some(254));
    assert!(piped(b"", &[]).1.contains("the history - is empty"));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let text = "\u{feff}w(1,1,0,0)\nr(1,1,0,1)\n";
    let (status, output) = piped(text.as_bytes(), &["--model", "causal"]);
    assert_eq!(status, Some(0), "{output}");
    let text = "\u{feff}{\"schema\":1}\n\
        {\"session\":0,\"kind\":\"put\",\"key\":\"x\",\"invoke\":0,\"return\":1}\n\
        {\"end\":{\"operations\":1}}\n";
    let (status, output) = piped(text.as_bytes(), &["--model", "linearizable"]);
    assert_eq!(status, Some(0), "{output}");
}

#[test]
fn a_packed_history_is_refused_with_the_command_that_unpacks_it() {
    let packed: [(&[u8], &str); 4] = [
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"BZh91AY&SY", "bzip2"),
    ];
    for (bytes, by) in packed {
        let (status, output) = piped(bytes, &[]);
        assert_eq!(status, Some(254));
        let command = format!("`{by} -dc - | kvs-bench check -`");
        assert!(output.contains(&command), "{output}");
    }
}
