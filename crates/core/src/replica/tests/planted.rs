//! What each planted bug changes, and that a correct replica does not do it.

use super::schedules::{Restarts, failures};
use super::*;
use crate::bug::Bug;
use crate::protocol::{GossipBody, GroupId, Operation, Origin, Record, Update};

const WALL_NS: u64 = 1 << 40;

#[test]
fn every_planted_bug_of_replicas_is_noticed() {
    use Lattice::{Causal, Lww};
    use Restarts::{Empty, Never};
    let cases = [
        (Bug::OverwritingMerge, Lww, Never, "wrong final values"),
        (
            Bug::DeliveryBeforeDependencies,
            Causal,
            Never,
            "shown before its dependencies",
        ),
        (Bug::ForgottenContext, Causal, Never, "session went back"),
        (Bug::MissingSibling, Causal, Never, "wrong final values"),
        (
            Bug::LostUpdateOnTransfer,
            Causal,
            Never,
            "wrong final values",
        ),
        (Bug::ReusedDots, Causal, Never, "dot used twice"),
        (Bug::UnloggedPut, Lww, Never, "wrong final values"),
        (Bug::RestartReusesDots, Causal, Empty, "dot used twice"),
        (Bug::StaleAfterPause, Causal, Never, "session went back"),
        (Bug::ResurrectedSibling, Causal, Never, "wrong final values"),
        (Bug::ArrivalOrder, Lww, Never, "wrong final values"),
        (Bug::NoRepair, Causal, Never, "replicas differ"),
    ];
    for (bug, lattice, restarts, sign) in cases {
        let noticed = (0..300)
            .filter(|seed| failures(*seed, lattice, Some(bug), restarts).contains(&sign))
            .count();
        assert!(noticed > 0, "{bug} is never noticed as `{sign}`");
    }
}

/// What happens with this bug and without it.
#[track_caller]
fn assert_differs<T: PartialEq + std::fmt::Debug>(
    bug: Bug,
    happens: impl Fn(Option<Bug>) -> T,
    right: &T,
    wrong: &T,
) {
    assert_eq!(&happens(None), right, "without a bug");
    assert_eq!(&happens(Some(bug)), wrong, "with {bug}");
}

fn replica(lattice: Lattice, incarnation: u16, bug: Option<Bug>) -> Replica {
    Replica::new(&ReplicaSpec {
        node: NodeId(0),
        incarnation,
        group: GroupId(0),
        peers: vec![NodeId(1)],
        spares: Vec::new(),
        kind: ReplicaKind::Replicated(lattice),
        shards: Vec::new(),
        settings: Settings::default(),
        bug,
    })
}

const INPUT: Input<'static> = Input {
    wall_ns: WALL_NS,
    peers: &[NodeId(1)],
    random: 0,
};

fn ask(replica: &mut Replica, id: u64, operation: Operation<'_>, context: &[Dot]) -> Recorder {
    let mut out = Recorder::default();
    let request = Request {
        key: b"a",
        operation,
        context,
        call: None,
    };
    replica.handle_request(RequestId(id), &request, &INPUT, &mut out);
    out
}

fn put(replica: &mut Replica, value: u64) -> Reply {
    let value = value.to_le_bytes();
    let mut out = ask(replica, 0, Operation::Put { value: &value }, &[]);
    out.replies.remove(0).1
}

/// The values that a get is answered with.
fn values(replica: &mut Replica) -> Vec<u64> {
    let out = ask(replica, 0, Operation::Get, &[]);
    let Reply::Get(_, siblings) = &out.replies[0].1 else {
        panic!("a get without context is answered");
    };
    siblings.iter().map(|(value, ..)| *value).collect()
}

fn receive(replica: &mut Replica, body: GossipBody) -> Recorder {
    let mut out = Recorder::default();
    let message = Message {
        incarnation: 0,
        body: Body::Gossip(body),
    };
    replica.handle_message(NodeId(1), message, &INPUT, &mut out);
    out
}

/// A put of node 1, as its message brings it.
fn update(counter: u64, time: u64, covered: &[Dot], value: u64) -> Update {
    let origin = Origin::new(NodeId(1), 0);
    Update {
        dot: Dot::new(origin, counter),
        time,
        record: Record::new(b"a", origin, covered, &value.to_le_bytes()),
    }
}

fn updates(updates: Vec<Update>) -> GossipBody {
    GossipBody::Updates {
        vector: Vector::new(),
        fresh: true,
        updates,
    }
}

fn empty_digest() -> GossipBody {
    GossipBody::Digest {
        vector: Vector::new(),
        ends: Vec::new(),
        ask: false,
    }
}

