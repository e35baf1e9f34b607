//! Big histories that are valid by construction, and the same with one thing wrong near the end.
//!
//! Operation `i` takes effect at instant `i × SPACING`; it is invoked somewhat before and returns
//! somewhat after, so that about half of the sessions have an operation under way at any time.
//! Sessions take turns. What an operation does at its instant decides what the history is:
//!
//! - linearizable: it reads or writes the one copy;
//! - causal: it reads or writes one of three replicas, which now and then give each other all
//!   that they have. A put supersedes all that its replica holds, so that a key has no more
//!   siblings than there are replicas;
//! - causal convergence: likewise, and a key keeps the put with the largest Lamport clock.
//!
//! Histories under faults are not made here but recorded: `faulted.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kvs_zoo::history::{
    End, Header, History, Kind, Model, NEVER, Outcome, Row, Siblings, Witness, dot, value_id,
};

use crate::faulted::{self, System};

/// One operation takes effect every this many ns.
const SPACING: u64 = 1_000;
/// Replicas of the causal stores.
const REPLICAS: usize = 3;
/// One step in this many is followed by a meeting of two replicas.
const MEETING_EVERY: u64 = 5;
/// One operation in this many goes to another replica than its session's last one.
const MOVE_EVERY: u64 = 100;
/// One operation in this many has an unknown outcome, where there are any.
const UNKNOWN_EVERY: u64 = 1_000;

/// What a history is valid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Store {
    Linearizable,
    /// Multi-value, with dots and vectors.
    Causal,
    /// The same without them.
    BlackBox,
    /// Causal, one value a key, no evidence.
    Convergent,
    /// What the simulator recorded of a store under faults.
    Faulted(System),
}

impl Store {
    /// Those whose histories are made here.
    pub(crate) const GENERATED: [Self; 4] = [
        Self::Linearizable,
        Self::Causal,
        Self::BlackBox,
        Self::Convergent,
    ];

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let faulted = System::ALL.into_iter().map(Self::Faulted);
        Self::GENERATED.into_iter().chain(faulted)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Causal => "causal",
            Self::BlackBox => "black-box",
            Self::Convergent => "ccv",
            Self::Faulted(system) => system.name(),
        }
    }

    const fn promise(self) -> Option<Model> {
        match self {
            Self::Linearizable => Some(Model::Linearizable),
            Self::Causal | Self::BlackBox => Some(Model::Causal),
            Self::Convergent => None,
            Self::Faulted(system) => Some(system.promise()),
        }
    }
}

/// What is peculiar about a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variant {
    Valid,
    /// Near the end one session reads its value before last.
    Anomaly,
    /// 0.1 % of the outcomes are unknown, and half of those puts took effect.
    Unknown,
    /// Valid, recorded with evidence and judged by what clients saw alone.
    NoEvidence,
}

impl Variant {
    pub(crate) const ALL: [Self; 4] = [Self::Valid, Self::Anomaly, Self::Unknown, Self::NoEvidence];
    /// Those of the histories that are made here.
    pub(crate) const GENERATED: [Self; 3] = [Self::Valid, Self::Anomaly, Self::Unknown];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Anomaly => "anomaly",
            Self::Unknown => "unknown",
            Self::NoEvidence => "no-evidence",
        }
    }
}

/// The size of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) store: Store,
    pub(crate) sessions: u32,
    pub(crate) keys: u32,
    pub(crate) variant: Variant,
    /// Operations, or steps of the workload where it is simulated.
    pub(crate) operations: u32,
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// A put that took effect.
#[derive(Clone, Copy)]
struct Put {
    id: u64,
    key: u32,
    origin: u8,
    /// How many puts of each origin its replica had applied with it.
    applied: [u32; REPLICAS],
    /// Lamport's clock.
    clock: u32,
}

impl Put {
    const fn dot(&self) -> u64 {
        let origin = self.origin as usize;
        dot(origin as u16, 0, self.applied[origin] as u64)
    }

    const fn covers(&self, other: &Self) -> bool {
        let origin = other.origin as usize;
        self.applied[origin] >= other.applied[origin]
    }
}

/// One copy of the store: for each key the numbers of the puts that it shows.
struct Replica {
    applied: [u32; REPLICAS],
    clock: u32,
    shown: Vec<Vec<u32>>,
}

/// The stores: a single replica for a linearizable one.
struct Cluster {
    store: Store,
    replicas: Vec<Replica>,
    puts: Vec<Put>,
    /// Numbers of the puts of each origin.
    log: [Vec<u32>; REPLICAS],
}

impl Cluster {
    fn new(shape: &Shape) -> Self {
        let has_one_copy = shape.store == Store::Linearizable;
        let replicas = if has_one_copy { 1 } else { REPLICAS };
        let replica = |_| Replica {
            applied: [0; REPLICAS],
            clock: 0,
            shown: vec![Vec::new(); shape.keys as usize],
        };
        Self {
            store: shape.store,
            replicas: (0..replicas).map(replica).collect(),
            puts: Vec::new(),
            log: Default::default(),
        }
    }

