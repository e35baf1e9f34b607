//! Random small histories: what correct stores would have recorded, and the same with one thing
//! changed.

use crate::history::{
    Header, History, Kind, Outcome, Promise, Row, Siblings, Version, Witness, dot, origin, value_id,
};

/// `SplitMix64`: the same numbers everywhere.
pub(in super::super) struct Random(pub(in super::super) u64);

impl Random {
    pub(in super::super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in super::super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// One sibling's evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: u64,
    pub(super) dot: u64,
    pub(super) vector: Vec<u64>,
    pub(super) version: Option<Version>,
}

/// An operation that owns what a row borrows, so that it can be changed.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) session: u32,
    pub(super) index: u32,
    pub(super) is_put: bool,
    pub(super) key: u64,
    pub(super) invoke: u64,
    pub(super) returned: Option<u64>,
    pub(super) node: u16,
    pub(super) seen: Vec<Seen>,
    pub(super) dot: u64,
    pub(super) vector: Vec<u64>,
    pub(super) version: Option<Version>,
}

impl Op {
    pub(super) fn id(&self) -> u64 {
        value_id(self.session, self.index)
    }
}

/// Which store is imitated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Register,
    Causal,
    Lww,
}

/// Makes a history of operations.
pub(super) fn history(store: Store, ops: &[Op]) -> History {
    let promise = match store {
        Store::Register => Promise::Linearizable,
        Store::Causal => Promise::Causal,
        Store::Lww => Promise::Lww,
    };
    let mut history = History::from_rows(
        Header {
            promise: Some(promise),
            ..Header::default()
        },
        [],
    );
    for op in ops {
        let read: Vec<u64> = op.seen.iter().map(|s| s.id).collect();
        let dots: Vec<u64> = op.seen.iter().map(|s| s.dot).collect();
        let mut vectors = Vec::new();
        let mut ends = Vec::new();
        for seen in &op.seen {
            vectors.extend(&seen.vector);
            ends.push(vectors.len() as u32);
        }
        let siblings = Siblings {
            dots: &dots,
            ends: &ends,
            vectors: &vectors,
            base: 0,
        };
        let known = op.returned.is_some();
        let witness = match (store, op.is_put) {
            (Store::Register, _) => Witness::None,
            (_, true) if !known => Witness::None,
            (Store::Causal, true) => Witness::Put {
                dot: op.dot,
                vector: &op.vector,
            },
            (Store::Causal, false) => Witness::Get {
                vector: &op.vector,
                siblings,
            },
            (Store::Lww, true) => Witness::Version(op.version),
            (Store::Lww, false) => Witness::Version(op.seen.first().and_then(|s| s.version)),
        };
        history.columns.push(&Row {
            session: op.session,
            index: op.index,
            kind: if op.is_put { Kind::Put } else { Kind::Get },
            key: op.key,
            written: if op.is_put { op.id() } else { 0 },
            read: &read,
            intended: op.invoke,
            invoke: op.invoke,
            returned: op.returned,
            outcome: if known { Outcome::Ok } else { Outcome::Info },
            node: op.node,
            witness,
            ..Row::EMPTY
        });
    }
    history.end = Some(crate::history::End {
        operations: ops.len() as u64,
        left_out: 0,
    });
    history
}

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
                Store::Causal if place.is_none() && !cover(&self.applied, seen.dot) => {
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
                Store::Causal | Store::Register => {}
            }
        }
        if store == Store::Causal {
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

    fn put(&mut self, store: Store, node: u16, op: &mut Op) {
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
        self.values.retain(|(key, _)| *key != op.key);
        self.values.push((
            op.key,
            Seen {
                id: op.id(),
                dot: op.dot,
                vector: op.vector.clone(),
                version: op.version,
            },
        ));
        let _ = store;
    }

    fn get(&self, op: &mut Op) {
        op.vector = self.applied.clone();
        let own = self.values.iter().filter(|(key, _)| *key == op.key);
        op.seen = own.map(|(_, seen)| seen.clone()).collect();
        op.seen.sort_by_key(|seen| seen.dot);
    }
}

