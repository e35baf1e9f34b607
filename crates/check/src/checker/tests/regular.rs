//! Regular registers: what overwrites a put, stateright and an order for each get agree. And what is
//! said of two gets in a row of which the second returns the older value.

use super::contest::Contest;
use super::generate::{self, Random, Store};
use super::oracle::{direct, rival, searched, something, verdict};
use super::{brute, op};
use crate::checker::ordering::Limits;
use crate::checker::property::Property;
use crate::checker::search::Found;
use crate::checker::table::CHECKERS;
use crate::checker::{AnomalyKind, JudgedBy, Model, Options, Report, Standing, check};
use crate::history::{History, Kind, Row, value_id};

/// States after which the search gives up; small histories need far fewer.
const STATES: usize = 100_000;

/// What clients of a register saw, with changes, by clocks of which some are coarse: then sessions
/// do several operations at one instant.
pub(super) fn coarse(random: &mut Random, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, Store::Register, operations);
    for _ in 0..random.below(4) {
        generate::mutate_visibly(random, Store::Register, &mut ops);
    }
    let tick = [1, 4, 8][random.below(3)];
    for op in &mut ops {
        op.invoke /= tick;
        op.returned = op.returned.map(|returned| returned / tick);
    }
    something(generate::bare(&ops)).filter(brute::integrity)
}

#[test]
fn overwrites_search_and_an_order_for_each_get_agree_on_regular_registers() {
    Contest {
        model: "regular",
        generate: coarse,
        operations: 3..9,
        brute: |history| brute::integrity(history).then(|| brute::regular(history)),
        rivals: vec![
            rival("overwrites", |h| direct(h, Model::Regular)),
            rival("stateright", |h| searched(h, Model::Regular)),
        ],
    }
    .hold();
}

#[test]
fn the_search_and_an_order_for_each_get_agree_where_values_repeat() {
    Contest {
        model: "regular, cas",
        generate: |random, operations| Some(generate::repeating(random, operations)),
        operations: 3..9,
        brute: |history| Some(brute::regular(history)),
        rivals: vec![
            rival("overwrites", |history| {
                let search = CHECKERS.of(Property::Regular)?.search()?;
                verdict(&(search.run)(history, Limits::default()))
            }),
            rival("stateright", |history| {
                let repeats = Model::Regular.row().repeats?;
                match (repeats.search)(history, STATES, None).found {
                    Found::Order => Some(true),
                    Found::NoOrder { .. } => Some(false),
                    Found::Budget | Found::NotApplicable { .. } => None,
                }
            }),
        ],
    }
    .hold();
}

#[test]
fn a_check_that_forbids_new_old_inversions_is_found() {
    let contest = Contest {
        model: "regular",
        generate: coarse,
        operations: 5..9,
        brute: |history| Some(brute::regular(history)),
        rivals: vec![rival("gets in one order", |h| Some(brute::linearizable(h)))],
    };
    let found = contest.run(1_000).expect_err("gets owe each other nothing");
    let lines = contest.describe(&found);
    assert!(found.history.len() <= 5, "{lines}");
    assert!(brute::regular(&found.history), "{lines}");
}

/// A put, one that is under way until `new_until`, and two gets in a row that return the second and
/// then the first.
fn new_then_old(new_until: u64) -> History {
    let (old, new) = ([value_id(0, 0)], [value_id(1, 0)]);
    let rows = [
        op(0, 0, 0, 0, Kind::Put, &[]),
        Row {
            returned: Some(new_until),
            ..op(1, 0, 0, 10, Kind::Put, &[])
        },
        op(2, 0, 0, 20, Kind::Get, &new),
        op(2, 1, 0, 30, Kind::Get, &old),
    ];
    History::from_rows(crate::history::Header::default(), rows)
}

fn judged(history: &History, model: Model) -> Report {
    let options = Options {
        judged_by: JudgedBy::Model(model),
        ..Options::default()
    };
    check(history, &options)
}

#[test]
fn a_new_old_inversion_breaks_linearizability_alone_and_is_drawn_with_both_gets() {
    let report = judged(&new_then_old(40), Model::Linearizable);
    assert_eq!(report.standing(Model::Linearizable), Standing::Broken);
    assert_eq!(report.standing(Model::Regular), Standing::Held);
    let anomaly = report.anomalies().next().unwrap();
    assert_eq!(anomaly.operations.len(), 4, "{report}");
    assert!(anomaly.sentence.contains("a new-old inversion"), "{report}");
    let drawn = report.to_string();
    assert!(drawn.contains("session 2"), "{drawn}");
}

#[test]
fn a_get_of_what_was_overwritten_breaks_regular_and_three_operations_show_it() {
    let report = judged(&new_then_old(25), Model::Regular);
    assert_eq!(report.standing(Model::Regular), Standing::Broken);
    assert_eq!(report.standing(Model::Linearizable), Standing::Broken);
    let anomaly = report.anomalies().next().unwrap();
    assert_eq!(anomaly.kind, AnomalyKind::NotRegular);
    let kinds: Vec<Kind> = anomaly.operations.iter().map(|shown| shown.kind).collect();
    assert_eq!(kinds, [Kind::Put, Kind::Put, Kind::Get], "{report}");
}

#[test]
fn a_store_that_promises_regular_also_has_to_converge() {
    assert_eq!(
        Model::Regular.of_promise(),
        [Model::Eventual, Model::Regular]
    );
    let mut history = new_then_old(25);
    history.header.promise = Some(Model::Regular);
    let report = check(&history, &Options::default());
    assert!(report.is_invalid(), "{report}");
    assert_eq!(report.held_to(), "regular");
}