    fn put(&mut self, at: usize, id: u64, key: u32) -> u32 {
        let number = self.puts.len() as u32;
        let replica = &mut self.replicas[at];
        replica.applied[at] += 1;
        replica.clock += 1;
        self.puts.push(Put {
            id,
            key,
            origin: at as u8,
            applied: replica.applied,
            clock: replica.clock,
        });
        self.log[at].push(number);
        let shown = &mut replica.shown[key as usize];
        shown.clear();
        shown.push(number);
        number
    }

    /// Gives `to` all that `from` has applied, in the order in which it was put.
    fn meet(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let mut fresh = Vec::new();
        for origin in 0..REPLICAS {
            let (have, give) = (
                self.replicas[to].applied[origin],
                self.replicas[from].applied[origin],
            );
            if give > have {
                fresh.extend_from_slice(&self.log[origin][have as usize..give as usize]);
                self.replicas[to].applied[origin] = give;
            }
        }
        fresh.sort_unstable();
        for number in fresh {
            self.merge(to, number);
        }
    }

    fn merge(&mut self, at: usize, number: u32) {
        let (puts, put) = (&self.puts, self.puts[number as usize]);
        let replica = &mut self.replicas[at];
        replica.clock = replica.clock.max(put.clock);
        let shown = &mut replica.shown[put.key as usize];
        if self.store == Store::Convergent {
            let rank = |put: &Put| (put.clock, put.origin);
            if shown
                .first()
                .is_none_or(|other| rank(&puts[*other as usize]) < rank(&put))
            {
                shown.clear();
                shown.push(number);
            }
        } else if !shown.iter().any(|other| puts[*other as usize].covers(&put)) {
            shown.retain(|other| !put.covers(&puts[*other as usize]));
            shown.push(number);
        }
    }
}

/// A worker, which goes on under a new session after an unknown outcome.
#[derive(Clone, Copy)]
struct Worker {
    session: u32,
    index: u32,
    replica: usize,
}

/// An operation that has taken effect and not yet returned.
struct Pending {
    row: Row<'static>,
    /// The number of the put, where its evidence is recorded.
    put: Option<u32>,
    read: Vec<u32>,
    applied: [u32; REPLICAS],
}

/// Generates histories row by row in the order in which operations return.
struct Generator {
    shape: Shape,
    random: Random,
    cluster: Cluster,
    workers: Vec<Worker>,
    sessions: u32,
    /// Ends of what is under way, the earliest first, with the place in `pending`.
    returns: BinaryHeap<Reverse<(u64, usize)>>,
    pending: Vec<Pending>,
    free: Vec<usize>,
    history: History,
    buffers: Buffers,
}

#[derive(Default)]
struct Buffers {
    read: Vec<u64>,
    dots: Vec<u64>,
    ends: Vec<u32>,
    vectors: Vec<u64>,
    vector: Vec<u64>,
}

/// Makes a history.
pub(crate) fn generate(shape: Shape) -> History {
    if let Store::Faulted(system) = shape.store {
        return faulted::record(system, shape);
    }
    let header = Header {
        promise: shape.store.promise(),
        ..Header::default()
    };
    let replicas = Cluster::new(&shape).replicas.len();
    let worker = |session: u32| Worker {
        session,
        index: 0,
        replica: session as usize % replicas,
    };
    let mut generator = Generator {
        shape,
        random: Random(u64::from(shape.operations) << 20 | u64::from(shape.sessions)),
        cluster: Cluster::new(&shape),
        workers: (0..shape.sessions).map(worker).collect(),
        sessions: shape.sessions,
        returns: BinaryHeap::new(),
        pending: Vec::new(),
        free: Vec::new(),
        history: History::from_rows(header, []),
        buffers: Buffers::default(),
    };
    for i in 0..shape.operations {
        generator.step(i);
    }
    generator.release(NEVER);
    let mut history = generator.history;
    history.end = Some(End {
        operations: history.len() as u64,
        left_out: 0,
        interrupted: false,
    });
    history
}

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Put,
    Get,
    /// Returns the put before the last one of its session.
    StaleGet,
}

impl Generator {
    fn step(&mut self, i: u32) {
        let now = (u64::from(i) + u64::from(self.shape.sessions)) * SPACING;
        self.release(now);
        let (does, key) = self.choose(i);
        let worker = (i % self.shape.sessions) as usize;
        self.move_worker(worker);
        let unknown =
            self.shape.variant == Variant::Unknown && self.random.below(UNKNOWN_EVERY) == 0;
        let Worker {
            session,
            index,
            replica,
        } = self.workers[worker];
        // A session's next operation is invoked no earlier than half a round before its instant.
        let reach = u64::from(self.shape.sessions) * SPACING / 2;
        let invoke = now - self.random.below(reach);
        let returned = now + self.random.below(reach);
        let mut row = Row {
            session,
            index,
            key: u64::from(key),
            intended: invoke,
            invoke,
            returned: Some(returned),
            node: replica as u16,
            ..Row::EMPTY
        };
        if unknown {
            row.returned = None;
            row.outcome = Outcome::Info;
        }
        let (mut put, mut read) = (None, Vec::new());
        if does == Does::Put {
            row.kind = Kind::Put;
            row.written = value_id(session, index);
            if !unknown || self.random.below(2) == 0 {
                put = Some(self.cluster.put(replica, row.written, key));
            }
        } else if !unknown {
            read.clone_from(&self.cluster.replicas[replica].shown[key as usize]);
            if does == Does::StaleGet {
                read = vec![self.stale(session, index)];
            }
        }
        let pending = Pending {
            row,
            put: put.filter(|_| !unknown),
            read,
            applied: self.cluster.replicas[replica].applied,
        };
        self.keep(pending, returned);
        self.workers[worker].index += 1;
        if unknown {
            self.workers[worker] = Worker {
                session: self.sessions,
                index: 0,
                replica,
            };
            self.sessions += 1;
        }
        self.meetings();
    }

