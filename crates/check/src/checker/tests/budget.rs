//! The time of a check: every check ends when it is over, and nothing that it cut short is valid.
//! The clocks are made for the test: each reading moves them on by as much as the test says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::convergence::{self, Final};
use super::super::index::Index;
use super::super::ordering::Limits;
use super::super::property::{AnomalyKind, Property};
use super::super::remarks::contradiction;
use super::super::session::{self, Judged};
use super::super::table::CHECKERS;
use super::super::time::Time;
use super::super::verdict::{Check, Findings, Verdict};
use super::super::{
    Agreement, Budget, Clock, Engine, JudgedBy, Model, Options, Report, Standing, VerdictWord,
    bad_patterns, causal, check, dominance, explain, integrity, linearizable, lost_writes, lww,
    lww_black_box, sequential, wing_gong,
};
use super::generate::{self, Random, Store};
use super::{causal_history, op};
use crate::history::{Dominance, Header, History, Kind};

/// A clock that goes on by a second each time that it is read.
fn a_second_each_time() -> Clock {
    let reads = AtomicU64::new(0);
    Clock::new(move || Duration::from_secs(reads.fetch_add(1, Ordering::Relaxed)))
}

/// A time that was over before it began.
fn over() -> Time {
    let stopped = Clock::new(|| Duration::ZERO);
    Time::starting(Some(stopped), Some(Duration::ZERO), None)
}

fn history_of(store: Store) -> History {
    let histories = (0..20).map(|seed| {
        let (ops, nodes) = generate::with_final_reads(&mut Random(seed), store, 40);
        generate::with_nodes(generate::history(store, &ops), nodes)
    });
    let converged = |history: &History| {
        let index = Index::new(history).unwrap();
        convergence::check(&Final::new(&index)).verdict.is_valid()
    };
    let mut histories = histories.filter(converged);
    histories.next().expect("some seed's replicas agree")
}

type Row = (&'static str, Store, bool, fn(&Index<'_>) -> Vec<Check>);

/// Every check, the store whose history it can judge, and whether that keeps its evidence.
const CHECKS: [Row; 15] = [
    ("integrity", Store::Causal, true, |index| {
        vec![integrity::check(index)]
    }),
    ("convergence", Store::Causal, true, |index| {
        vec![convergence::check(&Final::new(index))]
    }),
    ("lost writes", Store::Causal, true, |index| {
        vec![lost_writes::check(&Final::new(index))]
    }),
    ("certificate", Store::Causal, true, |index| {
        vec![causal::check(index)]
    }),
    ("lww", Store::Lww, true, |index| vec![lww::check(index)]),
    ("lww black box", Store::Lww, false, |index| {
        vec![lww_black_box::check(index)]
    }),
    ("guarantees by vectors", Store::Causal, true, |index| {
        session::check(index, Judged::ByVectors).to_vec()
    }),
    ("guarantees by versions", Store::Lww, true, |index| {
        session::check(index, Judged::ByVersions).to_vec()
    }),
    ("guarantees", Store::Causal, false, |index| {
        session::check(index, Judged::BlackBox).to_vec()
    }),
    ("guarantees by contexts", Store::Context, false, |index| {
        session::check(index, Judged::BlackBox).to_vec()
    }),
    ("black box", Store::Causal, false, |index| {
        vec![dominance::check(index)]
    }),
    ("black box by contexts", Store::Context, false, |index| {
        vec![dominance::check(index)]
    }),
    ("cc and ccv", Store::Register, false, |index| {
        bad_patterns::check(index).to_vec()
    }),
    ("zones", Store::Register, false, |index| {
        vec![linearizable::check(index)]
    }),
    ("searches", Store::Register, false, |index| {
        let limits = || Limits::within(&index.time);
        vec![
            wing_gong::check(index.history, limits()),
            sequential::check(index.history, limits()),
        ]
    }),
];

