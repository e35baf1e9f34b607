//! What a header promises, and what counts for which promise.

use super::generate::{self, Random, Store};
use super::op;
use crate::checker::{
    AnomalyKind, JudgedBy, Model, Options, Property, Report, Standing, VerdictWord, check,
};
use crate::history::{End, Group, Header, History, Kind, Phase, Row, Version, Witness, value_id};

/// Histories of each kind of store that every promise is held to.
const HISTORIES: u64 = 40;
/// Operations of each of them.
const OPERATIONS: usize = 30;

fn judged(history: &History, promise: Option<Model>, judged_by: JudgedBy) -> Report {
    let options = Options {
        promise,
        judged_by,
        ..Options::default()
    };
    check(history, &options)
}

/// Random histories of every kind of store, whole and with a change, without a promise.
fn histories() -> impl Iterator<Item = History> {
    let stores = [Store::Register, Store::Causal, Store::Lww];
    let seeded = stores
        .into_iter()
        .flat_map(|store| (0..HISTORIES).map(move |seed| (store, seed)));
    seeded.map(|(store, seed)| {
        let ops = generate::valid(&mut Random(seed), store, OPERATIONS);
        let mut history = generate::history(store, &ops);
        history.header.promise = None;
        history
    })
}

/// The models that promise no other beside them.
fn alone() -> impl Iterator<Item = Model> {
    let models = Model::ALL.iter().copied();
    models.filter(|model| model.of_promise().len() == 1)
}

#[test]
fn a_promise_of_one_model_is_judged_as_the_model_is() {
    for (history, model) in histories().flat_map(|h| alone().map(move |m| (h.clone(), m))) {
        // Versions are evidence of a linearizable store, and not of every linearizable history.
        let history = if model == Model::Linearizable {
            history.without_evidence()
        } else {
            history
        };
        let by_promise = judged(&history, Some(model), JudgedBy::Promise);
        let by_model = judged(&history, None, JudgedBy::Model(model));
        assert_eq!(by_promise.verdict(), by_model.verdict(), "{model}");
        assert_eq!(by_promise.checks, by_model.checks, "{model}");
        assert_eq!(by_promise.agreement, by_model.agreement, "{model}");
        assert_eq!(by_promise.held_to(), by_model.held_to());
        let rung = |report: &Report| report.ladder[model as usize].standing;
        assert_eq!(rung(&by_promise), rung(&by_model), "{model}");
        assert!(by_promise.ladder[model as usize].promised, "{model}");
    }
}

#[test]
fn every_model_can_be_promised_in_a_header_by_its_name() {
    for model in Model::ALL {
        let json = format!("{{\"schema\":1,\"promise\":\"{model}\"}}");
        let header: Header = serde_json::from_str(&json).unwrap();
        assert_eq!(header.promise, Some(*model));
        let written = serde_json::to_string(&header).unwrap();
        assert!(written.contains(&format!("\"promise\":\"{model}\"")));
    }
    let unknown = "{\"schema\":1,\"promise\":\"strong\"}";
    assert!(serde_json::from_str::<Header>(unknown).is_err());
}

/// Two puts of one key one after the other and a get of the later, under versions.
fn versioned(versions: [u64; 2], read_under: u64) -> History {
    let version = |time| Witness::Version(Some(Version { time, origin: 0 }));
    let ids = [value_id(1, 0)];
    let rows = [
        Row {
            witness: version(versions[0]),
            ..op(0, 0, 0, 0, Kind::Put, &[])
        },
        Row {
            witness: version(versions[1]),
            ..op(1, 0, 0, 20, Kind::Put, &[])
        },
        Row {
            witness: version(read_under),
            ..op(2, 0, 0, 40, Kind::Get, &ids)
        },
    ];
    let header = Header {
        promise: Some(Model::Linearizable),
        ..Header::default()
    };
    let mut history = History::from_rows(header, rows);
    history.end = Some(End::of(3));
    history
}

fn found(report: &Report) -> Vec<AnomalyKind> {
    report.anomalies().map(|anomaly| anomaly.kind).collect()
}

#[test]
fn versions_that_agree_with_real_time_are_valid() {
    let report = check(&versioned([7, 9], 9), &Options::default());
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
}

