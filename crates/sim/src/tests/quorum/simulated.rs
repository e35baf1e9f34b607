//! Quorums in the simulator's own world, with its faults, its clients and its disks.

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::Architecture;

use crate::{Options, Plan, SimVerdict, run};

fn options(architecture: &str) -> Options {
    let architecture: Architecture = architecture.parse().expect("an architecture");
    Options::new(architecture, Lattice::default())
}

#[test]
fn no_seed_raises_an_alarm_whatever_the_quorums_wait_for() {
    for architecture in [
        "quorum",
        "quorum(5)",
        "sharded(2, quorum)",
        "quorum(3, write-back = off)",
        "quorum(3, r = 1, w = 1)",
        "quorum(4, r = 1, w = 4)",
        "sloppy",
        "sloppy(5, spares = 1)",
        "sharded(2, sloppy(2, r = 1, w = 2))",
    ] {
        for seed in 0..40 {
            let outcome = run(&Plan::draw(seed, &options(architecture)));
            assert_eq!(outcome.verdict, SimVerdict::Valid, "{architecture} {seed}");
        }
    }
}

#[test]
fn replicas_come_back_empty_and_recover() {
    let outcomes = (0..40).map(|seed| run(&Plan::draw(seed, &options("quorum"))));
    let amnesias = outcomes.map(|outcome| {
        let of_amnesia = outcome
            .counters
            .by_fault()
            .into_iter()
            .find(|(name, _)| *name == "amnesia");
        of_amnesia.expect("it is counted").1
    });
    assert!(amnesias.sum::<u64>() > 0);
}

#[test]
fn every_bug_of_a_quorum_is_found_by_some_seed() {
    for bug in [
        Bug::NoWriteBack,
        Bug::SharedVersion,
        Bug::ReusedVersion,
        Bug::EmptyReplicaVotes,
        Bug::FirstAnswer,
    ] {
        let options = Options {
            bug: Some(bug),
            ..options("quorum")
        };
        let found = (0..600).find(|seed| {
            let outcome = run(&Plan::draw(*seed, &options));
            outcome.verdict.way().starts_with("invalid")
        });
        assert!(found.is_some(), "{bug} is found by no seed");
    }
}
