//! What clients of quorums can see is what clients of the oracle can see.
//!
//! Both are explored to the end with the same clients. Requests and answers travel on their own,
//! and messages are lost and reordered. Of every state the history is taken: what each client did,
//! what it was told, and which operations were over before it asked. A bug shows as a history that
//! the oracle has not. A history that only the oracle has would say that the models of quorums are
//! too tame.
//!
//! The sets are equal although the two do not take the same steps. A replica coordinates several
//! operations at once, where a server of the oracle leaves a request waiting: to its client that is
//! a request that arrives later. A get whose answers agree takes one round at a replica, and two at
//! the oracle: to its client that is an answer that arrives later.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;
use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::replica::QuorumRule;
use kvs_core::server::Architecture;
use stateright::Model;

use super::*;
use crate::adapter::Scenario;
use crate::client::{get, put};
use crate::cluster::Cluster;
use crate::quorum;
use crate::recording::Recording;

type Scripts = Vec<Vec<Step>>;

/// Visits every state: how many there are, and what clients did on the way to them.
fn explore<M: Model>(
    model: &M,
    history: fn(&M::State) -> &History,
    reduce: fn(M::State) -> M::State,
) -> (usize, HashSet<History>)
where
    M::State: Hash,
{
    let name = |state: &M::State| FixedState::with_seed(0).hash_one(state);
    let mut known: HashSet<u64> = HashSet::new();
    let mut histories = HashSet::new();
    let mut to_visit = model.init_states();
    known.extend(to_visit.iter().map(name));
    while let Some(state) = to_visit.pop() {
        if !histories.contains(history(&state)) {
            histories.insert(history(&state).clone());
        }
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        let next = |action| model.next_state(&state, action).map(reduce);
        let next = actions.into_iter().filter_map(next);
        to_visit.extend(next.filter(|next| known.insert(name(next))));
    }
    (known.len(), histories)
}

fn of_the_oracle(servers: u16, scripts: &Scripts) -> HashSet<History> {
    let system = scripted(servers.into(), scripts);
    explore(&system, |state| &state.history, without_the_dead).1
}

fn of_the_replicas(servers: u16, scripts: &Scripts, bug: Option<Bug>) -> HashSet<History> {
    let rule = QuorumRule::majorities(servers);
    let store = Architecture::quorum(servers, rule).expect("a possible rule");
    let model = Scenario {
        scripts: scripts.clone(),
        walls: quorum::EITHER,
        apart: true,
        settings: quorum::settings(),
        ..Scenario::default()
    }
    .deploy_on(&store, Lattice::Lww, bug);
    explore(&model, recorded, |state| state).1
}

fn recorded(state: &Cluster) -> &History {
    let recordings = state.recordings.as_ref().expect("it is recorded");
    let Recording::Linearizable(history) = &recordings[0] else {
        panic!("it is what majorities with write-back promise");
    };
    history
}

/// Asserts how many histories both have, and how many only the replicas have with a bug.
#[track_caller]
fn check(servers: u16, scripts: &Scripts, histories: usize, with_bugs: &[(Bug, usize)]) {
    let oracle = of_the_oracle(servers, scripts);
    assert_eq!(oracle.len(), histories);
    let replicas = of_the_replicas(servers, scripts, None);
    let only_oracle: Vec<_> = oracle.difference(&replicas).collect();
    let only_replicas: Vec<_> = replicas.difference(&oracle).collect();
    assert_eq!((only_oracle, only_replicas), (vec![], vec![]));
    for (bug, more) in with_bugs {
        let replicas = of_the_replicas(servers, scripts, Some(*bug));
        assert!(oracle.is_subset(&replicas), "{bug}");
        let only_replicas: Vec<_> = replicas.difference(&oracle).collect();
        assert_eq!(only_replicas.len(), *more, "{bug}: {only_replicas:?}");
        let is_wrong = |history: &&History| !history.is_consistent();
        assert!(only_replicas.iter().all(is_wrong), "{bug}");
    }
}

/// A client that puts at the first of these nodes, and one that gets at the others in turn.
fn put_and_gets(put_at: u32, gets_at: &[u32]) -> Scripts {
    let gets = gets_at.iter().map(|node| get(*node, KEY));
    vec![vec![put(put_at, KEY, "a")], gets.collect()]
}

/// Two clients that each put at the first of their nodes and get at the second.
fn puts_then_gets([a, b]: [[u32; 2]; 2]) -> Scripts {
    vec![
        vec![put(a[0], KEY, "a"), get(a[1], KEY)],
        vec![put(b[0], KEY, "b"), get(b[1], KEY)],
    ]
}

/// 544 is the number that stateright gives for its own example of the algorithm, with two servers
/// and two of these clients, on a network that reorders messages and delivers each of them once.
#[test]
fn the_oracle_has_as_many_states_as_the_example_of_stateright() {
    let (states, _) = explore(&plain(2, 2), |state| &state.history, |state| state);
    assert_eq!(states, 544);
}

#[test]
fn messages_without_effect_play_no_part_in_what_clients_see() {
    let system = scripted(3, &put_and_gets(0, &[1]));
    let (states, histories) = explore(&system, |state| &state.history, |state| state);
    let (fewer, same) = explore(&system, |state| &state.history, without_the_dead);
    assert_eq!(histories, same);
    assert_eq!((states, fewer), (13_133, 354));
}

#[test]
fn two_clients_of_two_replicas_see_what_the_oracle_shows() {
    // A get needs both replicas, and so misses nothing that it would have to write back.
    let harmless = [(Bug::NoWriteBack, 0)];
    check(2, &puts_then_gets([[0, 1], [1, 0]]), 140, &harmless);
    check(2, &put_and_gets(0, &[0, 1]), 43, &harmless);
    // Two puts of one coordinator.
    let shared = [(Bug::SharedVersion, 10)];
    check(2, &puts_then_gets([[0, 1], [0, 0]]), 140, &shared);
}

#[test]
fn two_clients_of_three_replicas_see_what_the_oracle_shows() {
    let puts = vec![vec![put(0, KEY, "a"), get(1, KEY)], vec![put(1, KEY, "b")]];
    check(3, &puts, 36, &[]);
}

/// The smallest cluster and clients in which it shows that a get writes nothing back: with two
/// replicas (above) or one get it never does.
#[test]
fn a_get_that_writes_nothing_back_shows_with_three_replicas_and_two_gets() {
    for node in 0..2 {
        let asks_one = (Bug::FirstAnswer, node as usize);
        check(
            3,
            &put_and_gets(0, &[node]),
            15,
            &[(Bug::NoWriteBack, 0), asks_one],
        );
    }
    let bugs = [(Bug::NoWriteBack, 2), (Bug::FirstAnswer, 6)];
    check(3, &put_and_gets(0, &[0, 1]), 43, &bugs);
}
