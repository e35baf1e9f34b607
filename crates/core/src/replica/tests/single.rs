//! One replica alone: what it answers, what it costs, when it equals another.

use super::*;
use crate::bug::Bug;
use crate::protocol::{GroupId, Operation, Origin, Record, Update};

#[test]
fn replicas_that_saw_the_same_are_equal_whatever_order_keys_came_in() {
    let hash = |replica: &Replica| {
        use std::hash::BuildHasher;
        foldhash::fast::FixedState::default().hash_one(replica)
    };
    let spec = ReplicaSpec {
        node: NodeId(0),
        incarnation: 0,
        group: GroupId(0),
        peers: vec![NodeId(1), NodeId(2)],
        spares: Vec::new(),
        kind: ReplicaKind::Replicated(Lattice::Causal),
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    };
    let update = |node: u16, key: &[u8]| {
        let origin = Origin::new(NodeId(node), 0);
        Message {
            incarnation: 0,
            body: Body::Gossip(GossipBody::StateChunk {
                vector: [Dot::new(origin, 1)].as_slice().into(),
                from: 0,
                next: None,
                updates: vec![Update {
                    dot: Dot::new(origin, 1),
                    time: 0,
                    record: Record::new(key, origin, &[], b"v"),
                }],
            }),
        }
    };
    let after = |order: [u16; 2]| {
        let mut replica = Replica::new(&spec);
        for node in order {
            let message = update(node, &[b'k', b'0' + u8::try_from(node).expect("small")]);
            let out = &mut Recorder::default();
            replica.handle_message(NodeId(node), message, &Input::default(), out);
        }
        replica
    };
    let (one, other) = (after([1, 2]), after([2, 1]));
    assert_eq!(one, other);
    assert_eq!(hash(&one), hash(&other));
    assert_ne!(one, after([1, 1]));
    assert_ne!(hash(&one), hash(&after([1, 1])));
}