#[test]
fn every_check_asks_whether_its_time_is_over() {
    for (name, store, keeps_evidence, judge) in CHECKS {
        let mut history = history_of(store);
        if !keeps_evidence {
            history = history.without_evidence();
        }
        let index = Index::new(&history).unwrap();
        for check in judge(&index) {
            // Nobody owes the sessions of last write wins their guarantees.
            let decided = check.verdict.is_valid() || check.verdict.is_invalid();
            assert!(decided, "{name} in time: {check}");
        }
        let index = index.within(&over());
        for check in judge(&index) {
            let unknown = matches!(check.verdict, Verdict::Unknown { .. });
            assert!(unknown, "{name} out of time: {check}");
            assert!(check.to_string().contains("budget"), "{name}: {check}");
        }
    }
}

#[test]
fn a_budget_of_nothing_makes_no_history_valid() {
    for store in [Store::Causal, Store::Context, Store::Lww, Store::Register] {
        let history = history_of(store);
        for history in [history.clone().without_evidence(), history] {
            for engine in [Engine::Direct, Engine::Both, Engine::Stateright] {
                for judged_by in [JudgedBy::Promise, JudgedBy::Ladder] {
                    let options = Options {
                        engine,
                        judged_by,
                        budget: Budget {
                            states: 1_000,
                            ..Budget::default()
                        },
                        check_budget: Some(Duration::ZERO),
                        clock: Some(Clock::new(|| Duration::ZERO)),
                        ..Options::default()
                    };
                    let report = check(&history, &options);
                    assert_eq!(
                        report.verdict(),
                        VerdictWord::Unknown,
                        "{store:?}: {report}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_was_refuted_before_the_time_was_over_stays_refuted() {
    let thin_air = [crate::history::value_id(9, 9)];
    let rows = (0..2_000).map(|index| {
        let read = if index == 0 { &thin_air[..] } else { &[] };
        op(0, index, 0, 10 * u64::from(index), Kind::Get, read)
    });
    let history = History::from_rows(Header::default(), rows);
    let time = Time::starting(
        Some(a_second_each_time()),
        Some(Duration::from_secs(3)),
        None,
    );
    let index = Index::new(&history).unwrap().within(&time);
    let check = integrity::check(&index);
    assert!(
        check.verdict.is_invalid() && check.checked < 1_000,
        "{check}"
    );
}

/// A check of `causal` that reads a clock of seconds, which runs out after so many.
fn causal_within(history: &History, seconds: u64) -> Report {
    let options = Options {
        judged_by: JudgedBy::Model(Model::Causal),
        engine: Engine::Direct,
        check_budget: Some(Duration::from_secs(seconds)),
        clock: Some(a_second_each_time()),
        again: Some("kvs-bench check here".to_owned()),
        ..Options::default()
    };
    check(history, &options)
}

#[test]
fn a_certificate_that_verifies_is_valid_though_the_black_box_is_unfinished() {
    let history = causal_history(3, 5_000);
    let report = causal_within(&history, 10_000);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
    let black_box = report.check(Property::CausalBlackBox).unwrap();
    let unfinished = matches!(black_box.verdict, Verdict::Unknown { .. });
    assert!(
        unfinished,
        "five looks at the clock are not enough: {report}"
    );
    let line = report.to_string();
    let line = line.lines().next().unwrap();
    let remark = "black box unfinished, ";
    assert!(
        line.contains(remark) && line.contains(" % of its "),
        "{line}"
    );
    assert!(!line.contains("--check-budget"), "{line}");
}

#[test]
fn what_the_budget_left_undecided_is_unknown_and_names_the_command_that_goes_on() {
    let history = causal_history(3, 5_000).without_evidence();
    let all = causal_within(&history, 1_000_000);
    assert_eq!(all.verdict(), VerdictWord::Valid, "{all}");
    assert!(all.remarks.is_empty(), "{all}");
    let cut = causal_within(&history, 10);
    assert_eq!(cut.verdict(), VerdictWord::Unknown, "{cut}");
    let text = cut.to_string();
    let command = "`kvs-bench check here --check-budget none`";
    let line = text.lines().next().unwrap();
    assert!(line.contains("10 s") && line.contains(command), "{line}");
    let rung = |model: Model| cut.ladder.iter().find(|rung| rung.model == model).unwrap();
    for model in [Model::Causal, Model::WritesFollowReads, Model::Linearizable] {
        let rung = rung(model);
        let said = rung.reason.as_deref().unwrap_or_default();
        let is_cut = rung.standing == Standing::Unknown && said.starts_with("out of the check's");
        assert!(is_cut || rung.standing == Standing::NotApplicable, "{rung}");
    }
}

#[test]
fn what_a_verified_certificate_proves_no_weaker_model_searches_for() {
    let history = causal_history(3, 1_000);
    let options = Options {
        judged_by: JudgedBy::Model(Model::ReadYourWrites),
        ..Options::default()
    };
    let report = check(&history, &options);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
    assert!(report.check(Property::CausalBlackBox).is_none(), "{report}");
    let held = |model: &Model| report.ladder[*model as usize].standing == Standing::Held;
    assert!(
        session::PROPERTIES
            .iter()
            .all(|property| held(&Model::of(*property)))
            && held(&Model::Causal),
        "{report}"
    );
}

#[test]
fn replicas_that_contradict_versions_which_explain_everything_are_a_disagreement() {
    let ops = generate::valid(&mut Random(3), Store::Lww, 50);
    let history = generate::history(Store::Lww, &ops);
    let index = Index::new(&history).unwrap();
    let mut findings = Findings::new(&history, Property::LwwBlackBox);
    findings.add(AnomalyKind::CyclicArbitration, &[0], || {
        "planted".to_owned()
    });
    let checks = [
        integrity::check(&index),
        lww::check(&index),
        findings.check(1),
    ];
    assert!(contradiction(CHECKERS, &index, &checks).is_some());
    assert_eq!(contradiction(CHECKERS, &index, &checks[..2]), None);
}

#[test]
fn a_black_box_that_refutes_a_verified_certificate_is_a_disagreement() {
    let history = causal_history(3, 50);
    let index = Index::new(&history).unwrap();
    let refuted = || {
        let mut findings = Findings::new(&history, Property::CausalBlackBox);
        findings.add(AnomalyKind::MissedWrite, &[0], || "planted".to_owned());
        findings.check(1)
    };
    let proved = [integrity::check(&index), causal::check(&index)];
    let [integrity, certificate] = &proved;
    assert!(integrity.verdict.is_valid() && certificate.verdict.is_valid());
    let detail = contradiction(CHECKERS, &index, &[&proved[..], &[refuted()]].concat());
    assert!(detail.is_some_and(|detail| detail.contains("certificate")));
    // Without a proof there is nothing to contradict, nor by what was not decided.
    assert_eq!(
        contradiction(CHECKERS, &index, &[integrity.clone(), refuted()]),
        None
    );
    let agreed = dominance::check(&index);
    assert_eq!(
        contradiction(CHECKERS, &index, &[&proved[..], &[agreed]].concat()),
        None
    );
    let mut report = check(&history, &Options::default());
    report.agreement = Agreement::Disagree {
        detail: "planted".to_owned(),
    };
    assert_eq!(report.verdict(), VerdictWord::Invalid);
}

#[test]
fn without_time_anomalies_stay_as_their_checks_gave_them() {
    let mut random = Random(5);
    let mut ops = generate::valid(&mut random, Store::Causal, 300);
    for _ in 0..20 {
        generate::mutate(&mut random, Store::Causal, &mut ops);
    }
    let history = generate::history(Store::Causal, &ops);
    let index = Index::new(&history).unwrap();
    let found = vec![causal::check(&index)];
    assert!(found[0].verdict.is_invalid());
    let explained = |time: &Time| {
        let mut checks = found.clone();
        explain::explain(CHECKERS, &index, &mut checks, time);
        checks
    };
    let operations = |checks: &[Check]| -> usize {
        let anomalies = checks[0].verdict.anomalies().iter();
        anomalies.map(|anomaly| anomaly.operations.len()).sum()
    };
    assert_eq!(operations(&explained(&over())), operations(&found));
    assert_ne!(explained(&Time::default()), found);
}

#[test]
fn a_promise_that_the_certificate_keeps_needs_no_second_attempt() {
    let history = history_of(Store::Causal);
    assert_eq!(history.header.promise, Some(Model::Causal));
    assert_eq!(
        history.header.dominance.unwrap_or_default(),
        Dominance::Applied
    );
    let options = Options {
        engine: Engine::Direct,
        check_budget: Some(Duration::from_secs(1_000)),
        clock: Some(a_second_each_time()),
        ..Options::default()
    };
    let report = check(&history, &options);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
}
