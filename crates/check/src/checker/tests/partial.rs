//! Evidence on a part of a history: erasing evidence never refutes a valid history, and never lets
//! a broken one pass if the part that refutes it is untouched.

use super::brute;
use super::contest::{Contest, Judge, Rival, text};
use super::generate::{self, Random, Store};
use super::oracle::{changed, direct, quiet, rival, searched, verdict};
use crate::checker::convergence::Final;
use crate::checker::index::Index;
use crate::checker::lost_writes;
use crate::checker::search::{self, Found};
use crate::checker::{Agreement, Options, VerdictWord, check, lww, lww_black_box};
use crate::history::{Header, History, Kind, Model, Witness};

/// The history with the evidence erased of the rows for which `is_erased` holds.
pub(super) fn erased(history: &History, mut is_erased: impl FnMut(usize) -> bool) -> History {
    let mut rest = History::from_rows(history.header.clone(), []);
    for number in 0..history.len() {
        let mut row = history.row(number);
        if is_erased(number) {
            row.witness = Witness::None;
        }
        rest.columns.push(&row);
    }
    rest.end = history.end;
    rest
}

/// The history with the evidence erased of some rows: single ones, half, those of a kind, of a
/// node, of a key, or all.
fn erased_somewhere(random: &mut Random, history: &History) -> History {
    let columns = &history.columns;
    let chosen = random.below(history.len());
    match random.below(7) {
        0 => erased(history, |row| row == chosen),
        1 => erased(history, |_| random.one_in(2)),
        2 => erased(history, |row| columns.kind[row] == Kind::Get),
        3 => erased(history, |row| columns.kind[row] == Kind::Put),
        4 => erased(history, |row| columns.node[row] == columns.node[chosen]),
        5 => erased(history, |row| columns.key[row] == columns.key[chosen]),
        _ => erased(history, |_| true),
    }
}

/// Times by a clock that ticks seldom, so that operations often share an instant.
pub(super) fn coarse(random: &mut Random, ops: &mut [generate::Op]) {
    let tick = [1, 4, 16][random.below(3)];
    for op in ops {
        op.invoke /= tick;
        op.returned = op.returned.map(|returned| returned / tick);
    }
}

/// What a store records that gives evidence now and then, with changes.
fn partly(random: &mut Random, store: Store, operations: usize) -> Option<History> {
    let history = changed(random, store, operations)?;
    Some(erased_somewhere(random, &history))
}

const STORES: [Store; 3] = [Store::Causal, Store::Context, Store::Lww];

#[test]
fn no_evidence_that_is_missing_refutes_a_valid_history() {
    let mut valid = 0;
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let store = STORES[random.below(3)];
        let (mut ops, nodes) = generate::with_final_reads(&mut random, store, 6);
        if random.one_in(2) {
            coarse(&mut random, &mut ops);
        }
        let whole = generate::with_nodes(generate::history(store, &ops), nodes);
        let of_whole = check(&whole, &Options::default()).verdict();
        if of_whole == VerdictWord::Invalid {
            // A store that had not heard all of itself when it was asked in the end.
            continue;
        }
        let history = erased_somewhere(&mut random, &whole);
        let report = check(&history, &Options::default());
        assert_ne!(
            report.verdict(),
            VerdictWord::Invalid,
            "seed {seed}: {report}\n{}",
            text(&history)
        );
        assert!(
            !matches!(report.agreement, Agreement::Disagree { .. }),
            "seed {seed}: {report}"
        );
        valid += u32::from(report.verdict() == VerdictWord::Valid);
    }
    assert!(valid > 1_500, "{valid}");
}

#[test]
fn what_evidence_refutes_stays_refuted_when_the_evidence_of_everything_else_is_erased() {
    let mut refuted = 0;
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let store = STORES[random.below(3)];
        let Some(whole) = changed(&mut random, store, 7) else {
            continue;
        };
        let report = check(&whole, &Options::default());
        for anomaly in report.anomalies() {
            let proof: Vec<u64> = anomaly.operations.iter().map(|shown| shown.row).collect();
            let rest = erased(&whole, |row| {
                !proof.contains(&(row as u64)) && random.one_in(2)
            });
            let again = check(&rest, &Options::default());
            assert_eq!(
                again.verdict(),
                VerdictWord::Invalid,
                "seed {seed}: {anomaly}\n{again}\n{}",
                text(&rest)
            );
            refuted += 1;
        }
    }
    assert!(refuted > 1_000, "{refuted}");
}

/// Whether all that has to be explained has evidence, where some has and integrity refutes nothing.
fn is_asked(history: &History) -> Option<bool> {
    let [all, some] = brute::has_evidence(history);
    (some && brute::integrity(history)).then_some(all)
}

/// Versions are asked about, where there are any.
fn has_versions(history: &History) -> Option<()> {
    let index = Index::new(history).ok()?;
    (lww::Versions::new(&index).coverage().known > 0).then_some(())
}

