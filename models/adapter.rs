//! A deployed cluster as a stateright model: a network that loses, repeats and reorders, nodes that
//! crash, clocks that are wrong, and clients with finite scripts.
//!
//! An action is one input of one replica or client. What the action does to the state is in
//! `cluster`, and what has to hold in `properties`. Which reductions are made, and why they are
//! sound, is in `README.md`.

use kvs_core::bug::Bug;
use kvs_core::protocol::{Lattice, NodeId};
use kvs_core::replica::{Replica, ReplicaSpec, Settings, Timer};
use kvs_core::server::{Architecture, KVSServer, Promise, ServerPorts};
use kvs_core::session::Suspicion;
use kvs_core::values::Value;
use kvs_sim::SimHost;
use stateright::{Model, Property};

use crate::action::Action;
use crate::chronicle::Chronicle;
use crate::client::{Phase, Step};
use crate::cluster::Cluster;
use crate::healing::Infirmary;
use crate::properties::{self, Happens, Keeps};
use crate::recording::Recording;

/// The unit of a hybrid logical clock's wall part, in ns.
pub(crate) const TICK_NS: u64 = 1 << 16;

/// As often as there is an occasion, which is not counted.
pub(crate) const EVER: u8 = u8::MAX;

/// Tells what the state of a node's replica says that must be so for ever.
pub(crate) type Tells = fn(NodeId, &Replica, &mut Chronicle);

/// What is in flight is lost, in an opening.
pub(crate) const ALL_IS_LOST: &str = "all in flight is lost";

/// How often things may happen that could happen for ever. (Losing messages is not among them: any
/// message may stay in flight for good.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Messages that arrive once more than they were sent.
    pub(crate) repetitions: u8,
    /// Timers that recur and fire, such as rounds of anti-entropy, of all replicas together.
    pub(crate) rounds: u8,
    /// Restarts of a node with its state.
    pub(crate) recoveries: u8,
    /// Restarts of a node without.
    pub(crate) losses_of_memory: u8,
    /// Puts whose clients do not wait for the answer.
    pub(crate) given_up: u8,
}

impl Budget {
    pub(crate) const fn spend(of: &mut u8) {
        if *of != EVER {
            *of -= 1;
        }
    }
}

/// What clients of a model do and what may go wrong meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// One script a client.
    pub(crate) scripts: Vec<Vec<Step>>,
    pub(crate) budget: Budget,
    /// What the wall clock may read when a put is taken, in ns, or what random bits may come with a
    /// request: any of these, each time.
    pub(crate) walls: &'static [u64],
    /// Whether requests and answers travel on their own, or arrive as soon as they are sent.
    pub(crate) apart: bool,
    /// Whether nodes have disks that take time, from which they come back.
    pub(crate) disks: bool,
    /// Whether the state holds all that clients did, which multiplies the states.
    pub(crate) records: bool,
    /// What has to happen in some state, or the model is too tame.
    pub(crate) happens: &'static [&'static Happens],
    /// What has to hold in every state besides what must in all models.
    pub(crate) keeps: &'static [&'static Keeps],
    /// What a replica's state says that must be so for ever.
    pub(crate) tells: Option<Tells>,
    /// What has happened before the model begins, in the words of its actions and [`ALL_IS_LOST`].
    pub(crate) opening: Vec<&'static str>,
    pub(crate) settings: Settings,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            scripts: Vec::new(),
            budget: Budget::default(),
            walls: &[0],
            apart: false,
            disks: false,
            records: true,
            happens: &[],
            keeps: &[],
            tells: None,
            opening: Vec::new(),
            settings: Settings::default(),
        }
    }
}

/// A deployed cluster and its clients' scripts.
pub(crate) struct ClusterModel {
    pub(crate) ports: ServerPorts,
    /// What clients are to see.
    promise: Promise,
    pub(crate) specs: Vec<ReplicaSpec>,
    pub(crate) scripts: Vec<Vec<Step>>,
    /// What the replicas' buffers are held to.
    pub(crate) bounds: Settings,
    pub(crate) budget: Budget,
    walls: &'static [u64],
    pub(crate) apart: bool,
    pub(crate) disks: bool,
    pub(crate) records: bool,
    pub(crate) happens: &'static [&'static Happens],
    pub(crate) keeps: &'static [&'static Keeps],
    pub(crate) tells: Option<Tells>,
    opening: Vec<&'static str>,
    /// The one property that is looked at; all when none is said.
    pub(crate) only: Option<&'static str>,
    /// Clients distrust no node.
    pub(crate) suspicion: Suspicion,
    pub(crate) infirmary: Infirmary,
}

impl Scenario {
    /// The model of this composition.
    pub(crate) fn deploy<V: Value, S: KVSServer<V>>(self, bug: Option<Bug>) -> ClusterModel {
        self.deploy_on(&S::architecture(), V::LATTICE, bug)
    }

    /// The model of this architecture.
    pub(crate) fn deploy_on(
        self,
        architecture: &Architecture,
        lattice: Lattice,
        bug: Option<Bug>,
    ) -> ClusterModel {
        let mut host = SimHost::new(self.settings, bug);
        let ports = architecture.deploy(&mut host, lattice);
        let size = architecture.size();
        ClusterModel {
            ports,
            promise: architecture.kind().facts().promise(lattice),
            specs: host.into_specs(),
            scripts: self.scripts,
            bounds: self.settings,
            budget: self.budget,
            walls: self.walls,
            apart: self.apart,
            disks: self.disks,
            records: self.records,
            happens: self.happens,
            keeps: self.keeps,
            tells: self.tells,
            opening: self.opening,
            only: None,
            suspicion: Suspicion::new(size),
            infirmary: Infirmary::default(),
        }
    }
}

