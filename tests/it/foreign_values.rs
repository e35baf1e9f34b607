//! Values of foreign histories: they keep their types from import to export, and an initial value
//! has a type too.

use std::fs;
use std::path::{Path, PathBuf};

use kvs_zoo::checker::{Options, VerdictWord, check};
use kvs_zoo::history::{
    Format, History, ImportOptions, Places, ReadError, read_history, write_jepsen_edn,
    write_json_lines,
};

use crate::program::bench;

fn imported(text: &str, format: Format, options: &ImportOptions) -> Result<History, ReadError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history");
    fs::write(&path, text).unwrap();
    read_history(&path, Some(format), options)
}

fn verdict(history: &History) -> VerdictWord {
    check(history, &Options::default()).verdict()
}

fn corpus(format: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/imports");
    let files = fs::read_dir(root.join(format)).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !name.starts_with("refused-")
        })
        .collect()
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort_unstable();
    texts
}

#[test]
fn what_is_imported_exported_and_imported_again_has_the_same_keys_values_and_verdict() {
    let options = ImportOptions::default();
    let (mut good, mut bad) = (0, 0);
    for path in corpus("jepsen-edn") {
        let history = read_history(&path, Some(Format::JepsenEdn), &options).unwrap();
        let mut text = Vec::new();
        write_jepsen_edn(&history, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let again = imported(&text, Format::JepsenEdn, &options).unwrap();
        let shown = format!("{}:\n{text}", path.display());
        assert_eq!(
            sorted(&again.header.keys),
            sorted(&history.header.keys),
            "{shown}"
        );
        assert_eq!(
            sorted(&again.header.values),
            sorted(&history.header.values),
            "{shown}"
        );
        assert_eq!(verdict(&again), verdict(&history), "{shown}");
        match verdict(&history) {
            VerdictWord::Valid => good += 1,
            VerdictWord::Invalid => bad += 1,
            VerdictWord::Unknown => panic!("{shown}"),
        }
    }
    assert!(good >= 10 && bad >= 8, "{good} good, {bad} bad");
}

#[test]
fn what_is_imported_and_written_as_json_lines_is_read_as_it_was() {
    for path in [corpus("jepsen-edn"), corpus("porcupine-kv")].concat() {
        let history = read_history(&path, None, &ImportOptions::default()).unwrap();
        assert!(history.header.edn, "{}", path.display());
        let mut text = Vec::new();
        write_json_lines(&history, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let again = imported(&text, Format::JsonLines, &ImportOptions::default()).unwrap();
        // Where an operation stood in the other tool's file is known of that file alone.
        let written = History {
            places: Places::default(),
            ..history
        };
        assert_eq!(again, written, "{}", path.display());
    }
}

#[test]
fn an_export_shows_each_key_and_value_in_its_type() {
    let text = "{:process 0 :type :invoke :f :write :value [\"0\" \"3\"]}\n\
                {:process 0 :type :ok :f :write :value [\"0\" \"3\"]}\n\
                {:process 0 :type :invoke :f :cas :value [0 [nil (1N #inst \"2027\")]]}\n\
                {:process 0 :type :ok :f :cas :value [0 [nil [1 #inst \"2027\"]]]}\n";
    let history = imported(text, Format::JepsenEdn, &ImportOptions::default()).unwrap();
    let mut text = Vec::new();
    write_jepsen_edn(&history, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for part in [
        ":invoke, :f :write, :value [\"0\" \"3\"],",
        ":ok, :f :write, :value [\"0\" \"3\"],",
        ":invoke, :f :cas, :value [0 [nil [1 #inst \"2027-01-01T00:00:00.000Z\"]]],",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn an_initial_value_has_a_type() {
    let text = "{:process 0, :type :invoke, :f :read, :value nil}\n\
                {:process 0, :type :ok, :f :read, :value \"0\"}\n";
    for (initial, expected) in [
        ("0", VerdictWord::Invalid),
        ("\"0\"", VerdictWord::Valid),
        ("nil", VerdictWord::Invalid),
    ] {
        let options = ImportOptions {
            initial: Some(initial.parse().unwrap()),
            ..ImportOptions::default()
        };
        let history = imported(text, Format::JepsenEdn, &options).unwrap();
        assert_eq!(verdict(&history), expected, "{initial}");
    }
    let ended = bench(&["check", "-", "--initial", "\"0"]);
    assert_eq!(ended.code(), 254);
    assert!(
        ended.stderr.contains("the text ends within a value"),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_explanation_tells_a_number_from_its_text() {
    let text = "{:process 0 :type :invoke :f :write :value [0 3]}\n\
                {:process 0 :type :ok :f :write :value [0 3]}\n\
                {:process 1 :type :invoke :f :read :value [0 nil]}\n\
                {:process 1 :type :ok :f :read :value [0 \"3\"]}\n";
    let history = imported(text, Format::JepsenEdn, &ImportOptions::default()).unwrap();
    let report = check(&history, &Options::default());
    assert_eq!(report.verdict(), VerdictWord::Invalid);
    assert!(report.to_string().contains("\"3\""), "{report}");
}

fn refusal(text: &str, format: Format) -> String {
    let error = imported(text, format, &ImportOptions::default()).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn a_completion_that_contradicts_its_invocation_is_refused_with_both_lines() {
    let invoke =
        |f: &str, value: &str| format!("\n{{:process 1 :type :invoke :f {f} :value {value}}}\n");
    let ok = |f: &str, value: &str| format!("{{:process 1 :type :ok :f {f} :value {value}}}\n");
    for (f, asked, said, parts) in [
        (":cas", "[5 6]", "[7 8]", ["cas [7 8]", "cas [5 6]"]),
        (":cas", "[nil 6]", "[5 6]", ["cas [5 6]", "cas [nil 6]"]),
        (":write", "5", "\"5\"", ["put \"5\"", "put 5"]),
        (":write", "5", "nil", ["put nil", "put 5"]),
        (":write", "[1 5]", "[\"1\" 5]", ["key \"1\"", "key 1"]),
        (":read", "4", "5", ["get 5", "get 4"]),
    ] {
        let line = refusal(&(invoke(f, asked) + &ok(f, said)), Format::JepsenEdn);
        assert!(line.contains("line 3: "), "{line}");
        assert!(line.contains("line 2 "), "{line}");
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    let line = refusal(
        &(invoke(":write", "5") + &ok(":read", "5")),
        Format::JepsenEdn,
    );
    assert!(
        line.contains("line 3: ") && line.contains("line 2"),
        "{line}"
    );
}

#[test]
fn a_process_of_any_number_is_a_session_of_its_own() {
    let mut text = String::new();
    for process in [
        "4611686018427387904",
        "170141183460469231731687303715884105728",
        "-1",
        "7",
    ] {
        text += &format!("{{:process {process} :type :invoke :f :write :value {process}}}\n");
        text += &format!("{{:process {process} :type :ok :f :write :value {process}}}\n");
    }
    let history = imported(&text, Format::JepsenEdn, &ImportOptions::default()).unwrap();
    assert_eq!(history.columns.session, [0, 1, 2, 3]);
    assert_eq!(verdict(&history), VerdictWord::Valid);
}

#[test]
fn an_empty_history_says_that_it_is_empty() {
    for text in [
        "[]",
        "()",
        "[ ; nothing\n]",
        "{:process :nemesis :type :info :f :start}",
    ] {
        for format in [Format::JepsenEdn, Format::PorcupineKv] {
            let line = refusal(text, format);
            assert!(line.contains("is empty"), "{line}");
        }
    }
}

#[test]
fn an_operation_nested_without_end_is_refused_by_its_line() {
    let nested = "[".repeat(1_000_000);
    let text = format!("{{:process 0 :type :invoke :f :write :value 1}}\n{{:value {nested}");
    let line = refusal(&text, Format::JepsenEdn);
    assert!(
        line.contains("line 2: ") && line.contains("nested deeper than"),
        "{line}"
    );
}
