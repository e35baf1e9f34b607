//! One random schedule of a group, and what its clients saw.

use std::collections::BTreeSet;

use kvs_check::history::{End, Group, Header, History, Kind, Outcome, Phase, Row, Version};
use kvs_check::history::{Witness, value_id};
use kvs_core::barrier::Barrier;
use kvs_core::bug::Bug;
use kvs_core::protocol::{
    GroupId, Message, NodeId, Operation, PutWitness, Request, Response, Sibling,
};
use kvs_core::replica::{
    Effects, Input, KindStatus, Persist, QuorumRule, QuorumSettings, Replica, ReplicaKind,
    ReplicaSpec, RequestId, Settings, Timer,
};

use crate::draw::{Draw, Purpose};

const STEPS: usize = 1_500;
const SESSIONS: u32 = 4;
const KEYS: u64 = 2;
/// Rounds in which everybody hears everybody, after which the group must agree.
const ROUNDS_MAX: usize = 400;

/// What is left of a replica whose process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survival {
    /// No process ends.
    Nothing,
    /// Nothing is left: a minority at a time.
    Empty,
    /// What was synced is left, and perhaps more.
    Synced,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) replicas: u16,
    pub(super) rule: QuorumRule,
    pub(super) survival: Survival,
    pub(super) bug: Option<Bug>,
}

/// What a replica wants done, in its order.
#[derive(Clone, Debug)]
enum Leaving {
    Reply(RequestId, Reply),
    Send(NodeId, Message),
}

#[derive(Clone, Debug)]
enum Reply {
    Put(Version),
    Get(Option<(u64, Version)>),
    Refused,
    Indefinite,
}

struct Node {
    spec: ReplicaSpec,
    replica: Replica,
    timers: BTreeSet<Timer>,
    /// What it has persisted, as bytes that a disk could hold.
    disk: Vec<Vec<u8>>,
    barrier: Barrier<Leaving>,
}

/// A session's operation under way.
#[derive(Clone, Copy)]
struct Open {
    request: RequestId,
    node: usize,
    row: usize,
}

#[derive(Clone, Copy, Default)]
struct Session {
    id: u32,
    operations: u32,
    open: Option<Open>,
}

/// An operation as its client saw it.
struct Seen {
    session: u32,
    index: u32,
    kind: Kind,
    key: u64,
    node: u16,
    phase: Phase,
    invoke: u64,
    returned: Option<u64>,
    outcome: Outcome,
    read: Vec<u64>,
    version: Option<Version>,
}

pub(super) struct Schedule {
    setting: Setting,
    draw: Draw,
    nodes: Vec<Node>,
    in_flight: Vec<(NodeId, NodeId, Message)>,
    sessions: Vec<Session>,
    seen: Vec<Seen>,
    requests: u64,
    sessions_begun: u32,
    now: u64,
}

/// Collects what one input had a replica do.
#[derive(Default)]
struct Collected {
    changes: Vec<Vec<u8>>,
    /// What leaves, with how many changes came before it.
    leaving: Vec<(usize, Leaving)>,
    timers: Vec<Timer>,
}

impl Effects for Collected {
    fn persist(&mut self, change: &Persist<'_>) {
        let bytes = postcard::to_stdvec(change).expect("plain data");
        self.changes.push(bytes);
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let reply = match response {
            Response::Put(witness) => Reply::Put(version_of(witness)),
            Response::Get { siblings, .. } => Reply::Get(siblings.first().map(read)),
            Response::Refused(_) => Reply::Refused,
            Response::Indefinite => Reply::Indefinite,
            Response::NotLeader { .. } => panic!("{response:?}"),
            Response::Mismatch { .. } => panic!("nobody compares"),
        };
        let before = self.changes.len();
        self.leaving.push((before, Leaving::Reply(to, reply)));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        let before = self.changes.len();
        self.leaving.push((before, Leaving::Send(to, message)));
    }

    fn set_timer(&mut self, timer: Timer, _: u64) {
        self.timers.push(timer);
    }
}

