//! Histories on disk: what was recorded is what is read, whole or cut short.

use std::path::{Path, PathBuf};

use kvs_zoo::history::{
    ArrowFile, Dominance, End, ErrorKind, Header, History, Kind, Limit, Model, Outcome, Phase,
    ReadError, Row, Siblings, Version, Witness, dot, origin, value_id, write_json_lines,
};

fn header() -> Header {
    Header {
        architecture: "replicated(3)".to_owned(),
        lattice: "causal".to_owned(),
        promise: Some(Model::Causal),
        seed: 7,
        ..Header::default()
    }
}

/// Rows of every shape: witnessed and not, known and unknown.
fn rows() -> Vec<Row<'static>> {
    static VECTOR: [u64; 2] = [dot(0, 0, 3), dot(1, 2, 9)];
    static DOTS: [u64; 2] = [dot(0, 0, 3), dot(1, 2, 8)];
    static VECTORS: [u64; 3] = [dot(0, 0, 3), dot(0, 0, 3), dot(1, 2, 9)];
    static READ: [u64; 2] = [value_id(0, 0), value_id(5, 1)];
    vec![
        Row {
            kind: Kind::Put,
            written: value_id(0, 0),
            key: 42,
            intended: 1,
            invoke: 2,
            returned: Some(30),
            node: 2,
            incarnation: 1,
            group: 4,
            phase: Phase::Load,
            witness: Witness::Put {
                dot: VECTOR[1],
                vector: &VECTOR,
            },
            ..Row::EMPTY
        },
        Row {
            index: 1,
            read: &READ,
            invoke: 40,
            returned: Some(50),
            witness: Witness::Get {
                vector: &VECTOR,
                siblings: Siblings {
                    dots: &DOTS,
                    ends: &[1, 3],
                    vectors: &VECTORS,
                    base: 0,
                },
            },
            ..Row::EMPTY
        },
        Row {
            session: 9,
            kind: Kind::Put,
            written: value_id(9, 0),
            invoke: 60,
            outcome: Outcome::Info,
            error: Some(ErrorKind::Timeout),
            ..Row::EMPTY
        },
        Row {
            session: 10,
            invoke: 61,
            returned: Some(70),
            witness: Witness::Version(Some(Version {
                time: 5,
                origin: origin(3, 1),
            })),
            phase: Phase::Final,
            ..Row::EMPTY
        },
        Row {
            session: 10,
            index: 1,
            invoke: 71,
            returned: Some(72),
            witness: Witness::Version(None),
            ..Row::EMPTY
        },
        Row {
            session: 11,
            kind: Kind::Cas,
            written: value_id(11, 0),
            read: &READ[..1],
            invoke: 73,
            returned: Some(74),
            outcome: Outcome::Fail,
            error: Some(ErrorKind::Mismatch),
            ..Row::EMPTY
        },
        Row {
            session: 11,
            index: 1,
            kind: Kind::Append,
            written: value_id(11, 1),
            invoke: 75,
            returned: Some(76),
            ..Row::EMPTY
        },
    ]
}

fn record(path: &Path, header: &Header, rows: &[Row<'_>]) -> End {
    let mut recorder = ArrowFile::create(path, header).unwrap();
    for row in rows {
        recorder.push(row).unwrap();
    }
    recorder.finish().unwrap()
}

fn file(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    (directory, path)
}

#[test]
fn contexts_are_recorded_where_the_header_says_that_they_decide() {
    static KNOWN: [u64; 2] = [value_id(0, 0), value_id(5, 1)];
    let put = |index, context| Row {
        index,
        kind: Kind::Put,
        written: value_id(0, index),
        context,
        invoke: 10 * u64::from(index),
        returned: Some(10 * u64::from(index) + 1),
        ..Row::EMPTY
    };
    let rows = [
        put(0, None),
        put(1, Some(&KNOWN[..])),
        put(2, Some(&[])),
        put(3, None),
    ];
    let header = Header {
        dominance: Some(Dominance::Context),
        ..header()
    };
    let (_directory, path) = file("history.arrows");
    record(&path, &header, &rows);
    let history = History::read(&path).unwrap();
    assert_eq!(history, History::from_rows(header, rows));
    let mut lines = Vec::new();
    write_json_lines(&history, &mut lines).unwrap();
    let (_directory, path) = file("history.jsonl");
    std::fs::write(&path, lines).unwrap();
    assert_eq!(History::read(&path).unwrap(), history);
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(history.row(at).context, row.context);
    }
}

#[test]
fn what_was_recorded_is_what_is_read() {
    let (_directory, path) = file("history.arrows");
    let end = record(&path, &header(), &rows());
    let history = History::read(&path).unwrap();
    assert_eq!(end.operations, rows().len() as u64);
    assert_eq!(history.damage, None);
    assert_eq!(history.end, Some(end));
    assert_eq!(history.header, header());
    assert_eq!(history, History::from_rows(header(), rows()));
    for (i, row) in rows().iter().enumerate() {
        assert_eq!(&history.row(i), row);
    }
}

#[test]
fn json_lines_say_the_same_as_arrow() {
    let (_directory, path) = file("history.jsonl");
    let history = History::from_rows(header(), rows());
    write_json_lines(&history, &mut std::fs::File::create(&path).unwrap()).unwrap();
    assert_eq!(History::read(&path).unwrap(), history);
}

#[test]
fn batches_keep_the_order_of_the_rows() {
    let (_directory, path) = file("history.arrows");
    let all: Vec<_> = (0..100_000)
        .map(|i| Row {
            index: i,
            invoke: u64::from(i) * 1_000,
            returned: Some(u64::from(i) * 1_000 + 500),
            ..rows()[1]
        })
        .collect();
    record(&path, &header(), &all);
    assert_eq!(
        History::read(&path).unwrap(),
        History::from_rows(header(), all)
    );
}

