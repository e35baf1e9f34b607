//! What operations have left undone.

use super::*;

/// Replica 2 has heard of nothing.
fn with_a_replica_behind(keys: usize, bytes: usize) -> Group {
    let mut group = Group::new(3, ABD);
    for key in 0..keys {
        group.put(0, &format!("key{key}"), &"v".repeat(bytes));
        group.deliver_among(&[0, 1]);
        group.lose(2);
    }
    group
}

fn rounds_until_equal(group: &mut Group) -> usize {
    for round in 1..1_000 {
        group.fire(2, QuorumTimer::AntiEntropy);
        group.deliver_among(&[0, 1, 2]);
        if group.status(2).agrees_with(&group.status(0)) {
            return round;
        }
    }
    panic!("never equal")
}

#[test]
fn a_comparison_brings_what_a_replica_has_missed() {
    let mut group = with_a_replica_behind(5, 10);
    assert!(!group.status(2).agrees_with(&group.status(0)));
    assert_eq!(rounds_until_equal(&mut group), 1);
    let kept: Vec<_> = group.kept[2].clone();
    assert_eq!(kept.len(), 5, "it keeps them");
}

#[test]
fn a_comparison_pulls_a_bounded_number_of_chunks() {
    const KEYS: usize = 200;
    let mut group = with_a_replica_behind(KEYS, 4_000);
    let before = group.status(2).keys;
    group.fire(2, QuorumTimer::AntiEntropy);
    let mut chunks = 0;
    while !group.under_way.is_empty() {
        let chunk = |(_, _, message): &(u16, u16, Message)| {
            matches!(&message.body, Body::Quorum(body)
                if matches!(body.words, QuorumWords::Chunk { .. }))
        };
        chunks += group.under_way.iter().filter(|it| chunk(it)).count();
        assert_eq!(group.under_way.len(), 1, "one message at a time");
        let (from, to, _) = group.under_way[0];
        group.deliver(from, to);
    }
    assert_eq!(chunks, usize::from(QuorumSettings::default().chunks_max));
    assert!(group.status(2).keys > before);
    assert!(rounds_until_equal(&mut group) > 1);
}

#[test]
fn equal_replicas_say_no_more_than_that_they_are() {
    let mut group = with_a_put();
    let done = group.fire(0, QuorumTimer::AntiEntropy);
    assert_eq!(done.sent.len(), 1);
    let (from, to, _) = group.under_way[0];
    group.deliver(from, to);
    let answer = &group.under_way[0].2.body;
    let is_empty = |words: &QuorumWords| matches!(words, QuorumWords::Digests { group: None, digests } if digests.is_empty());
    assert!(matches!(answer, Body::Quorum(body) if is_empty(&body.words)));
    group.deliver_among(&[0, 1, 2]);
    assert!(group.under_way.is_empty());
}

#[test]
fn what_got_lost_is_asked_for_again() {
    let mut group = with_a_replica_behind(5, 10);
    group.fire(2, QuorumTimer::AntiEntropy);
    group.deliver(2, 0);
    group.under_way.clear();
    assert_eq!(rounds_until_equal(&mut group), 1);
}

#[test]
fn who_does_not_answer_is_given_up_and_asked_about_ever_later() {
    let mut group = with_a_replica_behind(5, 10);
    let mut asked = Vec::new();
    for round in 0..200 {
        if !group.fire(2, QuorumTimer::AntiEntropy).sent.is_empty() {
            asked.push(round);
        }
        group.under_way.clear();
    }
    assert!((10..60).contains(&asked.len()), "{asked:?}");
    let longest = asked.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest <= Some(64), "{asked:?}");
}

#[test]
fn a_comparison_whose_answers_take_longer_than_a_round_of_the_timer_comes_to_its_end() {
    let mut group = with_a_replica_behind(5, 10);
    group.fire(2, QuorumTimer::AntiEntropy);
    for _ in 0..100 {
        // Several rounds, and then one message arrives: the oldest.
        for _ in 0..5 {
            group.fire(2, QuorumTimer::AntiEntropy);
        }
        let (from, to, _) = group.under_way[0];
        group.deliver(from, to);
        if group.status(2).agrees_with(&group.status(0)) {
            return;
        }
    }
    panic!("never equal");
}

#[test]
fn a_replica_that_has_more_keeps_it() {
    let mut group = with_a_replica_behind(5, 10);
    group.fire(0, QuorumTimer::AntiEntropy);
    let (keys, digest) = (group.status(0).keys, group.status(0).digest);
    group.under_way.retain(|(_, to, _)| *to == 1);
    group.fire(1, QuorumTimer::AntiEntropy);
    group.deliver_among(&[0, 1, 2]);
    assert_eq!(
        (group.status(0).keys, group.status(0).digest),
        (keys, digest)
    );
}
