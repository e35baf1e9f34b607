//! A state of a modelled cluster: the replicas that production runs, the messages in flight, the
//! clients, and what they have seen.
//!
//! It is everything that decides what can still happen, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kvs_zoo::protocol::{Dot, Message, NodeId, PutWitness, Refusal, Request, Response, Vector};
use kvs_zoo::replica::{Effects, Input, Replica, RequestId, Timer};
use kvs_zoo::values::VectorClock;

use crate::adapter::{Action, Budget, ClusterModel};
use crate::recording::{Evidence, Recording, Shown};

/// Replicas that do not agree after so many rounds of anti-entropy without loss never will.
const HEALING_ROUNDS_MAX: usize = 8;

/// A state of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cluster {
    /// Shared between states: an action changes one.
    pub(crate) replicas: Vec<Arc<Replica>>,
    /// Equal messages in flight are one.
    pub(crate) in_flight: BTreeSet<(NodeId, NodeId, Message)>,
    pub(crate) timers: BTreeSet<(NodeId, Timer)>,
    pub(crate) clients: Vec<Client>,
    pub(crate) budget: Budget,
    /// The dots that puts were answered with.
    dots: BTreeSet<Dot>,
    /// What clients did, judged by the tester of the promise; none if the model leaves it out.
    recording: Option<Recording>,
    pub(crate) seen: Seen,
}

/// What clients have seen that properties ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) dot_twice: bool,
    pub(crate) acausal: bool,
    pub(crate) unexplained: bool,
    pub(crate) siblings: bool,
    pub(crate) refusal: bool,
}

/// A session: it goes on with what it has seen after each answer, and ends when refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) next: usize,
    pub(crate) waits: bool,
    context: VectorClock,
    /// Its last put on each key.
    puts: BTreeMap<&'static str, Dot>,
}

impl Cluster {
    /// The state before anything has happened.
    pub(crate) fn new(model: &ClusterModel) -> Self {
        let client = Client {
            next: 0,
            waits: false,
            context: VectorClock::new(),
            puts: BTreeMap::new(),
        };
        let replicas = model.specs.iter().map(Replica::new).map(Arc::new);
        let mut cluster = Self {
            replicas: replicas.collect(),
            in_flight: BTreeSet::new(),
            timers: BTreeSet::new(),
            clients: vec![client; model.scripts.len()],
            budget: model.budget,
            dots: BTreeSet::new(),
            recording: model.records.then(|| Recording::new(model.lattice())),
            seen: Seen::default(),
        };
        for spec in &model.specs {
            cluster.drive(model, spec.node, &[], |replica, _, out| replica.start(out));
        }
        cluster
    }

    /// Has it happen.
    pub(crate) fn act(&mut self, model: &ClusterModel, action: Action) {
        match action {
            Action::Request(client) => self.request(model, client),
            Action::Deliver(from, to, message) => {
                self.in_flight.remove(&(from, to, message.clone()));
                self.deliver(model, from, to, message);
            }
            Action::Repeat(from, to, message) => {
                self.budget.repetitions -= 1;
                self.deliver(model, from, to, message);
            }
            Action::Lose(from, to, message) => {
                self.budget.losses -= 1;
                self.in_flight.remove(&(from, to, message));
            }
            Action::Fire(node, timer, peer) => {
                if timer == Timer::AntiEntropy {
                    self.budget.rounds -= 1;
                }
                self.fire(model, node, timer, peer);
            }
        }
    }

