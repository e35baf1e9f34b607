//! State transfer, and what becomes of the lives that a node has had.

use super::*;
use crate::protocol::{End, GossipBody, GroupId, Operation, Origin, Record, Update};

#[test]
fn a_state_of_many_chunks_arrives_whole_while_both_sides_go_on() {
    const KEYS_BEFORE: u32 = 3_000;
    let nodes = [NodeId(0), NodeId(1)];
    let mut replicas = nodes.map(|node| {
        Replica::new(&ReplicaSpec {
            node,
            incarnation: 0,
            group: GroupId(0),
            peers: nodes.into_iter().filter(|peer| *peer != node).collect(),
            spares: Vec::new(),
            kind: ReplicaKind::Replicated(Lattice::Causal),
            shards: Vec::new(),
            settings: Settings {
                gossip: GossipSettings {
                    log_updates_max: 10,
                    ..GossipSettings::default()
                },
                ..Settings::default()
            },
            bug: None,
        })
    });
    let put = |replica: &mut Replica, key: u32| {
        let key = key.to_le_bytes();
        let operation = Operation::Put { value: &[7; 100] };
        let request = Request {
            key: &key,
            operation,
            context: &[],
            call: None,
        };
        let out = &mut Recorder::default();
        replica.handle_request(RequestId(0), &request, &Input::default(), out);
    };
    for key in 0..KEYS_BEFORE {
        put(&mut replicas[0], key);
    }
    let mut in_flight = Vec::new();
    let mut chunks = 0;
    for round in 0..6 {
        let mut out = Recorder::default();
        let input = Input {
            wall_ns: 0,
            peers: &[NodeId(0)],
            random: 0,
        };
        replicas[1].handle_timer(Timer::Gossip(GossipTimer::AntiEntropy), &input, &mut out);
        in_flight.extend(out.sends);
        while let Some((to, message)) = in_flight.pop() {
            if let GossipBody::StateChunk { updates, .. } = said(&message) {
                chunks += 1;
                let bytes: usize = updates.iter().map(|put| put.record.packed_len()).sum();
                assert!(bytes <= crate::protocol::PAYLOAD_BYTES_MAX);
                // New keys and old ones, at the sender and at the receiver, while it goes on.
                let keys = [chunks, KEYS_BEFORE + chunks];
                for key in keys.into_iter().filter(|_| round == 0) {
                    put(&mut replicas[0], key);
                    put(&mut replicas[1], key);
                }
            }
            let from = nodes[usize::from(to == NodeId(0))];
            let mut out = Recorder::default();
            let at = usize::from(to.0);
            replicas[at].handle_message(from, message, &Input::default(), &mut out);
            in_flight.extend(out.sends);
        }
        assert!(round > 0 || chunks > 4, "one chunk is no test");
    }
    let [one, other] = replicas.map(|replica| replica.status());
    assert_eq!((one.digest, one.applied()), (other.digest, other.applied()));
    assert!(one.keys > u64::from(KEYS_BEFORE));
}

fn key_of_n2(key: &[u8], counter: u64) -> Update {
    let origin = Origin::new(NodeId(2), 0);
    Update {
        dot: Dot::new(origin, counter),
        time: 0,
        record: Record::new(key, origin, &[], b"v"),
    }
}

/// Both lives of the sender have applied the same, and store it in another order: places in the
/// state of the one say nothing about that of the other.
#[test]
fn a_state_is_never_put_together_from_two_lives_of_its_sender() {
    let (x, y) = (key_of_n2(b"x", 1), key_of_n2(b"y", 2));
    let chunk = |from, next, update: &Update| GossipBody::StateChunk {
        vector: [y.dot].as_slice().into(),
        from,
        next,
        updates: vec![update.clone()],
    };
    let request = |incarnation, from| GossipBody::StateRequest {
        incarnation,
        vector: [y.dot].as_slice().into(),
        from,
    };
    let mut receiver = replica_of_two(1, 0);
    let asked = answers(&mut receiver, 0, 0, chunk(0, Some(1), &x));
    assert_eq!(asked, [request(0, 1)]);
    assert_eq!(answers(&mut receiver, 0, 1, chunk(1, None, &x)), []);
    assert_eq!(receiver.status().keys, 0, "y would be missing for ever");

    // The later life's state begins anew, and the earlier one's is not listened to any more.
    let asked = answers(&mut receiver, 0, 1, chunk(0, Some(1), &y));
    assert_eq!(asked, [request(1, 1)]);
    assert_eq!(answers(&mut receiver, 0, 0, chunk(0, Some(1), &x)), []);
    assert_eq!(answers(&mut receiver, 0, 0, chunk(1, None, &y)), []);
    assert_eq!(answers(&mut receiver, 0, 1, chunk(1, None, &x)), []);
    assert_eq!(receiver.status().keys, 2);
}

