//! Puts and gets, their quorums and their ends.

use super::*;

#[test]
fn a_put_is_acknowledged_once_enough_replicas_have_it() {
    let mut group = Group::new(3, ABD);
    let put = group.put(0, "x", "new");
    group.deliver(0, 1);
    group.deliver(1, 0);
    assert_eq!(group.reply(put), None, "it knows what there is, no more");
    group.deliver(0, 1);
    assert_eq!(group.reply(put), None);
    group.deliver(1, 0);
    let version = Version {
        time: 1,
        origin: Origin::new(NodeId(0), 0).as_u32(),
    };
    assert_eq!(group.reply(put), Some(&Reply::Put(version)));
}

#[test]
fn a_get_whose_answers_agree_is_answered_after_one_round() {
    let mut group = with_a_put();
    let get = group.get(0, "x");
    group.deliver(0, 1);
    group.deliver(1, 0);
    group.assert_found(get, "old");
    assert!(group.under_way.is_empty(), "nothing is written back");
    let none = group.get(0, "y");
    group.deliver_among(&[0, 1]);
    assert_eq!(group.reply(none), Some(&Reply::Get(None)));
}

#[test]
fn a_get_is_answered_only_after_what_it_read_is_written_back() {
    let mut group = with_a_put();
    // The first that replica 2 asks is replica 0.
    let get = group.get(2, "x");
    group.deliver(2, 0);
    group.deliver(0, 2);
    group.assert_found(get, "old");
    assert_eq!(group.status(2).digest, group.status(0).digest);
    // One that alone has a put must have it written by another first.
    group.put(0, "x", "new");
    group.deliver(0, 1);
    group.deliver(1, 0);
    group.lose(1);
    group.lose(2);
    let get = group.get(0, "x");
    group.deliver(0, 1);
    group.deliver(1, 0);
    assert_eq!(group.reply(get), None, "one replica has it");
    group.deliver_among(&[0, 1]);
    group.assert_found(get, "new");
}

#[test]
fn without_write_back_a_get_is_answered_at_once_and_repairs_what_it_found_behind() {
    let rule = QuorumRule {
        write_back: false,
        ..ABD
    };
    let mut group = Group::new(3, rule);
    group.put(0, "x", "new");
    group.deliver(0, 1);
    group.deliver(1, 0);
    group.lose(1);
    group.lose(2);
    let get = group.get(0, "x");
    group.deliver(0, 1);
    group.deliver(1, 0);
    group.assert_found(get, "new");
    group.deliver(0, 1);
    assert_eq!(group.status(1).digest, group.status(0).digest);
}

#[test]
fn puts_at_once_and_in_a_later_life_get_different_versions() {
    let mut group = Group::new(3, ABD);
    let puts = [group.put(0, "x", "a"), group.put(0, "x", "b")];
    group.deliver_among(&[0, 1]);
    group.come_back(0);
    let later = group.put(0, "x", "c");
    group.deliver_among(&[0, 1]);
    let version = |put| match group.reply(put) {
        Some(Reply::Put(version)) => *version,
        other => panic!("{other:?}"),
    };
    assert!(version(puts[0]) < version(puts[1]));
    assert!(version(puts[1]) < version(later));
}

#[test]
fn numbers_are_reserved_before_anything_leaves_that_shows_them_and_not_for_every_operation() {
    let mut group = Group::new(3, ABD);
    let value = b"v".as_slice();
    let (_, first) = group.ask(0, "x", Operation::Put { value });
    assert_eq!(first.kept_before_send, [1]);
    group.deliver(0, 1);
    let done = {
        let (from, to, answer) = group.under_way.remove(0);
        assert_eq!((from, to), (1, 0));
        group.input(0, |replica, out| {
            replica.handle_message(NodeId(1), answer, &Input::default(), out);
        })
    };
    assert_eq!(
        done.kept_before_send,
        [1, 1],
        "the counter, and the put itself only after it was sent"
    );
    assert_eq!(done.kept.len(), 2);
    let (_, second) = group.ask(0, "y", Operation::Get);
    assert_eq!(second.kept_before_send, [0]);
}

