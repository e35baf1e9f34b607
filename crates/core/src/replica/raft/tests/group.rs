//! A group of replicas, the messages between them, their disks, and clients that write.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::super::*;
use crate::bug::Bug;
use crate::protocol::{Call, Command, GroupId, Operation, Request};
use crate::replica::{ReplicaKind, Settings};

const STEPS: usize = 600;
const SESSIONS: u32 = 3;
/// Ticks after which the group must have come to rest.
const TICKS_MAX: usize = 200;
/// Messages between two ticks after which there must be no more.
const MESSAGES_MAX: usize = 100_000;

/// What happens in a schedule.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) bug: Option<Bug>,
    /// The chance of a step that a process ends and comes back with what was durable.
    pub(super) crashes: f64,
    /// The same with nothing.
    pub(super) amnesias: f64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            bug: None,
            crashes: 0.0,
            amnesias: 0.0,
        }
    }
}

/// A client that sends one write again until it is answered.
#[derive(Clone, Debug)]
struct Client {
    session: u32,
    operation: u32,
    previous: u64,
    again: bool,
    /// The request under way.
    asked: Option<RequestId>,
}

/// What a replica did, in the order in which it may be seen.
#[derive(Default)]
pub(super) struct Done {
    changes: Vec<Vec<u8>>,
    replies: Vec<(RequestId, Answer)>,
    sends: Vec<(NodeId, Message)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Written(u64),
    Found,
    Refused,
    Indefinite,
    NotLeader,
}

impl Effects for Done {
    fn persist(&mut self, change: &Persist<'_>) {
        let bytes = postcard::to_stdvec(change).expect("plain data");
        self.changes.push(bytes);
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let answer = match response {
            Response::Put(crate::protocol::PutWitness::Lww { version }) => {
                Answer::Written(version.time)
            }
            Response::Get { .. } | Response::Mismatch { .. } => Answer::Found,
            Response::Refused(_) => Answer::Refused,
            Response::Indefinite => Answer::Indefinite,
            Response::NotLeader { .. } => Answer::NotLeader,
            Response::Put(_) => unreachable!("it tells the index"),
        };
        self.replies.push((to, answer));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.sends.push((to, message));
    }

    fn set_timer(&mut self, _: Timer, _: u64) {}
}

pub(super) struct Group {
    pub(super) random: Pcg64Mcg,
    setting: Setting,
    specs: Vec<ReplicaSpec>,
    pub(super) replicas: Vec<Raft>,
    disks: Vec<Vec<Vec<u8>>>,
    in_flight: Vec<(NodeId, NodeId, Message)>,
    clients: Vec<Client>,
    requests: u64,
    /// Who led in each term.
    leaders: BTreeMap<u64, NodeId>,
    /// Entries by index and term, each with the term of the one before it.
    appended: BTreeMap<(u64, u64), (LogEntry, u64)>,
    /// The entry that was committed at each index.
    committed: BTreeMap<u64, LogEntry>,
    /// Writes that were acknowledged: which call at which index.
    acknowledged: BTreeMap<(u32, u32), u64>,
    violation: Option<String>,
    lossless: bool,
}

