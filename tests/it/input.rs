//! Incomplete input is never judged as if it were whole. It is refused in one line, or the
//! verdict's own line says what is missing and the exit status is 2.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kvs_zoo::checker::{JudgedBy, Model, Options, Report, VerdictWord};
use kvs_zoo::history::{
    ArrowFile, Header, History, Kind, Limit, Row, dot, value_id, write_json_lines,
};

use crate::handed_in::{self, file, read};
use crate::program::bench;

/// What every refusal ends with.
const BAD_ARGUMENTS: i32 = 254;
/// One history in so many is cut at each byte.
const CUT_AT_EACH_BYTE: usize = 12;
const HEADER: &str = r#"{"schema":1,"promise":"linearizable"}"#;
const PUT: &str = r#"{"session":0,"kind":"put","key":"x","invoke":1,"return":2}"#;
const GET: &str = r#"{"session":1,"kind":"get","key":"x","read":["0:0"],"invoke":3,"return":4}"#;
const END: &str = r#"{"end":{"operations":2}}"#;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/testdata")
        .join(name)
}

fn lines(lines: &[&str]) -> String {
    lines.join("\n") + "\n"
}

/// Checks a file, which is refused in one line that holds these words.
#[track_caller]
fn refused(path: &Path, words: &[&str]) {
    let ended = bench(&["check", path.to_str().unwrap()]);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code(), BAD_ARGUMENTS, "{told}");
    assert_eq!(ended.stdout, "");
    for word in words {
        assert!(ended.error_line().contains(word), "{word:?} in {told}");
    }
}

fn judged(history: &History, model: Model) -> Report {
    handed_in::judged(
        history,
        Options {
            judged_by: JudgedBy::Model(model),
            ..Options::default()
        },
    )
}

/// The bytes of an Arrow stream with batches of two rows and of one, and its end record.
fn recorded() -> Vec<u8> {
    let (_directory, path) = file("history.arrows", "");
    let row = |index| {
        let at = u64::from(index) * 3_000_000_000;
        Row {
            index,
            kind: Kind::Put,
            written: value_id(0, index),
            invoke: at,
            returned: Some(at + 1),
            ..Row::EMPTY
        }
    };
    handed_in::record(&path, &[row(0), row(1), row(2)]);
    std::fs::read(&path).unwrap()
}

#[test]
fn bytes_after_an_arrow_stream_are_refused_by_what_they_are() {
    let two = testdata("field/two-streams.arrows");
    refused(&two, &["another stream follows", "split the file"]);

    let whole = recorded();
    assert!(read(&whole).is_ok(), "the control");
    let after = |more: &[u8]| read([&whole[..], more].concat());
    assert!(after(b"\n \n").is_ok(), "blanks are nothing");
    let end = &whole[whole.iter().rposition(|byte| *byte == b'{').unwrap() - 7..];
    assert!(end.starts_with(b"{\"end\""), "the control");
    for (more, word) in [
        (&whole[..], "another stream follows its end record"),
        (&[whole.clone(), whole.clone()].concat(), "another stream"),
        (end, "bytes after its end record"),
        (b"garbage", "bytes after its end record"),
        (&[0; 512], "bytes after its end record"),
        (&[0xff; 64], "another stream"),
        (&[b' '; 8192], "longer"),
    ] {
        match after(more) {
            Err(error) => assert!(error.contains(word) || word == "longer", "{error}"),
            Ok(history) => assert_eq!(word, "longer", "{history:?}"),
        }
    }
    let no_end = &whole[..whole.len() - end.len()];
    for more in [
        &whole[..],
        b"garbage",
        b"{\"end\":7}\n",
        b"{\"session\":1}\n",
    ] {
        let error = read([no_end, more].concat()).unwrap_err();
        assert!(
            error.contains("after its stream") || error.contains("follows its stream"),
            "{error}"
        );
    }
}

