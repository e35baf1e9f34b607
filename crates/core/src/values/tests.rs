//! The laws of the lattices and the clocks.

use proptest::prelude::*;

use super::*;
use crate::protocol::{NodeId, Origin, Vector};

/// The most puts of a random execution, and the replicas that make them.
const PUTS_MAX: usize = 12;
const REPLICAS: usize = 3;

fn dot(node: u16, counter: u64) -> Dot {
    Dot::new(Origin::new(NodeId(node), 0), counter)
}

/// What replicas can hold for one key after a random execution: at each step a replica puts, or
/// takes over all that another one has.
fn causal_values(steps: &[(usize, Option<usize>)]) -> Vec<CausalString> {
    let mut seen = vec![VectorClock::new(); REPLICAS];
    let mut holds: Vec<Option<CausalString>> = vec![None; REPLICAS];
    let mut values = Vec::new();
    for (at, (replica, from)) in steps.iter().enumerate() {
        if let Some(from) = from {
            let (vector, value) = (seen[*from].to_vector(), holds[*from].clone());
            seen[*replica].merge(&vector);
            join(&mut holds[*replica], value);
        } else {
            let node = u16::try_from(*replica).expect("few replicas");
            let own = dot(node, seen[*replica].counter(dot(node, 1).origin()) + 1);
            seen[*replica].advance(own);
            let put = CausalString::new(own, seen[*replica].as_slice(), &format!("put {at}"));
            join(&mut holds[*replica], Some(put));
        }
        values.extend(holds[*replica].clone());
    }
    values
}

fn join(into: &mut Option<CausalString>, value: Option<CausalString>) {
    match (into, value) {
        (_, None) => {}
        (Some(into), Some(value)) => into.merge(value),
        (into, value) => *into = value,
    }
}

fn joined<V: Value>(a: &V, b: &V) -> V {
    let mut a = a.clone();
    a.merge(b.clone());
    a
}

#[track_caller]
fn assert_laws<V: Value>(a: &V, b: &V, c: &V) {
    assert_eq!(joined(a, a), *a, "idempotent");
    assert_eq!(joined(a, b), joined(b, a), "commutative");
    assert_eq!(
        joined(&joined(a, b), c),
        joined(a, &joined(b, c)),
        "associative"
    );
}

fn steps() -> impl Strategy<Value = Vec<(usize, Option<usize>)>> {
    let step = (0..REPLICAS, proptest::option::of(0..REPLICAS));
    proptest::collection::vec(step, 1..=PUTS_MAX)
}

proptest! {
    #[test]
    fn causal_merge_is_a_join_over_what_executions_produce(steps in steps()) {
        let values = causal_values(&steps);
        for a in &values {
            for b in &values {
                assert_laws(a, b, &values[values.len() / 2]);
            }
        }
    }

    #[test]
    fn lww_merge_is_a_join(puts in proptest::collection::vec((0..4_u16, 0..4_u64), 3)) {
        let [a, b, c] = [0, 1, 2].map(|i| {
            let (node, time) = puts[i];
            LwwWrapper::new(dot(node, time + 1), time, &format!("{node} at {time}"))
        });
        assert_laws(&a, &b, &c);
    }

    #[test]
    fn clock_merge_is_the_least_upper_bound(
        a in proptest::collection::vec(0..4_u64, REPLICAS),
        b in proptest::collection::vec(0..4_u64, REPLICAS),
    ) {
        let (a, b) = (clock(&a), clock(&b));
        let mut both = a.clone();
        both.merge(b.as_slice());
        prop_assert!(both >= a && both >= b);
        for origin in (0..3).map(|node| dot(node, 1).origin()) {
            prop_assert_eq!(both.counter(origin), a.counter(origin).max(b.counter(origin)));
        }
        let one_covers_the_other = a.covers_all(b.as_slice()) || b.covers_all(a.as_slice());
        prop_assert_eq!(a.concurrent(&b), !one_covers_the_other);
    }

    #[test]
    fn the_first_missing_dot_is_found_where_one_by_one_search_finds_it(
        a in proptest::collection::vec(0..4_u64, REPLICAS),
        b in proptest::collection::vec(0..4_u64, REPLICAS),
    ) {
        let (a, b) = (clock(&a), clock(&b));
        prop_assert_eq!(a.first_missing(b.iter()), b.iter().find(|dot| !a.covers(*dot)));
    }
}

