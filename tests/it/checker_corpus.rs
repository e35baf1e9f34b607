//! The corpora of good and bad histories: each bad one shows the anomaly that its name says, and
//! each good one is valid under its property. One file for every anomaly kind and subtle rule.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kvs_zoo::checker::{
    Agreement, AnomalyKind, Engine, JudgedBy, Model, Options, Property, Report, Verdict, check,
    proofs,
};
use kvs_zoo::history::{History, Kind, write_json_lines};

/// What no check decides yet, so that no history can show it.
const UNDECIDED: [Property; 0] = [];
/// The anomalies that only those show.
const UNSHOWN: [AnomalyKind; 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/histories")
}

fn corpus() -> Vec<(Property, PathBuf)> {
    let mut files = Vec::new();
    for directory in std::fs::read_dir(root()).unwrap() {
        let directory = directory.unwrap().path();
        let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let property = Property::ALL.iter().find(|p| p.name() == name);
        let property = *property.unwrap_or_else(|| panic!("{name} is no property"));
        for file in std::fs::read_dir(directory).unwrap() {
            files.push((property, file.unwrap().path()));
        }
    }
    files.sort_by(|a, b| a.1.cmp(&b.1));
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// The kind that a file's name promises: the longest that it starts with.
fn kind_of(path: &Path) -> Option<AnomalyKind> {
    let rest = stem(path).strip_prefix("bad-")?;
    let kinds = AnomalyKind::ALL
        .iter()
        .copied()
        .filter(|kind| rest.starts_with(kind.name()));
    let kind = kinds.max_by_key(|kind| kind.name().len());
    Some(kind.unwrap_or_else(|| panic!("{} names no anomaly", path.display())))
}

/// Judged by what the header promises, or else by the model that the folder's property makes up.
fn judge(path: &Path) -> Report {
    let history = History::read(path).unwrap();
    let folder = path
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    let own = |model: &&Model| {
        let properties = model.properties().iter().skip(1);
        properties
            .map(|property| property.name())
            .any(|name| name == folder)
    };
    let model = Model::ALL
        .iter()
        .find(own)
        .filter(|model| **model != Model::Eventual);
    let judged_by = match (history.header.promise, model) {
        (None, Some(model)) => JudgedBy::Model(*model),
        _ => JudgedBy::Promise,
    };
    let options = Options {
        judged_by,
        ..Options::default()
    };
    check(&history, &options)
}

#[test]
fn every_bad_history_shows_the_anomaly_that_its_name_says() {
    let mut bad = 0;
    for (property, path) in corpus() {
        let Some(kind) = kind_of(&path) else { continue };
        let report = judge(&path);
        let found = report.check(property).map(|check| &check.verdict);
        let Some(Verdict::Invalid { found, anomalies }) = found else {
            panic!("{} should be invalid:\n{report}", path.display());
        };
        assert!(found.contains_key(&kind), "{}:\n{report}", path.display());
        let anomaly = anomalies
            .iter()
            .find(|anomaly| anomaly.kind == kind)
            .unwrap_or_else(|| panic!("{}:\n{report}", path.display()));
        assert!(
            (1..=10).contains(&anomaly.operations.len()),
            "{}: {anomaly}",
            path.display()
        );
        assert!(!anomaly.sentence.is_empty());
        assert_eq!(
            report.verdict().name(),
            "invalid",
            "{}:\n{report}",
            path.display()
        );
        bad += 1;
    }
    assert!(bad > 40, "{bad}");
}

#[test]
fn every_good_history_is_valid_under_its_property_and_breaks_no_other() {
    let mut good = 0;
    for (property, path) in corpus() {
        if !stem(&path).starts_with("ok-") {
            continue;
        }
        let report = judge(&path);
        let verdict = &report.check(property).unwrap().verdict;
        assert!(verdict.is_valid(), "{}:\n{report}", path.display());
        assert_eq!(
            report.anomalies().count(),
            0,
            "{}:\n{report}",
            path.display()
        );
        good += 1;
    }
    assert!(good > 20, "{good}");
}

#[test]
fn what_could_not_be_asked_is_unknown() {
    for (property, path) in corpus() {
        if stem(&path).starts_with("unknown-") {
            let report = judge(&path);
            let verdict = &report.check(property).unwrap().verdict;
            assert!(
                matches!(verdict, Verdict::Unknown { .. }),
                "{}:\n{report}",
                path.display()
            );
        }
    }
}

#[test]
fn the_engines_never_disagree() {
    let mut agreed = 0;
    for (_, path) in corpus() {
        let report = judge(&path);
        let agreement = &report.agreement;
        assert!(
            !matches!(agreement, Agreement::Disagree { .. }),
            "{}:\n{report}",
            path.display()
        );
        agreed += usize::from(*agreement == Agreement::Agree);
    }
    assert!(agreed > 60, "{agreed}");
}

#[test]
fn every_anomaly_and_every_property_has_a_history() {
    let corpus = corpus();
    let shown: BTreeSet<AnomalyKind> = corpus
        .iter()
        .filter_map(|(_, path)| kind_of(path))
        .collect();
    for kind in AnomalyKind::ALL.iter().filter(|k| !UNSHOWN.contains(k)) {
        assert!(shown.contains(kind), "{kind} has no history");
    }
    assert_eq!(without_history(&corpus), []);
}

/// The properties of which no history is good, or none is bad.
fn without_history(corpus: &[(Property, PathBuf)]) -> Vec<Property> {
    let has = |property: &Property, prefix: &str| {
        let own = |(p, path): &(Property, PathBuf)| p == property && stem(path).starts_with(prefix);
        corpus.iter().any(own)
    };
    let decided = Property::ALL.iter().filter(|p| !UNDECIDED.contains(p));
    decided
        .copied()
        .filter(|property| !has(property, "ok-") || !has(property, "bad-"))
        .collect()
}

#[test]
fn a_property_without_a_folder_of_good_and_bad_histories_is_named() {
    let mut corpus = corpus();
    corpus.retain(|(property, _)| *property != Property::Sequential);
    assert_eq!(without_history(&corpus), [Property::Sequential]);
    corpus.retain(|(property, path)| *property != Property::Lww || !stem(path).starts_with("bad-"));
    assert_eq!(
        without_history(&corpus),
        [Property::Lww, Property::Sequential]
    );
}

#[test]
fn what_broke_a_promise_is_named_where_it_is_not_the_promises_own_model() {
    let judged = |path: &str| judge(&root().join(path)).broken_beside();
    assert_eq!(
        judged("lost-writes/bad-lost-write-its-replica-is-gone.jsonl").as_deref(),
        Some("a causal store also promises eventual, which is broken")
    );
    assert_eq!(judged("lost-writes/ok-superseded.jsonl"), None);
    assert_eq!(judged("causal/bad-missing-sibling.jsonl"), None);
}

#[test]
fn evidence_of_a_part_is_said_in_the_verdicts_own_line() {
    let report = judge(&root().join("causal-black-box/ok-one-get-without-vector.jsonl"));
    assert_eq!(report.verdict().name(), "valid", "{report}");
    let text = report.to_string();
    let line = text.lines().next().unwrap();
    assert!(line.contains("certificate: 2 of 3 operations"), "{line}");
    let whole = judge(&root().join("causal/ok-siblings.jsonl"));
    assert_eq!(whole.remarks, Vec::<String>::new());
}

#[test]
fn a_replica_that_was_never_asked_leaves_the_verdict_open() {
    let name = "convergence/unknown-a-replica-that-acknowledged-was-never-asked.jsonl";
    let report = judge(&root().join(name));
    assert_eq!(report.verdict().name(), "unknown", "{report}");
}

#[test]
fn a_tie_in_a_session_is_an_order_for_every_engine() {
    let path = root().join("lww/bad-regression-tie-in-a-session.jsonl");
    let history = History::read(&path).unwrap();
    for engine in [Engine::Direct, Engine::Stateright, Engine::Both] {
        let options = Options {
            judged_by: JudgedBy::Model(Model::Lww),
            engine,
            ..Options::default()
        };
        let report = check(&history, &options);
        assert_eq!(report.verdict().name(), "invalid", "{engine:?}: {report}");
        if engine != Engine::Stateright {
            for property in [Property::Lww, Property::LwwBlackBox] {
                let verdict = &report.check(property).unwrap().verdict;
                assert!(verdict.is_invalid(), "{property}: {report}");
            }
        }
    }
}

#[test]
fn a_report_says_what_was_wrong_in_words_and_as_json() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/testdata/histories/causal/bad-missing-sibling.jsonl");
    let report = judge(&path);
    let text = report.to_string();
    for word in [
        "missing-sibling",
        "session 2 #0 get x",
        "n1:1",
        "0.000005 ms",
    ] {
        let word = word.trim_end_matches(" ms");
        assert!(text.contains(word), "{word} in {text}");
    }
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn a_history_written_again_is_the_same_history() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.jsonl");
    for (_, path) in corpus() {
        let history = History::read(&path).unwrap();
        write_json_lines(&history, &mut std::fs::File::create(&copy).unwrap()).unwrap();
        assert!(
            History::read(&copy).unwrap() == history,
            "{}",
            path.display()
        );
    }
}

