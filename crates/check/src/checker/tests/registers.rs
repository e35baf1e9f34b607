//! What clients and replicas saw and nothing else, against the definitions: causal consistency and
//! causal convergence of registers, the session guarantees, last write wins without versions.

use super::brute;
use super::contest::{Contest, Judge};
use super::generate::{self, Random, Store};
use super::op;
use super::oracle::{contexts, registers, rival, siblings, something, verdict};
use super::trial::single_values;
use crate::checker::index::Index;
use crate::checker::property::Property;
use crate::checker::{bad_patterns, linearizable, session};
use crate::history::{Header, History, Kind, Version, Witness, value_id};

/// What clients of a store see that keeps one value: replicas that pass on what they know, or
/// replicas without session contexts.
pub(super) fn one_value(random: &mut Random, operations: usize) -> Option<History> {
    if random.one_in(2) {
        return single_values(random, operations);
    }
    let store = if random.one_in(3) {
        Store::Register
    } else {
        Store::Lww
    };
    let mut ops = generate::valid(random, store, operations);
    for _ in 0..random.below(4) {
        generate::mutate_visibly(random, store, &mut ops);
    }
    something(generate::bare(&ops)).filter(brute::integrity)
}

/// Siblings, or one value.
pub(super) fn values(random: &mut Random, operations: usize) -> Option<History> {
    match random.below(2) {
        0 => one_value(random, operations),
        _ => siblings(random, operations),
    }
}

pub(super) fn exposures(random: &mut Random, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, Store::Lww, operations);
    for _ in 0..random.below(4) {
        generate::mutate_visibly(random, Store::Lww, &mut ops);
    }
    // A coarse clock, by which sessions do several operations at one instant.
    let tick = if random.one_in(3) { 8 } else { 1 };
    for op in &mut ops {
        op.invoke /= tick;
        op.returned = op.returned.map(|returned| returned / tick);
    }
    let history = generate::history(Store::Lww, &ops);
    let told_apart = ops.iter().any(|op| op.node != ops[0].node);
    told_apart.then_some(history).filter(brute::integrity)
}

/// What clients of a linearizable store see that gives versions, which may be in a wrong order.
fn versioned(random: &mut Random, operations: usize) -> Option<History> {
    let plain = registers(random, operations).filter(brute::integrity)?;
    let columns = &plain.columns;
    let mut puts: Vec<usize> = (0..plain.len()).collect();
    puts.retain(|row| columns.kind[*row] == Kind::Put);
    puts.sort_by_key(|row| columns.invoke[*row]);
    if random.one_in(2) && puts.len() > 1 {
        let at = random.below(puts.len() - 1);
        puts.swap(at, at + 1);
    }
    let version = |id: u64| {
        let place = puts.iter().position(|row| columns.written[*row] == id);
        place.map(|place| Version {
            time: place as u64,
            origin: 0,
        })
    };
    let mut history = History::from_rows(plain.header.clone(), []);
    for number in 0..plain.len() {
        let mut row = plain.row(number);
        row.witness = match (row.kind, row.returned) {
            (Kind::Get, _) => Witness::Version(row.read.first().and_then(|id| version(*id))),
            (_, Some(_)) => Witness::Version(version(row.written)),
            (_, None) => Witness::None,
        };
        history.columns.push(&row);
    }
    history.end = plain.end;
    Some(history)
}

#[test]
fn versions_and_all_orders_that_keep_them_agree_on_linearizable_stores() {
    Contest {
        model: "linearizable, versions",
        generate: versioned,
        operations: 3..9,
        brute: |history| Some(brute::linearizable_by_versions(history)),
        rivals: vec![rival("versions", |history| {
            verdict(&linearizable::check(&Index::new(history).ok()?))
        })],
    }
    .hold();
}

#[test]
fn bad_patterns_and_a_sequence_for_every_operation_agree_on_causal_consistency() {
    Contest {
        model: "cc",
        generate: one_value,
        operations: 4..10,
        brute: |history| Some(brute::weak_causal(history)),
        rivals: vec![
            rival("bad patterns", |history| {
                verdict(&bad_patterns::check(&Index::new(history).ok()?)[0])
            }),
            rival("sessions folded when they are over", |history| {
                verdict(&bad_patterns::check_within(&Index::new(history).ok()?, 0)[0])
            }),
        ],
    }
    .hold();
}

