//! Replicas that come back without their state.

use super::*;

#[test]
fn a_replica_that_came_back_empty_answers_nobody_before_it_has_heard_enough() {
    let mut group = with_a_put();
    group.come_back_empty(1);
    assert!(group.is_recovering(1));
    let refused = group.get(1, "x");
    let not_ready = Reply::Refused(Refusal::NotReady);
    assert_eq!(group.reply(refused), Some(&not_ready));
    group.lose(1);
    group.put(2, "x", "new");
    group.deliver(2, 0);
    group.deliver(0, 2);
    let before = group.under_way.len();
    group.deliver(2, 1);
    assert_eq!(group.under_way.len(), before - 1, "it was sent a write");
    // One answer is not enough: of a put on two replicas the other may have nothing.
    group.fire(1, QuorumTimer::Retry);
    group.deliver_among(&[0, 1]);
    assert!(group.is_recovering(1));
    group.deliver_among(&[1, 2]);
    assert!(!group.is_recovering(1));
    let get = group.get(1, "x");
    group.deliver_among(&[0, 1]);
    assert!(matches!(group.reply(get), Some(Reply::Get(Some(_)))));
}

#[test]
fn the_planted_bug_lets_an_empty_replica_answer() {
    let settings = QuorumSettings::default();
    let mut group = Group::built(3, ABD, Some(Bug::EmptyReplicaVotes), settings);
    group.put(0, "x", "old");
    group.deliver_among(&[0, 1]);
    group.lose(2);
    group.come_back_empty(1);
    let get = group.get(1, "x");
    group.deliver_among(&[1, 2]);
    // The first that replica 1 asks is replica 0, which does not hear of it.
    group.fire(1, QuorumTimer::Retry);
    group.fire(1, QuorumTimer::Retry);
    group.deliver_among(&[1, 2]);
    assert_eq!(group.reply(get), Some(&Reply::Get(None)));
}

#[test]
fn an_acknowledgement_of_an_earlier_life_counts_no_more_once_the_later_one_is_named() {
    let rule = QuorumRule {
        read: 3,
        write: 3,
        write_back: true,
        sloppy: false,
    };
    let mut group = Group::new(5, rule);
    let put = group.put(0, "x", "new");
    group.deliver_among(&[0, 1, 2]);
    group
        .under_way
        .retain(|(from, to, _)| (*from, *to) != (0, 2));
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
    group.under_way.clear();

    let put = group.put(0, "x", "newer");
    group.deliver(0, 1);
    group.deliver(0, 2);
    group.deliver(1, 0);
    group.deliver(2, 0);
    // Replica 1 acknowledges the write, and loses it.
    group.deliver(0, 1);
    group.deliver(1, 0);
    assert_eq!(group.reply(put), None, "two have it");
    let to_others = std::mem::take(&mut group.under_way);
    group.come_back_empty(1);
    group.deliver_among(&[1, 2, 3, 4]);
    assert!(!group.is_recovering(1), "three of the others have answered");
    group.under_way = to_others;
    // Replica 2 has told replica 1 what it had, and writes only now.
    group.deliver(0, 2);
    group.deliver(2, 0);
    assert_eq!(group.reply(put), None, "two have it, and replica 1 has not");
    group.deliver(0, 3);
    group.deliver(3, 0);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
}

#[test]
fn where_writes_take_all_recovery_takes_a_majority_of_the_others_all_the_same() {
    let rule = QuorumRule {
        read: 1,
        write: 3,
        write_back: true,
        sloppy: false,
    };
    let mut group = Group::new(3, rule);
    group.come_back_empty(1);
    group.deliver_among(&[0, 1]);
    assert!(
        group.is_recovering(1),
        "replica 0 may forget that it was told of the new life"
    );
    group.deliver_among(&[1, 2]);
    assert!(!group.is_recovering(1));
}

#[test]
fn replicas_that_all_came_back_empty_go_on_with_what_they_hold() {
    let mut group = with_a_put();
    for node in 0..3 {
        group.come_back_empty(node);
    }
    group.deliver_among(&[0, 1]);
    assert!(group.is_recovering(0) && group.is_recovering(1));
    group.deliver_among(&[0, 1, 2]);
    for node in 0..3 {
        assert!(!group.is_recovering(node));
    }
    let get = group.get(0, "x");
    group.deliver_among(&[0, 1, 2]);
    assert_eq!(group.reply(get), Some(&Reply::Get(None)), "it is lost");
}