#[test]
fn json_lines_have_one_header_and_it_comes_first() {
    let bare = testdata("field/no-header.jsonl");
    refused(&bare, &["line 1", "no header", r#"{"schema": 1}"#]);

    assert!(read(lines(&[HEADER, PUT, GET, END])).is_ok(), "the control");
    let comment = "// a comment";
    assert!(read(lines(&[comment, "", HEADER, PUT, GET, END])).is_ok());
    for (text, words) in [
        (lines(&[PUT, GET, END]), ["line 1", "no header"]),
        (
            lines(&[comment, PUT, HEADER, GET, END]),
            ["line 2", "no header"],
        ),
        (lines(&[END]), ["line 1", "no header"]),
        (
            lines(&[HEADER, HEADER, PUT, GET, END]),
            ["line 2", "second header"],
        ),
        (
            lines(&[HEADER, PUT, HEADER, GET, END]),
            ["line 3", "second header"],
        ),
        (
            lines(&[HEADER, PUT, GET, END, HEADER, PUT, GET, END]),
            ["line 5", "end record"],
        ),
        (
            lines(&[HEADER, PUT, GET, END, END]),
            ["line 5", "end record"],
        ),
        (
            lines(&[r#"{"schema":2,"colour":1}"#, PUT]),
            ["line 1", "version 2"],
        ),
        (
            lines(&[r#"{"schema":1,"colour":1}"#, PUT]),
            ["line 1", "colour"],
        ),
        (
            lines(&[r#"{"schema":1,"keys":["a","a"]}"#]),
            ["line 1", "twice"],
        ),
        (HEADER[..20].to_owned(), ["line 1", "not the header"]),
        ("[1, 2]\n".to_owned(), ["line 1", "not the header"]),
        ("{}\n".to_owned(), ["line 1", "not the header"]),
    ] {
        let error = read(&text).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{word:?} in {error:?} of {text}");
        }
    }
}

#[test]
fn what_an_end_record_says_was_left_out_needs_a_limit_that_was_reached() {
    let limit = r#"{"schema":1,"limit":{"operations":2,"one_key_in":1}}"#;
    let left_out = r#"{"end":{"operations":2,"left_out":7}}"#;
    let history = read(lines(&[limit, PUT, GET, left_out])).unwrap();
    let report = judged(&history, Model::Linearizable);
    assert!(
        report
            .to_string()
            .contains("2 of 9 operations were recorded"),
        "{report}"
    );
    assert_eq!(
        report.verdict(),
        VerdictWord::Valid,
        "a declared sample is judged: {report}"
    );

    let high = r#"{"schema":1,"limit":{"operations":9,"one_key_in":1}}"#;
    let none = r#"{"schema":1,"limit":{"operations":9,"one_key_in":0}}"#;
    for (header, end, word) in [
        (HEADER, left_out, "no `limit`"),
        (high, left_out, "do not reach"),
        (none, END, "at least 1"),
        (
            HEADER,
            r#"{"end":{"operations":3}}"#,
            "counts 3 operations, the file holds 2",
        ),
        (
            HEADER,
            r#"{"end":{"operations":0}}"#,
            "counts 0 operations, the file holds 2",
        ),
    ] {
        let error = read(lines(&[header, PUT, GET, end])).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn rows_agree_with_what_the_header_declares() {
    let limit = Limit {
        operations: 1,
        one_key_in: 1 << 40,
    };
    let sampled = |key: &u64| limit.samples(*key);
    let outside = (0..).find(|key| !sampled(key)).unwrap();
    let get = |key: u64, read: u64| {
        format!(
            r#"{{"session":{key},"kind":"get","key":{key},"read":[{read}],"invoke":1,"return":2}}"#
        )
    };
    let header = serde_json::to_string(&Header {
        limit: Some(limit),
        ..Header::default()
    });
    let beyond = lines(&[&header.unwrap(), &get(outside, 0), &get(outside + 1, 0)]);
    let error = read(&beyond).unwrap_err();
    assert!(
        error.contains("line 3") && error.contains("sample"),
        "{error}"
    );

    let values = r#"{"schema":1,"values":["a","b"]}"#;
    assert!(read(lines(&[values, &get(0, 1)])).is_ok(), "the control");
    let error = read(lines(&[values, &get(0, 2)])).unwrap_err();
    assert!(error.contains("no text 2"), "{error}");

    let keys = Header {
        keys: vec!["x".to_owned()],
        ..Header::default()
    };
    for (key, is_known) in [(0, true), (1, false)] {
        let (_directory, path) = file("history.arrows", "");
        let mut recorder = ArrowFile::create(&path, &keys).unwrap();
        let row = Row {
            key,
            returned: Some(1),
            ..Row::EMPTY
        };
        recorder.push(&row).unwrap();
        recorder.finish().unwrap();
        assert_eq!(History::read(&path).is_ok(), is_known, "key {key}");
    }
}

#[test]
fn contexts_that_nothing_declares_are_said() {
    let row = PUT.replace(r#""invoke""#, r#""context":[],"invoke""#);
    let history = |header: &str| read(lines(&[header, &row, GET, END])).unwrap();
    for (header, expected) in [
        (r#"{"schema":1}"#, VerdictWord::Unknown),
        (r#"{"schema":1,"dominance":"context"}"#, VerdictWord::Valid),
        (r#"{"schema":1,"dominance":"applied"}"#, VerdictWord::Valid),
    ] {
        let report = judged(&history(header), Model::Causal);
        assert_eq!(report.verdict(), expected, "{header}: {report}");
        let says = report
            .to_string()
            .lines()
            .next()
            .unwrap()
            .contains("--dominance");
        assert_eq!(says, expected == VerdictWord::Unknown, "{report}");
    }
}

/// Every good history of the corpus, as JSON lines.
fn good_histories() -> Vec<(PathBuf, History, Vec<u8>)> {
    let mut good = Vec::new();
    for folder in std::fs::read_dir(testdata("histories")).unwrap() {
        for path in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = path.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("ok-") && !name.contains("cut-recording") {
                let history = History::read(&path).unwrap();
                let mut text = Vec::new();
                write_json_lines(&history, &mut text).unwrap();
                good.push((path, history, text));
            }
        }
    }
    assert!(good.len() > 50, "{}", good.len());
    good
}

#[test]
fn a_history_cut_at_any_line_is_never_valid_and_breaks_nothing_that_the_whole_does_not() {
    let mut unknown = 0;
    for (path, whole, text) in good_histories() {
        let of_whole: Vec<VerdictWord> = Model::ALL
            .iter()
            .map(|model| judged(&whole, *model).verdict())
            .collect();
        let ends: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
        // The header's line stays; the last line is the end record.
        for end in &ends[..ends.len() - 1] {
            let cut = read(&text[..=*end]).unwrap();
            assert_eq!(cut.end, None);
            for (model, whole) in Model::ALL.iter().zip(&of_whole) {
                let report = judged(&cut, *model);
                let context = format!("{} cut at {end}: {report}", path.display());
                assert_ne!(report.verdict(), VerdictWord::Valid, "{context}");
                if *whole != VerdictWord::Invalid {
                    assert_ne!(report.verdict(), VerdictWord::Invalid, "{context}");
                }
                let first = report.to_string().lines().next().unwrap().to_owned();
                assert!(
                    first.contains("cut short: there is no end record"),
                    "{context}"
                );
                unknown += 1;
            }
        }
    }
    assert!(unknown > 1_000, "{unknown}");
}

#[test]
fn a_history_cut_at_any_byte_has_no_end_and_never_panics() {
    for (path, whole, text) in good_histories().into_iter().step_by(CUT_AT_EACH_BYTE) {
        for end in 0..text.len() - 1 {
            match read(&text[..end]) {
                Ok(cut) => {
                    assert!(cut.len() <= whole.len());
                    assert_eq!(cut.end, None, "{} cut at {end}", path.display());
                    assert!(cut.damage.is_some(), "{} cut at {end}", path.display());
                }
                Err(error) => assert!(
                    error.contains("line 1: it is not the header") || error.contains("empty"),
                    "{} cut at {end}: {error}",
                    path.display()
                ),
            }
        }
    }
}

#[test]
fn an_arrow_stream_cut_at_any_byte_is_refused_or_unknown_under_every_model() {
    let whole = recorded();
    let mut seen = BTreeSet::new();
    for end in 1..whole.len() - 1 {
        let Ok(history) = read(&whole[..end]) else {
            continue;
        };
        let damage = history.damage.clone().unwrap();
        if seen.insert((history.len(), damage)) {
            for model in Model::ALL {
                let report = judged(&history, *model);
                assert_eq!(
                    report.verdict(),
                    VerdictWord::Unknown,
                    "cut at {end}: {report}"
                );
                assert!(report.to_string().contains("cut short"), "{report}");
            }
        }
    }
    let reasons: BTreeSet<&str> = seen.iter().map(|(_, damage)| &damage[..20]).collect();
    assert!(
        reasons.len() >= 4,
        "cuts in batches, between them, in the end: {seen:?}"
    );
    let lengths: BTreeSet<usize> = seen.iter().map(|(rows, _)| *rows).collect();
    assert_eq!(lengths, BTreeSet::from([0, 2, 3]));
}

#[test]
fn a_cut_history_stays_invalid_where_nothing_that_is_missing_explains_it() {
    let stale = [
        HEADER,
        PUT,
        r#"{"session":0,"kind":"put","key":"x","invoke":3,"return":4}"#,
        r#"{"session":1,"kind":"get","key":"x","read":["0:0"],"invoke":5,"return":6}"#,
    ];
    let report = judged(&read(lines(&stale)).unwrap(), Model::Linearizable);
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    let path = file("cut.jsonl", lines(&stale));
    let ended = bench(&["check", path.1.to_str().unwrap()]);
    assert_eq!(ended.code(), 1, "{}", ended.stdout);
}

#[test]
fn final_reads_that_are_missing_may_have_found_what_earlier_ones_missed() {
    let at = |node: u32, session: u32, at: u32, read: &str| {
        format!(
            r#"{{"session":{session},"kind":"get","key":"x","read":[{read}],"invoke":{at},"return":{at},"node":{node},"phase":"final"}}"#
        )
    };
    let header = r#"{"schema":1,"groups":[{"id":0,"nodes":[0,1]}]}"#;
    let rows = [
        at(0, 1, 10, "\"0:0\""),
        at(1, 2, 10, ""),
        at(1, 2, 20, "\"0:0\""),
    ];
    let cut = lines(&[header, PUT, &rows[0], &rows[1]]);
    let report = judged(&read(&cut).unwrap(), Model::Eventual);
    assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
    let end = r#"{"end":{"operations":3}}"#;
    let report = judged(&read(cut + end).unwrap(), Model::Eventual);
    assert_eq!(
        report.verdict(),
        VerdictWord::Invalid,
        "the control: {report}"
    );
    let end = r#"{"end":{"operations":4}}"#;
    let whole = lines(&[header, PUT, &rows[0], &rows[1], &rows[2], end]);
    let report = judged(&read(whole).unwrap(), Model::Eventual);
    assert_eq!(
        report.verdict(),
        VerdictWord::Valid,
        "the control: {report}"
    );
}

#[test]
fn values_of_sessions_of_which_no_row_is_left_are_not_from_thin_air() {
    let of_nobody = r#"{"session":1,"kind":"get","key":"x","read":["9:7"],"invoke":3,"return":4}"#;
    for model in Model::ALL {
        let report = judged(&read(lines(&[HEADER, of_nobody])).unwrap(), *model);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
    }
    let whole = lines(&[HEADER, of_nobody, r#"{"end":{"operations":1}}"#]);
    let report = judged(&read(whole).unwrap(), Model::Linearizable);
    assert_eq!(
        report.verdict(),
        VerdictWord::Invalid,
        "the control: {report}"
    );
}

#[test]
fn missing_operations_may_have_written_values_that_repeat() {
    let header = r#"{"schema":1,"promise":"linearizable","values":["a","b"]}"#;
    let put = |session: u32, id: u32, at: u32| {
        format!(
            r#"{{"session":{session},"kind":"put","key":"x","written":{id},"invoke":{at},"return":{}}}"#,
            at + 1
        )
    };
    let get = r#"{"session":3,"kind":"get","key":"x","read":[0],"invoke":9,"return":10}"#;
    for rows in [
        vec![put(0, 0, 1), put(1, 1, 3), get.to_owned()],
        vec![put(0, 0, 1), put(1, 0, 3), put(1, 1, 5), get.to_owned()],
    ] {
        let rows: Vec<&str> = std::iter::once(header)
            .chain(rows.iter().map(String::as_str))
            .collect();
        let report = judged(&read(lines(&rows)).unwrap(), Model::Linearizable);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        let end = format!(r#"{{"end":{{"operations":{}}}}}"#, rows.len() - 1);
        let whole: Vec<&str> = rows.iter().copied().chain([end.as_str()]).collect();
        let report = judged(&read(lines(&whole)).unwrap(), Model::Linearizable);
        assert_eq!(
            report.verdict(),
            VerdictWord::Invalid,
            "the control: {report}"
        );
    }
}

#[test]
fn an_interrupted_run_says_so_in_its_history() {
    let end = r#"{"end":{"operations":2,"interrupted":true}}"#;
    for (promise, status) in [("linearizable", 0), ("lww", 2), ("causal", 2)] {
        let header = format!(r#"{{"schema":1,"promise":"{promise}"}}"#);
        let (_directory, path) = file("history.jsonl", lines(&[&header, PUT, GET, end]));
        let ended = bench(&["check", path.to_str().unwrap()]);
        assert_eq!(ended.code(), status, "{}", ended.stdout);
        let first = ended.stdout.lines().next().unwrap();
        assert!(first.contains("the run was interrupted"), "{first}");
        let whole = lines(&[&header, PUT, GET, END]);
        std::fs::write(&path, whole).unwrap();
        let ended = bench(&["check", path.to_str().unwrap()]);
        assert!(!ended.stdout.contains("interrupted"), "{}", ended.stdout);
    }
}

#[test]
fn files_of_other_kinds_are_named_for_what_they_are() {
    let record = testdata("records/before-faults.json");
    refused(&record, &["a run record", "run directory"]);
    for (bytes, word) in [
        (&b"\x89PNG\r\n\x1a\n"[..], "a picture"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"ARROW1\0\0", "no Arrow stream"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"<!doctype html><p>", "a page in HTML"),
        (
            b"session,index,kind,key\n0,0,put,x\n",
            "a history as a table",
        ),
        (b"start_s,end_s,kind\n", "a series of measurements"),
        (b"kvs-zoo trace 2\n", "check --trace"),
        (b"", "empty"),
        (b"\n\n", "empty"),
    ] {
        let (_directory, path) = file("history", bytes);
        refused(&path, &[word]);
    }
}

#[test]
fn the_tables_that_export_writes_are_not_taken_for_histories() {
    let good = testdata("histories/linearizable/ok-sequential.jsonl");
    let ended = bench(&["export", good.to_str().unwrap(), "--format", "csv"]);
    assert_eq!(ended.code(), 0);
    let (_directory, path) = file("history.csv", &ended.stdout);
    refused(&path, &["a history as a table"]);
}

#[test]
fn a_path_without_a_history_is_answered_with_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    refused(directory.path(), &["not a run's directory"]);
    refused(&directory.path().join("latest"), &["there is no", "yet"]);
    refused(
        &directory.path().join("mine.jsonl"),
        &["there is no", "mine.jsonl"],
    );

    let run = directory.path().join("run");
    std::fs::create_dir_all(run.join("nodes")).unwrap();
    refused(&run, &["ended before it recorded anything"]);
    let record = std::fs::read_to_string(testdata("records/before-faults.json")).unwrap();
    std::fs::write(run.join("run.json"), &record).unwrap();
    refused(&run, &["history.arrows is gone"]);
    let mut none: serde_json::Value = serde_json::from_str(&record).unwrap();
    none["history"]["recorded"] = 0.into();
    std::fs::write(run.join("run.json"), none.to_string()).unwrap();
    refused(&run, &["--no-history"]);

    std::fs::write(run.join("history.arrows"), recorded()).unwrap();
    refused(directory.path(), &["several", "name one, such as"]);
    for path in [run.clone(), run.join("run.json")] {
        let path = path.to_str().unwrap();
        let ended = bench(&["check", path, "--model", "linearizable"]);
        // It is judged, and nothing was read in it.
        assert_eq!(ended.code(), 2, "{}{}", ended.stdout, ended.stderr);
        assert!(
            ended.stdout.contains("linearizable held"),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn an_export_of_a_cut_history_does_not_pass_for_the_whole() {
    let (_directory, path) = file("cut.jsonl", lines(&[HEADER, PUT, GET]));
    let path = path.to_str().unwrap();
    for format in ["csv", "jepsen-edn"] {
        let ended = bench(&["export", path, "--format", format]);
        assert_eq!((ended.code(), ended.stdout.as_str()), (BAD_ARGUMENTS, ""));
        let line = ended.error_line();
        assert!(line.contains("--format jsonl"), "{line}");
    }
    let ended = bench(&["export", path, "--format", "csv", "--partial"]);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("not the whole history"),
        "{}",
        ended.stderr
    );
    let ended = bench(&["export", path]);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("not the whole history"),
        "{}",
        ended.stderr
    );
    let again = read(&ended.stdout).unwrap();
    assert_eq!((again.len(), again.end), (2, None));

    let (_directory, path) = file("whole.jsonl", lines(&[HEADER, PUT, GET, END]));
    for format in ["csv", "jepsen-edn", "jsonl"] {
        let ended = bench(&["export", path.to_str().unwrap(), "--format", format]);
        assert_eq!(
            (ended.code(), ended.stderr.as_str()),
            (0, ""),
            "the control"
        );
    }
}

#[test]
fn a_batch_with_fields_that_its_kinds_have_not_is_refused() {
    let good = Row {
        kind: Kind::Put,
        written: value_id(0, 0),
        returned: Some(1),
        ..Row::EMPTY
    };
    let read = [value_id(0, 0)];
    let vector = [dot(0, 0, 1)];
    let with_evidence = kvs_zoo::history::Witness::Put {
        dot: 0,
        vector: &vector,
    };
    for (row, is_good) in [
        (good, true),
        (
            Row {
                read: &read,
                ..good
            },
            false,
        ),
        (
            Row {
                witness: with_evidence,
                ..good
            },
            false,
        ),
        (
            Row {
                kind: Kind::Cas,
                read: &read,
                ..good
            },
            true,
        ),
        (
            Row {
                kind: Kind::Append,
                read: &read,
                ..good
            },
            false,
        ),
    ] {
        let (_directory, path) = file("history.arrows", "");
        let mut recorder = ArrowFile::create(&path, &Header::default()).unwrap();
        recorder.push(&row).unwrap();
        recorder.finish().unwrap();
        assert_eq!(History::read(&path).is_ok(), is_good, "{row:?}");
    }
}
