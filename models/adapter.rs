//! A deployed cluster as a stateright model: a network that may lose, repeat and reorder, and
//! clients with finite scripts.
//!
//! An action is one input of one replica. Loss, repetition and anti-entropy have budgets, or the
//! state space would have no end. What the action does to the state is in `cluster`.

use kvs_zoo::bug::Bug;
use kvs_zoo::protocol::{Lattice, Message, NodeId, Operation};
use kvs_zoo::replica::{ReplicaKind, ReplicaSpec, Settings, Timer};
use kvs_zoo::server::{Host, ServerPorts};
use stateright::{Model, Property};

use crate::cluster::Cluster;

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
    pub(crate) ports: ServerPorts,
    pub(crate) specs: Vec<ReplicaSpec>,
    pub(crate) scripts: Vec<Vec<Step>>,
    pub(crate) budget: Budget,
    /// Whether the state holds all that clients did, which multiplies the states.
    pub(crate) records: bool,
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
            records: true,
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
        vec![Cluster::new(self)]
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
        next.act(self, action);
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
            Property::always(AN_ORDER_EXPLAINS_ALL, |_, state: &Cluster| {
                !state.seen.unexplained
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
        properties.retain(|property| {
            let can_fail = self.records || property.name != AN_ORDER_EXPLAINS_ALL;
            can_fail && self.only.is_none_or(|only| only == property.name)
        });
        properties
    }
}

/// From every state in which clients are done and nothing is in flight, anti-entropy without loss
/// makes the stores equal.
pub(crate) const QUIET_REPLICAS_AGREE: &str = "quiet replicas agree once healed";
/// Every answer covers what its session had seen, the session's own puts, and what the values that
/// it shows had covered.
pub(crate) const SESSIONS_ARE_CAUSAL: &str = "sessions are causal";
/// The tester of the cluster's promise, `CausalTester` or `LwwTester`, accepts what clients did.
pub(crate) const AN_ORDER_EXPLAINS_ALL: &str = "an order explains what clients saw";
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

    /// With another budget.
    pub(crate) fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Leaves out what clients did: states that differ in nothing else are one.
    pub(crate) fn without_history(self) -> Self {
        Self {
            records: false,
            ..self
        }
    }

    /// What the replicas promise.
    pub(crate) fn lattice(&self) -> Lattice {
        match self.specs[0].kind {
            ReplicaKind::Replicated(lattice) => lattice,
            ReplicaKind::Local => panic!("these models are replicated"),
        }
    }

    pub(crate) fn spec(&self, node: NodeId) -> &ReplicaSpec {
        &self.specs[usize::from(node.0)]
    }
}

impl Step {
    pub(crate) const fn operation(&self) -> Operation<'static> {
        match self.value {
            None => Operation::Get,
            Some(value) => Operation::Put {
                value: value.as_bytes(),
            },
        }
    }
}
