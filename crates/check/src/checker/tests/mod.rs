//! The engines against the definitions, and what every check has in common.

mod black_box;
mod brute;
mod budget;
mod contest;
#[cfg(feature = "stateright")]
mod definitions;
mod explanations;
mod generate;
#[cfg(feature = "stateright")]
mod oracle;
#[cfg(feature = "stateright")]
mod partial;
mod promises;
#[cfg(feature = "stateright")]
mod registers;
#[cfg(feature = "stateright")]
mod regular;
mod shrink;
mod table;
#[cfg(feature = "stateright")]
mod testers;
#[cfg(feature = "stateright")]
mod trial;

pub(super) use contest::text;
pub(super) use generate::Random;

use generate::Store;

use super::index::Index;
use super::search::{self, Found};
use super::{Options, VerdictWord, check};
use crate::history::{Header, History, Kind, Model, Row};

/// What clients of a store that keeps siblings saw.
pub(super) fn causal_history(seed: u64, operations: usize) -> History {
    let ops = generate::valid(&mut Random(seed), Store::Causal, operations);
    generate::history(Store::Causal, &ops)
}

/// One operation of a history that is written by hand; it takes 5 ns.
pub(super) fn op<'a>(
    session: u32,
    index: u32,
    key: u64,
    invoke: u64,
    kind: Kind,
    read: &'a [u64],
) -> Row<'a> {
    Row {
        session,
        index,
        key,
        kind,
        read,
        written: match kind {
            Kind::Put | Kind::Cas | Kind::Append => crate::history::value_id(session, index),
            Kind::Get => 0,
        },
        invoke,
        returned: Some(invoke + 5),
        outcome: crate::history::Outcome::Ok,
        ..Row::EMPTY
    }
}

const PROMISES: [(Store, Model); 3] = [
    (Store::Register, Model::Linearizable),
    (Store::Causal, Model::Causal),
    (Store::Lww, Model::Lww),
];

#[cfg(feature = "stateright")]
#[test]
fn a_valid_history_costs_about_one_step_an_operation() {
    for (store, promise) in PROMISES {
        let mut random = Random(7);
        let ops = generate::valid(&mut random, store, 20_000);
        let history = generate::history(store, &ops);
        let index = Index::new(&history).unwrap();
        let specification = promise.row().searchable.unwrap();
        let search = search::search(&index, specification, 100_000, None);
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
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
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
    assert_eq!(report.verdict(), VerdictWord::Unknown);
    assert!(report.to_string().contains("not unique"), "{report}");
}

#[test]
fn a_check_that_panics_answers_unknown() {
    let reason = super::guarded(|| -> u8 { panic!("for the test") }).unwrap_err();
    assert!(reason.contains("for the test"), "{reason}");
}

#[test]
fn a_bug_in_the_explanations_leaves_the_anomalies_and_is_said() {
    let history = History::from_rows(
        Header::default(),
        [Row {
            read: &[5],
            returned: Some(1),
            ..Row::EMPTY
        }],
    );
    let mut report = check(&history, &Options::default());
    let before = report.checks.clone();
    report.unexplained = super::explained(&mut report.checks, |checks| {
        checks.reverse();
        panic!("for the test");
    });
    assert_eq!(report.checks, before);
    assert_eq!(report.verdict(), VerdictWord::Invalid);
    let text = report.to_string();
    assert!(
        text.contains("failed") && text.contains("for the test"),
        "{text}"
    );
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