    fn drive(
        &mut self,
        model: &ClusterModel,
        node: NodeId,
        peers: &[NodeId],
        input: impl FnOnce(&mut Replica, &Input<'_>, &mut Recorder),
    ) {
        let mut out = Recorder::default();
        let replica = Arc::make_mut(&mut self.replicas[usize::from(node.0)]);
        input(replica, &Input { wall_ns: 0, peers }, &mut out);
        for (to, message) in out.sends {
            self.in_flight.insert((node, to, message));
        }
        for timer in out.timers {
            assert!(self.timers.insert((node, timer)), "a timer was set twice");
        }
        for (client, reply) in out.replies {
            self.replied(model, node, client, reply);
        }
    }

    fn request(&mut self, model: &ClusterModel, at: usize) {
        let client = &mut self.clients[at];
        let step = &model.scripts[at][client.next];
        client.waits = true;
        if let Some(recording) = &mut self.recording {
            recording.asked(at, step);
        }
        let context = client.context.to_vector();
        let operation = step.operation();
        let group = model.ports.route_operation(step.key.as_bytes(), &operation);
        let node = group.nodes[step.node];
        let request = Request {
            key: step.key.as_bytes(),
            operation,
            context: &context,
        };
        let id = RequestId(at as u64);
        self.drive(model, node, &[], |replica, input, out| {
            replica.handle_request(id, &request, input, out);
        });
    }

    fn deliver(&mut self, model: &ClusterModel, from: NodeId, to: NodeId, message: Message) {
        self.drive(model, to, &[], |replica, input, out| {
            replica.handle_message(from, message, input, out);
        });
    }

    fn fire(&mut self, model: &ClusterModel, node: NodeId, timer: Timer, peer: Option<NodeId>) {
        self.timers.remove(&(node, timer));
        let peers = match peer {
            Some(peer) => vec![peer],
            None => model.spec(node).peers.clone(),
        };
        self.drive(model, node, &peers, |replica, input, out| {
            replica.handle_timer(timer, input, out);
        });
    }

    fn replied(&mut self, model: &ClusterModel, node: NodeId, at: usize, reply: Reply) {
        if let Some(recording) = &mut self.recording {
            self.seen.unexplained |= !recording.answered(at, node, &reply);
        }
        let client = &mut self.clients[at];
        assert!(client.waits, "answered exactly once");
        client.waits = false;
        let step = &model.scripts[at][client.next];
        client.next += 1;
        let vector = match &reply {
            Reply::Put(Evidence::Causal(dot, vector)) => {
                self.seen.dot_twice |= !self.dots.insert(*dot);
                client.puts.insert(step.key, *dot);
                vector
            }
            Reply::Put(Evidence::Lww(_)) => return,
            Reply::Get(vector, shown) => {
                self.seen.siblings |= shown.len() > 1;
                let vectors: Vec<&Vector> = shown.iter().filter_map(Shown::vector).collect();
                let own = client.puts.get(step.key);
                let shows_own =
                    own.is_none_or(|own| vectors.iter().any(|put| clock(put).covers(*own)));
                let covers = clock(vector);
                let covers_shown = vectors.iter().all(|put| covers.covers_all(put.as_slice()));
                self.seen.acausal |= !shows_own || !covers_shown;
                vector
            }
            Reply::Refused(Refusal::Unavailable) => {
                self.seen.refusal = true;
                client.next = model.scripts[at].len();
                return;
            }
            Reply::Refused(Refusal::WrongShard | Refusal::ContextLost | Refusal::Overloaded) => {
                panic!("nothing in these models is refused so: {reply:?}")
            }
        };
        self.seen.acausal |= !clock(vector).covers_all(client.context.as_slice());
        client.context.merge(vector);
    }

    /// Whether the clients are done and nothing is in flight or about to be pushed.
    pub(crate) fn is_quiet(&self, model: &ClusterModel) -> bool {
        let done = self
            .clients
            .iter()
            .zip(&model.scripts)
            .all(|(client, script)| client.next == script.len());
        let pushed = self
            .timers
            .iter()
            .all(|(_, timer)| *timer == Timer::AntiEntropy);
        done && pushed && self.in_flight.is_empty()
    }

    /// Whether anti-entropy between all, without loss, makes the replicas equal.
    pub(crate) fn agrees_when_healed(mut self, model: &ClusterModel) -> bool {
        for _ in 0..HEALING_ROUNDS_MAX {
            if self.agrees() {
                return true;
            }
            for spec in &model.specs {
                for peer in &spec.peers {
                    self.fire(model, spec.node, Timer::AntiEntropy, Some(*peer));
                    while let Some((from, to, message)) = self.in_flight.pop_first() {
                        self.deliver(model, from, to, message);
                    }
                }
            }
        }
        self.agrees()
    }

    fn agrees(&self) -> bool {
        let mut states = self.replicas.iter().map(|replica| {
            let status = replica.status();
            (status.digest, status.applied, status.held_back)
        });
        let first = states.next();
        states.all(|state| Some(state) == first)
    }
}

fn clock(vector: &Vector) -> VectorClock {
    vector.as_slice().into()
}

/// What a client learns from a response.
#[derive(Debug)]
pub(crate) enum Reply {
    Put(Evidence),
    /// The replica's vector, and the values.
    Get(Vector, Vec<Shown>),
    Refused(Refusal),
}

#[derive(Default)]
struct Recorder {
    replies: Vec<(usize, Reply)>,
    sends: Vec<(NodeId, Message)>,
    timers: Vec<Timer>,
}

impl Effects for Recorder {
    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let reply = match response {
            Response::Put(witness) => Reply::Put(evidence(witness)),
            Response::Get { vector, siblings } => {
                let shown = siblings.iter().map(|sibling| Shown {
                    value: String::from_utf8_lossy(sibling.value).into_owned(),
                    evidence: evidence(&sibling.witness),
                });
                Reply::Get((*vector).into(), shown.collect())
            }
            Response::Refused(refusal) => Reply::Refused(*refusal),
        };
        let client = usize::try_from(to.0).expect("a client's place");
        self.replies.push((client, reply));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.sends.push((to, message));
    }

    fn set_timer(&mut self, timer: Timer) {
        self.timers.push(timer);
    }
}

fn evidence(witness: &PutWitness<'_>) -> Evidence {
    match witness {
        PutWitness::Causal { dot, vector } => Evidence::Causal(*dot, (*vector).into()),
        PutWitness::Lww { version } => Evidence::Lww(*version),
        PutWitness::None => panic!("these models are replicated"),
    }
}
