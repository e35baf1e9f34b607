//! The brute forces by property. Each row of the table of checkers is compared with the definition
//! of what it judges, on histories that integrity does not refute.

use std::ops::Range;

use super::brute;
use super::contest::{Contest, Judge, Rival};
use super::generate::{self, Random};
use super::{oracle, registers, regular};
use crate::checker::index::Index;
use crate::checker::ordering::Limits;
use crate::checker::property::Property;
use crate::checker::table::{CHECKERS, Checkers};
use crate::history::History;

/// What a property means, by trying everything, and histories to try it on.
struct Definition {
    property: Property,
    /// Which histories.
    name: &'static str,
    /// A random history of about so many operations, or none if it came out useless.
    generate: fn(&mut Random, usize) -> Option<History>,
    operations: Range<usize>,
    brute: Judge,
    /// Histories, one in so many, on which the check may leave the verdict open; 0 for none.
    may_leave_one_in: u64,
    /// Whether values repeat, so that the check searches.
    repeats: bool,
}

const fn define(
    property: Property,
    name: &'static str,
    generate: fn(&mut Random, usize) -> Option<History>,
    operations: Range<usize>,
    brute: Judge,
) -> Definition {
    Definition {
        property,
        name,
        generate,
        operations,
        brute,
        may_leave_one_in: 0,
        repeats: false,
    }
}

/// A definition of what integrity does not refute, when a history is shrunk either.
fn sound(history: &History, holds: fn(&History) -> bool) -> Option<bool> {
    brute::integrity(history).then(|| holds(history))
}

fn vectors(random: &mut Random, operations: usize) -> Option<History> {
    let history = oracle::vectors(random, operations)?;
    let is_whole = brute::has_evidence(&history)[0];
    (is_whole && brute::integrity(&history)).then_some(history)
}

fn versions(random: &mut Random, operations: usize) -> Option<History> {
    oracle::versions(random, operations).filter(brute::integrity)
}

fn single(random: &mut Random, operations: usize) -> Option<History> {
    oracle::registers(random, operations).filter(brute::integrity)
}

/// A definition where values repeat, or with more than puts and gets.
fn searched(property: Property, name: &'static str, brute: Judge) -> Definition {
    Definition {
        repeats: true,
        ..define(property, name, repeating, 3..9, brute)
    }
}

fn repeating(random: &mut Random, operations: usize) -> Option<History> {
    Some(generate::repeating(random, operations))
}

