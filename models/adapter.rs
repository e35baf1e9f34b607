//! A cluster as a stateright model: the replicas that production runs, a network that may lose,
//! repeat and reorder, and clients with finite scripts.
//!
//! A state is everything that decides what can still happen; an action is one input of one replica.
//! Loss, repetition and anti-entropy have budgets, or the state space would have no end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kvs_zoo::bug::Bug;
use kvs_zoo::protocol::{
    Dot, Message, NodeId, Operation, PutWitness, Refusal, Request, Response, Vector,
};
use kvs_zoo::replica::{Effects, Input, Replica, ReplicaSpec, RequestId, Settings, Timer};
use kvs_zoo::server::{Host, ServerPorts};
use kvs_zoo::values::VectorClock;
use stateright::{Model, Property};

/// Replicas that do not agree after so many rounds of anti-entropy without loss never will.
const HEALING_ROUNDS_MAX: usize = 8;

/// One operation of a client's script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Which node of the key's group is asked.
    pub(crate) node: usize,
    /// The key.
    pub(crate) key: &'static str,
    /// What is put; none for a get.
    pub(crate) value: Option<&'static str>,
}

/// What may go wrong and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Messages that get lost.
    pub(crate) losses: u8,
    /// Messages that arrive once more than they were sent.
    pub(crate) repetitions: u8,
    /// Rounds of anti-entropy, of all replicas together.
    pub(crate) rounds: u8,
}

/// A deployed cluster and its clients' scripts.
pub(crate) struct ClusterModel {
    ports: ServerPorts,
    specs: Vec<ReplicaSpec>,
    scripts: Vec<Vec<Step>>,
    budget: Budget,
    /// What has to happen in some state, or the model is too tame.
    happens: &'static [&'static str],
    /// The one property that is looked at; all when none is said.
    only: Option<&'static str>,
}

/// The host that turns a composition into the replicas of a model.
#[derive(Default)]
pub(crate) struct ModelHost {
    reserved: u16,
    specs: Vec<ReplicaSpec>,
    settings: Settings,
    bug: Option<Bug>,
}

/// A state of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cluster {
    /// Shared between states: an action changes one.
    replicas: Vec<Arc<Replica>>,
    /// Equal messages in flight are one.
    in_flight: BTreeSet<(NodeId, NodeId, Message)>,
    timers: BTreeSet<(NodeId, Timer)>,
    clients: Vec<Client>,
    budget: Budget,
    /// The dots that puts were answered with.
    dots: BTreeSet<Dot>,
    seen: Seen,
}

/// What clients have seen that properties ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Seen {
    dot_twice: bool,
    acausal: bool,
    siblings: bool,
    refusal: bool,
}

/// A session: it goes on with what it has seen after each answer, and ends when refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Client {
    next: usize,
    waits: bool,
    context: VectorClock,
    /// Its last put on each key.
    puts: BTreeMap<&'static str, Dot>,
}

/// What can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A client sends the next request of its script, which arrives.
    Request(usize),
    /// A message arrives.
    Deliver(NodeId, NodeId, Message),
    /// A message arrives and stays in flight.
    Repeat(NodeId, NodeId, Message),
    /// A message gets lost.
    Lose(NodeId, NodeId, Message),
    /// A timer fires; anti-entropy goes to this peer.
    Fire(NodeId, Timer, Option<NodeId>),
}

impl ModelHost {
    pub(crate) fn new(settings: Settings, bug: Option<Bug>) -> Self {
        Self {
            settings,
            bug,
            ..Self::default()
        }
    }

    /// The model of what was deployed.
    pub(crate) fn into_model(
        self,
        ports: ServerPorts,
        scripts: Vec<Vec<Step>>,
        budget: Budget,
        happens: &'static [&'static str],
    ) -> ClusterModel {
        ClusterModel {
            ports,
            specs: self.specs,
            scripts,
            budget,
            happens,
            only: None,
        }
    }
}