#[test]
fn one_who_answered_before_it_was_whole_is_asked_again() {
    let rule = QuorumRule {
        read: 3,
        write: 3,
        write_back: true,
        sloppy: false,
    };
    let mut group = Group::new(5, rule);
    group.come_back_empty(0);
    group.come_back_empty(1);
    group.deliver_among(&[0, 1]);
    group.deliver_among(&[0, 2]);
    group.deliver_among(&[0, 3]);
    assert!(
        group.is_recovering(0),
        "two are whole, and the last is silent"
    );
    group.deliver_among(&[1, 2]);
    group.deliver_among(&[1, 3]);
    group.deliver_among(&[1, 4]);
    assert!(!group.is_recovering(1));
    group.lose(4);
    group.fire(0, QuorumTimer::Retry);
    group.deliver_among(&[0, 1]);
    assert!(!group.is_recovering(0));
}

#[test]
fn a_state_of_several_chunks_is_asked_for_from_its_start_once_its_sender_is_whole() {
    let rule = QuorumRule {
        read: 3,
        write: 3,
        write_back: true,
        sloppy: false,
    };
    let mut group = Group::new(5, rule);
    for key in 0..40 {
        group.put(2, &format!("key{key}"), &"v".repeat(4_000));
        group.deliver_among(&[0, 1, 2, 3, 4]);
    }
    group.come_back_empty(0);
    group.come_back_empty(1);
    // Replica 1 has all that 2 has, and has heard of too few to be whole.
    group.deliver_among(&[1, 2]);
    assert!(group.is_recovering(1));
    group.fire(0, QuorumTimer::Retry);
    group.deliver_among(&[0, 1]);
    group.deliver_among(&[0, 2]);
    group.deliver_among(&[0, 3]);
    assert!(group.is_recovering(0), "two are whole");
    group.deliver_among(&[1, 3]);
    group.deliver_among(&[1, 4]);
    assert!(!group.is_recovering(1));
    group.lose(4);
    group.fire(0, QuorumTimer::Retry);
    group.deliver_among(&[0, 1]);
    assert!(!group.is_recovering(0));
}

#[test]
fn a_state_that_was_sent_to_an_earlier_life_does_not_count() {
    let mut group = with_a_put();
    group.come_back_empty(1);
    group.fire(1, QuorumTimer::Retry);
    group.deliver(1, 2);
    // The answers of replica 2 to the first life take long.
    let (late, others) = std::mem::take(&mut group.under_way)
        .into_iter()
        .partition(|(from, to, _)| (*from, *to) == (2, 1));
    group.under_way = others;
    group.fire(1, QuorumTimer::Retry);
    group.deliver_among(&[0, 1, 2]);
    assert!(!group.is_recovering(1));
    // Replica 0 hears nothing of a put.
    let put = group.put(1, "x", "new");
    for _ in 0..2 {
        group.fire(1, QuorumTimer::Retry);
    }
    group.deliver_among(&[1, 2]);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
    group.under_way.clear();
    group.come_back_empty(1);
    let fresh = std::mem::replace(&mut group.under_way, late);
    group.deliver(2, 1);
    group.under_way = fresh;
    group.deliver_among(&[0, 1]);
    assert!(
        group.is_recovering(1),
        "replica 2 has said nothing to this life"
    );
    group.deliver_among(&[1, 2]);
    assert!(!group.is_recovering(1));
    let get = group.get(1, "x");
    group.deliver_among(&[0, 1]);
    group.assert_found(get, "new");
}

#[test]
fn a_replica_that_was_not_whole_when_its_process_ended_is_not_whole_afterwards() {
    let mut group = with_a_put();
    group.come_back_empty(1);
    group.kept[1].clear();
    group.deliver_among(&[0, 1]);
    group.come_back(1);
    assert!(group.is_recovering(1), "it has heard of one");
    group.deliver_among(&[0, 1, 2]);
    assert!(!group.is_recovering(1));
    group.come_back(1);
    assert!(!group.is_recovering(1));
}

#[test]
fn a_message_of_a_life_that_has_ended_is_ignored() {
    let mut group = with_a_put();
    let late = group.get(0, "x");
    group.deliver(0, 1);
    let old_answer = std::mem::take(&mut group.under_way);
    group.come_back_empty(1);
    group.deliver(1, 0);
    group.under_way = old_answer;
    group.deliver(1, 0);
    assert_eq!(group.reply(late), None);
    assert_eq!(group.status(0).counters.messages_ignored, 1);
}