/// What evidence, what clients saw and what contexts say of one guarantee.
const fn guarantee(
    property: Property,
    names: [&'static str; 3],
    [vectors_say, seen]: [Judge; 2],
) -> [Definition; 3] {
    let [by_vectors, by_values, by_contexts] = names;
    [
        define(property, by_vectors, vectors, 3..9, vectors_say),
        define(property, by_values, registers::values, 6..14, seen),
        define(property, by_contexts, oracle::contexts, 6..14, seen),
    ]
}

fn guarantees() -> impl Iterator<Item = Definition> {
    use Property as P;
    [
        guarantee(
            P::ReadYourWrites,
            [
                "read-your-writes",
                "read-your-writes, seen",
                "read-your-writes, contexts",
            ],
            [brute::read_your_writes, brute::read_your_writes_seen],
        ),
        guarantee(
            P::MonotonicReads,
            [
                "monotonic-reads",
                "monotonic-reads, seen",
                "monotonic-reads, contexts",
            ],
            [brute::monotonic_reads, brute::monotonic_reads_seen],
        ),
        guarantee(
            P::MonotonicWrites,
            [
                "monotonic-writes",
                "monotonic-writes, seen",
                "monotonic-writes, contexts",
            ],
            [brute::monotonic_writes, brute::monotonic_writes_seen],
        ),
        guarantee(
            P::WritesFollowReads,
            [
                "writes-follow-reads",
                "writes-follow-reads, seen",
                "writes-follow-reads, contexts",
            ],
            [brute::writes_follow_reads, brute::writes_follow_reads_seen],
        ),
    ]
    .into_iter()
    .flatten()
}

fn of_final_reads() -> Vec<Definition> {
    use Property as P;
    let (causal, lww, contexts) = (
        oracle::quiet_siblings,
        oracle::quiet_versions,
        oracle::quiet_contexts,
    );
    let (alike, kept) = (brute::convergence, brute::lost_writes);
    vec![
        define(P::Convergence, "convergence, causal", causal, 1..5, alike),
        define(P::Convergence, "convergence, lww", lww, 1..5, alike),
        define(P::LostWrites, "lost-writes, causal", causal, 1..5, kept),
        define(P::LostWrites, "lost-writes, contexts", contexts, 1..5, kept),
        define(P::LostWrites, "lost-writes, lww", lww, 1..5, kept),
    ]
}

fn of_registers() -> Vec<Definition> {
    use Property as P;
    let exposures = registers::exposures;
    let one_value = registers::one_value;
    vec![
        define(P::Found, "found", single, 1..9, |h| sound(h, brute::found)),
        define(P::Lww, "lww", versions, 3..9, |h| sound(h, brute::lww)),
        define(
            P::LwwBlackBox,
            "lww, black box",
            exposures,
            4..16,
            brute::arbitrable,
        ),
        define(P::CausalConsistency, "cc", one_value, 4..10, |h| {
            sound(h, brute::weak_causal)
        }),
        define(P::CausalConvergence, "ccv", one_value, 4..10, |h| {
            sound(h, brute::causal_convergence)
        }),
        define(P::Sequential, "sequential", single, 3..9, |h| {
            sound(h, brute::sequential)
        }),
        searched(P::Sequential, "sequential, cas", |h| {
            Some(brute::sequential(h))
        }),
        define(P::Regular, "regular", regular::coarse, 3..9, |h| {
            sound(h, brute::regular)
        }),
        searched(P::Regular, "regular, cas", |h| Some(brute::regular(h))),
        define(P::Linearizable, "linearizable", single, 3..9, |h| {
            sound(h, brute::linearizable)
        }),
        searched(P::Linearizable, "linearizable, cas", |h| {
            Some(brute::linearizable(h))
        }),
    ]
}

fn of_siblings() -> Vec<Definition> {
    use Property as P;
    let witness: Judge = |h| sound(h, brute::causal_witness);
    let visible: Judge = |h| sound(h, brute::causal);
    let (with_contexts, contexts) = (oracle::vectors_and_contexts, oracle::contexts);
    vec![
        define(P::Causal, "causal", vectors, 3..9, witness),
        define(P::Causal, "causal, contexts", with_contexts, 3..9, witness),
        Definition {
            may_leave_one_in: 20,
            ..define(
                P::CausalBlackBox,
                "causal-black-box",
                oracle::siblings,
                4..9,
                visible,
            )
        },
        define(
            P::CausalBlackBox,
            "causal-black-box, contexts",
            contexts,
            4..9,
            visible,
        ),
    ]
}

/// Every definition; a property may have several, for several kinds of histories.
fn definitions() -> Vec<Definition> {
    let integrity: Judge = |history| Some(brute::integrity(history));
    let integrity = define(
        Property::Integrity,
        "integrity",
        oracle::memories,
        3..9,
        integrity,
    );
    let mut all = vec![integrity];
    all.extend(of_final_reads());
    all.extend(of_registers());
    all.extend(guarantees());
    all.extend(of_siblings());
    all
}

/// What the table says of one property.
fn by_table(property: Property, repeats: bool, history: &History) -> Option<bool> {
    let check = if repeats {
        (CHECKERS.of(property)?.search()?.run)(history, Limits::default())
    } else {
        CHECKERS.judge(property, &Index::new(history).ok()?)?
    };
    oracle::verdict(&check)
}

/// The properties that a table judges and that nothing defines.
fn undefined(checkers: Checkers, definitions: &[Definition]) -> Vec<Property> {
    let properties = checkers.iter().flat_map(|checker| checker.properties());
    let is_defined = |property: &Property| definitions.iter().any(|d| d.property == *property);
    properties
        .copied()
        .filter(|property| !is_defined(property))
        .collect()
}

#[test]
fn every_check_of_the_table_agrees_with_the_definition_of_its_property() {
    for definition in definitions() {
        let (property, repeats) = (definition.property, definition.repeats);
        Contest {
            model: definition.name,
            generate: definition.generate,
            operations: definition.operations,
            brute: definition.brute,
            rivals: vec![Rival {
                name: "table",
                judge: Box::new(move |history| by_table(property, repeats, history)),
                may_leave_one_in: definition.may_leave_one_in,
            }],
        }
        .hold();
    }
}

#[test]
fn a_check_without_a_brute_force_is_named() {
    let mut definitions = definitions();
    assert_eq!(undefined(CHECKERS, &definitions), []);
    definitions.retain(|definition| definition.property != Property::Sequential);
    assert_eq!(undefined(CHECKERS, &definitions), [Property::Sequential]);
}
