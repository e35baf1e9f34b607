//! Two replicas that change, the first of which has a disk.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::KEYS;
use crate::storage::Changes;
use kvs_core::protocol::{Dot, GroupId, Message, NodeId, Operation, Request, Response};
use kvs_core::replica::{
    Effects, GossipTimer, Input, Persist, RaftSettings, RaftTimer, Replica, ReplicaKind,
    ReplicaSpec, RequestId, Settings, Timer,
};

pub(super) fn spec(node: u16, kind: ReplicaKind) -> ReplicaSpec {
    let peers = match kind {
        ReplicaKind::Local => Vec::new(),
        ReplicaKind::Replicated(_) | ReplicaKind::Quorum(_) | ReplicaKind::Raft(_) => {
            vec![NodeId(u16::from(node == 0))]
        }
    };
    // Much happens in few steps.
    let raft = RaftSettings {
        election_ticks: 2,
        compact_entries: 3,
        ..RaftSettings::default()
    };
    ReplicaSpec {
        node: NodeId(node),
        incarnation: 0,
        group: GroupId(0),
        peers,
        spares: Vec::new(),
        kind,
        shards: Vec::new(),
        settings: Settings {
            raft,
            ..Settings::default()
        },
        bug: None,
    }
}

/// Where effects go: changes to the disk, messages to the peer.
#[derive(Default)]
pub(super) struct Out {
    pub(super) changes: Changes,
    pub(super) noted: usize,
    pub(super) messages: Vec<Message>,
}

impl Effects for Out {
    fn persist(&mut self, change: &Persist<'_>) {
        self.noted += 1;
        self.changes.note(change);
    }
    fn reply(&mut self, _: RequestId, _: &Response<'_>) {}
    fn send(&mut self, _: NodeId, message: Message) {
        self.messages.push(message);
    }
    fn set_timer(&mut self, _: Timer, _: u64) {}
}

/// All that a replica has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) applied: Vec<Dot>,
    /// Each with all that the replica has of it, encoded.
    pub(super) keys: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The replica as it would come back, where a journal has what no key has.
    pub(super) recovered: Option<Replica>,
}

pub(super) fn state_of(replica: &Replica) -> State {
    let keys = (0..KEYS).filter_map(|number| {
        let key = key(number);
        let kept = replica.kept(&key)?.into_owned();
        Some((key, kept))
    });
    let recovered = matches!(replica, Replica::Raft(_)).then(|| {
        let mut replica = replica.clone();
        replica.recover();
        replica
    });
    State {
        recovered,
        applied: replica.status().applied().to_vec(),
        keys: keys.collect(),
    }
}

pub(super) fn key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

/// Two replicas that take puts and gossip; the first has a disk.
pub(super) struct Pair {
    pub(super) replicas: [Replica; 2],
    pub(super) outs: [Out; 2],
    pub(super) random: Pcg64,
    puts: u64,
}

impl Pair {
    pub(super) fn new(kind: ReplicaKind, seed: u64) -> Self {
        let mut pair = Self {
            replicas: [0, 1].map(|node| Replica::new(&spec(node, kind))),
            outs: Default::default(),
            random: Pcg64::seed_from_u64(seed),
            puts: 0,
        };
        for (replica, out) in pair.replicas.iter_mut().zip(&mut pair.outs) {
            replica.start(out);
        }
        pair
    }

    /// One put, or some gossip.
    pub(super) fn step(&mut self) {
        let at = self.random.random_range(0..2);
        let random = self.random.random();
        let input = |peers| Input {
            wall_ns: 1_000,
            peers,
            random,
        };
        let other = [NodeId(1), NodeId(0)];
        if self.random.random_bool(0.7) {
            self.puts += 1;
            let key = key(self.random.random_range(0..KEYS));
            let value = format!("value {}", self.puts);
            let request = Request {
                key: &key,
                context: &[],
                operation: Operation::Put {
                    value: value.as_bytes(),
                },
                call: None,
            };
            let id = RequestId(self.puts);
            self.replicas[at].handle_request(id, &request, &input(&[]), &mut self.outs[at]);
        } else {
            let gossip =
                [GossipTimer::Rumour, GossipTimer::AntiEntropy][self.random.random_range(0..2)];
            let timer = match self.replicas[at] {
                Replica::Local(_) => return,
                Replica::Raft(_) => Timer::Raft(RaftTimer::Tick),
                Replica::Causal(_) | Replica::Lww(_) | Replica::Quorum(_) => Timer::Gossip(gossip),
            };
            let peers = &other[at..=at];
            self.replicas[at].handle_timer(timer, &input(peers), &mut self.outs[at]);
        }
        for message in std::mem::take(&mut self.outs[at].messages) {
            if self.random.random_bool(0.8) {
                let (from, to) = (NodeId(at as u16), 1 - at);
                let out = &mut self.outs[to];
                self.replicas[to].handle_message(from, message, &input(&[]), out);
            }
        }
    }
}