impl Host for ModelHost {
    fn reserve(&mut self) -> NodeId {
        self.reserved += 1;
        NodeId(self.reserved - 1)
    }

    fn start(&mut self, node: NodeId, replica: ReplicaSpec) {
        assert_eq!(usize::from(node.0), self.specs.len(), "started in order");
        self.specs.push(replica);
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn bug(&self) -> Option<Bug> {
        self.bug
    }
}

impl Model for ClusterModel {
    type State = Cluster;
    type Action = Action;

    fn init_states(&self) -> Vec<Cluster> {
        let client = Client {
            next: 0,
            waits: false,
            context: VectorClock::new(),
            puts: BTreeMap::new(),
        };
        let mut cluster = Cluster {
            replicas: self
                .specs
                .iter()
                .map(|spec| Arc::new(Replica::new(spec)))
                .collect(),
            in_flight: BTreeSet::new(),
            timers: BTreeSet::new(),
            clients: vec![client; self.scripts.len()],
            budget: self.budget,
            dots: BTreeSet::new(),
            seen: Seen::default(),
        };
        for spec in &self.specs {
            cluster.drive(self, spec.node, &[], |replica, _, out| replica.start(out));
        }
        vec![cluster]
    }

    fn actions(&self, state: &Cluster, actions: &mut Vec<Action>) {
        for (at, client) in state.clients.iter().enumerate() {
            if !client.waits && client.next < self.scripts[at].len() {
                actions.push(Action::Request(at));
            }
        }
        for (from, to, message) in &state.in_flight {
            actions.push(Action::Deliver(*from, *to, message.clone()));
            if state.budget.losses > 0 {
                actions.push(Action::Lose(*from, *to, message.clone()));
            }
            if state.budget.repetitions > 0 {
                actions.push(Action::Repeat(*from, *to, message.clone()));
            }
        }
        for (node, timer) in &state.timers {
            match timer {
                Timer::Rumour | Timer::Deferral => actions.push(Action::Fire(*node, *timer, None)),
                Timer::AntiEntropy if state.budget.rounds > 0 => {
                    for peer in &self.spec(*node).peers {
                        actions.push(Action::Fire(*node, *timer, Some(*peer)));
                    }
                }
                Timer::AntiEntropy => {}
            }
        }
    }

    fn next_state(&self, last: &Cluster, action: Action) -> Option<Cluster> {
        let mut next = last.clone();
        match action {
            Action::Request(client) => next.request(self, client),
            Action::Deliver(from, to, message) => {
                next.in_flight.remove(&(from, to, message.clone()));
                next.deliver(self, from, to, message);
            }
            Action::Repeat(from, to, message) => {
                next.budget.repetitions -= 1;
                next.deliver(self, from, to, message);
            }
            Action::Lose(from, to, message) => {
                next.budget.losses -= 1;
                next.in_flight.remove(&(from, to, message));
            }
            Action::Fire(node, timer, peer) => {
                if timer == Timer::AntiEntropy {
                    next.budget.rounds -= 1;
                }
                next.fire(self, node, timer, peer);
            }
        }
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(QUIET_REPLICAS_AGREE, |model, state: &Cluster| {
                !state.is_quiet(model) || state.clone().agrees_when_healed(model)
            }),
            Property::always(SESSIONS_ARE_CAUSAL, |_, state: &Cluster| {
                !state.seen.acausal
            }),
            Property::always(DOTS_ARE_UNIQUE, |_, state: &Cluster| !state.seen.dot_twice),
        ];
        let happens = [
            Property::sometimes(CONCURRENT_PUTS_MEET, |_, state: &Cluster| {
                state.seen.siblings
            }),
            Property::sometimes(A_REQUEST_IS_REFUSED, |_, state: &Cluster| {
                state.seen.refusal
            }),
            Property::sometimes(AN_UPDATE_IS_HELD_BACK, |_, state: &Cluster| {
                let mut statuses = state.replicas.iter().map(|replica| replica.status());
                statuses.any(|status| status.held_back > 0)
            }),
        ];
        properties.extend(
            happens
                .into_iter()
                .filter(|property| self.happens.contains(&property.name)),
        );
        properties.retain(|property| self.only.is_none_or(|only| only == property.name));
        properties
    }
}