fn version_of(witness: &PutWitness<'_>) -> Version {
    match witness {
        PutWitness::Lww { version } => Version {
            time: version.time,
            origin: version.origin,
        },
        other @ (PutWitness::None | PutWitness::Causal { .. }) => panic!("{other:?} is no version"),
    }
}

fn read(sibling: &Sibling<'_>) -> (u64, Version) {
    let value = sibling.value.try_into().expect("eight bytes");
    (u64::from_le_bytes(value), version_of(&sibling.witness))
}

impl Schedule {
    pub(super) fn new(seed: u64, setting: Setting) -> Self {
        let nodes: Vec<NodeId> = (0..setting.replicas).map(NodeId).collect();
        let settings = Settings {
            quorum: QuorumSettings {
                looks_max: 12,
                ..QuorumSettings::default()
            },
            ..Settings::default()
        };
        let spec = |node: &NodeId| ReplicaSpec {
            node: *node,
            incarnation: 0,
            group: GroupId(0),
            peers: nodes.iter().copied().filter(|peer| peer != node).collect(),
            spares: Vec::new(),
            kind: ReplicaKind::Quorum(setting.rule),
            shards: Vec::new(),
            settings,
            bug: setting.bug,
        };
        let mut schedule = Self {
            setting,
            draw: Draw::new(seed, Purpose::Plan),
            nodes: nodes.iter().map(spec).map(Node::new).collect(),
            in_flight: Vec::new(),
            sessions: Vec::new(),
            seen: Vec::new(),
            requests: 0,
            sessions_begun: 0,
            now: 0,
        };
        for _ in 0..SESSIONS {
            let session = schedule.begin_session();
            schedule.sessions.push(session);
        }
        for node in 0..schedule.nodes.len() {
            schedule.drive(node, |replica, _, out| replica.start(out));
        }
        schedule
    }

    /// Steps at random.
    pub(super) fn run(&mut self) {
        for _ in 0..STEPS {
            self.now += 1;
            match self.draw.below(100) {
                0..=19 => self.begin_operation(),
                20..=74 => self.deliver_any(),
                75..=76 => self.lose_any(),
                77..=82 => self.fire_any(),
                83..=98 => self.sync_any(),
                _ => self.end_any_process(),
            }
        }
    }