#[test]
fn a_file_cut_anywhere_gives_whole_batches_or_an_error_and_never_an_end() {
    let (_directory, path) = file("history.arrows");
    // A second between the rows: one batch each.
    let all: Vec<_> = (0..20)
        .map(|i| Row {
            index: i,
            invoke: u64::from(i) * 2_000_000_000,
            returned: Some(u64::from(i) * 2_000_000_000 + 1),
            ..rows()[0]
        })
        .collect();
    record(&path, &header(), &all);
    let whole = std::fs::read(&path).unwrap();
    let mut lengths = std::collections::BTreeSet::new();
    for cut in (0..whole.len() - 1).step_by(101) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        match History::read(&path) {
            Ok(history) => {
                assert_eq!(history.end, None, "cut at {cut}");
                assert!(history.damage.is_some(), "cut at {cut}");
                let prefix = History::from_rows(header(), all[..history.len()].iter().copied());
                assert_eq!(history.columns, prefix.columns, "cut at {cut}");
                lengths.insert(history.len());
            }
            Err(ReadError::Arrow { .. } | ReadError::Empty { .. } | ReadError::Line { .. }) => {}
            Err(
                error @ (ReadError::Io { .. }
                | ReadError::Compressed { .. }
                | ReadError::Other { .. }
                | ReadError::Option { .. }
                | ReadError::Unrecognised { .. }),
            ) => panic!("{error}"),
        }
    }
    assert!(
        lengths.len() > 5,
        "cuts should fall into many batches: {lengths:?}"
    );
}

#[test]
fn garbage_inside_a_stream_is_an_error_or_damage_and_never_a_panic() {
    let (_directory, path) = file("history.arrows");
    let all: Vec<_> = (0..50).flat_map(|_| rows()).collect();
    record(&path, &header(), &all);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(17) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x5a;
        std::fs::write(&path, &bytes).unwrap();
        drop(History::read(&path));
    }
}

#[test]
fn a_line_that_is_no_row_is_named_by_its_number() {
    let good = r#"{"session":0,"kind":"put","key":"x","invoke":1,"return":2}"#;
    for (bad, word) in [
        (r#"{"session":0,"kind":"put","key":"x","invoke":1"#, "EOF"),
        (
            r#"{"session":0,"kind":"put","key":"x","invoke":1,"return":2,"colour":1}"#,
            "colour",
        ),
        (
            r#"{"session":0,"kind":"put","key":"x","invoke":3,"return":2}"#,
            "before",
        ),
        (
            r#"{"session":0,"kind":"put","key":7,"invoke":1,"return":2}"#,
            "all names",
        ),
        (
            r#"{"session":0,"kind":"put","key":"x","invoke":1}"#,
            "return",
        ),
        (
            r#"{"session":0,"kind":"get","key":"x","read":["0-1"],"invoke":1,"return":2}"#,
            "0-1",
        ),
        (
            r#"{"session":0,"kind":"put","key":"x","dot":"n5000:1","invoke":1,"return":2}"#,
            "n5000",
        ),
    ] {
        let (_directory, path) = file("history.jsonl");
        std::fs::write(&path, format!("{{\"schema\":1}}\n{good}\n{bad}\n{good}\n")).unwrap();
        let error = History::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains(word), "{error}");
    }
}

#[test]
fn invalid_utf8_is_an_error_with_its_line() {
    let (_directory, path) = file("history.jsonl");
    std::fs::write(&path, b"// a comment\n\xff\xfe garbage\n").unwrap();
    let error = History::read(&path).unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn a_wrong_count_in_the_end_record_is_refused() {
    let (_directory, path) = file("history.jsonl");
    let row = r#"{"session":0,"kind":"put","key":"x","invoke":1,"return":2}"#;
    let text = format!("{{\"schema\":1}}\n{row}\n{{\"end\":{{\"operations\":2}}}}\n");
    std::fs::write(&path, text).unwrap();
    assert!(
        History::read(&path)
            .unwrap_err()
            .to_string()
            .contains("counts 2")
    );
}

#[test]
fn beyond_the_limit_only_the_sample_is_recorded_and_that_whole() {
    let (_directory, path) = file("history.arrows");
    let limit = Limit {
        operations: 100,
        one_key_in: 4,
    };
    let header = Header {
        limit: Some(limit),
        ..header()
    };
    let all: Vec<_> = (0..1_000u32)
        .map(|i| Row {
            index: i,
            key: u64::from(i % 50),
            returned: Some(u64::from(i)),
            ..Row::EMPTY
        })
        .collect();
    let end = record(&path, &header, &all);
    let history = History::read(&path).unwrap();
    assert_eq!(history.end, Some(end));
    assert_eq!(end.operations + end.left_out, 1_000);
    assert!(end.left_out > 100);
    let sampled = all.iter().filter(|row| limit.samples(row.key)).count();
    let recorded = history
        .columns
        .key
        .iter()
        .filter(|key| limit.samples(**key))
        .count();
    assert_eq!(sampled, recorded);
}

#[test]
fn a_full_disk_is_an_error_to_the_one_who_records() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    // The header may already fail, or a later batch: either way the caller hears of it.
    let outcome = ArrowFile::create(full, &header()).and_then(|mut recorder| {
        for i in 0..10_000_000 {
            recorder.push(&Row {
                returned: Some(i * 1_000_000),
                ..rows()[1]
            })?;
        }
        recorder.finish()
    });
    assert!(outcome.unwrap_err().to_string().contains("history"));
}
