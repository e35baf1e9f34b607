//! Files of other tools as they are in the wild: how their formats are recognised, what is refused
//! by its name, and how explanations name what stands in them.

use std::fs;

use kvs_zoo::checker::{Options, Property, VerdictWord, check};
use kvs_zoo::history::{History, ImportOptions, ReadError, read_history};

/// What is read of a file of this name, whatever format it has.
fn guessed(name: &str, text: impl AsRef<[u8]>) -> Result<History, ReadError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    read_history(&path, None, &ImportOptions::default())
}

const WRITTEN: &str = "{:process 0, :type :invoke, :f :write, :value 1}\n\
                       {:process 0, :type :ok, :f :write, :value 1}\n";

#[test]
fn a_format_is_guessed_whatever_comes_before_its_first_record() {
    let nemesis = "{:process :nemesis, :type :info, :f :append, :key 1, :value nil}\n";
    let put = "{:process 0, :type :invoke, :f :put, :key \"a\", :value \"b\"}\n";
    let json = "{ \"type\" : \"invoke\",\r\n \"process\": 0, \"f\": \"write\", \"value\": 1 }\r\n";
    let log = "0\t:invoke\t:write\t1\n";
    for text in [
        format!("\u{feff}\n\n {WRITTEN}"),
        format!("; a comment\n,,{WRITTEN}"),
        format!("{nemesis}{WRITTEN}"),
        format!("[\n{WRITTEN}]"),
        format!("(; inside\n{WRITTEN})"),
        WRITTEN.replace('\n', "\r\n"),
        WRITTEN.replace("{:process", "#jepsen.history.Op{:process"),
        format!("{nemesis}{put}"),
        json.to_owned(),
        format!("[{json}]"),
        format!("\n{log}"),
        format!("{}{log}", "a line of something else\n".repeat(100)),
        format!("{{:concurrency 5}}\n{log}"),
        "\n\nw(1,1,0,0)\n".to_owned(),
        "// ours\n{\"schema\": 1}\n\
         {\"session\": 0, \"kind\": \"get\", \"key\": \"x\", \"invoke\": 0, \"return\": 1}\n\
         {\"end\": {\"operations\": 1}}\n"
            .to_owned(),
    ] {
        let history = guessed("history", &text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        assert_eq!(history.len(), 1, "{text:?}");
    }
}

#[test]
fn a_name_says_what_the_first_records_do_not() {
    let preamble = "a line of something else\n".repeat(10_000);
    let log = format!("{preamble}0\t:invoke\t:write\t1\n");
    assert_eq!(guessed("jepsen.log", &log).unwrap().len(), 1);
    let error = guessed("history", &log).unwrap_err().to_string();
    assert!(error.contains("--format"), "{error}");
    let error = guessed("history.edn", "42").unwrap_err().to_string();
    assert!(error.contains("an operation is a map"), "{error}");
    let error = guessed("history.json.gz", "42").unwrap_err().to_string();
    assert!(error.contains("an operation is an object"), "{error}");
    let error = guessed("jepsen.log", "nothing at all\n").unwrap_err();
    assert!(error.to_string().contains("no operation"), "{error}");
}

#[test]
fn what_is_no_history_is_told_what_was_looked_for() {
    for text in [
        "hello\n",
        "{\"name\": 1}\n",
        "key,value\n1,2\n",
        "\0\u{1}\0",
        "42",
    ] {
        let error = guessed("history.txt", text).unwrap_err().to_string();
        assert!(error.contains("is not recognised as a history"), "{error}");
        assert!(
            error.contains("--format") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[test]
fn an_empty_vector_is_an_empty_history() {
    for text in ["[]", "()\n", " [ ; nothing\n ]", "; nothing\n", ",,\n"] {
        for name in ["history.edn", "history"] {
            let error = guessed(name, text).unwrap_err();
            assert!(
                matches!(error, ReadError::Empty { .. }),
                "{text:?}: {error}"
            );
        }
    }
}

#[test]
fn what_is_not_a_register_is_refused_by_its_name() {
    for (f, value, name) in [
        ("txn", "[[:append :x 1]]", "list-append"),
        ("txn", "[[:r :x nil] [:append :x 1]]", "list-append"),
        (
            "txn",
            "[[:r :x nil] [:w :y 1]]",
            "a transaction of 2 operations",
        ),
        (
            "read",
            "[[:r :x nil] [:r :y nil]]",
            "a transaction of 2 operations",
        ),
        ("append", "1", "list-append"),
        ("add", "1", "a set or a counter"),
        ("transfer", "{:from 0, :to 1, :amount 5}", "bank accounts"),
        ("acquire", "nil", "a lock"),
        ("enqueue", "1", "a queue"),
    ] {
        let edn = format!("{{:process 0, :type :invoke, :f :{f}, :value {value}}}\n");
        let log = format!("x INFO [w] jepsen.util: 0\t:invoke\t:{f}\t{value}\n");
        for (file, text) in [("history.edn", edn), ("jepsen.log", log)] {
            let error = guessed(file, text).unwrap_err().to_string();
            assert!(error.contains("line 1: "), "{error}");
            assert!(error.contains(name), "{error}");
            assert!(error.contains("only registers are judged"), "{error}");
        }
    }
}

#[test]
fn a_key_beside_the_value_is_a_register() {
    let text = "{\"process\":\"a\",\"type\":\"invoke\",\"f\":\"write\",\"key\":\"k\",\"value\":1}\n\
                {\"process\":\"a\",\"type\":\"ok\",\"f\":\"write\",\"key\":\"k\",\"value\":1}\n\
                {\"process\":\"b\",\"type\":\"invoke\",\"f\":\"read\",\"key\":\"other\"}\n\
                {\"process\":\"b\",\"type\":\"ok\",\"f\":\"read\",\"key\":\"other\",\"value\":null}\n";
    let history = guessed("history.jsonl", text).unwrap();
    assert_eq!(
        check(&history, &Options::default()).verdict(),
        VerdictWord::Valid
    );
    let same = text.replace("other", "k");
    let history = guessed("history.jsonl", same).unwrap();
    assert_eq!(
        check(&history, &Options::default()).verdict(),
        VerdictWord::Invalid
    );
}

#[test]
fn an_anomaly_names_the_lines_and_the_processes_of_the_users_file() {
    let text = "; a comment\n\
                {:process 700, :type :invoke, :f :write, :value 1, :index 10}\n\
                {:process :nemesis, :type :info, :f :start, :value nil, :index 11}\n\
                {:process 700, :type :ok, :f :write, :value 1, :index 12}\n\
                {:process 9, :type :invoke, :f :read, :value nil, :index 13}\n\
                {:process 9, :type :ok, :f :read, :value nil, :index 14}\n";
    let history = guessed("history.edn", text).unwrap();
    let report = check(&history, &Options::default());
    let verdict = &report.check(Property::Linearizable).unwrap().verdict;
    let proof = verdict.anomalies()[0].to_string();
    for words in [
        "process 700 put register = 1 on lines 2 and 4 (:index 10 and 12)",
        "process 9 get register -> nothing on lines 5 and 6 (:index 13 and 14)",
        "process 700 [2 put register=1",
    ] {
        assert!(proof.contains(words), "{proof}");
    }
    let json = serde_json::to_string(&verdict.anomalies()[0]).unwrap();
    assert!(json.contains("\"process\":\"700\""), "{json}");
    assert!(json.contains("{\"line\":4,\"index\":12}"), "{json}");
}

#[test]
fn operations_on_one_line_are_named_by_their_records() {
    let text = "[{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1},\
                {\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1},\
                {\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"value\":null},\
                {\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":null}]";
    let history = guessed("history.json", text).unwrap();
    let report = check(&history, &Options::default());
    let verdict = &report.check(Property::Linearizable).unwrap().verdict;
    let proof = verdict.anomalies()[0].to_string();
    let words = "process 1 get register -> nothing on records 3 and 4";
    assert!(proof.contains(words), "{proof}");
    let twice = text.replace("\"ok\",\"f\":\"write\"", "\"invoke\",\"f\":\"write\"");
    let error = guessed("history.json", twice).unwrap_err().to_string();
    assert!(error.contains("line 1: record 2: "), "{error}");
}

#[test]
fn a_process_that_goes_on_after_an_unknown_outcome_keeps_its_name() {
    let text = "0\t:invoke\t:write\t1\n0\t:info\t:write\t1\t:timed-out\n\
                0\t:invoke\t:write\t2\n0\t:ok\t:write\t2\n\
                0\t:invoke\t:read\tnil\n0\t:ok\t:read\tnil\n";
    let history = guessed("history.txt", text).unwrap();
    assert!((0..3).all(|row| history.places.at(row).unwrap().process == "0"));
    let lines = |row: usize| history.places.at(row).unwrap().to_string();
    assert_eq!([lines(0), lines(2)], ["lines 1 and 2", "lines 5 and 6"]);
}

#[test]
fn reasons_name_operations_of_the_users_file_and_no_rows() {
    let text = "0\t:invoke\t:cas\t[nil 1]\n0\t:ok\t:cas\t[nil 1]\n";
    let history = guessed("history.txt", text).unwrap();
    let report = check(&history, &Options::default()).to_string();
    assert!(
        report.contains("process 0's operation on line 1 is a cas"),
        "{report}"
    );
    assert!(!report.contains("row "), "{report}");
}
