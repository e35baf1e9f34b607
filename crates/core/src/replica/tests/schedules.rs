//! Groups of replicas under random schedules: loss, repetition, reordering, restarts with and
//! without what was persisted, tiny bounds.
//! The expected store is computed from the replies alone.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::kept::Disk;
use super::*;
use crate::bug::Bug;
use crate::protocol::{GroupId, Operation};
use crate::values::VectorClock;

const STEPS: usize = 400;
const SESSIONS: usize = 4;
const KEYS: usize = 3;
/// Rounds of anti-entropy after which the replicas must be equal.
const ROUNDS_MAX: usize = 100;

/// A put as its reply described it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Put {
    key: usize,
    dot: Option<Dot>,
    vector: Vector,
    version: Option<Version>,
}

struct Session {
    context: VectorClock,
    waits: bool,
}

/// What becomes of replicas while a schedule runs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Restarts {
    Never,
    /// They come back under the next incarnation, with nothing.
    Empty,
    /// They come back with what they had persisted.
    Kept,
    /// The one or the other.
    Either,
}

/// A request that was not answered yet.
struct Open {
    session: usize,
    node: usize,
    key: usize,
    /// None for a get.
    value: Option<u64>,
}

struct Group {
    random: Pcg64Mcg,
    specs: Vec<ReplicaSpec>,
    replicas: Vec<Replica>,
    disks: Vec<Disk>,
    timers: BTreeSet<(usize, Timer)>,
    in_flight: Vec<(NodeId, NodeId, Message)>,
    sessions: Vec<Session>,
    open: BTreeMap<RequestId, Open>,
    /// The acknowledged puts by the value that they wrote.
    puts: BTreeMap<u64, Put>,
    operations: u64,
    failures: Vec<&'static str>,
}

