//! Spares, and what they hold for others.

use super::*;

/// Three replicas and two spares, 3 and 4.
fn sloppy() -> Group {
    built(None, QuorumSettings::default())
}

fn built(bug: Option<Bug>, settings: QuorumSettings) -> Group {
    let rule = QuorumRule {
        write_back: false,
        sloppy: true,
        ..ABD
    };
    Group::with_spares(3, 2, rule, bug, settings)
}

/// Replica 0 has a put that spare 3 holds for replica 1, and spare 4 for replica 2, which have heard
/// of nothing.
fn with_a_hint(mut group: Group) -> Group {
    let put = group.put(0, "x", "new");
    group.lose(1);
    group.lose(2);
    group.fire(0, QuorumTimer::Retry);
    group.deliver_among(&[0, 3, 4]);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
    group.under_way.clear();
    group
}

fn look_twice(group: &mut Group, node: u16) {
    group.fire(node, QuorumTimer::Retry);
    group.fire(node, QuorumTimer::Retry);
}

fn get_without_replica_0(group: &mut Group) -> RequestId {
    let get = group.get(1, "x");
    look_twice(group, 1);
    group.lose(0);
    group.deliver_among(&[1, 2]);
    get
}

fn hints(group: &Group, node: u16) -> u64 {
    match group.status(node).kind {
        KindStatus::Quorum(status) => status.hints,
        other @ (KindStatus::Local | KindStatus::Gossip(_) | KindStatus::Raft(_)) => {
            panic!("{other:?}")
        }
    }
}

#[test]
fn a_put_asks_nobody_first_and_a_spare_only_when_a_replica_does_not_answer() {
    let mut group = sloppy();
    let put = group.put(0, "x", "new");
    let receivers: Vec<u16> = group.under_way.iter().map(|(_, to, _)| *to).collect();
    assert_eq!(receivers, [1, 2]);
    group.deliver_among(&[0, 1]);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
    assert_eq!(hints(&group, 3) + hints(&group, 4), 0);
}

#[test]
fn with_a_spare_a_put_has_as_many_copies_as_it_needs_though_gets_miss_it() {
    let mut group = with_a_hint(sloppy());
    assert_eq!(hints(&group, 3) + hints(&group, 4), 2, "one for each");
    let get = get_without_replica_0(&mut group);
    assert_eq!(group.reply(get), Some(&Reply::Get(None)));
}

#[test]
fn whoever_has_not_answered_lately_is_stood_in_for_at_once() {
    let mut group = with_a_hint(sloppy());
    let put = group.put(0, "y", "newer");
    group.deliver_among(&[0, 3, 4]);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
}

#[test]
fn a_hint_is_handed_over_and_then_let_go() {
    let mut group = with_a_hint(sloppy());
    for spare in [3, 4] {
        assert!(!group.status(spare).is_quiet());
        group.fire(spare, QuorumTimer::HandOver);
        group.deliver_among(&[1, 2, 3, 4]);
        assert!(group.status(spare).is_quiet());
    }
    let get = get_without_replica_0(&mut group);
    group.assert_found(get, "new");
}

#[test]
fn a_hint_stays_until_its_home_says_that_it_has_it() {
    let mut group = with_a_hint(sloppy());
    for _ in 0..5 {
        group.fire(3, QuorumTimer::HandOver);
        group.under_way.clear();
    }
    assert_eq!(hints(&group, 3), 1);
    let mut group = with_a_hint(built(Some(Bug::HintExpires), QuorumSettings::default()));
    group.fire(3, QuorumTimer::HandOver);
    assert_eq!(hints(&group, 3), 0, "the bug");
}

#[test]
fn an_answer_for_an_earlier_put_lets_no_later_one_go() {
    let mut group = with_a_hint(sloppy());
    group.fire(3, QuorumTimer::HandOver);
    group.deliver(3, 1);
    // A later put of the same key comes before the answer does.
    group.put(0, "x", "newer");
    look_twice(&mut group, 0);
    group.deliver_among(&[0, 3]);
    group.deliver(1, 3);
    assert_eq!(hints(&group, 3), 2, "the later one, for either");
    group.under_way.clear();
    for _ in 0..2 {
        group.fire(3, QuorumTimer::HandOver);
        group.deliver_among(&[1, 2, 3]);
    }
    assert_eq!(hints(&group, 3), 0);
}

#[test]
fn a_spare_that_comes_back_with_its_disk_holds_what_it_held_and_no_more() {
    let mut group = with_a_hint(sloppy());
    group.come_back(3);
    assert_eq!(hints(&group, 3), 1);
    group.fire(3, QuorumTimer::HandOver);
    group.deliver_among(&[1, 3]);
    group.come_back(3);
    assert_eq!(hints(&group, 3), 0);
}

#[test]
fn a_spare_hands_over_much_in_chunks_without_waiting_for_its_timer() {
    const KEYS: u64 = 100;
    let mut group = sloppy();
    for key in 0..KEYS {
        group.put(0, &format!("key{key}"), &"v".repeat(4_000));
        group.lose(1);
        group.lose(2);
        look_twice(&mut group, 0);
        group.deliver_among(&[0, 3, 4]);
    }
    assert!(hints(&group, 3) >= KEYS);
    group.under_way.clear();
    group.fire(3, QuorumTimer::HandOver);
    let mut chunks = 0;
    while let Some((from, to, _)) = group.under_way.first() {
        chunks += usize::from(*from == 3);
        let (from, to) = (*from, *to);
        group.deliver(from, to);
    }
    assert!(chunks > 1, "one message does not hold it all");
    group.fire(3, QuorumTimer::HandOver);
    group.deliver_among(&[1, 2, 3]);
    assert_eq!(hints(&group, 3), 0, "the other home has its own as well");
}

#[test]
fn a_spare_without_room_does_not_answer() {
    let settings = QuorumSettings {
        hints_max: 1,
        ..QuorumSettings::default()
    };
    let mut group = with_a_hint(built(None, settings));
    let other = group.put(0, "y", "new");
    let again = group.put(0, "x", "newer");
    look_twice(&mut group, 0);
    group.deliver_among(&[0, 3, 4]);
    assert_eq!(group.reply(other), None);
    assert!(
        matches!(group.reply(again), Some(Reply::Put(_))),
        "they hold its key already"
    );
    assert_eq!([hints(&group, 3), hints(&group, 4)], [1, 1]);
}

#[test]
fn a_spare_answers_no_client_and_no_read_of_another() {
    let mut group = sloppy();
    let get = group.get(3, "x");
    assert_eq!(group.reply(get), Some(&Reply::Refused(Refusal::Rejected)));
    group.get(0, "x");
    assert!(group.under_way.iter().all(|(_, to, _)| *to < 3));
}

#[test]
fn a_replica_and_the_spare_that_stands_in_for_it_are_one_copy() {
    let all = QuorumRule {
        read: 1,
        write: 3,
        write_back: false,
        sloppy: true,
    };
    let mut group = Group::with_spares(3, 2, all, None, QuorumSettings::default());
    let put = group.put(0, "x", "new");
    group.lose(2);
    group.fire(0, QuorumTimer::Retry);
    // The stand-in of replica 1 answers, and then replica 1 itself.
    group.deliver_among(&[0, 3]);
    group.deliver_among(&[0, 1]);
    assert_eq!(group.reply(put), None, "two replicas have it");
    group.deliver_among(&[0, 4]);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
}
