//! The engines against the definitions: direct, stateright and brute force on random small
//! histories, valid ones and broken ones.

mod brute;
mod explanations;
mod generate;

pub(super) use generate::Random;

use generate::Store;

use super::index::Index;
use super::search::{self, Found};
use super::verdict::Verdict;
use super::{Options, Outcome, black_box, causal, check, direct_on_model};
use crate::history::{Header, History, Kind, Promise, Row};

/// Histories that the engines are compared on, for each model.
const HISTORIES: u64 = 6_000;
/// Fewer of either kind would make the comparison worthless.
const EACH_MIN: u64 = 1_000;

const PROMISES: [(Store, Promise); 3] = [
    (Store::Register, Promise::Linearizable),
    (Store::Causal, Promise::Causal),
    (Store::Lww, Promise::Lww),
];

fn random_history(seed: u64, store: Store, operations: usize) -> History {
    let mut random = Random(seed);
    let mut ops = generate::valid(&mut random, store, operations);
    for _ in 0..random.below(7) {
        if !ops.is_empty() {
            generate::mutate(&mut random, store, &mut ops);
        }
    }
    generate::history(store, &ops)
}

fn searched(index: &Index<'_>, promise: Promise) -> Option<bool> {
    match search::search(index, promise, 100_000, None).found {
        Found::Order => Some(true),
        Found::NoOrder { .. } => Some(false),
        Found::Budget | Found::NotApplicable { .. } => None,
    }
}

fn text(history: &History) -> String {
    let mut bytes = Vec::new();
    crate::history::write_json_lines(history, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn compare(store: Store, promise: Promise, brute: impl Fn(&History) -> bool) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..HISTORIES {
        let history = random_history(seed, store, 3 + (seed % 6) as usize);
        let index = Index::new(&history).unwrap();
        if !(0..history.len()).any(|row| index.counts(row)) {
            continue;
        }
        let expected = brute(&history);
        let direct = direct_on_model(&index, promise);
        let found = searched(&index, promise);
        assert_eq!(
            direct,
            Some(expected),
            "direct, seed {seed}:\n{}",
            text(&history)
        );
        assert_eq!(
            found,
            Some(expected),
            "stateright, seed {seed}:\n{}",
            text(&history)
        );
        *if expected { &mut valid } else { &mut invalid } += 1;
    }
    println!("{}: {valid} valid, {invalid} invalid", promise.name());
    assert!(
        valid >= EACH_MIN && invalid >= EACH_MIN,
        "{valid} valid, {invalid} invalid"
    );
}

#[test]
fn zones_search_and_all_orders_agree_on_registers() {
    compare(Store::Register, Promise::Linearizable, brute::linearizable);
}

#[test]
fn versions_search_and_all_orders_agree_on_last_write_wins() {
    compare(Store::Lww, Promise::Lww, brute::lww);
}

#[test]
fn certificate_search_and_the_axioms_over_all_pairs_agree_on_causal() {
    compare(Store::Causal, Promise::Causal, brute::causal_witness);
}

#[test]
fn a_certificate_that_verifies_proves_that_a_visibility_order_exists() {
    let mut proved = 0;
    for seed in 0..HISTORIES {
        let history = random_history(seed, Store::Causal, 3 + (seed % 4) as usize);
        let index = Index::new(&history).unwrap();
        if causal::check(&index).verdict.is_valid()
            && direct_on_model(&index, Promise::Causal) == Some(true)
        {
            assert!(brute::causal(&history), "seed {seed}:\n{}", text(&history));
            proved += 1;
        }
    }
    assert!(proved >= EACH_MIN, "{proved}");
}

#[test]
fn the_black_box_is_right_whenever_it_decides() {
    let (mut valid, mut invalid, mut open) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let mut random = Random(seed);
        let mut ops = generate::valid(&mut random, Store::Causal, 4 + (seed % 5) as usize);
        for _ in 0..random.below(8) {
            generate::mutate_visibly(&mut random, Store::Causal, &mut ops);
        }
        let history = generate::history(Store::Causal, &ops);
        let index = Index::new(&history).unwrap();
        if super::integrity::check(&index).verdict.is_invalid() {
            continue;
        }
        let expected = brute::causal(&history);
        match black_box::check(&index).verdict {
            Verdict::Valid => {
                assert!(expected, "valid, seed {seed}:\n{}", text(&history));
                valid += 1;
            }
            Verdict::Invalid { anomalies, .. } => {
                assert!(
                    !expected,
                    "{}, seed {seed}:\n{}",
                    anomalies[0],
                    text(&history)
                );
                invalid += 1;
            }
            Verdict::Unknown { .. } => open += 1,
            Verdict::NotApplicable { reason } => panic!("{reason}"),
        }
    }
    println!("black box: {valid} valid, {invalid} invalid, {open} left open");
    assert!(
        valid >= EACH_MIN && invalid >= EACH_MIN / 2,
        "{valid} valid, {invalid} invalid"
    );
    assert_eq!(open, 0, "left open");
}

#[test]
fn a_valid_history_costs_about_one_step_an_operation() {
    for (store, promise) in PROMISES {
        let mut random = Random(7);
        let ops = generate::valid(&mut random, store, 20_000);
        let history = generate::history(store, &ops);
        let index = Index::new(&history).unwrap();
        let search = search::search(&index, promise, 100_000, None);
        assert_eq!(search.found, Found::Order, "{}", promise.name());
        assert!(search.steps <= history.len() as u64);
        assert!(
            search.states <= 1 + history.len() as u64 / 100,
            "{} states",
            search.states
        );
    }
}

#[test]
fn nothing_checked_is_unknown_and_never_valid() {
    for (_, promise) in PROMISES {
        let history = History::from_rows(
            Header {
                promise: Some(promise),
                ..Header::default()
            },
            [],
        );
        let report = check(&history, &Options::default());
        assert_eq!(report.outcome(), Outcome::Unknown, "{report}");
    }
}

#[test]
fn ids_that_repeat_leave_the_verdict_open() {
    let put = Row {
        kind: Kind::Put,
        written: 5,
        returned: Some(1),
        ..Row::EMPTY
    };
    let rows = [
        put,
        Row {
            index: 1,
            invoke: 2,
            returned: Some(3),
            ..put
        },
    ];
    let report = check(
        &History::from_rows(Header::default(), rows),
        &Options::default(),
    );
    assert_eq!(report.outcome(), Outcome::Unknown);
    assert!(report.to_string().contains("not unique"), "{report}");
}

#[test]
fn a_check_that_panics_answers_unknown() {
    let reason = super::guarded(|| -> u8 { panic!("for the test") }).unwrap_err();
    assert!(reason.contains("for the test"), "{reason}");
}

#[test]
fn the_index_of_the_direct_checks_refuses_more_than_puts_and_gets() {
    for kind in [Kind::Cas, Kind::Append] {
        let row = Row {
            kind,
            returned: Some(1),
            ..Row::EMPTY
        };
        let history = History::from_rows(Header::default(), [row]);
        let reason = Index::new(&history).unwrap_err();
        assert!(reason.contains(kind.name()), "{reason}");
    }
}
