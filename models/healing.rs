//! Heals the replicas: what becomes of them once nothing goes wrong any more. Convergence,
//! durability and liveness ask this of every state.
//!
//! Everything in flight is lost. Then the timers that recur fire in turn, for each peer, and what
//! they bring about is delivered without loss: for gossip that is anti-entropy between all
//! replicas. Rumours that may still arrive play no part, since the model has another state in which
//! they did. So a state from which this does not end well is a mistake of the protocol.
//! "Eventually" becomes "always, when healed": stateright's own `eventually` misses counterexamples
//! where paths join or loop.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use foldhash::quality::FixedState;
use kvs_core::protocol::{Dot, NodeId, Operation, Request};
use kvs_core::replica::RequestId;
use kvs_core::values::VectorClock;

use crate::adapter::ClusterModel;
use crate::nodes::{Nodes, Replies};
use crate::reply::{Reply, Shown, Witness};

/// Replicas that do not agree after so many rounds of anti-entropy without loss never will.
const HEALING_ROUNDS_MAX: usize = 8;
/// After so many messages that one timer or request has brought about, there is no end to them.
const DELIVERIES_MAX: usize = 1_000;

/// What is there once the replicas were healed.
#[derive(Debug)]
pub(crate) struct Healed {
    /// Whether the replicas of each group are equal.
    pub(crate) agree: bool,
    /// Whether no request and no update waits any more.
    pub(crate) nothing_waits: bool,
    /// What any replica had applied before.
    held: VectorClock,
    /// What each replica answers for each of its keys, by node and key.
    reads: BTreeMap<(NodeId, &'static str), Vec<Shown>>,
}

impl Healed {
    /// Whether some replica had this put before.
    pub(crate) fn was_held(&self, dot: Dot) -> bool {
        self.held.covers(dot)
    }

    /// Whether every replica that serves the key shows this put, or one that supersedes it.
    pub(crate) fn everywhere(&self, key: &str, put: &Witness) -> bool {
        let mut of_key = self.reads.iter().filter(|((_, other), _)| *other == key);
        of_key.all(|(_, shown)| shown.iter().any(|shown| supersedes(&shown.evidence, put)))
    }

    /// What the nodes answer: any of them, they are to agree.
    pub(crate) fn reads(&self) -> impl Iterator<Item = (NodeId, &'static str, &[Shown])> {
        self.reads
            .iter()
            .map(|((node, key), shown)| (*node, *key, shown.as_slice()))
    }
}

fn supersedes(shown: &Witness, put: &Witness) -> bool {
    match (shown, put) {
        (Witness::Causal(_, vector), Witness::Causal(dot, _)) => {
            VectorClock::from(vector.as_slice()).covers(*dot)
        }
        (Witness::Lww(shown), Witness::Lww(put)) => shown >= put,
        _ => false,
    }
}

/// Healed replicas by what they were before: many states differ in clients and messages only.
#[derive(Debug, Default)]
pub(crate) struct Infirmary(Mutex<HashMap<u64, Arc<Healed>>>);

impl Infirmary {
    /// What becomes of these nodes.
    pub(crate) fn heal(&self, model: &ClusterModel, nodes: &Nodes) -> Arc<Healed> {
        let name = name(nodes);
        let known = |wards: &HashMap<u64, Arc<Healed>>| wards.get(&name).cloned();
        if let Some(healed) = known(&self.0.lock().expect("no thread panics here")) {
            return healed;
        }
        let healed = Arc::new(heal(model, nodes.clone()));
        let mut wards = self.0.lock().expect("no thread panics here");
        wards.insert(name, Arc::clone(&healed));
        healed
    }
}

/// The hash of all that healing depends on, as stateright tells states apart by theirs.
fn name(nodes: &Nodes) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    nodes.replicas.hash(&mut hasher);
    nodes.timers.hash(&mut hasher);
    hasher.finish()
}

fn heal(model: &ClusterModel, mut nodes: Nodes) -> Healed {
    let mut held = VectorClock::new();
    for spec in &model.specs {
        held.merge(nodes.applied(spec.node).as_slice());
    }
    nodes.in_flight.clear();
    nodes.without_disks();
    for _ in 0..HEALING_ROUNDS_MAX {
        for spec in &model.specs {
            for peer in &spec.peers {
                for timer in nodes.recurring(spec.node) {
                    nodes.fire(spec.node, timer, &[*peer]);
                    deliver_all(&mut nodes);
                }
            }
        }
        if agree(model, &nodes) && nothing_waits(&nodes) {
            break;
        }
    }
    let agree = agree(model, &nodes);
    Healed {
        agree,
        nothing_waits: nothing_waits(&nodes),
        held,
        reads: reads(model, &mut nodes),
    }
}

/// Delivers what is in flight and what that brings about, unless there is no end to it.
fn deliver_all(nodes: &mut Nodes) -> Replies {
    let mut replies = Replies::new();
    for _ in 0..DELIVERIES_MAX {
        let Some(packet) = nodes.in_flight.pop_first() else {
            break;
        };
        replies.extend(nodes.deliver(&packet));
    }
    replies
}

fn agree(model: &ClusterModel, nodes: &Nodes) -> bool {
    let status = |node: &NodeId| nodes.replicas[usize::from(node.0)].status();
    model.ports.groups().iter().all(|group| {
        let first = status(&group.nodes[0]);
        let mut others = group.nodes[1..].iter().map(status);
        others.all(|other| first.agrees_with(&other))
    })
}

fn nothing_waits(nodes: &Nodes) -> bool {
    let mut statuses = nodes.replicas.iter().map(|replica| replica.status());
    statuses.all(|status| status.is_quiet())
}

fn reads(model: &ClusterModel, nodes: &mut Nodes) -> BTreeMap<(NodeId, &'static str), Vec<Shown>> {
    let mut reads = BTreeMap::new();
    for key in model.keys() {
        for node in &model.ports.route(key.as_bytes()).nodes {
            let request = Request {
                key: key.as_bytes(),
                operation: Operation::Get,
                context: &[],
                call: None,
            };
            let mut replies = nodes.request(*node, RequestId(u64::MAX), &request, 0);
            replies.extend(deliver_all(nodes));
            if let [(_, Reply::Get(_, shown))] = replies.as_slice() {
                reads.insert((*node, key), shown.clone());
            }
        }
    }
    reads
}
