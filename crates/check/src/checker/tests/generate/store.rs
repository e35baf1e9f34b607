//! Small stores, and the histories that they leave behind.

use super::{Op, Random, Seen, Store};
use crate::history::{Version, dot, origin};

/// Keys that operations are spread over.
const KEYS: usize = 2;

/// A replica of any of the stores.
#[derive(Clone, Default)]
struct Replica {
    applied: Vec<u64>,
    clock: u64,
    values: Vec<(u64, Seen)>,
}

fn cover(vector: &[u64], dot: u64) -> bool {
    vector.iter().any(|e| e >> 40 == dot >> 40 && *e >= dot)
}

fn join(into: &mut Vec<u64>, from: &[u64]) {
    for dot in from {
        match into.iter_mut().find(|e| **e >> 40 == *dot >> 40) {
            Some(entry) => *entry = (*entry).max(*dot),
            None => into.push(*dot),
        }
    }
    into.sort_unstable();
}

impl Replica {
    fn merge(&mut self, store: Store, other: &Self) {
        for (key, seen) in &other.values {
            let place = self
                .values
                .iter()
                .position(|(k, s)| k == key && s.id == seen.id);
            match store {
                Store::Causal | Store::Context
                    if place.is_none() && !cover(&self.applied, seen.dot) =>
                {
                    self.values.push((*key, seen.clone()));
                }
                Store::Lww => {
                    let own = self.values.iter_mut().find(|(k, _)| k == key);
                    match own {
                        Some((_, own)) if own.version < seen.version => *own = seen.clone(),
                        Some(_) => {}
                        None => self.values.push((*key, seen.clone())),
                    }
                }
                Store::Causal | Store::Context | Store::Register => {}
            }
        }
        if matches!(store, Store::Causal | Store::Context) {
            // What the other covers without holding it has been superseded there.
            let gone = |(_, seen): &(u64, Seen)| {
                cover(&other.applied, seen.dot)
                    && !other.values.iter().any(|(_, s)| s.id == seen.id)
            };
            self.values.retain(|entry| !gone(entry));
        }
        join(&mut self.applied, &other.applied);
        self.clock = self.clock.max(other.clock);
    }

    /// `known` are the ids that the put supersedes, all that there are without.
    fn put(&mut self, node: u16, op: &mut Op, known: Option<&[u64]>) {
        self.clock += 1;
        let counter = 1 + self
            .applied
            .iter()
            .find(|e| *e >> 52 == u64::from(node))
            .map_or(0, |e| e & 0xffff);
        op.dot = dot(node, 0, counter);
        join(&mut self.applied, &[op.dot]);
        op.vector = self.applied.clone();
        op.version = Some(Version {
            time: self.clock,
            origin: origin(node, 0),
        });
        let superseded = |id: &u64| known.is_none_or(|known| known.contains(id));
        self.values
            .retain(|(key, seen)| *key != op.key || !superseded(&seen.id));
        self.values.push((
            op.key,
            Seen {
                id: op.id(),
                dot: op.dot,
                vector: op.vector.clone(),
                version: op.version,
            },
        ));
    }

    fn get(&self, op: &mut Op) {
        op.vector = self.applied.clone();
        let own = self.values.iter().filter(|(key, _)| *key == op.key);
        op.seen = own.map(|(_, seen)| seen.clone()).collect();
        op.seen.sort_by_key(|seen| seen.dot);
    }
}

/// What a correct store would have recorded: `count` operations of a few sessions on two keys.
pub(in crate::checker::tests) fn valid(random: &mut Random, store: Store, count: usize) -> Vec<Op> {
    run(random, store, count).0
}

/// The same, and then every replica is asked for every key, most of the time after they have
/// heard all of one another. Also says how many replicas there are.
pub(in crate::checker::tests) fn with_final_reads(
    random: &mut Random,
    store: Store,
    count: usize,
) -> (Vec<Op>, u16) {
    let (mut ops, mut replicas) = run(random, store, count);
    if !random.one_in(4) {
        for _ in 0..replicas.len() {
            for from in 0..replicas.len() {
                let other = replicas[from].clone();
                for replica in &mut replicas {
                    replica.merge(store, &other);
                }
            }
        }
    }
    let times = ops.iter().filter_map(|op| op.returned.max(Some(op.invoke)));
    let quiet = 1 + times.max().unwrap_or(0);
    let mut session = 1 + ops.iter().map(|op| op.session).max().unwrap_or(0);
    for (node, replica) in (0u16..).zip(&replicas) {
        for key in 0..KEYS as u64 {
            // Now and then a replica is not asked.
            if random.one_in(40) {
                continue;
            }
            let mut op = Op {
                key,
                invoke: quiet,
                returned: Some(quiet + 1),
                node,
                is_final: true,
                ..Op::new(session, 0)
            };
            session += 1;
            replica.get(&mut op);
            ops.push(op);
        }
    }
    (ops, replicas.len() as u16)
}