/// The counters of the updates that answer a peer which has nothing.
fn sent_to_an_empty_peer(replica: &mut Replica) -> Vec<u64> {
    let answers = receive(replica, empty_digest()).sends.into_iter();
    let updates = answers.flat_map(|(_, message)| match said(&message).clone() {
        GossipBody::Updates { updates, .. } => updates,
        body @ (GossipBody::Digest { .. }
        | GossipBody::StateRequest { .. }
        | GossipBody::StateChunk { .. }) => {
            panic!("the log has all of it, and not {body:?}")
        }
    });
    updates.map(|update| update.dot.counter()).collect()
}

#[test]
fn an_unlogged_put_is_acknowledged_and_sent_to_nobody() {
    let happens = |bug| {
        let mut replica = replica(Lattice::Lww, 0, bug);
        for value in 1..=2 {
            assert!(matches!(put(&mut replica, value), Reply::Put(..)));
        }
        assert_eq!(values(&mut replica), [2], "it was applied");
        sent_to_an_empty_peer(&mut replica)
    };
    assert_differs(Bug::UnloggedPut, happens, &vec![1, 2], &vec![1]);
}

#[test]
fn a_replica_that_reuses_dots_after_a_restart_forgets_which_life_it_is() {
    let happens = |bug| match put(&mut replica(Lattice::Causal, 3, bug), 1) {
        Reply::Put(Some(dot), ..) => dot.origin().incarnation(),
        reply @ (Reply::Put(..) | Reply::Get(..) | Reply::Refused(_) | Reply::Mismatch(_)) => {
            panic!("a put is answered with its dot, not {reply:?}")
        }
    };
    assert_differs(Bug::RestartReusesDots, happens, &3, &0);
}

#[test]
fn a_request_that_has_waited_too_long_is_served_only_with_the_planted_bug() {
    let unseen = [Dot::new(Origin::new(NodeId(1), 0), 1)];
    let happens = |bug| {
        let mut replica = replica(Lattice::Causal, 0, bug);
        assert!(
            ask(&mut replica, 1, Operation::Get, &unseen)
                .replies
                .is_empty()
        );
        let mut out = Recorder::default();
        replica.handle_timer(Timer::Gossip(GossipTimer::Deferral), &INPUT, &mut out);
        assert!(out.replies.is_empty(), "it may wait for two ticks");
        replica.handle_timer(Timer::Gossip(GossipTimer::Deferral), &INPUT, &mut out);
        assert_eq!(gossip(&replica).deferred, 0);
        matches!(out.replies.as_slice(), [(RequestId(1), Reply::Get(..))])
    };
    assert_differs(Bug::StaleAfterPause, happens, &false, &true);
}

#[test]
fn an_update_that_arrives_again_comes_back_only_with_the_planted_bug() {
    let happens = |bug| {
        let mut replica = replica(Lattice::Causal, 0, bug);
        let first = update(1, 0, &[], 1);
        receive(&mut replica, updates(vec![first.clone()]));
        put(&mut replica, 2);
        assert_eq!(values(&mut replica), [2], "the put covers the first");
        receive(&mut replica, updates(vec![first]));
        values(&mut replica)
    };
    assert_differs(Bug::ResurrectedSibling, happens, &vec![2], &vec![2, 1]);
}

#[test]
fn a_superseded_sibling_in_a_state_comes_back_only_with_the_planted_bug() {
    let happens = |bug| {
        let mut replica = replica(Lattice::Causal, 0, bug);
        let first = update(1, 0, &[], 1);
        receive(&mut replica, updates(vec![first.clone()]));
        put(&mut replica, 2);
        let state = GossipBody::StateChunk {
            vector: [update(2, 0, &[], 0).dot].as_slice().into(),
            from: 0,
            next: None,
            updates: vec![first],
        };
        receive(&mut replica, state);
        values(&mut replica)
    };
    assert_differs(Bug::ResurrectedSibling, happens, &vec![2], &vec![2, 1]);
}

#[test]
fn the_last_to_arrive_wins_only_with_the_planted_bug() {
    let happens = |bug| {
        let mut replica = replica(Lattice::Lww, 0, bug);
        put(&mut replica, 1);
        receive(&mut replica, updates(vec![update(1, 5, &[], 2)]));
        values(&mut replica)
    };
    assert_differs(Bug::ArrivalOrder, happens, &vec![1], &vec![2]);
}

#[test]
fn a_put_after_one_of_a_faster_clock_loses_only_with_the_planted_bug() {
    let happens = |bug| {
        let mut replica = replica(Lattice::Lww, 0, bug);
        receive(&mut replica, updates(vec![update(1, 2 * WALL_NS, &[], 1)]));
        put(&mut replica, 2);
        values(&mut replica)
    };
    assert_differs(Bug::ClockNotCarried, happens, &vec![2], &vec![1]);
}

#[test]
fn a_digest_is_answered_with_nothing_only_with_the_planted_bug() {
    let happens = |bug| {
        let mut replica = replica(Lattice::Causal, 0, bug);
        put(&mut replica, 1);
        sent_to_an_empty_peer(&mut replica)
    };
    assert_differs(Bug::NoRepair, happens, &vec![1], &vec![]);
}