impl Group {
    fn new(seed: u64, lattice: Lattice, bug: Option<Bug>) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let nodes: Vec<NodeId> = (0..random.random_range(2..=4)).map(NodeId).collect();
        let settings = Settings {
            gossip: GossipSettings {
                fanout: random.random_range(1..=3),
                deferred_max: random.random_range(1..=4),
                held_back_max: random.random_range(1..=20),
                held_back_bytes_max: random.random_range(100..=2_000),
                log_updates_max: random.random_range(1..=100),
                ..GossipSettings::default()
            },
            ..Settings::default()
        };
        let spec = |node: &NodeId| ReplicaSpec {
            node: *node,
            incarnation: 0,
            group: GroupId(0),
            peers: nodes.iter().copied().filter(|peer| peer != node).collect(),
            spares: Vec::new(),
            kind: ReplicaKind::Replicated(lattice),
            shards: Vec::new(),
            settings,
            bug,
        };
        let specs: Vec<ReplicaSpec> = nodes.iter().map(spec).collect();
        let mut group = Self {
            random,
            replicas: specs.iter().map(Replica::new).collect(),
            disks: specs.iter().map(Disk::new).collect(),
            specs,
            timers: BTreeSet::new(),
            in_flight: Vec::new(),
            sessions: (0..SESSIONS).map(|_| Session::new()).collect(),
            open: BTreeMap::new(),
            puts: BTreeMap::new(),
            operations: 0,
            failures: Vec::new(),
        };
        for node in 0..nodes.len() {
            group.drive(node, &[], |replica, _, out| replica.start(out));
        }
        group
    }

    fn drive(
        &mut self,
        node: usize,
        peers: &[NodeId],
        input: impl FnOnce(&mut Replica, &Input<'_>, &mut Recorder),
    ) {
        let mut out = Recorder::default();
        // Clocks that are apart, and do not always move.
        let wall_ns = ((self.operations / 4) << 16) + ((node as u64) << 20);
        input(
            &mut self.replicas[node],
            &Input {
                wall_ns,
                peers,
                random: 0,
            },
            &mut out,
        );
        if !self.disks[node].covers_what_leaves(&out) {
            self.failures.push("left before it was persisted");
        }
        for timer in out.timers {
            assert!(self.timers.insert((node, timer)), "a timer was set twice");
        }
        let from = self.specs[node].node;
        for (to, message) in out.sends {
            self.in_flight.push((from, to, message));
        }
        for (id, reply) in out.replies {
            self.replied(id, reply);
        }
    }

    fn replied(&mut self, id: RequestId, reply: Reply) {
        let open = self.open.remove(&id).expect("answered exactly once");
        let Open {
            session,
            key,
            value,
            ..
        } = open;
        self.sessions[session].waits = false;
        match reply {
            Reply::Put(dot, vector, version) => {
                self.see(session, &vector);
                let put = Put {
                    key,
                    dot,
                    vector,
                    version,
                };
                if let Some(dot) = dot
                    && self.puts.values().any(|other| other.dot == Some(dot))
                {
                    self.failures.push("dot used twice");
                }
                self.puts.insert(value.expect("it was a put"), put);
            }
            Reply::Get(vector, siblings) => {
                self.see(session, &vector);
                let seen = VectorClock::from(vector.as_slice());
                for (value, dot, vector) in siblings {
                    if dot.is_some_and(|dot| !seen.covers(dot)) || !seen.covers_all(&vector) {
                        self.failures.push("shown before its dependencies");
                    }
                    if self.puts.get(&value).is_some_and(|put| put.key != key) {
                        self.failures.push("under another key");
                    }
                }
            }
            Reply::Refused(Refusal::ContextLost) => self.sessions[session] = Session::new(),
            Reply::Refused(Refusal::Unavailable | Refusal::Overloaded) => {}
            Reply::Refused(
                Refusal::WrongShard
                | Refusal::NotPrimary
                | Refusal::NotReady
                | Refusal::TooFewReplicas
                | Refusal::Rejected,
            ) => panic!("there are no shards, and no primary"),
            Reply::Mismatch(_) => panic!("nothing is compared"),
        }
    }

    fn see(&mut self, session: usize, vector: &[Dot]) {
        let context = &mut self.sessions[session].context;
        let causal = matches!(self.replicas[0], Replica::Causal(_));
        if causal && !VectorClock::from(vector).covers_all(context.as_slice()) {
            self.failures.push("session went back");
        }
        context.merge(vector);
    }

    fn step(&mut self, restarts: Restarts) {
        match self.random.random_range(0..100) {
            0..40 => self.request(),
            40..85 => self.network(),
            85..99 => self.fire(),
            _ if restarts != Restarts::Never => {
                let node = self.random.random_range(0..self.replicas.len());
                self.restart(node, restarts);
            }
            _ => {}
        }
    }

    fn request(&mut self) {
        let session = self.random.random_range(0..SESSIONS);
        if self.sessions[session].waits {
            return;
        }
        self.operations += 1;
        let node = self.random.random_range(0..self.replicas.len());
        let key = self.random.random_range(0..KEYS);
        let value = self.random.random::<bool>().then_some(self.operations);
        self.sessions[session].waits = true;
        let id = RequestId(self.operations);
        let open = Open {
            session,
            node,
            key,
            value,
        };
        self.open.insert(id, open);
        let context = self.sessions[session].context.to_vector();
        let bytes = value.unwrap_or_default().to_le_bytes();
        let operation = match value {
            Some(_) => Operation::Put { value: &bytes },
            None => Operation::Get,
        };
        let name = key_name(key);
        let request = Request {
            key: &name,
            operation,
            context: &context,
            call: None,
        };
        self.drive(node, &[], |replica, input, out| {
            replica.handle_request(id, &request, input, out);
        });
    }

    fn network(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.in_flight.len());
        match self.random.random_range(0..10) {
            0 => {
                self.in_flight.swap_remove(at);
            }
            1 => self.deliver(at, true),
            _ => self.deliver(at, false),
        }
    }

    fn deliver(&mut self, at: usize, keep: bool) {
        let (from, to, message) = if keep {
            self.in_flight[at].clone()
        } else {
            self.in_flight.swap_remove(at)
        };
        // What crosses the wire survives it.
        let json = serde_json::to_string(&message).expect("plain data");
        let message = serde_json::from_str(&json).expect("it was serialised");
        self.drive(usize::from(to.0), &[], |replica, input, out| {
            replica.handle_message(from, message, input, out);
        });
    }

    fn fire(&mut self) {
        let at = self.random.random_range(0..self.timers.len());
        let (node, timer) = *self.timers.iter().nth(at).expect("in range");
        self.fire_timer(node, timer);
    }

    fn fire_timer(&mut self, node: usize, timer: Timer) {
        self.timers.remove(&(node, timer));
        let mut peers = self.specs[node].peers.clone();
        let shift = self.random.random_range(0..peers.len());
        peers.rotate_left(shift);
        peers.truncate(usize::from(self.specs[node].settings.gossip.fanout));
        self.drive(node, &peers, |replica, input, out| {
            replica.handle_timer(timer, input, out);
        });
    }

    fn restart(&mut self, node: usize, restarts: Restarts) {
        let kept = match restarts {
            Restarts::Either => self.random.random(),
            Restarts::Never | Restarts::Empty | Restarts::Kept => restarts == Restarts::Kept,
        };
        if kept {
            self.replicas[node] = self.disks[node].restored_like(&self.replicas[node]);
        } else {
            self.specs[node].incarnation += 1;
            self.replicas[node] = Replica::new(&self.specs[node]);
            self.disks[node] = Disk::new(&self.specs[node]);
        }
        self.timers.retain(|(other, _)| *other != node);
        // Who waited for its answer does not know: a new session goes on.
        let sessions = &mut self.sessions;
        self.open.retain(|_, open| {
            if open.node == node {
                sessions[open.session] = Session::new();
            }
            open.node != node
        });
        self.drive(node, &[], |replica, _, out| replica.start(out));
    }

    /// Heals everything and lets anti-entropy run until all is quiet.
    fn quiesce(&mut self) {
        self.in_flight.clear();
        for _ in 0..ROUNDS_MAX {
            for (node, timer) in self.timers.clone() {
                self.fire_timer(node, timer);
            }
            while !self.in_flight.is_empty() {
                self.deliver(0, false);
            }
        }
        let statuses: Vec<Status> = self.replicas.iter().map(Replica::status).collect();
        let first = &statuses[0];
        for status in &statuses {
            if !status.agrees_with(first) {
                self.failures.push("replicas differ");
            }
            if !status.is_quiet() {
                self.failures.push("something still waits");
            }
        }
    }

    /// The values that each key must have: the puts that no other put covers, or the largest.
    fn check_final_values(&mut self) {
        for key in 0..KEYS {
            let puts: Vec<(&u64, &Put)> =
                self.puts.iter().filter(|(_, put)| put.key == key).collect();
            let mut expected: Vec<u64> = puts
                .iter()
                .filter(|(_, put)| !puts.iter().any(|(_, other)| supersedes(other, put)))
                .map(|(value, _)| **value)
                .collect();
            expected.sort_unstable();
            for node in 0..self.replicas.len() {
                let mut out = Recorder::default();
                let name = key_name(key);
                let request = Request {
                    key: &name,
                    operation: Operation::Get,
                    context: &[],
                    call: None,
                };
                let input = Input::default();
                self.replicas[node].handle_request(RequestId(0), &request, &input, &mut out);
                let Reply::Get(_, siblings) = &out.replies[0].1 else {
                    panic!("a get without context is answered");
                };
                let mut values: Vec<u64> = siblings.iter().map(|(value, ..)| *value).collect();
                values.sort_unstable();
                if values != expected {
                    self.failures.push("wrong final values");
                }
            }
        }
    }
}

