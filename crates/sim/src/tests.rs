//! Simulations of whole plans.

mod bad_disks;
mod compare_and_set;
mod leaders;
mod pinned;
mod quorum;
mod spreading;

use super::*;
use kvs_check::history::{History, Model, write_json_lines};
use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::Architecture;
use kvs_load::workload::ValueSize;

/// Seeds that together meet all there is to meet.
const SEEDS: std::ops::Range<u64> = 0..80;

fn replicated(lattice: Lattice) -> Options {
    let architecture = Architecture::replicated(3).expect("a size");
    Options::new(architecture, lattice)
}

fn lines(history: &History) -> String {
    let mut lines = Vec::new();
    write_json_lines(history, &mut lines).expect("memory takes all");
    String::from_utf8(lines).expect("JSON is text")
}

#[test]
fn the_same_plan_is_the_same_history_and_the_same_events_byte_for_byte() {
    let mut histories = std::collections::BTreeSet::new();
    for lattice in [Lattice::Causal, Lattice::Lww] {
        let options = Options {
            trace: true,
            steps: 400,
            ..replicated(lattice)
        };
        for seed in 0..10 {
            let plan = Plan::draw(seed, &options);
            let json = serde_json::to_string(&plan).expect("a plan is plain data");
            let copied: Plan = serde_json::from_str(&json).expect("it was a plan");
            let (first, second) = (run(&plan), run(&copied));
            assert_eq!(lines(&first.history), lines(&second.history), "{seed}");
            assert_eq!(first.trace, second.trace, "{seed}");
            assert_eq!(first.counters, second.counters, "{seed}");
            histories.insert(lines(&first.history));
        }
    }
    assert_eq!(histories.len(), 20, "other seeds and lattices are others");
}

#[test]
fn every_kind_of_fault_happens_and_everything_is_met() {
    let mut counters = Counters::default();
    for seed in SEEDS {
        let outcome = run(&Plan::draw(seed, &replicated(Lattice::Causal)));
        assert_eq!(outcome.verdict, SimVerdict::Valid, "seed {seed}");
        counters.add(&outcome.counters);
    }
    let happened = counters.by_fault().into_iter().chain(counters.marks());
    let tame: Vec<&str> = happened
        .filter(|(_, count)| *count == 0)
        .map(|(name, _)| name)
        .collect();
    assert!(tame.is_empty(), "never met: {tame:?}");
}

#[test]
fn a_fault_that_is_left_out_never_happens_and_leaves_the_rest_of_the_plan_as_it_was() {
    for fault in SimFault::ALL {
        let without = Options {
            without: [*fault].into(),
            steps: 200,
            ..replicated(Lattice::Causal)
        };
        let all = Options {
            without: [].into(),
            ..without.clone()
        };
        for seed in 0..6 {
            let (with, plan) = (Plan::draw(seed, &all), Plan::draw(seed, &without));
            let mut expected = with.faults;
            expected.remove(fault);
            assert_eq!(plan.faults, expected);
            assert_eq!(plan.workload, with.workload);
            assert_eq!(run(&plan).counters.faults[fault.index()], 0, "{fault}");
        }
    }
}

#[test]
fn fewer_steps_are_the_beginning_of_more() {
    let more = replicated(Lattice::Lww);
    let fewer = Options {
        steps: 300,
        ..more.clone()
    };
    for seed in 0..10 {
        let (more, fewer) = (
            run(&Plan::draw(seed, &more)).history,
            run(&Plan::draw(seed, &fewer)).history,
        );
        // A row is one of a step that has begun, and few have begun that have no row yet.
        for row in 0..150 {
            assert_eq!(fewer.row(row), more.row(row), "seed {seed}");
        }
        assert_ne!(fewer.len(), more.len(), "seed {seed}");
    }
}

#[test]
fn puts_that_died_with_a_memory_are_excused_and_nothing_else_is() {
    let mut excused = 0;
    for seed in SEEDS {
        let plan = Plan::draw(seed, &replicated(Lattice::Causal));
        let outcome = run(&plan);
        assert_eq!(outcome.verdict, SimVerdict::Valid, "seed {seed}");
        let strict = judge::verdict(&outcome.history, None);
        if outcome.counters.lost_puts == 0 {
            assert_eq!(strict, SimVerdict::Valid, "seed {seed}");
        } else if strict.is_failure() {
            assert_eq!(strict.way(), "invalid: lost-write", "seed {seed}");
            excused += 1;
        }
    }
    assert!(excused > 0, "no seed loses a put that is missed");
}