/// What a replica of this kind says to one request after another on one key, each with what it
/// kept.
fn said(kind: ReplicaKind, operations: &[Operation<'_>]) -> Vec<(Reply, usize)> {
    let mut replica = Replica::new(&ReplicaSpec {
        node: NodeId(0),
        incarnation: 0,
        group: GroupId(0),
        peers: Vec::new(),
        spares: Vec::new(),
        kind,
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    });
    let mut ask = |operation| {
        let mut out = Recorder::default();
        let request = Request {
            key: b"k",
            operation,
            context: &[],
            call: None,
        };
        replica.handle_request(RequestId(0), &request, &Input::default(), &mut out);
        let (_, reply) = out.replies.remove(0);
        (reply, out.kept_before_reply[0])
    };
    operations.iter().map(|operation| ask(*operation)).collect()
}

#[test]
fn a_local_store_compares_and_sets_and_tells_what_it_found_instead() {
    let [one, two, three] = [1_u64, 2, 3].map(u64::to_le_bytes);
    let cas = |expected, value| Operation::Cas { expected, value };
    let said = said(
        ReplicaKind::Local,
        &[
            cas(Some(&one[..]), &two[..]),
            cas(None, &one),
            cas(None, &two),
            cas(Some(&two), &three),
            cas(Some(&one), &three),
            Operation::Get,
        ],
    );
    let found = |(reply, kept): &(Reply, usize)| match reply {
        Reply::Mismatch(values) => (Some(values.clone()), *kept),
        Reply::Put(..) => (None, *kept),
        Reply::Get(..) | Reply::Refused(_) => panic!("not an answer to a cas: {reply:?}"),
    };
    let (get, cas) = said.split_last().expect("there are answers");
    let cas: Vec<_> = cas.iter().map(found).collect();
    let (taken, mismatch) = ((None, 1), |values: &[u64]| (Some(values.to_vec()), 0));
    let expected = [
        mismatch(&[]),
        taken.clone(),
        mismatch(&[1]),
        mismatch(&[1]),
        taken,
    ];
    assert_eq!(
        cas, expected,
        "what was taken is kept before it is answered"
    );
    assert!(matches!(&get.0, Reply::Get(_, values) if values[0].0 == 3));
}

#[test]
fn replicas_that_gossip_refuse_to_compare_and_set() {
    for lattice in [Lattice::Causal, Lattice::Lww] {
        let cas = Operation::Cas {
            expected: None,
            value: &[7; 8],
        };
        let said = said(ReplicaKind::Replicated(lattice), &[cas, Operation::Get]);
        let (refused, kept) = &said[0];
        assert!(matches!(refused, Reply::Refused(Refusal::Rejected)) && *kept == 0);
        assert!(matches!(&said[1].0, Reply::Get(_, values) if values.is_empty()));
    }
}

#[test]
fn a_local_store_answers_with_the_last_put_and_the_planted_bug_with_the_one_before() {
    let stale = |bug| {
        let spec = ReplicaSpec {
            node: NodeId(0),
            incarnation: 0,
            group: GroupId(0),
            peers: Vec::new(),
            spares: Vec::new(),
            kind: ReplicaKind::Local,
            shards: Vec::new(),
            settings: Settings::default(),
            bug,
        };
        let mut replica = Replica::new(&spec);
        let mut stale = 0;
        for value in 1..=200_u64 {
            let bytes = value.to_le_bytes();
            for operation in [Operation::Put { value: &bytes }, Operation::Get] {
                let mut out = Recorder::default();
                let request = Request {
                    key: b"k",
                    operation,
                    context: &[],
                    call: None,
                };
                replica.handle_request(RequestId(0), &request, &Input::default(), &mut out);
                if let Reply::Get(_, siblings) = &out.replies[0].1 {
                    stale += usize::from(siblings[0].0 != value);
                }
            }
        }
        stale
    };
    assert_eq!(stale(None), 0);
    assert!(stale(Some(Bug::StaleReads)) > 5);
}

#[test]
fn a_node_refuses_keys_of_other_shards() {
    let gossips = ReplicaKind::Replicated(Lattice::Causal);
    for kind in [ReplicaKind::Local, gossips, ReplicaKind::Echo] {
        for bug in [None, Some(Bug::ForeignKeys)] {
            let spec = ReplicaSpec {
                node: NodeId(0),
                incarnation: 0,
                group: GroupId(0),
                peers: Vec::new(),
                spares: Vec::new(),
                kind,
                shards: vec![ShardStep { index: 1, count: 3 }],
                settings: Settings::default(),
                bug,
            };
            let mut replica = Replica::new(&spec);
            for key in 0..100_u8 {
                let mut out = Recorder::default();
                let request = Request {
                    key: &[key],
                    operation: Operation::Get,
                    context: &[],
                    call: None,
                };
                replica.handle_request(RequestId(0), &request, &Input::default(), &mut out);
                let refused = matches!(out.replies[0].1, Reply::Refused(Refusal::WrongShard));
                assert_eq!(refused, bug.is_none() && shard_of(&[key], 0, 3) != 1);
            }
        }
    }
}

#[test]
fn a_causal_key_costs_at_most_150_bytes_beyond_key_and_value_at_the_worst_load() {
    let spec = ReplicaSpec {
        node: NodeId(0),
        incarnation: 0,
        group: GroupId(0),
        peers: Vec::new(),
        spares: Vec::new(),
        kind: ReplicaKind::Replicated(Lattice::Causal),
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    };
    let mut replica = Gossip::<CausalWrapper<Vec<u8>>>::new(&spec);
    for node in 1..=2 {
        replica.see_for_tests(Dot::new(Origin::new(NodeId(node), 0), 9));
    }
    // Just after the table has doubled, and at a million.
    for keys in [114_689_u64, 1_000_000] {
        let first = replica.status().keys;
        for key in first..keys {
            let name = format!("user{key:012}").into_bytes();
            let operation = Operation::Put { value: &[0; 100] };
            let request = Request {
                key: &name,
                operation,
                context: &[],
                call: None,
            };
            let out = &mut Recorder::default();
            replica.handle_request(RequestId(key), &request, &Input::default(), out);
        }
        let cost = replica.status().overhead_bytes_per_key();
        assert!((80.0..150.0).contains(&cost), "{cost} bytes at {keys} keys");
    }
}