/// The history without row `removed`, and without the gets that read what it wrote.
fn without(history: &History, removed: usize) -> History {
    let gone = history.row(removed);
    let rows = (0..history.len())
        .filter(|row| *row != removed)
        .map(|row| history.row(row))
        .filter(|row| gone.kind != Kind::Put || !row.read.contains(&gone.written));
    History::from_rows(history.header.clone(), rows)
}

fn breaks(history: &History, property: Property) -> bool {
    let model = Model::ALL
        .iter()
        .find(|model| model.properties()[1..].contains(&property));
    let options = Options {
        judged_by: model.map_or(JudgedBy::Promise, |model| JudgedBy::Model(*model)),
        ..Options::default()
    };
    let report = check(history, &options);
    let check = report.check(property);
    check.is_some_and(|check| check.verdict.is_invalid())
}

#[test]
fn every_anomaly_proves_itself_and_nothing_of_it_can_be_spared() {
    let mut seen = 0;
    for (_, path) in corpus() {
        let history = History::read(&path).unwrap();
        let report = judge(&path);
        let anomalies: Vec<_> = report.anomalies().cloned().collect();
        for (anomaly, proof) in anomalies.iter().zip(proofs(&history, &anomalies)) {
            let name = path.display();
            assert!(breaks(&proof, anomaly.model), "{name}: {anomaly}");
            for removed in 0..proof.len() {
                let rest = without(&proof, removed);
                assert!(
                    !breaks(&rest, anomaly.model),
                    "{name}: {removed} of {anomaly}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}