/// From every state in which clients are done and nothing is in flight, anti-entropy without loss
/// makes the stores equal.
pub(crate) const QUIET_REPLICAS_AGREE: &str = "quiet replicas agree once healed";
/// Every answer covers what its session had seen, the session's own puts, and what the values that
/// it shows had covered.
pub(crate) const SESSIONS_ARE_CAUSAL: &str = "sessions are causal";
/// No two puts are answered with the same dot.
pub(crate) const DOTS_ARE_UNIQUE: &str = "dots are unique";
/// A get returns two values.
pub(crate) const CONCURRENT_PUTS_MEET: &str = "a get returns siblings";
/// A request waits in vain for the replica to catch up with its session.
pub(crate) const A_REQUEST_IS_REFUSED: &str = "a request is refused";
/// An update arrives before one that it depends on.
pub(crate) const AN_UPDATE_IS_HELD_BACK: &str = "an update is held back";

impl ClusterModel {
    /// Looks at this property only. The search then ends at its first discovery, which breadth
    /// first is a shortest one; with more to look for it goes on, and replaces what it found.
    #[cfg(test)]
    pub(crate) fn only(self, property: &'static str) -> Self {
        Self {
            only: Some(property),
            ..self
        }
    }

    fn spec(&self, node: NodeId) -> &ReplicaSpec {
        &self.specs[usize::from(node.0)]
    }
}

impl Cluster {
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
            self.replied(model, client, reply);
        }
    }

    fn request(&mut self, model: &ClusterModel, at: usize) {
        let client = &mut self.clients[at];
        let step = &model.scripts[at][client.next];
        client.waits = true;
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

    fn replied(&mut self, model: &ClusterModel, at: usize, reply: Reply) {
        let client = &mut self.clients[at];
        assert!(client.waits, "answered exactly once");
        client.waits = false;
        let step = &model.scripts[at][client.next];
        client.next += 1;
        let vector = match &reply {
            Reply::Put(dot, vector) => {
                self.seen.dot_twice |= !self.dots.insert(*dot);
                client.puts.insert(step.key, *dot);
                vector
            }
            Reply::Get(vector, siblings) => {
                self.seen.siblings |= siblings.len() > 1;
                let own = client.puts.get(step.key);
                let shows_own = own
                    .is_none_or(|own| siblings.iter().any(|sibling| clock(sibling).covers(*own)));
                let shown = clock(vector);
                let covers_shown = siblings.iter().all(|sibling| shown.covers_all(sibling));
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

    fn is_quiet(&self, model: &ClusterModel) -> bool {
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

    fn agrees_when_healed(mut self, model: &ClusterModel) -> bool {
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

impl Step {
    const fn operation(&self) -> Operation<'static> {
        match self.value {
            None => Operation::Get,
            Some(value) => Operation::Put {
                value: value.as_bytes(),
            },
        }
    }
}

fn clock(vector: &Vector) -> VectorClock {
    vector.as_slice().into()
}

/// What a client learns from a response.
#[derive(Debug)]
enum Reply {
    Put(Dot, Vector),
    /// The replica's vector and each sibling's.
    Get(Vector, Vec<Vector>),
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
            Response::Put(witness) => {
                let (dot, vector) = causal(witness);
                Reply::Put(dot, vector)
            }
            Response::Get { vector, siblings } => {
                let vectors = siblings.iter().map(|sibling| causal(&sibling.witness).1);
                Reply::Get((*vector).into(), vectors.collect())
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

fn causal(witness: &PutWitness<'_>) -> (Dot, Vector) {
    match witness {
        PutWitness::Causal { dot, vector } => (*dot, (*vector).into()),
        PutWitness::None | PutWitness::Lww { .. } => panic!("these models are causal"),
    }
}