/// The clock with these counters; an origin of counter 0 is absent.
fn clock(counters: &[u64]) -> VectorClock {
    let dots: Vector = (0..)
        .zip(counters)
        .map(|(node, counter)| dot(node, *counter))
        .collect();
    dots.as_slice().into()
}

#[test]
fn causal_merge_is_a_join_over_every_execution_of_four_steps() {
    let mut choices = Vec::new();
    for replica in 0..REPLICAS {
        choices.push((replica, None));
        choices.extend(
            (0..REPLICAS)
                .filter(|from| *from != replica)
                .map(|from| (replica, Some(from))),
        );
    }
    let mut executions = vec![Vec::new()];
    for _ in 0..4 {
        executions = executions
            .iter()
            .flat_map(|steps: &Vec<_>| {
                choices
                    .iter()
                    .map(move |choice| [steps.as_slice(), &[*choice]].concat())
            })
            .collect();
    }
    for steps in executions {
        let values = causal_values(&steps);
        for a in &values {
            for b in &values {
                for c in &values {
                    assert_laws(a, b, c);
                }
            }
        }
    }
}

#[test]
fn lww_merge_is_a_join_over_every_small_version() {
    let mut values = Vec::new();
    for node in 0..3 {
        for time in 0..3 {
            values.push(LwwWrapper::new(
                dot(node, time + 1),
                time,
                &format!("{node} at {time}"),
            ));
        }
    }
    for a in &values {
        for b in &values {
            for c in &values {
                assert_laws(a, b, c);
            }
        }
    }
}

#[test]
fn an_overwriting_merge_is_not_commutative() {
    let a = LwwWrapper::new(dot(0, 1), 1, &"a".to_owned());
    let b = LwwWrapper::new(dot(1, 1), 2, &"b".to_owned());
    let (mut ab, mut ba) = (a.clone(), b.clone());
    ab.overwrite(b);
    ba.overwrite(a);
    assert_ne!(ab, ba);
}

#[test]
fn concurrent_puts_are_kept_and_a_put_that_covers_them_replaces_them() {
    let mut value = CausalString::new(dot(0, 1), &[], &"a".to_owned());
    value.merge(CausalString::new(dot(1, 1), &[], &"b".to_owned()));
    let strings = |value: &CausalString| value.values().map(Option::unwrap).collect::<Vec<_>>();
    assert_eq!(strings(&value), ["a", "b"]);
    let covering = CausalString::new(dot(2, 1), &[dot(0, 1), dot(1, 1)], &"c".to_owned());
    value.merge(covering.clone());
    assert_eq!(strings(&value), ["c"]);
    value.merge(CausalString::new(dot(1, 1), &[], &"b".to_owned()));
    assert_eq!(value, covering, "what was covered does not come back");
}

#[test]
fn a_put_that_saw_one_sibling_leaves_the_other() {
    let mut value = CausalString::new(dot(0, 1), &[], &"a".to_owned());
    value.merge(CausalString::new(dot(1, 1), &[], &"b".to_owned()));
    value.merge(CausalString::new(dot(0, 2), &[dot(0, 2)], &"c".to_owned()));
    assert_eq!(
        value.values().collect::<Option<Vec<_>>>().expect("strings"),
        ["c", "b"]
    );
}

#[test]
fn bytes_that_are_not_of_the_readers_type_are_none() {
    let record = Record::new(b"k", dot(0, 1).origin(), &[], &[0xff]);
    let update = Update {
        dot: dot(0, 1),
        time: 0,
        record,
    };
    let value = CausalString::from_update(update.clone());
    assert_eq!(value.values().collect::<Vec<_>>(), [None]);
    assert_eq!(
        LwwWrapper::<Vec<u8>>::from_update(update).value(),
        Some(vec![0xff])
    );
}