#[test]
fn versions_against_real_time_break_a_promise_of_linearizability() {
    let report = check(&versioned([9, 7], 7), &Options::default());
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    assert_eq!(found(&report), [AnomalyKind::NotLinearizable]);
    let shown = report.anomalies().next().unwrap().operations.len();
    assert_eq!(shown, 2, "{report}");
}

#[test]
fn a_read_under_another_version_than_its_put_breaks_it_too() {
    let report = check(&versioned([7, 9], 8), &Options::default());
    assert_eq!(found(&report), [AnomalyKind::VersionMismatch], "{report}");
    let report = check(&versioned([9, 9], 9), &Options::default());
    assert!(
        found(&report).contains(&AnomalyKind::DuplicateVersion),
        "{report}"
    );
}

#[test]
fn versions_of_a_store_that_promises_less_say_nothing_of_linearizability() {
    let history = versioned([9, 7], 7);
    for promise in [Model::Lww, Model::Sequential] {
        let report = judged(
            &history,
            Some(promise),
            JudgedBy::Model(Model::Linearizable),
        );
        assert_eq!(report.verdict(), VerdictWord::Valid, "{promise}: {report}");
    }
}

/// A put that node 0 acknowledged, and that node 1 does not have when it is read in `phase`; a
/// client reads it once more after all.
fn stale_at_a_node(phase: Phase) -> History {
    let ids = [value_id(0, 0)];
    let final_get = |session, invoke, node, read| Row {
        node,
        phase,
        ..op(session, 0, 0, invoke, Kind::Get, read)
    };
    let rows = [
        op(0, 0, 0, 0, Kind::Put, &[]),
        final_get(1, 20, 0, &ids[..]),
        final_get(2, 30, 1, &[]),
        op(3, 0, 0, 40, Kind::Get, &ids),
    ];
    let header = Header {
        groups: vec![Group {
            id: 0,
            nodes: vec![0, 1],
        }],
        ..Header::default()
    };
    let mut history = History::from_rows(header, rows);
    history.end = Some(End::of(4));
    history
}

#[test]
fn a_stale_local_read_breaks_eventual_and_no_other_model() {
    let history = stale_at_a_node(Phase::Local);
    for model in Model::ALL {
        let report = judged(&history, None, JudgedBy::Model(*model));
        let standing = report.ladder[*model as usize].standing;
        let expected = if *model == Model::Eventual {
            Standing::Broken
        } else {
            Standing::Held
        };
        assert_eq!(standing, expected, "{model}: {report}");
    }
    let report = judged(&history, Some(Model::Eventual), JudgedBy::Promise);
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    let kinds = found(&report);
    assert!(kinds.contains(&AnomalyKind::Divergence), "{report}");
    assert!(kinds.contains(&AnomalyKind::LostWrite), "{report}");
}

#[test]
fn the_same_read_in_the_final_phase_breaks_linearizability_too() {
    let history = stale_at_a_node(Phase::Final);
    let report = judged(&history, Some(Model::Linearizable), JudgedBy::Promise);
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
}

#[test]
fn a_stale_local_read_counts_for_no_search_where_values_repeat() {
    let mut history = stale_at_a_node(Phase::Local);
    let again = Row {
        written: value_id(0, 0),
        ..op(4, 0, 0, 50, Kind::Put, &[])
    };
    history.columns.push(&again);
    history.end = Some(End::of(5));
    for model in [Model::Linearizable, Model::Sequential] {
        let report = judged(&history, Some(model), JudgedBy::Promise);
        assert_eq!(report.verdict(), VerdictWord::Valid, "{model}: {report}");
    }
}

#[test]
fn local_reads_alone_judge_nothing_but_convergence() {
    let rows = [Row {
        phase: Phase::Local,
        ..op(0, 0, 0, 0, Kind::Get, &[])
    }];
    let mut history = History::from_rows(Header::default(), rows);
    history.end = Some(End::of(1));
    let report = judged(&history, None, JudgedBy::Model(Model::Linearizable));
    let check = report.check(Property::Linearizable).unwrap();
    assert_eq!(check.checked, 0);
    assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
}
