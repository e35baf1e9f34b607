//! The testers for models, fed with what small stores did, against the definitions.

use std::collections::BTreeMap;

use stateright::semantics::{ConsistencyTester, SequentialSpec};

use super::brute;
use super::contest::{histories, text};
use super::generate::{self, Op, Random, Store};
use crate::checker::protocol_testers::{
    CausalReturn, CausalSibling, CausalStore, CausalTester, LwwReturn, LwwStore, LwwTester, Reply,
    StoreOp, StoreTester,
};
use crate::history::{History, origin};

type Causal = CausalTester<u32, u64, u64>;
type Lww = LwwTester<u32, u64, u64>;

fn asked(op: &Op) -> StoreOp<u64, u64> {
    if op.is_put {
        StoreOp::Put(op.key, op.id())
    } else {
        StoreOp::Get(op.key)
    }
}

fn causal(op: &Op) -> CausalReturn<u64> {
    if op.is_put {
        return CausalReturn::Put {
            dot: op.dot,
            vector: op.vector.clone(),
        };
    }
    let siblings = op.seen.iter().map(|seen| CausalSibling {
        value: seen.id,
        dot: seen.dot,
        vector: seen.vector.clone(),
    });
    CausalReturn::Get {
        vector: op.vector.clone(),
        siblings: siblings.collect(),
    }
}

fn lww(op: &Op) -> LwwReturn<u64> {
    let place = origin(op.node, 0);
    match op.version {
        Some(version) if op.is_put => LwwReturn::Put(place, version),
        _ => LwwReturn::Get(
            place,
            op.seen
                .first()
                .and_then(|seen| Some((seen.id, seen.version?))),
        ),
    }
}

/// Replays operations in the order of their times; what a session does next comes after.
fn replay<R: Reply<u64, u64>>(
    ops: &[Op],
    reply: impl Fn(&Op) -> R,
) -> StoreTester<u32, u64, u64, R> {
    let mut events: Vec<(u64, bool, usize)> = Vec::new();
    for (i, op) in ops.iter().enumerate() {
        events.push((op.invoke, false, i));
        events.extend(op.returned.map(|returned| (returned, true, i)));
    }
    events.sort_unstable();
    let mut tester = StoreTester::new();
    let mut in_flight: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, is_return, i) in events {
        let session = ops[i].session;
        if let Some(open) = in_flight.get(&session).copied()
            && (!is_return || open == i)
        {
            let told = tester.on_return(session, reply(&ops[open]));
            told.map(|_| ()).unwrap();
            in_flight.remove(&session);
        }
        if !is_return {
            let told = tester.on_invoke(session, asked(&ops[i]));
            told.map(|_| ()).unwrap();
            if ops[i].returned.is_some() {
                in_flight.insert(session, i);
            }
        }
    }
    tester
}

fn random_ops(seed: u64, store: Store) -> Vec<Op> {
    let mut random = Random(seed);
    let count = 3 + random.below(6);
    let mut ops = generate::valid(&mut random, store, count);
    for _ in 0..random.below(5) {
        generate::mutate(&mut random, store, &mut ops);
    }
    // What a mutation moved keeps the order of its session.
    ops.sort_by_key(|op| (op.session, op.index));
    ops
}

/// A tester says of random histories what the definition does, and gives an order that an empty
/// store could have taken wherever there is one.
fn agrees<R: Reply<u64, u64>>(
    store: Store,
    empty: impl Fn() -> R::Store,
    reply: impl Fn(&Op) -> R,
    definition: impl Fn(&History) -> bool,
) {
    let (mut consistent, mut other) = (0, 0);
    for seed in 0..histories() {
        let tester = replay(&random_ops(seed, store), &reply);
        let history = tester.history();
        let expected = brute::integrity(&history) && definition(&history);
        let text = format!("{seed}:\n{}", text(&history));
        assert_eq!(tester.is_consistent(), expected, "{text}");
        let order = tester.serialized_history();
        assert_eq!(order.is_some(), expected, "{text}");
        let holds = order.is_none_or(|order| empty().is_valid_history(order));
        assert!(holds, "{text}");
        *if expected {
            &mut consistent
        } else {
            &mut other
        } += 1;
    }
    println!("{store:?} tester: {consistent} consistent, {other} not");
    assert!(consistent * 8 >= histories() && other * 8 >= histories());
}

#[test]
fn the_causal_tester_agrees_with_the_axioms_and_its_order_is_one_of_the_store() {
    agrees(
        Store::Causal,
        CausalStore::new,
        causal,
        brute::causal_witness,
    );
}

#[test]
fn the_lww_tester_agrees_with_the_machine_and_its_order_is_one_of_the_store() {
    agrees(Store::Lww, LwwStore::new, lww, brute::lww);
}

#[test]
fn a_tester_refuses_events_out_of_place() {
    let mut tester = Causal::new();
    assert!(tester.on_return(0, CausalReturn::Refused).is_err());
    assert!(!tester.is_consistent());
    let mut tester = Causal::new();
    tester.on_invoke(0, StoreOp::Get(1)).unwrap();
    assert!(tester.on_invoke(0, StoreOp::Get(1)).is_err());
    assert_eq!(tester.serialized_history(), None);
}

#[test]
fn what_real_time_does_not_order_is_one_state_of_a_model() {
    let (mut a, mut b) = (Causal::new(), Causal::new());
    a.on_invoke(0, StoreOp::Get(1)).unwrap();
    a.on_invoke(1, StoreOp::Put(1, 5)).unwrap();
    b.on_invoke(1, StoreOp::Put(1, 5)).unwrap();
    b.on_invoke(0, StoreOp::Get(1)).unwrap();
    assert_eq!(a, b);
}

#[test]
fn a_single_replica_answers_what_its_own_specification_accepts() {
    let mut store = CausalStore::new();
    let mut tester = Causal::new();
    for (value, key) in (0..6u64).zip([1, 2].into_iter().cycle()) {
        for op in [StoreOp::Put(key, value), StoreOp::Get(key)] {
            let ret = store.invoke(&op);
            tester.on_invret(7, op, ret).unwrap();
        }
    }
    assert!(tester.is_consistent());
    let mut store = LwwStore::new();
    let mut tester = Lww::new();
    for value in 0..6u64 {
        for op in [StoreOp::Put(1, value), StoreOp::Get(1)] {
            let ret = store.invoke(&op);
            tester.on_invret(7, op, ret).unwrap();
        }
    }
    assert!(tester.is_consistent());
}
