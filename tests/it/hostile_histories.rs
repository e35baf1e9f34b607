//! Histories that nobody should have made: each is refused with its place, or judged, and never
//! called valid for work that was not done.

use kvs_zoo::checker::{Agreement, Engine, Options, Report, VerdictWord, check};
use kvs_zoo::history::{History, Kind, LINE_BYTES_MAX, Model, Row, Witness, dot, value_id};

use crate::handed_in::{self, file, read};
use crate::program::bench;

const PROMISES: [Model; 3] = [Model::Linearizable, Model::Causal, Model::Lww];

fn judged(history: &History, promise: Model) -> Report {
    handed_in::judged(
        history,
        Options {
            promise: Some(promise),
            ..Options::default()
        },
    )
}

fn put(session: u32, index: u32, at: u64) -> String {
    format!(
        r#"{{"session":{session},"index":{index},"kind":"put","key":"x","invoke":{at},"return":{at}}}"#
    )
}

fn get(session: u32, index: u32, at: u64, id: &str) -> String {
    format!(
        r#"{{"session":{session},"index":{index},"kind":"get","key":"x","read":["{id}"],"invoke":{at},"return":{at}}}"#
    )
}

/// The line that every history in JSON lines begins with.
const HEADER: &str = r#"{"schema":1}"#;