fn run(random: &mut Random, store: Store, count: usize) -> (Vec<Op>, Vec<Replica>) {
    let sessions = 2 + random.below(3);
    let nodes = if store == Store::Register {
        1
    } else {
        2 + random.below(2)
    };
    let mut ops = schedule(random, sessions, count);
    let mut replicas = vec![Replica::default(); nodes];
    let mut contexts: Vec<Vec<u64>> = vec![Vec::new(); sessions + count];
    // What the sessions' last gets of each key returned.
    let mut known: Vec<[Vec<u64>; KEYS]> = vec![Default::default(); sessions + count];
    let mut order: Vec<(u64, usize)> = Vec::new();
    for (i, op) in ops.iter().enumerate() {
        let span = op.returned.map_or(6, |returned| returned - op.invoke);
        order.push((op.invoke + random.below(span as usize + 1) as u64, i));
    }
    order.sort_unstable();
    let mut never = Vec::new();
    for (_, i) in order {
        gossip(random, store, &mut replicas);
        let op = &mut ops[i];
        if op.returned.is_none() && random.one_in(2) {
            never.push(i);
            continue;
        }
        let node = random.below(nodes);
        op.node = node as u16;
        let context = &mut contexts[op.session as usize];
        while !context
            .iter()
            .all(|dot| cover(&replicas[node].applied, *dot))
        {
            let other = replicas[random.below(nodes)].clone();
            replicas[node].merge(store, &other);
        }
        let known = &mut known[op.session as usize][op.key as usize];
        if op.is_put && store == Store::Context {
            if random.one_in(2) {
                // A client may send less than it had seen, and nothing at all.
                let said = known.iter().copied().filter(|_| !random.one_in(4));
                op.context = Some(said.collect());
            }
            let said = op.context.clone().unwrap_or_else(|| known.clone());
            replicas[node].put(node as u16, op, Some(&said));
        } else if op.is_put {
            replicas[node].put(node as u16, op, None);
        } else {
            replicas[node].get(op);
            *known = op.seen.iter().map(|seen| seen.id).collect();
        }
        if matches!(store, Store::Causal | Store::Context) {
            join(context, &op.vector);
        }
    }
    (ops, replicas)
}

fn gossip(random: &mut Random, store: Store, replicas: &mut [Replica]) {
    if random.one_in(2) {
        let from = replicas[random.below(replicas.len())].clone();
        let to = random.below(replicas.len());
        replicas[to].merge(store, &from);
    }
}

/// Operations up to which a session's next one may begin at the instant at which its last ended. In
/// longer histories the clock ticks between them, so that times alone tell every order.
const TIES_UP_TO: usize = 100;

/// Operations with times, one at a time in each session; the last of a session may be unknown.
fn schedule(random: &mut Random, sessions: usize, count: usize) -> Vec<Op> {
    let mut ends = vec![0u64; sessions];
    let mut indices = vec![0u32; sessions];
    // An unknown outcome ends a session; the worker goes on under the next number.
    let mut names: Vec<u32> = (0..sessions as u32).collect();
    let mut ops = Vec::new();
    let tick = u64::from(count > TIES_UP_TO);
    for _ in 0..count {
        let session = random.below(sessions);
        let invoke = ends[session] + tick + random.below(4) as u64;
        let returned = invoke + random.below(7) as u64;
        let is_put = random.one_in(2);
        let unknown = is_put && random.one_in(6);
        ends[session] = returned;
        ops.push(Op {
            is_put,
            key: random.below(KEYS) as u64,
            invoke,
            returned: (!unknown).then_some(returned),
            ..Op::new(names[session], indices[session])
        });
        indices[session] += 1;
        if unknown {
            names[session] = 1 + names.iter().max().copied().unwrap_or(0);
            indices[session] = 0;
        }
    }
    ops
}
