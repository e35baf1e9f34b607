//! Every model against its definition: the direct engine, stateright and a brute force give the
//! same verdict on thousands of random histories, valid ones and broken ones.

use super::brute;
use super::contest::{Contest, Rival};
use super::generate::{self, Random, Store};
use crate::checker::index::Index;
use crate::checker::search::{self, Found};
use crate::checker::second_opinion::direct_on_model;
use crate::checker::verdict::{Check, Verdict};
use crate::checker::{black_box, causal, dominance};
use crate::history::{History, Model};

/// States after which the search gives up; small histories need far fewer.
const STATES: usize = 100_000;

/// A history of a store with up to six changes.
pub(super) fn changed(random: &mut Random, store: Store, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, store, operations);
    for _ in 0..random.below(7) {
        if store == Store::Context && random.one_in(4) {
            generate::mutate_context(random, &mut ops);
        } else {
            generate::mutate(random, store, &mut ops);
        }
    }
    something(generate::history(store, &ops))
}

/// The history, if there is something for an order to explain.
pub(super) fn something(history: History) -> Option<History> {
    let index = Index::new(&history).expect("generated histories can be indexed");
    let counts = (0..history.len()).any(|row| index.counts(row));
    counts.then_some(history)
}

pub(super) fn registers(random: &mut Random, operations: usize) -> Option<History> {
    changed(random, Store::Register, operations)
}

pub(super) fn versions(random: &mut Random, operations: usize) -> Option<History> {
    changed(random, Store::Lww, operations)
}

pub(super) fn vectors(random: &mut Random, operations: usize) -> Option<History> {
    changed(random, Store::Causal, operations)
}

pub(super) fn vectors_and_contexts(random: &mut Random, operations: usize) -> Option<History> {
    let history = changed(random, Store::Context, operations)?;
    // A put that only a context names has no evidence, so that such a history is not judged by it.
    (brute::has_evidence(&history)[0] && brute::integrity(&history)).then_some(history)
}

/// What clients of a causal store see, with up to seven visible changes, and nothing that integrity
/// alone refutes.
pub(super) fn siblings(random: &mut Random, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, Store::Causal, operations);
    for _ in 0..random.below(8) {
        generate::mutate_visibly(random, Store::Causal, &mut ops);
    }
    something(generate::bare(&ops)).filter(brute::integrity)
}

/// The same of a store whose puts supersede their contexts only, and changes to the contexts.
pub(super) fn contexts(random: &mut Random, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, Store::Context, operations);
    for _ in 0..random.below(6) {
        match random.below(3) {
            0 => generate::mutate_context(random, &mut ops),
            _ => generate::mutate_visibly(random, Store::Context, &mut ops),
        }
    }
    something(generate::bare_with_contexts(&ops)).filter(brute::integrity)
}

/// Values that nobody wrote, that failed, that came too early.
pub(super) fn memories(random: &mut Random, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, Store::Register, operations);
    for _ in 0..random.below(4) {
        match random.below(3) {
            0 => generate::mutate_visibly(random, Store::Register, &mut ops),
            _ => generate::misremember(random, &mut ops),
        }
    }
    let history = generate::bare(&ops);
    let known_get = ops.iter().any(|op| !op.is_put && op.returned.is_some());
    known_get.then_some(history)
}

/// A store that went quiet, read back from every replica.
pub(super) fn quiet(random: &mut Random, store: Store, operations: usize) -> Option<History> {
    let (mut ops, nodes) = generate::with_final_reads(random, store, operations);
    for _ in 0..random.below(4) {
        generate::mutate(random, store, &mut ops);
    }
    let history = generate::with_nodes(generate::history(store, &ops), nodes);
    something(history).filter(brute::integrity)
}

pub(super) fn quiet_siblings(random: &mut Random, operations: usize) -> Option<History> {
    quiet(random, Store::Causal, operations)
}

pub(super) fn quiet_contexts(random: &mut Random, operations: usize) -> Option<History> {
    quiet(random, Store::Context, operations)
}

pub(super) fn quiet_versions(random: &mut Random, operations: usize) -> Option<History> {
    quiet(random, Store::Lww, operations)
}

/// The verdict of a check.
pub(super) fn verdict(check: &Check) -> Option<bool> {
    match check.verdict {
        Verdict::Valid => Some(true),
        Verdict::Invalid { .. } => Some(false),
        Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => None,
    }
}

pub(super) fn direct(history: &History, promise: Model) -> Option<bool> {
    let model = promise.row().searchable?;
    direct_on_model(&Index::new(history).ok()?, model)
}

pub(super) fn searched(history: &History, promise: Model) -> Option<bool> {
    let model = promise.row().searchable?;
    match search::search(&Index::new(history).ok()?, model, STATES, None).found {
        Found::Order => Some(true),
        Found::NoOrder { .. } => Some(false),
        Found::Budget | Found::NotApplicable { .. } => None,
    }
}

pub(super) fn rival(
    name: &'static str,
    judge: impl Fn(&History) -> Option<bool> + 'static,
) -> Rival {
    Rival {
        name,
        judge: Box::new(judge),
        may_leave_one_in: 0,
    }
}