impl Session {
    fn new() -> Self {
        Self {
            context: VectorClock::new(),
            waits: false,
        }
    }
}

fn key_name(key: usize) -> [u8; 1] {
    [b'a' + u8::try_from(key).expect("few keys")]
}

fn supersedes(by: &Put, put: &Put) -> bool {
    match put.dot {
        Some(dot) => by.dot != put.dot && VectorClock::from(by.vector.as_slice()).covers(dot),
        None => by.version > put.version,
    }
}

pub(super) fn failures(
    seed: u64,
    lattice: Lattice,
    bug: Option<Bug>,
    restarts: Restarts,
) -> Vec<&'static str> {
    let mut group = Group::new(seed, lattice, bug);
    for _ in 0..STEPS {
        group.step(restarts);
    }
    group.quiesce();
    if matches!(restarts, Restarts::Never | Restarts::Kept) {
        group.check_final_values();
    }
    group.failures
}

#[track_caller]
fn assert_no_failures(lattice: Lattice, restarts: Restarts) {
    for seed in 0..300 {
        let failures = failures(seed, lattice, None, restarts);
        assert!(failures.is_empty(), "seed {seed}: {failures:?}");
    }
}

#[test]
fn causal_replicas_converge_on_the_uncovered_puts_whatever_the_network_does() {
    assert_no_failures(Lattice::Causal, Restarts::Never);
}

#[test]
fn lww_replicas_converge_on_the_largest_version_whatever_the_network_does() {
    assert_no_failures(Lattice::Lww, Restarts::Never);
}

#[test]
fn causal_replicas_that_lose_their_memory_come_back_and_converge() {
    assert_no_failures(Lattice::Causal, Restarts::Empty);
}

#[test]
fn lww_replicas_that_lose_their_memory_come_back_and_converge() {
    assert_no_failures(Lattice::Lww, Restarts::Empty);
}

#[test]
fn causal_replicas_that_come_back_with_what_they_persisted_lose_nothing() {
    assert_no_failures(Lattice::Causal, Restarts::Kept);
}

#[test]
fn lww_replicas_that_come_back_with_what_they_persisted_lose_nothing() {
    assert_no_failures(Lattice::Lww, Restarts::Kept);
}

#[test]
fn replicas_some_of_which_lose_their_disks_come_back_and_converge() {
    assert_no_failures(Lattice::Causal, Restarts::Either);
    assert_no_failures(Lattice::Lww, Restarts::Either);
}