    /// Lets everything arrive until the group agrees, and reads every key from every replica.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            self.hear_everybody();
            if self.agrees() {
                self.read_back();
                return Ok(());
            }
        }
        let statuses: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.replica.status())
            .collect();
        Err(format!("never agreed: {statuses:?}"))
    }

    pub(super) fn into_history(self) -> History {
        let header = Header {
            groups: vec![Group {
                id: 0,
                nodes: (0..self.setting.replicas).collect(),
            }],
            ..Header::default()
        };
        let rows = self.seen.iter().map(Seen::row);
        let mut history = History::from_rows(header, rows);
        history.end = Some(End::of(self.seen.len() as u64));
        history
    }

    fn hear_everybody(&mut self) {
        while !self.in_flight.is_empty() || self.nodes.iter().any(Node::holds) {
            self.now += 1;
            self.deliver_any();
            for node in 0..self.nodes.len() {
                self.sync(node);
            }
        }
        for node in 0..self.nodes.len() {
            for timer in self.nodes[node].timers.clone() {
                self.fire(node, timer);
            }
        }
    }

    fn agrees(&self) -> bool {
        let first = self.nodes[0].replica.status();
        self.nodes.iter().all(|node| {
            let status = node.replica.status();
            status.is_quiet() && status.agrees_with(&first)
        })
    }

    fn read_back(&mut self) {
        self.sessions.clear();
        for node in 0..self.nodes.len() {
            for key in 0..KEYS {
                let session = self.begin_session();
                self.sessions.push(session);
                let place = self.sessions.len() - 1;
                self.ask(place, node, key, Kind::Get, Phase::Final);
                while self.sessions[place].open.is_some() {
                    self.hear_everybody();
                }
            }
        }
    }

    fn begin_session(&mut self) -> Session {
        self.sessions_begun += 1;
        Session {
            id: self.sessions_begun,
            ..Session::default()
        }
    }

    fn begin_operation(&mut self) {
        let place = self.draw.below(self.sessions.len());
        if self.sessions[place].open.is_some() {
            return;
        }
        let node = self.draw.below(self.nodes.len());
        let key = self.draw.between(0, KEYS - 1);
        let kind = if self.draw.chance(0.5) {
            Kind::Put
        } else {
            Kind::Get
        };
        self.ask(place, node, key, kind, Phase::Run);
    }

    fn ask(&mut self, place: usize, node: usize, key: u64, kind: Kind, phase: Phase) {
        let session = &mut self.sessions[place];
        let index = session.operations;
        session.operations += 1;
        self.requests += 1;
        self.now += 1;
        let request = RequestId(self.requests);
        session.open = Some(Open {
            request,
            node,
            row: self.seen.len(),
        });
        let value = value_id(session.id, index).to_le_bytes();
        self.seen.push(Seen {
            session: session.id,
            index,
            kind,
            key,
            node: self.nodes[node].spec.node.0,
            phase,
            invoke: self.now,
            returned: None,
            outcome: Outcome::Info,
            read: Vec::new(),
            version: None,
        });
        let operation = match kind {
            Kind::Put => Operation::Put { value: &value },
            Kind::Get | Kind::Cas | Kind::Append => Operation::Get,
        };
        let name = key.to_le_bytes();
        let asked = Request {
            key: &name,
            operation,
            context: &[],
            call: None,
        };
        self.drive(node, |replica, input, out| {
            replica.handle_request(request, &asked, input, out);
        });
    }

    fn deliver_any(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let place = self.draw.below(self.in_flight.len());
        let (from, to, message) = if self.draw.chance(0.1) {
            self.in_flight[place].clone()
        } else {
            self.in_flight.swap_remove(place)
        };
        self.drive(to.0.into(), |replica, input, out| {
            replica.handle_message(from, message, input, out);
        });
    }

    fn lose_any(&mut self) {
        if !self.in_flight.is_empty() {
            let place = self.draw.below(self.in_flight.len());
            self.in_flight.swap_remove(place);
        }
    }

    fn fire_any(&mut self) {
        let node = self.draw.below(self.nodes.len());
        let timers: Vec<Timer> = self.nodes[node].timers.iter().copied().collect();
        if !timers.is_empty() {
            let place = self.draw.below(timers.len());
            self.fire(node, timers[place]);
        }
    }

    fn fire(&mut self, node: usize, timer: Timer) {
        if self.nodes[node].timers.remove(&timer) {
            self.drive(node, |replica, input, out| {
                replica.handle_timer(timer, input, out);
            });
        }
    }

    fn sync_any(&mut self) {
        let node = self.draw.below(self.nodes.len());
        self.sync(node);
    }

    fn sync(&mut self, node: usize) {
        self.nodes[node].barrier.sync_at_once();
        while let Some(leaving) = self.nodes[node].barrier.release() {
            self.leave(node, leaving);
        }
    }

    fn end_any_process(&mut self) {
        let node = self.draw.below(self.nodes.len());
        match self.setting.survival {
            Survival::Nothing => return,
            Survival::Empty => {
                let lost = self
                    .nodes
                    .iter()
                    .filter(|node| node.is_recovering())
                    .count();
                let majority = usize::from(self.setting.replicas) / 2;
                if !self.nodes[node].is_recovering() && lost >= majority {
                    return;
                }
                self.nodes[node].come_back_empty();
            }
            Survival::Synced => {
                let barrier = &self.nodes[node].barrier;
                let left = self.draw.between(barrier.durable(), barrier.noted());
                self.nodes[node].come_back_with(left);
            }
        }
        for place in 0..self.sessions.len() {
            if self.sessions[place]
                .open
                .is_some_and(|open| open.node == node)
            {
                self.sessions[place] = self.begin_session();
            }
        }
        self.drive(node, |replica, _, out| replica.start(out));
    }

    fn drive(
        &mut self,
        place: usize,
        input: impl FnOnce(&mut Replica, &Input<'_>, &mut Collected),
    ) {
        let mut out = Collected::default();
        let peers = self.nodes[place].spec.peers.clone();
        let drawn = self.draw.below(peers.len().max(1));
        let given = Input {
            wall_ns: 0,
            peers: peers.get(drawn..=drawn).unwrap_or_default(),
            random: self.draw.bits(),
        };
        input(&mut self.nodes[place].replica, &given, &mut out);
        self.nodes[place].timers.extend(out.timers);
        let mut changes = out.changes.into_iter();
        let mut taken = 0;
        for (before, leaving) in out.leaving {
            let some: Vec<Vec<u8>> = changes.by_ref().take(before - taken).collect();
            taken = before;
            self.nodes[place].persist(some, self.setting.survival);
            if self.nodes[place].barrier.holds() {
                self.nodes[place].barrier.hold(leaving);
            } else {
                self.leave(place, leaving);
            }
        }
        self.nodes[place].persist(changes.collect(), self.setting.survival);
    }

    fn leave(&mut self, place: usize, leaving: Leaving) {
        match leaving {
            Leaving::Send(to, message) => {
                let from = self.nodes[place].spec.node;
                self.in_flight.push((from, to, message));
            }
            Leaving::Reply(request, reply) => self.answer(request, reply),
        }
    }

    fn answer(&mut self, request: RequestId, reply: Reply) {
        let asked = |session: &Session| session.open.is_some_and(|open| open.request == request);
        let place = self.sessions.iter().position(asked);
        let place = place.expect("a request is answered once, by a process that lives");
        let open = self.sessions[place].open.take().expect("it is open");
        let seen = &mut self.seen[open.row];
        seen.returned = Some(self.now);
        match reply {
            Reply::Put(version) => {
                seen.outcome = Outcome::Ok;
                seen.version = Some(version);
            }
            Reply::Get(found) => {
                seen.outcome = Outcome::Ok;
                seen.read.extend(found.map(|(value, _)| value));
                seen.version = found.map(|(_, version)| version);
            }
            Reply::Refused => seen.outcome = Outcome::Fail,
            Reply::Indefinite => {
                seen.outcome = Outcome::Info;
                self.sessions[place] = self.begin_session();
            }
        }
    }
}