#[test]
fn zones_search_and_all_orders_agree_on_registers() {
    Contest {
        model: "linearizable",
        generate: registers,
        operations: 3..9,
        brute: |history| Some(brute::linearizable(history)),
        rivals: vec![
            rival("zones", |h| direct(h, Model::Linearizable)),
            rival("stateright", |h| searched(h, Model::Linearizable)),
        ],
    }
    .hold();
}

#[test]
fn versions_search_and_all_orders_agree_on_last_write_wins() {
    Contest {
        model: "lww",
        generate: versions,
        operations: 3..9,
        brute: |history| Some(brute::lww(history)),
        rivals: vec![
            rival("versions", |h| direct(h, Model::Lww)),
            rival("stateright", |h| searched(h, Model::Lww)),
        ],
    }
    .hold();
}

#[test]
fn what_last_write_wins_accepts_satisfies_its_axioms_one_by_one() {
    Contest {
        model: "lww, axioms",
        generate: versions,
        operations: 3..9,
        brute: |history| Some(brute::lww(history)),
        rivals: vec![rival("axioms where valid", |history| {
            let explained = brute::lww(history);
            Some(explained && brute::lww_axioms(history))
        })],
    }
    .hold();
}

#[test]
fn certificate_search_and_the_axioms_over_all_pairs_agree_on_causal() {
    Contest {
        model: "causal, witnessed",
        generate: vectors,
        operations: 3..9,
        brute: |history| Some(brute::causal_witness(history)),
        rivals: vec![
            rival("certificate", |h| direct(h, Model::Causal)),
            rival("stateright", |h| searched(h, Model::Causal)),
        ],
    }
    .hold();
}

#[test]
fn a_certificate_that_verifies_proves_that_a_visibility_order_exists() {
    Contest {
        model: "causal, proof",
        generate: vectors,
        operations: 3..7,
        brute: |history| Some(brute::causal_witness(history)),
        rivals: vec![rival("order exists if valid", |history| {
            let index = Index::new(history).ok()?;
            let proved = causal::check(&index).verdict.is_valid()
                && direct_on_model(&index, Model::Causal.row().searchable?)?;
            Some(proved && brute::causal(history))
        })],
    }
    .hold();
}

#[test]
fn the_black_box_and_every_visibility_order_agree_on_causal() {
    Contest {
        model: "causal, black box",
        generate: siblings,
        operations: 4..9,
        // What integrity refutes is not asked, when a history is shrunk either.
        brute: |history| brute::integrity(history).then(|| brute::causal(history)),
        rivals: vec![
            Rival {
                name: "black box",
                judge: Box::new(|history| verdict(&dominance::check(&Index::new(history).ok()?))),
                may_leave_one_in: 20,
            },
            Rival {
                name: "growth passed on at once, many epochs, all passed over, nothing presumed",
                judge: Box::new(|history| {
                    let limits = black_box::Limits {
                        grown: 0,
                        epoch: 0,
                        held_up: 1,
                        likely: 1,
                        presumes: false,
                        ..black_box::Limits::default()
                    };
                    verdict(&black_box::check_within(&Index::new(history).ok()?, limits))
                }),
                may_leave_one_in: 20,
            },
            Rival {
                name: "likely answers presumed right",
                judge: Box::new(|history| {
                    let limits = black_box::Limits {
                        guesses_from: 0,
                        ..black_box::Limits::default()
                    };
                    verdict(&black_box::check_within(&Index::new(history).ok()?, limits))
                }),
                may_leave_one_in: 20,
            },
            rival("stateright", |h| searched(h, Model::Causal)),
        ],
    }
    .hold();
}

#[test]
fn the_black_box_the_search_and_every_visibility_order_agree_where_contexts_decide() {
    Contest {
        model: "causal, contexts",
        generate: contexts,
        operations: 4..9,
        brute: |history| Some(brute::causal(history)),
        rivals: vec![
            rival("black box", |history| {
                verdict(&dominance::check(&Index::new(history).ok()?))
            }),
            rival("stateright", |h| searched(h, Model::Causal)),
        ],
    }
    .hold();
}

#[test]
fn certificate_search_and_the_axioms_over_all_pairs_agree_where_contexts_decide() {
    Contest {
        model: "contexts, witnessed",
        generate: vectors_and_contexts,
        operations: 3..9,
        brute: |history| Some(brute::causal_witness(history)),
        rivals: vec![
            rival("certificate", |h| direct(h, Model::Causal)),
            rival("stateright", |h| searched(h, Model::Causal)),
        ],
    }
    .hold();
}

#[test]
fn a_certificate_proves_that_a_visibility_order_exists_where_contexts_decide() {
    Contest {
        model: "contexts, proof",
        generate: vectors_and_contexts,
        operations: 3..7,
        brute: |history| Some(brute::causal_witness(history)),
        rivals: vec![rival("order exists if valid", |history| {
            let index = Index::new(history).ok()?;
            Some(causal::check(&index).verdict.is_valid() && brute::causal(history))
        })],
    }
    .hold();
}