    /// What operation `i` does. An anomaly is three operations of one session: two puts and a get.
    fn choose(&mut self, i: u32) -> (Does, u32) {
        let Shape {
            operations,
            sessions,
            ..
        } = self.shape;
        let start = operations - operations / 100 - 3 * sessions;
        let place = i
            .checked_sub(start)
            .filter(|_| self.shape.variant == Variant::Anomaly);
        let scripted = place.filter(|place| place.is_multiple_of(sessions));
        match scripted.map(|place| place / sessions) {
            Some(0 | 1) => (Does::Put, 0),
            Some(2) => (Does::StaleGet, 0),
            Some(_) | None => {
                let does = if self.random.below(2) == 0 {
                    Does::Put
                } else {
                    Does::Get
                };
                (does, self.random.below(u64::from(self.shape.keys)) as u32)
            }
        }
    }

    /// The put before the last one of a session that is about to do operation `index`.
    fn stale(&self, session: u32, index: u32) -> u32 {
        let id = value_id(session, index - 2);
        let place = self.cluster.puts.iter().rposition(|put| put.id == id);
        place.expect("two puts come before the stale get") as u32
    }

    fn move_worker(&mut self, worker: usize) {
        if self.cluster.replicas.len() > 1 && self.random.below(MOVE_EVERY) == 0 {
            let to = self.random.below(REPLICAS as u64) as usize;
            // The new replica must have what the session has seen.
            self.cluster.meet(self.workers[worker].replica, to);
            self.workers[worker].replica = to;
        }
    }

    fn meetings(&mut self) {
        if self.cluster.replicas.len() > 1 && self.random.below(MEETING_EVERY) == 0 {
            let from = self.random.below(REPLICAS as u64) as usize;
            let to = self.random.below(REPLICAS as u64) as usize;
            self.cluster.meet(from, to);
        }
    }

    fn keep(&mut self, pending: Pending, returned: u64) {
        let place = match self.free.pop() {
            Some(place) => {
                self.pending[place] = pending;
                place
            }
            None => {
                self.pending.push(pending);
                self.pending.len() - 1
            }
        };
        self.returns.push(Reverse((returned, place)));
    }

    /// Records what has returned by `now`.
    fn release(&mut self, now: u64) {
        while let Some(Reverse((returned, place))) = self.returns.peek().copied() {
            if returned > now {
                break;
            }
            self.returns.pop();
            self.free.push(place);
            self.record(place);
        }
    }

    fn record(&mut self, place: usize) {
        let pending = &self.pending[place];
        let puts = &self.cluster.puts;
        let buffers = &mut self.buffers;
        let read = pending.read.iter().map(|number| &puts[*number as usize]);
        buffers.read.clear();
        buffers.read.extend(read.clone().map(|put| put.id));
        buffers.vector.clear();
        extend(&mut buffers.vector, pending.applied);
        buffers.dots.clear();
        buffers.ends.clear();
        buffers.vectors.clear();
        for put in read {
            buffers.dots.push(put.dot());
            extend(&mut buffers.vectors, put.applied);
            buffers.ends.push(buffers.vectors.len() as u32);
        }
        let known = pending.row.outcome == Outcome::Ok;
        let witness = match (self.shape.store, pending.put, pending.row.kind) {
            (Store::Causal, Some(put), _) => Witness::Put {
                dot: puts[put as usize].dot(),
                vector: &buffers.vector,
            },
            (Store::Causal, None, Kind::Get) if known => Witness::Get {
                vector: &buffers.vector,
                siblings: Siblings {
                    dots: &buffers.dots,
                    ends: &buffers.ends,
                    vectors: &buffers.vectors,
                    base: 0,
                },
            },
            (_, _, _) => Witness::None,
        };
        self.history.columns.push(&Row {
            read: &buffers.read,
            witness,
            ..pending.row
        });
    }
}

/// A vector as a history has it.
fn extend(vector: &mut Vec<u64>, applied: [u32; REPLICAS]) {
    let entries = (0u16..).zip(applied).filter(|(_, counter)| *counter > 0);
    vector.extend(entries.map(|(node, counter)| dot(node, 0, u64::from(counter))));
}