impl Model for ClusterModel {
    type State = Cluster;
    type Action = Action;

    fn init_states(&self) -> Vec<Cluster> {
        vec![self.opened()]
    }

    fn actions(&self, state: &Cluster, actions: &mut Vec<Action>) {
        for at in 0..state.clients.len() {
            self.client_actions(state, at, actions);
        }
        for late in &state.late {
            let arrive = |wall: &u64| Action::ArriveLate(late.clone(), *wall);
            actions.extend(self.walls.iter().map(arrive));
        }
        for packet in &state.nodes.in_flight {
            actions.push(Action::Deliver(packet.clone()));
            // What may come again for ever stays in flight whenever it arrives.
            if (1..EVER).contains(&state.budget.repetitions) {
                actions.push(Action::Repeat(packet.clone()));
            }
        }
        for (node, timer) in &state.nodes.timers {
            self.timer_actions(state, *node, *timer, actions);
        }
        for spec in &self.specs {
            let may_end = state.budget.recoveries > 0;
            match state.nodes.disk(spec.node) {
                None if may_end => actions.push(Action::Recover(spec.node)),
                None => {}
                Some(disk) => {
                    if !disk.is_durable() {
                        actions.push(Action::Sync(spec.node));
                    }
                    let left = disk.may_be_left().filter(|_| may_end);
                    actions.extend(left.map(|left| Action::Crash(spec.node, left)));
                }
            }
            if state.budget.losses_of_memory > 0 {
                actions.push(Action::Forget(spec.node));
            }
        }
    }

    fn next_state(&self, last: &Cluster, action: Action) -> Option<Cluster> {
        let mut next = last.clone();
        next.act(self, action);
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl ClusterModel {
    /// Looks at this property only. The search then ends at its first discovery, which breadth
    /// first is a shortest one; with more to look for it goes on, and replaces what it found.
    pub(crate) fn only(self, property: &'static str) -> Self {
        Self {
            only: Some(property),
            ..self
        }
    }

    /// The state in which the model begins.
    fn opened(&self) -> Cluster {
        let mut state = Cluster::new(self);
        if self.opening.is_empty() {
            return state;
        }
        state.budget.rounds = EVER;
        for step in &self.opening {
            if *step == ALL_IS_LOST {
                state.nodes.in_flight.clear();
                continue;
            }
            let mut actions = Vec::new();
            self.actions(&state, &mut actions);
            let action = actions.into_iter().find(|it| it.to_string() == *step);
            let action = action.unwrap_or_else(|| panic!("{step} cannot happen in the opening"));
            state.act(self, action);
        }
        state.budget = self.budget;
        state
    }

    /// The keys of all scripts.
    pub(crate) fn keys(&self) -> Vec<&'static str> {
        let mut keys: Vec<_> = self.scripts.iter().flatten().map(|step| step.key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Nothing is on record yet, in one recording a group.
    pub(crate) fn recordings(&self) -> Vec<Recording> {
        let groups = self.ports.groups().iter();
        groups.map(|_| Recording::new(self.promise)).collect()
    }

    /// Which recording operations on the key are in: registers are promised to the store as a
    /// whole, and what sessions see to each group.
    pub(crate) fn recording_of(&self, key: &str) -> usize {
        match self.promise {
            Promise::Linearizable | Promise::Regular | Promise::Eventual => 0,
            Promise::Causal | Promise::Lww => usize::from(self.ports.route(key.as_bytes()).id.0),
        }
    }

    pub(crate) fn spec(&self, node: NodeId) -> &ReplicaSpec {
        &self.specs[usize::from(node.0)]
    }

    fn client_actions(&self, state: &Cluster, at: usize, actions: &mut Vec<Action>) {
        let client = &state.clients[at];
        let Some(step) = client.step(self, at) else {
            return;
        };
        let is_put = step.access().is_write();
        // Only puts look at the clock, and all operations at random bits.
        let walls = if is_put || self.specs[0].draws().random {
            self.walls
        } else {
            &self.walls[..1]
        };
        match client.phase {
            Phase::Idle if self.apart => actions.push(Action::Request(at, 0)),
            Phase::Idle => actions.extend(walls.iter().map(|wall| Action::Request(at, *wall))),
            Phase::Sent(_) => actions.extend(walls.iter().map(|wall| Action::Arrive(at, *wall))),
            Phase::Waits(_) => {}
            Phase::Answered(..) => actions.push(Action::Answer(at)),
        }
        let may_begin = client.phase != Phase::Idle || !self.apart;
        if state.budget.given_up > 0 && is_put && may_begin {
            actions.push(Action::GiveUp(at));
        }
    }

    fn timer_actions(
        &self,
        state: &Cluster,
        node: NodeId,
        timer: Timer,
        actions: &mut Vec<Action>,
    ) {
        if timer.recurs() && state.budget.rounds == 0 {
            return;
        }
        let spec = self.spec(node);
        let fire = |peers| Action::Fire(node, timer, peers);
        match timer.peers_used(&spec.settings) {
            used if used >= spec.peers.len() => actions.push(fire(spec.peers.clone())),
            0 => actions.push(fire(Vec::new())),
            1 => actions.extend(spec.peers.iter().map(|peer| fire(vec![*peer]))),
            _ => panic!("larger choices are not enumerated"),
        }
    }
}
