//! Groups under random schedules: messages are lost, repeated and reordered, processes end with and
//! without what they had persisted. Whatever happens, Raft's own invariants hold.

mod group;

use std::collections::BTreeSet;

use self::group::{Group, Setting};
use crate::bug::Bug;

/// Schedules of each kind.
const SEEDS: u64 = 300;

fn run(seed: u64, setting: &Setting) -> Option<String> {
    let mut group = Group::new(seed, setting);
    group.run();
    group.heal();
    group.violation()
}

/// The first seed at which a planted bug shows.
fn caught(bug: Bug, setting: &Setting) -> Option<u64> {
    let setting = Setting {
        bug: Some(bug),
        ..setting.clone()
    };
    (0..20 * SEEDS).find(|seed| run(*seed, &setting).is_some())
}

#[test]
fn whatever_is_lost_repeated_and_reordered_the_invariants_hold() {
    for seed in 0..SEEDS {
        let violation = run(seed, &Setting::default());
        assert_eq!(violation, None, "seed {seed}");
    }
}

#[test]
fn processes_that_come_back_with_what_was_durable_lose_nothing() {
    let setting = Setting {
        crashes: 0.02,
        ..Setting::default()
    };
    for seed in 0..SEEDS {
        let violation = run(seed, &setting);
        assert_eq!(violation, None, "seed {seed}");
    }
}

#[test]
fn processes_that_come_back_empty_lose_nothing_while_a_majority_is_whole() {
    let setting = Setting {
        amnesias: 0.02,
        ..Setting::default()
    };
    for seed in 0..SEEDS {
        let violation = run(seed, &setting);
        assert_eq!(violation, None, "seed {seed}");
    }
}

#[test]
fn a_schedule_commits_elects_again_compacts_and_transfers() {
    let setting = Setting {
        crashes: 0.02,
        ..Setting::default()
    };
    let (mut committed, mut terms, mut transfers, mut compacted) = (0, BTreeSet::new(), 0, 0);
    for seed in 0..SEEDS {
        let mut group = Group::new(seed, &setting);
        group.run();
        group.heal();
        for replica in &group.replicas {
            committed += replica.commit;
            terms.insert(replica.term);
            transfers += replica.counters.transfers;
            compacted += u64::from(replica.base.at().index > 0);
        }
    }
    assert!(committed > 10 * SEEDS, "{committed} commits");
    assert!(terms.len() > 5, "{terms:?}");
    assert!(transfers > 0, "no state was sent");
    assert!(compacted > SEEDS / 10, "{compacted} compacted");
}

#[test]
fn planted_bugs_break_an_invariant() {
    let plain = Setting::default();
    let crashes = Setting {
        crashes: 0.05,
        ..Setting::default()
    };
    let empty = Setting {
        amnesias: 0.05,
        ..Setting::default()
    };
    for (bug, setting) in [
        (Bug::VoteNotSynced, &crashes),
        (Bug::TwoVotes, &plain),
        (Bug::CountsEarlierTerms, &plain),
        (Bug::SnapshotForgetsCalls, &crashes),
        (Bug::TruncatesCommitted, &plain),
        (Bug::EmptyReplicaVotes, &empty),
    ] {
        assert!(caught(bug, setting).is_some(), "{bug}");
    }
}