impl Group {
    pub(super) fn new(seed: u64, setting: &Setting) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let size = [3, 3, 5][random.random_range(0..3)];
        let nodes: Vec<NodeId> = (0..size).map(NodeId).collect();
        let settings = Settings {
            raft: RaftSettings {
                election_ticks: random.random_range(1..=4),
                asks_first: random.random_bool(0.5),
                in_flight_max: random.random_range(1..=4),
                entries_max: random.random_range(1..=4),
                rounds_max: random.random_range(1..=2),
                compact_entries: random.random_range(2..=40),
                sessions_max: random.random_range(SESSIONS..=64),
                ..RaftSettings::default()
            },
            ..Settings::default()
        };
        let spec = |node: &NodeId| ReplicaSpec {
            node: *node,
            incarnation: 0,
            group: GroupId(0),
            peers: nodes.iter().copied().filter(|peer| peer != node).collect(),
            spares: Vec::new(),
            kind: ReplicaKind::Raft(RaftRule::default()),
            shards: Vec::new(),
            settings,
            bug: setting.bug,
        };
        let specs: Vec<ReplicaSpec> = nodes.iter().map(spec).collect();
        let client = |session| Client {
            session,
            operation: 0,
            previous: 0,
            again: false,
            asked: None,
        };
        let mut group = Self {
            random,
            setting: setting.clone(),
            replicas: specs
                .iter()
                .map(|spec| Raft::new(spec, RaftRule::default()))
                .collect(),
            disks: vec![Vec::new(); specs.len()],
            specs,
            in_flight: Vec::new(),
            clients: (0..SESSIONS).map(client).collect(),
            requests: 0,
            leaders: BTreeMap::new(),
            appended: BTreeMap::new(),
            committed: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            violation: None,
            lossless: false,
        };
        for node in 0..group.replicas.len() {
            group.drive(node, |raft, _, out| raft.start(out));
        }
        group
    }

    pub(super) fn run(&mut self) {
        for _ in 0..STEPS {
            self.step();
            if self.violation.is_some() {
                return;
            }
        }
    }

    /// Nothing goes wrong any more: every replica comes to have the same, and every write is
    /// acknowledged.
    pub(super) fn heal(&mut self) {
        self.lossless = true;
        let mut is_at_rest = false;
        for _ in 0..TICKS_MAX {
            let mut delivered = 0;
            while let Some((from, to, message)) = self.in_flight.pop() {
                self.deliver(from, to, message);
                delivered += 1;
                if delivered > MESSAGES_MAX {
                    let last = self.in_flight.last();
                    self.violation = Some(format!("there is no end of messages: {last:?}"));
                    return;
                }
            }
            if self.violation.is_some() {
                return;
            }
            let commit = self.replicas[0].commit;
            let same = self.replicas.iter().all(|raft| {
                raft.machine == self.replicas[0].machine
                    && raft.log.last_index() == commit
                    && raft.is_member
            });
            if same && commit > 0 && self.replicas.iter().any(Raft::leads) {
                is_at_rest = true;
                break;
            }
            for node in 0..self.replicas.len() {
                self.tick(node);
            }
        }
        if !is_at_rest && self.violation.is_none() {
            self.violation = Some("the replicas do not come to have the same".to_owned());
        }
        self.look_at_writes();
    }

    pub(super) fn violation(&self) -> Option<String> {
        self.violation.clone()
    }

    fn step(&mut self) {
        let node = self.random.random_range(0..self.replicas.len());
        if self.random.random_bool(self.setting.crashes) {
            return self.crash(node);
        }
        if self.random.random_bool(self.setting.amnesias) {
            return self.forget(node);
        }
        match self.random.random_range(0..10) {
            0 => self.tick(node),
            1 | 2 => self.ask(node),
            _ => self.deliver_any(),
        }
    }

    pub(super) fn tick(&mut self, node: usize) {
        self.drive(node, |raft, input, out| {
            raft.handle_timer(RaftTimer::Tick, input, out);
        });
    }

    fn deliver_any(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.in_flight.len());
        let (from, to, message) = match self.random.random_range(0..20) {
            0 => self.in_flight[place].clone(),
            1 => {
                self.in_flight.swap_remove(place);
                return;
            }
            _ => self.in_flight.swap_remove(place),
        };
        self.deliver(from, to, message);
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        let Message { incarnation, body } = message;
        let Body::Raft(body) = body else {
            unreachable!("a group of one kind")
        };
        self.drive(usize::from(to.0), |raft, input, out| {
            raft.handle_message(from, incarnation, body, input, out);
        });
    }

    /// One client sends its write to a node, again if it waits for an answer.
    fn ask(&mut self, node: usize) {
        let place = self.random.random_range(0..self.clients.len());
        self.requests += 1;
        let id = RequestId(self.requests);
        let client = &mut self.clients[place];
        let again = client.asked.replace(id).is_some() || client.again;
        client.again = again;
        let call = Call {
            session: client.session,
            operation: client.operation,
            previous: client.previous,
            again,
        };
        let key = [b'a' + (client.operation % 3) as u8];
        self.drive(node, |raft, input, out| {
            let request = Request {
                key: &key,
                operation: Operation::Put { value: b"v" },
                context: &[],
                call: Some(call),
            };
            raft.handle_request(id, &request, input, out);
        });
    }

    fn crash(&mut self, node: usize) {
        let mut replica = Raft::new(&self.specs[node], RaftRule::default());
        for change in &self.disks[node] {
            replica.restore(&postcard::from_bytes(change).expect("it was encoded"));
        }
        let mut kept = self.replicas[node].clone();
        kept.recover();
        if self.setting.bug.is_none() && kept != replica {
            self.violation = Some(format!("{kept:#?}\nis not restored: {replica:#?}"));
        }
        self.replicas[node] = replica;
        self.drive(node, |raft, _, out| raft.start(out));
    }

    /// A process ends and comes back empty, if a majority of others has not.
    fn forget(&mut self, node: usize) {
        let majority = self.replicas[node].majority();
        let others = (0..self.replicas.len()).filter(|other| *other != node);
        let whole = others.filter(|other| self.replicas[*other].is_member);
        if whole.count() < majority {
            return;
        }
        self.specs[node].incarnation += 1;
        self.disks[node].clear();
        self.replicas[node] = Raft::new(&self.specs[node], RaftRule::default());
        self.drive(node, |raft, _, out| raft.start(out));
    }

    fn drive(&mut self, node: usize, input: impl FnOnce(&mut Raft, &Input<'_>, &mut Done)) {
        let mut out = Done::default();
        let given = Input {
            random: self.random.random(),
            ..Input::default()
        };
        input(&mut self.replicas[node], &given, &mut out);
        self.disks[node].append(&mut out.changes);
        let from = self.specs[node].node;
        let sends = out.sends.into_iter();
        self.in_flight
            .extend(sends.map(|(to, message)| (from, to, message)));
        for (id, answer) in out.replies {
            self.take_answer(id, answer);
        }
        self.look_at(node);
    }

    fn take_answer(&mut self, id: RequestId, answer: Answer) {
        let waits = |client: &&mut Client| client.asked == Some(id);
        let Some(client) = self.clients.iter_mut().find(waits) else {
            return;
        };
        client.asked = None;
        match answer {
            Answer::Written(index) => {
                let call = (client.session, client.operation);
                self.acknowledged.insert(call, index);
                client.operation += 1;
                client.previous = index;
                client.again = false;
            }
            Answer::Indefinite => client.again = true,
            Answer::Found | Answer::Refused | Answer::NotLeader => {}
        }
    }

    /// Election safety, log matching, leader completeness and state-machine safety, as far as this replica shows
    /// them.
    fn look_at(&mut self, node: usize) {
        let raft = &self.replicas[node];
        if raft.leads() {
            let own = raft.origin.node();
            let leader = *self.leaders.entry(raft.term).or_insert(own);
            if leader != own {
                self.violation = Some(format!("{leader} and {own} lead in term {}", raft.term));
            }
        }
        let mut previous = raft.log.before().term;
        for (index, entry) in raft.entries() {
            let appended = (entry.clone(), previous);
            previous = entry.term;
            let place = (index, entry.term);
            let first = self
                .appended
                .entry(place)
                .or_insert_with(|| appended.clone());
            if *first != appended {
                self.violation = Some(format!("two logs differ at {place:?} or before"));
            }
        }
        // All that comes before what was applied is committed.
        let Position {
            mut index,
            mut term,
        } = raft.machine.at();
        while index > 0 {
            let (entry, before) = &self.appended[&(index, term)];
            match self.committed.insert(index, entry.clone()) {
                Some(other) if other == *entry => break,
                Some(_) => {
                    self.violation = Some(format!("two entries are committed at {index}"));
                }
                None => {}
            }
            (index, term) = (index - 1, *before);
        }
        if raft.log.last_index() < raft.commit {
            self.violation = Some("a committed entry is gone".to_owned());
        }
    }

    /// Every acknowledged write is in the log, where it was said to be, and every write took effect
    /// once.
    fn look_at_writes(&mut self) {
        let mut found = BTreeMap::<(u32, u32), BTreeSet<u64>>::new();
        for (index, entry) in &self.committed {
            if let Command::Write {
                call: Some(call), ..
            } = &entry.command
            {
                let indices = found.entry((call.session, call.operation)).or_default();
                indices.insert(*index);
            }
        }
        for (call, index) in &self.acknowledged {
            let first = found.get(call).and_then(|indices| indices.first());
            if first != Some(index) {
                self.violation = Some(format!(
                    "{call:?} is acknowledged at {index}, not {first:?}"
                ));
            }
        }
        for raft in &self.replicas {
            for key in [b"a", b"b", b"c"] {
                let Some(put) = raft.machine.find(key) else {
                    continue;
                };
                let is_first = found
                    .values()
                    .any(|indices| indices.first() == Some(&put.time));
                if !is_first {
                    self.violation = Some(format!("a write took effect again, at {}", put.time));
                }
            }
        }
    }
}

/// The first of three replicas.
pub(super) fn spec_of_three() -> ReplicaSpec {
    ReplicaSpec {
        node: NodeId(0),
        incarnation: 0,
        group: GroupId(0),
        peers: vec![NodeId(1), NodeId(2)],
        spares: Vec::new(),
        kind: ReplicaKind::Raft(RaftRule::default()),
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    }
}