/// What a correct store would have recorded: `count` operations of a few sessions on two keys.
pub(super) fn valid(random: &mut Random, store: Store, count: usize) -> Vec<Op> {
    let sessions = 2 + random.below(3);
    let nodes = if store == Store::Register {
        1
    } else {
        2 + random.below(2)
    };
    let mut ops = schedule(random, sessions, count);
    let mut replicas = vec![Replica::default(); nodes];
    let mut contexts: Vec<Vec<u64>> = vec![Vec::new(); sessions + count];
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
        if op.is_put {
            replicas[node].put(store, node as u16, op);
        } else {
            replicas[node].get(op);
        }
        if store == Store::Causal {
            join(context, &op.vector);
        }
    }
    ops
}

fn gossip(random: &mut Random, store: Store, replicas: &mut [Replica]) {
    if random.one_in(2) {
        let from = replicas[random.below(replicas.len())].clone();
        let to = random.below(replicas.len());
        replicas[to].merge(store, &from);
    }
}

/// Operations with times, one at a time in each session; the last of a session may be unknown.
fn schedule(random: &mut Random, sessions: usize, count: usize) -> Vec<Op> {
    let mut ends = vec![0u64; sessions];
    let mut indices = vec![0u32; sessions];
    // An unknown outcome ends a session; the worker goes on under the next number.
    let mut names: Vec<u32> = (0..sessions as u32).collect();
    let mut ops = Vec::new();
    for _ in 0..count {
        let session = random.below(sessions);
        let invoke = ends[session] + random.below(4) as u64;
        let returned = invoke + random.below(7) as u64;
        let is_put = random.one_in(2);
        let unknown = is_put && random.one_in(6);
        ends[session] = returned;
        ops.push(Op {
            session: names[session],
            index: indices[session],
            is_put,
            key: random.below(2) as u64,
            invoke,
            returned: (!unknown).then_some(returned),
            node: 0,
            seen: Vec::new(),
            dot: 0,
            vector: Vec::new(),
            version: None,
        });
        indices[session] += 1;
        if unknown {
            names[session] = 1 + names.iter().max().copied().unwrap_or(0);
            indices[session] = 0;
        }
    }
    ops
}

/// Changes one thing that clients can see: what a get returned, or when a session was active.
pub(super) fn mutate_visibly(random: &mut Random, store: Store, ops: &mut [Op]) {
    let kind = random.below(3);
    change(random, store, ops, if kind == 2 { 4 } else { kind });
}

/// Changes one thing.
pub(super) fn mutate(random: &mut Random, store: Store, ops: &mut [Op]) {
    let kind = random.below(6);
    change(random, store, ops, kind);
}

fn change(random: &mut Random, store: Store, ops: &mut [Op], kind: usize) {
    let i = random.below(ops.len());
    let donors: Vec<Seen> = ops
        .iter()
        .filter(|op| op.is_put && op.dot != 0 && op.key == ops[i].key)
        .map(|op| Seen {
            id: op.id(),
            dot: op.dot,
            vector: op.vector.clone(),
            version: op.version,
        })
        .collect();
    let op = &mut ops[i];
    match kind {
        0 if !op.is_put => {
            op.seen.pop();
        }
        1 if !op.is_put && !donors.is_empty() => {
            let donor = donors[random.below(donors.len())].clone();
            if store != Store::Causal || random.one_in(2) {
                op.seen.clear();
            }
            if !op.seen.iter().any(|seen| seen.id == donor.id) {
                op.seen.push(donor);
            }
        }
        2 => {
            if let Some(place) = op.vector.len().checked_sub(1).map(|n| random.below(n + 1)) {
                let up = random.one_in(2) || op.vector[place] & 0xffff == 0;
                op.vector[place] = if up {
                    op.vector[place] + 1
                } else {
                    op.vector[place] - 1
                };
            }
        }
        3 => {
            if let Some(version) = &mut op.version {
                version.time = (version.time + 1).saturating_sub(random.below(3) as u64);
            }
            if let Some(version) = op.seen.first_mut().and_then(|seen| seen.version.as_mut()) {
                version.time = (version.time + 1).saturating_sub(random.below(3) as u64);
            }
        }
        _ => shift(random, ops),
    }
}

/// Moves one session in time.
fn shift(random: &mut Random, ops: &mut [Op]) {
    let session = ops[random.below(ops.len())].session;
    let by = 1 + random.below(12) as u64;
    for op in ops.iter_mut().filter(|op| op.session == session) {
        op.invoke += by;
        op.returned = op.returned.map(|returned| returned + by);
    }
}