#[test]
fn an_answer_to_an_operation_of_an_earlier_life_is_none() {
    let mut group = with_a_put();
    group.get(0, "x");
    group.deliver(0, 1);
    // The answer is under way when the process ends, and comes back with its disk.
    group.come_back(0);
    let get = group.get(0, "y");
    group.deliver(1, 0);
    assert_eq!(group.reply(get), None, "it was about another key");
}

#[test]
fn those_who_do_not_answer_are_asked_again_ever_more_rarely_and_then_not_at_all() {
    let mut group = Group::new(3, ABD);
    let get = group.get(0, "x");
    group.under_way.clear();
    let mut asked_at = Vec::new();
    let looks = QuorumSettings::default().looks_max;
    for look in 1..looks {
        let done = group.fire(0, QuorumTimer::Retry);
        if !done.sent.is_empty() {
            assert_eq!(done.sent.len(), 2, "everybody is asked");
            asked_at.push(look);
        }
        assert_eq!(done.timers, [Timer::Quorum(QuorumTimer::Retry)]);
    }
    assert_eq!(asked_at, [2, 4, 8, 16, 32]);
    assert_eq!(group.reply(get), None);
    let last = group.fire(0, QuorumTimer::Retry);
    assert_eq!(last.timers, [], "nothing is under way");
    let unavailable = Reply::Refused(Refusal::Unavailable);
    assert_eq!(group.reply(get), Some(&unavailable));
}

#[test]
fn a_put_that_was_sent_to_nobody_fails_and_one_that_was_sent_may_take_effect() {
    let mut group = Group::new(3, ABD);
    let unsent = group.put(0, "x", "a");
    group.under_way.clear();
    let sent = group.put(0, "y", "b");
    group.deliver(0, 1);
    group.deliver(1, 0);
    group.under_way.clear();
    for _ in 0..QuorumSettings::default().looks_max {
        group.fire(0, QuorumTimer::Retry);
    }
    let unavailable = Reply::Refused(Refusal::Unavailable);
    assert_eq!(group.reply(unsent), Some(&unavailable));
    assert_eq!(group.reply(sent), Some(&Reply::Indefinite));
    assert!(group.status(0).is_quiet());
}

#[test]
fn more_operations_than_may_be_under_way_are_refused() {
    let settings = QuorumSettings {
        pending_max: 1,
        ..QuorumSettings::default()
    };
    let mut group = Group::built(3, ABD, None, settings);
    group.get(0, "x");
    let second = group.get(0, "x");
    let overloaded = Reply::Refused(Refusal::Overloaded);
    assert_eq!(group.reply(second), Some(&overloaded));
    group.deliver_among(&[0, 1]);
    let third = group.get(0, "x");
    assert_eq!(group.reply(third), None, "there is room again");
    let settings = QuorumSettings {
        pending_bytes_max: 100,
        ..QuorumSettings::default()
    };
    let mut group = Group::built(3, ABD, None, settings);
    let large = group.put(0, "x", &"v".repeat(100));
    assert_eq!(group.reply(large), Some(&overloaded));
}

#[test]
fn a_compare_and_set_is_rejected() {
    let mut group = Group::new(3, ABD);
    let compare = Operation::Cas {
        expected: None,
        value: b"v",
    };
    let (id, _) = group.ask(0, "x", compare);
    let rejected = Reply::Refused(Refusal::Rejected);
    assert_eq!(group.reply(id), Some(&rejected));
}

#[test]
fn a_replica_comes_back_as_what_it_persisted() {
    let mut group = with_a_put();
    group.come_back_empty(2);
    group.deliver_among(&[0, 1, 2]);
    group.put(1, "y", "b");
    group.deliver_among(&[0, 1, 2]);
    for node in 0_u16..3 {
        let mut recovered = group.replicas[usize::from(node)].clone();
        recovered.recover();
        let mut restored = Replica::new(&group.specs[usize::from(node)]);
        for change in &group.kept[usize::from(node)] {
            restored.restore(&postcard::from_bytes(change).expect("it was serialised"));
        }
        assert_eq!(restored, recovered);
        let kept = restored.kept(b"y").expect("it was put");
        assert!(kept.ends_with(b"b"));
    }
}
