use kvs_core::bug::Bug;

use super::safety::LOGS_MATCH;
use crate::catalogue::find;
use crate::catches::{counterexample, counterexample_of};
use crate::client::put;
use crate::explore::assert_holds;
use crate::properties::{AN_ORDER_EXPLAINS_ALL, REPLICAS_AGREE};

#[test]
fn from_nothing_a_leader_is_elected_and_a_put_is_read_elsewhere() {
    assert_holds("raft");
}

#[test]
fn of_two_that_ask_for_votes_at_once_one_leads() {
    assert_holds("raft-elects");
}

#[test]
fn a_node_that_first_asks_if_it_would_get_votes_is_elected() {
    assert_holds("raft-asks-first");
}

#[test]
fn puts_at_once_are_linearizable() {
    assert_holds("raft-puts");
}

#[test]
fn messages_that_come_again_change_nothing() {
    assert_holds("raft-repeats");
}

#[test]
fn puts_at_the_old_and_at_the_new_leader_are_linearizable() {
    assert_holds("raft-turns");
}

#[test]
fn a_new_leader_shows_what_the_old_one_has_answered() {
    assert_holds("raft-turns-after-put");
}

#[test]
fn a_leader_that_has_lost_its_followers_answers_no_get() {
    assert_holds("raft-old-leader");
}

#[test]
fn no_get_depends_on_a_clock() {
    assert_holds("raft-clock");
}

#[test]
fn gets_through_the_log_are_linearizable() {
    assert_holds("raft-log");
}

#[test]
fn an_entry_of_an_earlier_term_is_committed_with_a_later_one_only() {
    assert_holds("raft-figure-8");
}

#[test]
fn a_put_that_is_sent_again_happens_once() {
    assert_holds("raft-retries");
}

#[test]
fn a_replica_that_lacks_entries_which_are_gone_takes_the_state() {
    assert_holds("raft-transfers");
}

#[test]
fn a_node_that_came_back_empty_is_a_member_again_and_nothing_is_lost() {
    assert_holds("raft-forgets");
}

#[test]
fn a_vote_is_given_once_whatever_a_crash_leaves() {
    assert_holds("raft-disk-votes");
}

#[test]
fn an_answered_put_is_there_whatever_a_crash_leaves() {
    assert_holds("raft-disk");
}

/// The negative control of log matching: two leaders of one term append something else each.
#[test]
fn two_leaders_of_one_term_have_logs_that_do_not_match() {
    let mut model =
        (find("raft-elects").expect("there is such a model").model)(Some(Bug::TwoVotes));
    model.scripts = vec![vec![put(1, "k", "a")], vec![put(2, "k", "b")]];
    let path = counterexample_of(model, LOGS_MATCH.name);
    let expected = [
        "n1 ticks",
        "n1 -> n0 ask for a vote",
        "n0 -> n1 vote",
        "client 0 asks",
        "n2 ticks",
        "n2 -> n0 ask for a vote",
        "n0 -> n2 vote",
        "client 1 asks",
    ];
    assert_eq!(path, expected);
}

/// The planted bug of quorums, in a group with a log.
#[test]
fn clients_see_that_a_put_was_lost_with_an_empty_voter() {
    let bug = Bug::EmptyReplicaVotes;
    let path = counterexample("raft-forgets", bug, AN_ORDER_EXPLAINS_ALL);
    let expected = [
        "client 0 asks",
        "n0 -> n2 append",
        "n2 -> n0 appended",
        "n0 restarts empty",
    ];
    assert_eq!(path, expected);
}

#[test]
fn a_put_that_happens_again_at_one_replica_keeps_the_replicas_apart() {
    let bug = Bug::SnapshotForgetsCalls;
    let path = counterexample("raft-transfers", bug, REPLICAS_AGREE);
    let expected = [
        "client 0 asks",
        "n0 -> n1 append",
        "n1 ticks",
        "n1 -> n2 ask for a vote",
        "n2 -> n1 vote",
        "n1 -> n0 append",
        "n0 -> n1 appended",
        "n1 -> n2 append",
        "n2 -> n1 missing",
        "n1 -> n2 offer of a state",
        "n2 -> n1 pull of a state",
        "n1 -> n2 state",
        "n2 -> n1 appended",
        "n1 -> n2 append",
    ];
    assert_eq!(path, expected);
}