impl Node {
    fn new(spec: ReplicaSpec) -> Self {
        Self {
            replica: Replica::new(&spec),
            timers: BTreeSet::new(),
            disk: Vec::new(),
            barrier: Barrier::new(spec.bug),
            spec,
        }
    }

    fn holds(&self) -> bool {
        self.barrier.holds()
    }

    fn persist(&mut self, changes: Vec<Vec<u8>>, survival: Survival) {
        if survival == Survival::Synced {
            self.barrier.note(changes.len() as u64);
            self.disk.extend(changes);
        }
    }

    fn is_recovering(&self) -> bool {
        match self.replica.status().kind {
            KindStatus::Quorum(status) => status.recovering,
            other @ (KindStatus::Local | KindStatus::Gossip(_) | KindStatus::Raft(_)) => {
                panic!("{other:?} is no quorum")
            }
        }
    }

    fn come_back_empty(&mut self) {
        self.spec.incarnation += 1;
        self.replica = Replica::new(&self.spec);
        self.timers.clear();
    }

    fn come_back_with(&mut self, left: u64) {
        let _ = self.barrier.crash(left).count();
        self.disk.truncate(usize::try_from(left).expect("few"));
        let mut restored = Replica::new(&self.spec);
        for change in &self.disk {
            restored.restore(&postcard::from_bytes(change).expect("it was serialised"));
        }
        self.replica = restored;
        self.timers.clear();
    }
}

impl Seen {
    fn row(&self) -> Row<'_> {
        Row {
            session: self.session,
            index: self.index,
            kind: self.kind,
            key: self.key,
            written: match self.kind {
                Kind::Put => value_id(self.session, self.index),
                Kind::Get | Kind::Cas | Kind::Append => 0,
            },
            read: &self.read,
            intended: self.invoke,
            invoke: self.invoke,
            returned: self.returned,
            outcome: self.outcome,
            node: self.node,
            phase: self.phase,
            witness: self
                .version
                .map_or(Witness::None, |version| Witness::Version(Some(version))),
            ..Row::EMPTY
        }
    }
}