#[test]
fn a_part_of_a_certificate_is_judged_by_the_axioms_over_all_pairs_that_have_evidence() {
    for (model, generate) in [
        (
            "causal, in part",
            (|random, operations| partly(random, Store::Causal, operations))
                as fn(&mut Random, usize) -> _,
        ),
        ("contexts, in part", |random, operations| {
            partly(random, Store::Context, operations)
        }),
    ] {
        Contest {
            model,
            generate,
            operations: 3..7,
            brute: |history| {
                let all = is_asked(history)?;
                Some(brute::causal_witness(history) && (all || brute::causal(history)))
            },
            rivals: vec![
                Rival {
                    name: "certificate, then black box",
                    judge: Box::new(|h| is_asked(h).and_then(|_| direct(h, Model::Causal))),
                    may_leave_one_in: 20,
                },
                rival("stateright", |h| {
                    is_asked(h).and_then(|_| searched(h, Model::Causal))
                }),
            ],
        }
        .hold();
    }
}

#[test]
fn some_versions_are_judged_by_the_machine_without_the_operations_that_have_none() {
    Contest {
        model: "lww, in part",
        generate: |random, operations| partly(random, Store::Lww, operations),
        operations: 3..9,
        brute: |history| has_versions(history).map(|()| brute::lww(history)),
        rivals: vec![
            rival("versions", |history| {
                has_versions(history)?;
                let check = lww::check(&Index::new(history).ok()?);
                Some(!check.verdict.is_invalid())
            }),
            rival("stateright", |history| {
                has_versions(history)?;
                let index = Index::new(history).ok()?;
                let search =
                    search::search(&index, Model::Lww.row().searchable.unwrap(), 100_000, None);
                Some(!matches!(search.found, Found::NoOrder { .. }))
            }),
        ],
    }
    .hold();
}

#[test]
fn last_write_wins_keeps_the_order_of_sessions_at_one_instant() {
    Contest {
        model: "lww, at one instant",
        generate: |random, operations| {
            let mut ops = generate::valid(random, Store::Lww, operations);
            for _ in 0..random.below(5) {
                generate::mutate(random, Store::Lww, &mut ops);
            }
            coarse(random, &mut ops);
            Some(generate::history(Store::Lww, &ops))
        },
        operations: 3..9,
        brute: |history| has_versions(history).map(|()| brute::lww(history)),
        rivals: vec![
            rival("versions", |history| {
                has_versions(history)?;
                verdict(&lww::check(&Index::new(history).ok()?))
            }),
            rival("stateright", |history| {
                has_versions(history).and_then(|()| searched(history, Model::Lww))
            }),
            rival("versions that replicas do not contradict", |history| {
                has_versions(history)?;
                let index = Index::new(history).ok()?;
                let shown = lww_black_box::check(&index);
                Some(verdict(&lww::check(&index))? && !shown.verdict.is_invalid())
            }),
        ],
    }
    .hold();
}

#[test]
fn registers_keep_the_order_of_sessions_at_one_instant() {
    let decides = |name, judge: Judge| Rival {
        name,
        judge: Box::new(judge),
        may_leave_one_in: 15,
    };
    Contest {
        model: "linearizable, at one instant",
        generate: |random, operations| {
            let mut ops = generate::valid(random, Store::Register, operations);
            for _ in 0..random.below(5) {
                generate::mutate_visibly(random, Store::Register, &mut ops);
            }
            coarse(random, &mut ops);
            super::oracle::something(generate::history(Store::Register, &ops))
        },
        operations: 3..9,
        brute: |history| Some(brute::linearizable(history)),
        rivals: vec![
            decides("zones", |h| direct(h, Model::Linearizable)),
            decides("stateright", |h| searched(h, Model::Linearizable)),
        ],
    }
    .hold();
}

/// A store that went quiet, of which little evidence is left, held to a promise.
fn unsaid(
    random: &mut Random,
    store: Store,
    promise: Option<Model>,
    operations: usize,
) -> Option<History> {
    let mut history = quiet(random, store, operations)?;
    history.header = Header {
        promise,
        ..history.header
    };
    Some(match random.below(3) {
        0 => erased_somewhere(random, &history),
        _ => erased(&history, |_| true),
    })
}

#[test]
fn lost_writes_without_evidence_agree_with_the_definition_of_what_may_supersede_them() {
    for (model, generate) in [
        (
            "lost-writes, causal, unsaid",
            (|random, operations| unsaid(random, Store::Causal, Some(Model::Causal), operations))
                as fn(&mut Random, usize) -> Option<History>,
        ),
        ("lost-writes, lww, unsaid", |random, operations| {
            unsaid(random, Store::Lww, Some(Model::Lww), operations)
        }),
        ("lost-writes, eventual, unsaid", |random, operations| {
            let store = [Store::Causal, Store::Lww][random.below(2)];
            unsaid(random, store, None, operations)
        }),
    ] {
        Contest {
            model,
            generate,
            operations: 2..7,
            brute: brute::lost_writes_unsaid,
            rivals: vec![rival("direct", |history| {
                let index = Index::new(history).ok()?;
                brute::lost_writes_unsaid(history)?;
                verdict(&lost_writes::check(&Final::new(&index)))
            })],
        }
        .hold();
    }
}