#[test]
fn a_request_for_the_state_of_an_earlier_life_is_not_answered() {
    let mut sender = replica_of_two(0, 1);
    let (x, y) = (key_of_n2(b"x", 1), key_of_n2(b"y", 2));
    let vector = Vector::from([y.dot].as_slice());
    let state = GossipBody::StateChunk {
        vector: vector.clone(),
        from: 0,
        next: None,
        updates: vec![x, y],
    };
    answers(&mut sender, 1, 0, state);
    let digest = GossipBody::Digest {
        vector: Vector::new(),
        ends: Vec::new(),
        ask: false,
    };
    let offered = answers(&mut sender, 1, 0, digest);
    assert!(matches!(
        offered.as_slice(),
        [GossipBody::StateChunk { from: 0, .. }]
    ));
    let request = |incarnation| GossipBody::StateRequest {
        incarnation,
        vector: vector.clone(),
        from: 1,
    };
    assert_eq!(answers(&mut sender, 1, 0, request(0)), []);
    let answered = answers(&mut sender, 1, 0, request(1));
    assert!(matches!(
        answered.as_slice(),
        [GossipBody::StateChunk { from: 1, .. }]
    ));
}

/// The former life's declaration comes back from a peer while another cannot be heard: that one
/// counts as dead after a while, as it does for a second life.
#[test]
fn a_third_life_declares_the_end_of_the_second_though_a_peer_is_never_heard() {
    let mut replica = Replica::new(&ReplicaSpec {
        node: NodeId(0),
        incarnation: 2,
        group: GroupId(0),
        peers: vec![NodeId(1), NodeId(2)],
        spares: Vec::new(),
        kind: ReplicaKind::Replicated(Lattice::Causal),
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    });
    let digest = GossipBody::Digest {
        vector: Vector::new(),
        ends: vec![End {
            node: NodeId(0),
            incarnation: 1,
            round: 7,
            last: Vector::new(),
        }],
        ask: false,
    };
    answers(&mut replica, 1, 0, digest);
    let lost = [Dot::new(Origin::new(NodeId(0), 1), 1)];
    let refused = |replica: &mut Replica| {
        let mut out = Recorder::default();
        let request = Request {
            key: b"k",
            operation: Operation::Get,
            context: &lost,
            call: None,
        };
        replica.handle_request(RequestId(0), &request, &Input::default(), &mut out);
        matches!(
            out.replies.as_slice(),
            [(_, Reply::Refused(Refusal::ContextLost))]
        )
    };
    let mut rounds = 0;
    while !refused(&mut replica.clone()) {
        rounds += 1;
        assert!(rounds < 100, "it waits for ever");
        let out = &mut Recorder::default();
        replica.handle_timer(
            Timer::Gossip(GossipTimer::AntiEntropy),
            &Input::default(),
            out,
        );
    }
    assert!(rounds > 1, "the unheard peer was not waited for");
}

fn replica_of_two(node: u16, incarnation: u16) -> Replica {
    Replica::new(&ReplicaSpec {
        node: NodeId(node),
        incarnation,
        group: GroupId(0),
        peers: vec![NodeId(1 - node)],
        spares: Vec::new(),
        kind: ReplicaKind::Replicated(Lattice::Causal),
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    })
}

/// The messages that a message has for an answer.
fn answers(
    replica: &mut Replica,
    from: u16,
    incarnation: u16,
    body: GossipBody,
) -> Vec<GossipBody> {
    let mut out = Recorder::default();
    let body = Body::Gossip(body);
    let message = Message { incarnation, body };
    replica.handle_message(NodeId(from), message, &Input::default(), &mut out);
    out.sends
        .into_iter()
        .map(|(_, message)| said(&message).clone())
        .collect()
}

#[test]
fn a_recovered_replica_has_what_it_applied_and_forgets_what_waited() {
    let mut replica = replica_of_two(0, 0);
    let ask = |replica: &mut Replica, id, operation, context: &[Dot]| {
        let mut out = Recorder::default();
        let request = Request {
            key: b"k",
            operation,
            context,
            call: None,
        };
        replica.handle_request(RequestId(id), &request, &Input::default(), &mut out);
        out
    };
    let value = 7_u64.to_le_bytes();
    ask(&mut replica, 0, Operation::Put { value: &value }, &[]);
    let unseen = [Dot::new(Origin::new(NodeId(1), 0), 1)];
    let waits = ask(&mut replica, 1, Operation::Get, &unseen);
    assert_eq!((waits.replies.len(), waits.timers.len()), (0, 1));
    let digest = replica.status().digest;
    let before = gossip(&replica);
    assert_eq!(before.deferred, 1);

    replica.recover();
    let after = gossip(&replica);
    assert_eq!(after.deferred, 0);
    assert_eq!(
        (after.applied, replica.status().digest, after.log_updates),
        (before.applied, digest, before.log_updates)
    );
    // Its next put does not get the dot of its last, and its deferral timer is set again.
    let again = ask(&mut replica, 2, Operation::Put { value: &value }, &[]);
    let [(_, Reply::Put(Some(dot), ..))] = again.replies.as_slice() else {
        panic!("a put is answered with its dot, not {:?}", again.replies);
    };
    assert_eq!(dot.counter(), 2);
    let waits = ask(&mut replica, 1, Operation::Get, &unseen);
    assert_eq!(waits.timers, [Timer::Gossip(GossipTimer::Deferral)]);
}