#[test]
fn bad_patterns_and_all_orders_of_the_puts_agree_on_causal_convergence() {
    Contest {
        model: "ccv",
        generate: one_value,
        operations: 4..10,
        brute: |history| Some(brute::causal_convergence(history)),
        rivals: vec![
            rival("bad patterns", |history| {
                verdict(&bad_patterns::check(&Index::new(history).ok()?)[1])
            }),
            rival("sessions folded when they are over", |history| {
                verdict(&bad_patterns::check_within(&Index::new(history).ok()?, 0)[1])
            }),
        ],
    }
    .hold();
}

#[test]
fn what_a_session_that_is_over_had_put_is_known_when_it_was_folded_and_in_other_groups() {
    let corpus =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/testdata/histories");
    for name in [
        "cc/bad-write-co-init-read-of-a-session-that-is-over.jsonl",
        "cc/bad-write-co-init-read-two-groups.jsonl",
    ] {
        let history = History::read(&corpus.join(name)).unwrap();
        let [cc, _] = bad_patterns::check_within(&Index::new(&history).unwrap(), 0);
        assert_eq!(verdict(&cc), Some(false), "{name}");
    }
}

#[test]
fn some_histories_are_causally_consistent_and_do_not_converge() {
    let apart = (0..1_000).filter_map(|seed| one_value(&mut Random(seed), 8));
    let apart = apart.filter(|history| {
        let index = Index::new(history).unwrap();
        let [cc, ccv] = bad_patterns::check(&index);
        cc.verdict.is_valid() && ccv.verdict.is_invalid()
    });
    assert!(apart.count() > 0);
}

fn seen(history: &History, property: Property) -> Option<bool> {
    let index = Index::new(history).ok()?;
    let checks = session::check(&index, session::Judged::BlackBox);
    let check = checks.iter().find(|check| check.property == property)?;
    verdict(check)
}

/// Each session guarantee by what clients saw: its name, its definition, and the check.
const GUARANTEES: [(&str, Judge, Judge); 4] = [
    (
        "read-your-writes, seen",
        brute::read_your_writes_seen,
        |h| seen(h, Property::ReadYourWrites),
    ),
    ("monotonic-reads, seen", brute::monotonic_reads_seen, |h| {
        seen(h, Property::MonotonicReads)
    }),
    (
        "monotonic-writes, seen",
        brute::monotonic_writes_seen,
        |h| seen(h, Property::MonotonicWrites),
    ),
    (
        "writes-follow-reads, seen",
        brute::writes_follow_reads_seen,
        |h| seen(h, Property::WritesFollowReads),
    ),
];

#[test]
fn where_contexts_decide_a_causal_history_keeps_every_session_guarantee() {
    let histories = (0..1_000).filter_map(|seed| contexts(&mut Random(seed), 8));
    let causal: Vec<History> = histories.filter(brute::causal).collect();
    assert!(causal.len() > 100, "{}", causal.len());
    for history in causal {
        for (model, brute, judge) in GUARANTEES {
            let verdicts = (brute(&history), judge(&history));
            assert_eq!(verdicts, (Some(true), Some(true)), "{model}");
        }
    }
}

#[test]
fn what_a_write_follows_is_found_through_writers_of_other_keys() {
    let (old, other, new) = (value_id(0, 0), value_id(1, 1), value_id(2, 1));
    let judged = |last: u64| {
        let history = History::from_rows(
            Header::default(),
            [
                op(0, 0, 0, 0, Kind::Put, &[]),
                op(1, 0, 0, 10, Kind::Get, &[old]),
                op(1, 1, 1, 20, Kind::Put, &[]),
                op(2, 0, 1, 30, Kind::Get, &[other]),
                op(2, 1, 0, 40, Kind::Put, &[]),
                op(3, 0, 0, 50, Kind::Get, &[new]),
                op(3, 1, 0, 60, Kind::Get, &[last]),
            ],
        );
        seen(&history, Property::WritesFollowReads)
    };
    assert_eq!([judged(old), judged(new)], [Some(false), Some(true)]);
}

#[test]
fn a_session_that_goes_back_to_what_was_read_from_the_future_is_found() {
    let (early, late) = (value_id(1, 1), value_id(0, 0));
    let judged = |last: u64| {
        let history = History::from_rows(
            Header::default(),
            [
                op(1, 0, 0, 0, Kind::Get, &[late]),
                op(1, 1, 0, 10, Kind::Put, &[]),
                op(0, 0, 0, 30, Kind::Put, &[]),
                op(2, 0, 0, 40, Kind::Get, &[early]),
                op(2, 1, 0, 50, Kind::Get, &[last]),
            ],
        );
        seen(&history, Property::MonotonicReads)
    };
    assert_eq!([judged(late), judged(early)], [Some(false), Some(true)]);
}