#[test]
fn a_bug_is_found_where_puts_are_lost_too() {
    let options = Options {
        bug: Some(Bug::MissingSibling),
        // Slow disks leave few moments in which a node may lose its state.
        without: [SimFault::DISK].into(),
        ..replicated(Lattice::Causal)
    };
    let outcomes = SEEDS.map(|seed| run(&Plan::draw(seed, &options)));
    let mut losing = outcomes.filter(|outcome| outcome.counters.lost_puts > 0);
    assert!(losing.any(|outcome| outcome.verdict.way() == "invalid: missing-sibling"));
}

#[test]
fn no_put_is_lost_unless_the_plan_says_so() {
    for seed in SEEDS {
        let plan = Plan {
            loses_puts: false,
            ..Plan::draw(seed, &replicated(Lattice::Causal))
        };
        let outcome = run(&plan);
        assert_eq!(outcome.counters.lost_puts, 0, "seed {seed}");
        let strict = judge::verdict(&outcome.history, None);
        assert_eq!(strict, SimVerdict::Valid, "seed {seed}");
    }
}

#[test]
fn a_promise_that_was_named_instead_is_in_the_header_and_decides() {
    for model in [Model::Eventual, Model::MonotonicReads] {
        let options = Options {
            promise: Some(model),
            ..replicated(Lattice::Causal)
        };
        let outcome = run(&Plan::draw(1, &options));
        assert_eq!(outcome.history.header.promise, Some(model));
        assert_eq!(outcome.verdict, SimVerdict::Valid, "{model}");
    }
}

#[test]
fn a_panic_is_a_result_with_what_was_recorded_before_it() {
    let mut plan = Plan::draw(3, &replicated(Lattice::Causal));
    plan.workload.value_size = ValueSize::Fixed(4);
    let outcome = run(&plan);
    let message = "payload too short for its id".to_owned();
    assert_eq!(outcome.verdict, SimVerdict::Crash { message });
    assert_eq!(outcome.history.len() as u64, outcome.counters.operations);
}

#[test]
fn replicas_that_never_agree_are_a_failure_of_liveness() {
    let options = Options {
        bug: Some(Bug::NoRepair),
        ..replicated(Lattice::Causal)
    };
    let ways: Vec<String> = (0..20)
        .map(|seed| run(&Plan::draw(seed, &options)).verdict.way())
        .collect();
    assert!(ways.iter().any(|way| way == "liveness"), "{ways:?}");
}

#[test]
fn what_is_shrunk_still_fails_in_the_same_way_with_less() {
    let options = Options {
        bug: Some(Bug::MissingSibling),
        ..replicated(Lattice::Causal)
    };
    let faults = |seed, options| Plan::draw(seed, options).faults.len();
    let mut busy = SEEDS.filter(|seed| faults(*seed, &options) > 3);
    let seed = busy.find(|seed| run(&Plan::draw(*seed, &options)).verdict.is_failure());
    let seed = seed.expect("a seed finds the bug");
    let way = run(&Plan::draw(seed, &options)).verdict.way();
    let shrunk = shrink(seed, &options);
    assert_eq!(run(&Plan::draw(seed, &shrunk)).verdict.way(), way);
    assert!(shrunk.steps < options.steps / 4, "{shrunk:?}");
    assert!(faults(seed, &shrunk) < faults(seed, &options), "{shrunk:?}");
}

#[test]
fn a_process_that_ends_as_it_goes_on_hears_nothing_more() {
    // A sync fails among the inputs that had waited for the node, and the rest must not reach it.
    let sharded: Architecture = "sharded_replicated".parse().expect("an architecture");
    for (seed, options) in [
        (383, replicated(Lattice::Causal)),
        (183, Options::new(sharded.clone(), Lattice::Causal)),
        (210, Options::new(sharded, Lattice::Lww)),
    ] {
        let outcome = run(&Plan::draw(seed, &options));
        assert_eq!(outcome.verdict, SimVerdict::Valid, "seed {seed}");
    }
}

#[test]
fn a_thousand_replicas_over_six_regions_agree() {
    let options = Options {
        steps: 30,
        topology: Topology::Wan,
        without: SimFault::ALL.iter().copied().collect(),
        ..Options::new(
            Architecture::replicated(1_000).expect("a size"),
            Lattice::Lww,
        )
    };
    let outcome = run(&Plan::draw(1, &options));
    assert_eq!(outcome.verdict, SimVerdict::Valid);
    let counters = outcome.counters;
    assert!(counters.converged_ns > 0 || counters.messages > 1_000);
    assert!(counters.message_bytes > counters.messages * 10);
}
