//! Groups under random schedules: messages are lost, repeated and reordered, processes end with and
//! without what they had persisted. Whatever happens, Raft's own invariants hold.

mod group;

use std::collections::BTreeSet;

use self::group::{Group, Setting};
use super::*;
use crate::bug::Bug;
use crate::protocol::{Record, StateItem};

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

/// A follower of the leader that sends these messages, each with its term.
fn told(messages: Vec<(u16, u64, RaftWords)>) -> Raft {
    let spec = group::spec_of_three();
    let mut raft = Raft::new(&spec, RaftRule::default());
    let mut out = group::Done::default();
    raft.start(&mut out);
    for (from, term, words) in messages {
        let body = RaftBody {
            term,
            is_member: true,
            words,
        };
        raft.handle_message(NodeId(from), 0, body, &Input::default(), &mut out);
    }
    raft
}

#[test]
fn parts_of_a_state_of_two_terms_are_not_mixed_since_their_order_differs() {
    let at = Position { term: 1, index: 9 };
    let put = |key: &[u8]| StateItem::Put {
        index: 3,
        record: Record::new(key, Origin::default(), &[], b"v"),
    };
    let part = |from, key: &[u8], more| RaftWords::State {
        at,
        from,
        items: vec![put(key)],
        more,
    };
    let offer = || RaftWords::Offer { at, round: 0 };
    // The one has a before b, and the other b before a.
    let raft = told(vec![
        (1, 1, offer()),
        (2, 2, offer()),
        (1, 1, part(0, b"a", true)),
        (2, 2, part(0, b"b", true)),
        (2, 2, part(1, b"a", false)),
    ]);
    let holds = |key: &[u8]| raft.machine.find(key).is_some();
    assert!(holds(b"a") && holds(b"b"), "a part is missing");
}