/// The rows with a header and an end record.
fn whole(rows: &[String]) -> String {
    let end = format!(r#"{{"end":{{"operations":{}}}}}"#, rows.len());
    format!("{HEADER}\n{}\n{end}\n", rows.join("\n"))
}

fn lines(rows: &[String]) -> History {
    read(whole(rows).as_bytes()).unwrap()
}

#[test]
fn a_session_that_goes_on_after_a_write_of_unknown_outcome_is_refused() {
    let unknown = r#"{"session":0,"kind":"put","key":"x","invoke":0,"outcome":"info"}"#.to_owned();
    let history = lines(&[unknown, put(0, 1, 6), get(0, 2, 9, "0:0"), put(1, 0, 1)]);
    for promise in PROMISES {
        let report = judged(&history, promise);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        let text = report.to_string();
        assert!(text.contains("session 0 goes on after #0, a put"), "{text}");
    }
}

#[test]
fn nothing_is_not_valid() {
    assert!(read(b"").unwrap_err().contains("empty"));
    for nothing in [&b"\n\n"[..], b"// a comment\n"] {
        assert!(read(nothing).unwrap_err().contains("empty"));
    }
    for nothing in [
        &b"{\"schema\":1}\n"[..],
        b"{\"schema\":1}\n{\"end\":{\"operations\":0}}",
    ] {
        let history = read(nothing).unwrap();
        for promise in PROMISES {
            assert_eq!(judged(&history, promise).verdict(), VerdictWord::Unknown);
        }
    }
}

#[test]
fn lines_in_another_order_are_judged_alike() {
    let good = [
        put(0, 0, 10),
        put(0, 1, 20),
        get(1, 0, 30, "0:1"),
        get(1, 1, 40, "0:1"),
    ];
    let bad = [
        put(0, 0, 10),
        put(0, 1, 20),
        get(1, 0, 30, "0:1"),
        get(1, 1, 40, "0:0"),
    ];
    for (history, expected) in [(good, VerdictWord::Valid), (bad, VerdictWord::Invalid)] {
        for turn in 0..history.len() {
            let mut history = history.clone();
            history.rotate_left(turn);
            let report = judged(&lines(&history), Model::Linearizable);
            assert_eq!(report.verdict(), expected, "turned by {turn}: {report}");
        }
    }
}

#[test]
fn a_clock_that_never_ticks_is_judged_by_what_sessions_say() {
    let together = [
        put(0, 0, 7),
        put(1, 0, 7),
        get(2, 0, 7, "0:0"),
        get(3, 0, 7, "1:0"),
    ];
    let report = judged(&lines(&together), Model::Linearizable);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
    let backwards = [put(0, 0, 6), put(0, 1, 7), get(0, 2, 7, "0:0")];
    for promise in PROMISES {
        // What one session does in one instant is still one after another.
        let verdict = judged(&lines(&backwards), promise).verdict();
        assert_ne!(verdict, VerdictWord::Valid, "{promise}");
    }
}

#[test]
fn what_sessions_do_in_one_instant_stays_in_their_order_however_much_it_is() {
    let other_key = |line: String| line.replace(r#""key":"x""#, r#""key":"y""#);
    let chain = [put(0, 0, 7), put(0, 1, 7), get(0, 2, 7, "0:0")];
    let between = [
        put(0, 0, 6),
        put(0, 1, 7),
        other_key(put(0, 2, 7)),
        get(0, 3, 7, "0:0"),
    ];
    let two_chains = [
        put(0, 0, 7),
        put(0, 1, 7),
        get(1, 0, 7, "0:1"),
        get(1, 1, 7, "0:0"),
    ];
    let through_a_failure = [
        put(0, 0, 7),
        put(0, 1, 7),
        put(0, 2, 7).replace("\"invoke\"", "\"outcome\":\"fail\",\"invoke\""),
        get(0, 3, 7, "0:0"),
    ];
    let histories = [&chain[..], &between, &two_chains, &through_a_failure];
    for history in histories {
        let report = judged(&lines(history), Model::Linearizable);
        assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    }
    let good = [
        put(0, 0, 7),
        put(0, 1, 7),
        get(0, 2, 7, "0:1"),
        get(1, 0, 7, "0:0"),
        get(1, 1, 7, "0:1"),
    ];
    let report = judged(&lines(&good), Model::Linearizable);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
}

#[test]
fn both_engines_judge_what_times_cannot_tell_them() {
    let bad = lines(&[put(0, 0, 7), put(0, 1, 7), get(0, 2, 7, "0:0")]);
    let good = lines(&[put(0, 0, 7), put(0, 1, 7), get(0, 2, 7, "0:1")]);
    for (history, expected) in [(bad, VerdictWord::Invalid), (good, VerdictWord::Valid)] {
        for engine in [Engine::Both, Engine::Stateright] {
            let options = Options {
                promise: Some(Model::Linearizable),
                engine,
                ..Options::default()
            };
            let report = check(&history, &options);
            assert_eq!(report.verdict(), expected, "{report}");
            let agrees = report.agreement == Agreement::Agree;
            assert_eq!(agrees, engine == Engine::Both, "{report}");
        }
    }
}

#[test]
fn times_that_cannot_be_compared_are_never_valid() {
    for at in [1 << 62, (1 << 63) - 1, u64::MAX - 1] {
        let report = judged(&lines(&[put(0, 0, at)]), Model::Linearizable);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        assert!(report.to_string().contains("a time beyond"), "{report}");
    }
}

#[test]
fn a_place_that_occurs_twice_is_reported_as_such() {
    let put_of =
        |id: &str, at| put(3, 5, at).replace("\"key\"", &format!("\"written\":\"{id}\",\"key\""));
    let gets = [get(3, 5, 10, "0:0"), get(3, 5, 20, "0:0"), put(0, 0, 1)];
    for id in ["3:5", "9:9"] {
        let history = lines(&[put_of(id, 10), put_of(id, 20)]);
        let report = judged(&history, Model::Linearizable);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        assert!(
            report
                .to_string()
                .contains("#5 of session 3 is there twice"),
            "{report}"
        );
        assert!(
            !report.to_string().contains("values are not unique"),
            "{report}"
        );
    }
    let report = judged(&lines(&gets), Model::Linearizable);
    assert!(
        report
            .to_string()
            .contains("#5 of session 3 is there twice"),
        "{report}"
    );
}

#[test]
fn an_operation_recorded_twice_is_never_valid() {
    let twice = lines(&[put(0, 0, 10), put(0, 0, 20), get(1, 0, 30, "0:0")]);
    for promise in PROMISES {
        let report = judged(&twice, promise);
        assert_ne!(report.verdict(), VerdictWord::Valid, "{report}");
    }
}

#[test]
fn ids_that_do_not_name_their_places_are_found_all_the_same() {
    let written =
        |id: &str| put(0, 0, 10).replace("\"invoke\"", &format!("\"written\":\"{id}\",\"invoke\""));
    // The id is that of a place which holds a get, or of no place at all.
    for id in ["1:0", "9:9"] {
        let history = lines(&[written(id), get(1, 0, 30, id)]);
        let report = judged(&history, Model::Linearizable);
        assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
        let wrong = lines(&[written(id), get(1, 0, 30, "0:0")]);
        let report = judged(&wrong, Model::Linearizable);
        assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    }
}

#[test]
fn sessions_with_gaps_and_late_starts_keep_their_puts() {
    let history = lines(&[put(3, 70, 10), put(3, 90, 20), get(4, 5, 30, "3:90")]);
    assert_eq!(
        judged(&history, Model::Linearizable).verdict(),
        VerdictWord::Valid
    );
    let absent = lines(&[put(3, 70, 10), put(3, 90, 20), get(4, 5, 30, "3:80")]);
    assert_ne!(
        judged(&absent, Model::Linearizable).verdict(),
        VerdictWord::Valid
    );
}

#[test]
fn ten_thousand_sessions_are_judged() {
    let mut rows = Vec::new();
    for session in 0..10_000u32 {
        let at = u64::from(session) * 10;
        rows.push(put(session, 0, at));
        rows.push(get(session, 1, at + 5, &format!("{session}:0")));
    }
    let report = judged(&lines(&rows), Model::Linearizable);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
    rows.push(get(10_000, 0, 200_000, "0:0"));
    assert_eq!(
        judged(&lines(&rows), Model::Linearizable).verdict(),
        VerdictWord::Invalid
    );
}

#[test]
fn a_line_of_a_hundred_megabytes_is_read_and_a_longer_one_refused_by_its_number() {
    let name = "x".repeat(100 << 20);
    let long = format!(
        "{HEADER}\n{}\n{}",
        put(0, 0, 1),
        put(0, 1, 2).replace("\"x\"", &format!("\"{name}\""))
    );
    let history = read(long.as_bytes()).unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history.header.keys[1].len(), name.len());
    drop((name, long));
    let mut longer = format!("{HEADER}\n").into_bytes();
    longer.resize(longer.len() + LINE_BYTES_MAX + 1, b'y');
    let error = read(&longer).unwrap_err();
    assert!(
        error.contains("line 2") && error.contains("longer"),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_text_and_fields_that_nobody_knows_are_refused_by_their_line() {
    for (bad, word) in [
        (&b"{\"session\":0,\"key\":\"\xff\"}"[..], "UTF-8"),
        (b"{\"session\":0,\"colour\":1}", "colour"),
        (b"[1,2]", "line 2"),
        (b"{\"session\":-1}", "line 2"),
        (b"{\"session\":99999999999}", "line 2"),
    ] {
        let mut file = format!("{HEADER}\n").into_bytes();
        file.extend_from_slice(bad);
        file.push(b'\n');
        let error = read(&file).unwrap_err();
        assert!(error.contains("line 2") && error.contains(word), "{error}");
    }
}

#[test]
fn damaged_lines_never_panic_and_are_never_valid_unless_they_are_whole() {
    let whole = [
        put(0, 0, 10),
        put(0, 1, 20),
        get(1, 0, 30, "0:1"),
        get(1, 1, 40, "0:0"),
    ];
    let whole = self::whole(&whole);
    for at in 0..whole.len() {
        for change in [b'9', b'"', b'}', 0xff] {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] = change;
            if let Ok(history) = read(&bytes) {
                for promise in PROMISES {
                    judged(&history, promise);
                }
            }
        }
        // The last get is what is wrong with it: without it nothing is, but the file was cut.
        if let Ok(history) = read(&whole.as_bytes()[..at])
            && at < whole.len() - 1
        {
            assert!(history.end.is_none());
            for promise in PROMISES {
                let report = judged(&history, promise);
                assert_ne!(
                    report.verdict(),
                    VerdictWord::Valid,
                    "cut at {at}: {report}"
                );
            }
        }
    }
}

#[test]
fn impossible_rows_of_a_batch_are_refused_by_their_batch() {
    const BACKWARDS: [u64; 2] = [dot(1, 0, 1), dot(0, 0, 1)];
    let good = |index, at| Row {
        index,
        kind: Kind::Put,
        written: value_id(0, index),
        invoke: at,
        returned: Some(at),
        ..Row::EMPTY
    };
    let second = 3_000_000_000;
    for (bad, word) in [
        (
            Row {
                invoke: second + 1,
                ..good(1, second)
            },
            "before it was invoked",
        ),
        (
            Row {
                returned: None,
                ..good(1, second)
            },
            "`return`",
        ),
        (
            Row {
                witness: Witness::Put {
                    dot: BACKWARDS[1],
                    vector: &BACKWARDS,
                },
                ..good(1, second)
            },
            "ascending",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.arrows");
        // A second between the rows starts a new batch after the second.
        handed_in::record(&path, &[good(0, 0), good(9, second), bad]);
        let error = History::read(&path).unwrap_err().to_string();
        assert!(error.contains("batch 2") && error.contains(word), "{error}");
    }
}

#[test]
fn the_command_line_names_the_line_and_exits_as_for_bad_arguments() {
    let half = format!("{HEADER}\n{{\"session\":\n{}\n", put(0, 1, 2));
    let (_directory, path) = file("history.jsonl", half);
    let ended = bench(&["check", path.to_str().unwrap()]);
    assert_eq!((ended.code(), ended.stdout.as_str()), (254, ""));
    assert!(ended.error_line().contains("line 2"), "{}", ended.stderr);
}
