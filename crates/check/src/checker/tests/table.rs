//! One row of the table is enough: a model that consists of nothing else goes through the whole
//! machinery.

use super::op;
use crate::checker::index::Index;
use crate::checker::property::{AnomalyKind, Property};
use crate::checker::table::{Ask, CHECKERS, Checker, Checkers, Cost};
use crate::checker::verdict::{Check, Findings};
use crate::checker::{
    Engine, JudgedBy, Model, Options, Report, Standing, VerdictWord, check_by, integrity,
    linearizable,
};
use crate::history::{Header, History, Kind, value_id};

/// A model for the test: no get finds nothing. It names more than it needs as evidence.
struct SomethingIsFound;

impl Checker for SomethingIsFound {
    fn properties(&self) -> &'static [Property] {
        &[Property::Sequential]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        let index = ask.index;
        let mut findings = Findings::new(index.history, Property::Sequential);
        let all: Vec<usize> = (0..index.history.len()).collect();
        for get in all.iter().filter(|row| index.is_known_get(**row)) {
            if index.columns.read.at(*get).is_empty() {
                findings.add(AnomalyKind::NotSequential, &all, || {
                    format!("{} found nothing", index.name(*get))
                });
            }
        }
        vec![findings.check(all.len() as u64)]
    }
}

/// A model whose check has a bug.
struct Panics;

impl Checker for Panics {
    fn properties(&self) -> &'static [Property] {
        &[Property::Sequential]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Basis
    }

    fn run(&self, _ask: &Ask<'_, '_>) -> Vec<Check> {
        panic!("for the test")
    }
}

const TOYS: Checkers = Checkers(&[&integrity::Integrity, &SomethingIsFound]);
const WITH_A_STRONGER: Checkers = Checkers(&[
    &integrity::Integrity,
    &linearizable::ByZones,
    &SomethingIsFound,
]);
const BROKEN: Checkers = Checkers(&[&integrity::Integrity, &Panics]);

fn judged(checkers: Checkers, first_read: &[u64]) -> Report {
    let second = [value_id(0, 0)];
    let rows = [
        op(0, 0, 0, 0, Kind::Put, &[]),
        op(1, 0, 0, 2, Kind::Get, first_read),
        op(1, 1, 0, 20, Kind::Get, &second),
    ];
    let options = Options {
        judged_by: JudgedBy::Model(Model::Sequential),
        engine: Engine::Direct,
        ..Options::default()
    };
    check_by(
        checkers,
        &History::from_rows(Header::default(), rows),
        &options,
    )
}

#[test]
fn a_model_that_is_a_row_of_the_table_is_judged_laddered_and_explained() {
    let report = judged(TOYS, &[]);
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    let standing = |model: Model| report.ladder[model as usize].standing;
    assert_eq!(standing(Model::Sequential), Standing::Broken, "{report}");
    // What implies it is broken too, and what has no row is not known.
    assert_eq!(standing(Model::Linearizable), Standing::Broken, "{report}");
    assert_eq!(standing(Model::Causal), Standing::Unknown, "{report}");
    let anomaly = report.anomalies().next().unwrap();
    assert_eq!(anomaly.operations.len(), 1, "{anomaly}");
    assert!(anomaly.sentence.contains("found nothing"), "{anomaly}");
    assert_eq!(anomaly.proof().len(), 2, "a picture and a line: {anomaly}");
    assert_eq!(judged(CHECKERS, &[]).verdict(), VerdictWord::Valid);
}

#[test]
fn a_model_that_is_a_row_of_the_table_is_held_where_nothing_breaks_it() {
    let first = [value_id(0, 0)];
    let report = judged(TOYS, &first);
    assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
    let of = |model: Model| &report.ladder[model as usize];
    assert_eq!(of(Model::Sequential).standing, Standing::Held, "{report}");
    let implied = of(Model::CausalConsistency).reason.as_deref();
    assert_eq!(implied, Some("ccv implies it"), "{report}");
}

#[test]
fn a_row_of_the_table_takes_no_other_rows_place() {
    let report = judged(WITH_A_STRONGER, &[]);
    assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
    let linearizable = report.check(Property::Linearizable).unwrap();
    assert!(linearizable.verdict.is_valid(), "{report}");
}

#[test]
fn a_row_of_the_table_that_panics_leaves_its_own_model_open() {
    let report = judged(BROKEN, &[]);
    assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
    let check = report.check(Property::Sequential).unwrap();
    assert!(check.to_string().contains("for the test"), "{check}");
    assert!(
        report
            .check(Property::Integrity)
            .unwrap()
            .verdict
            .is_valid()
    );
}

#[test]
fn what_settles_a_check_stands_before_it_in_the_table() {
    let history = History::from_rows(Header::default(), []);
    let index = Index::new(&history).unwrap();
    for (place, checker) in CHECKERS.iter().enumerate() {
        let ask = Ask {
            index: &index,
            is_asked: false,
            time: &index.time,
        };
        for property in checker.settled_by(&ask) {
            let before = CHECKERS.iter().take(place);
            let is_before = before.flat_map(Checker::properties).any(|p| p == property);
            assert!(is_before, "{property} settles {:?}", checker.properties());
        }
    }
}
