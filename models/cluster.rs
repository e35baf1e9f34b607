//! A state of a modelled cluster: the nodes, the clients, and what they have seen.
//!
//! It is everything that decides what can still happen and what properties ask for, and nothing
//! else: statistics of replicas are no part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kvs_core::protocol::{Dot, NodeId, Operation, Origin, Refusal, Request, Vector};
use kvs_core::replica::RequestId;
use kvs_core::session::{Attempt, Next, Outcome, Policy, Routing, View};

use crate::action::Action;
use crate::adapter::{Budget, ClusterModel, EVER};
use crate::chronicle::Chronicle;
use crate::client::{Client, Late, Phase, get};
use crate::healing::Healed;
use crate::nodes::{Nodes, Replies};
use crate::properties::{
    A_CHANGE_IS_LOST, A_CONTEXT_IS_LOST, A_GET_GOES_BACK, A_LATE_PUT_IS_TAKEN, A_QUEUE_IS_FULL,
    A_REQUEST_IS_REFUSED, Happens,
};
use crate::recording::{READER, Recording};
use crate::reply::{Reply, Witness};
use crate::shared::Shared;

/// A state of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cluster {
    pub(crate) nodes: Nodes,
    pub(crate) clients: Vec<Shared<Client>>,
    pub(crate) late: BTreeSet<Late>,
    pub(crate) budget: Budget,
    /// The puts that replicas have answered, with their keys. (Where replicas give puts no dots,
    /// they are judged by what is read.)
    pub(crate) accepted: BTreeMap<Dot, (&'static str, Witness)>,
    /// The versions of answered puts that have no dots, with what was put: a put that was sent again
    /// has the same version.
    pub(crate) versions: BTreeMap<Dot, &'static str>,
    /// What clients did, judged by the tester of the promise, one a group; none if the model
    /// leaves it out.
    pub(crate) recordings: Option<Shared<Vec<Recording>>>,
    pub(crate) seen: Seen,
    /// What was so once and is so for ever, as the model's kind says.
    pub(crate) chronicle: Shared<Chronicle>,
}

/// What was seen on the way that properties ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) dot_twice: bool,
    pub(crate) acausal: bool,
    pub(crate) unexplained: bool,
    /// Of what has to happen, that which leaves no other trace.
    happened: BTreeSet<&'static str>,
}

impl Seen {
    fn note(&mut self, model: &ClusterModel, what: &Happens) {
        if model.happens.iter().any(|it| it.name == what.name) {
            self.happened.insert(what.name);
        }
    }

    pub(crate) fn noted(&self, what: &Happens) -> bool {
        self.happened.contains(what.name)
    }
}

impl Cluster {
    /// The state before anything has happened.
    pub(crate) fn new(model: &ClusterModel) -> Self {
        let clients = (0..).zip(&model.scripts).map(|(id, _)| Client::new(id));
        Self {
            nodes: Nodes::new(model),
            clients: clients.map(Shared::new).collect(),
            late: BTreeSet::new(),
            budget: model.budget,
            accepted: BTreeMap::new(),
            versions: BTreeMap::new(),
            recordings: model.records.then(|| Shared::new(model.recordings())),
            seen: Seen::default(),
            chronicle: Shared::new(Chronicle::default()),
        }
    }

    /// Has it happen.
    pub(crate) fn act(&mut self, model: &ClusterModel, action: Action) {
        self.happen(model, action);
        if let Some(tell) = model.tells {
            let mut chronicle = (*self.chronicle).clone();
            for (spec, replica) in model.specs.iter().zip(&self.nodes.replicas) {
                tell(spec.node, replica, &mut chronicle);
            }
            if chronicle != *self.chronicle {
                self.chronicle = Shared::new(chronicle);
            }
        }
    }

    fn happen(&mut self, model: &ClusterModel, action: Action) {
        match action {
            Action::Request(at, wall_ns) => self.request(model, at, wall_ns),
            Action::Arrive(at, wall_ns) => self.arrive(model, at, wall_ns),
            Action::Answer(at) => {
                if let Phase::Answered(attempt, reply) = self.clients[at].phase.clone() {
                    self.answer(model, at, attempt, &reply);
                }
            }
            Action::GiveUp(at) => self.give_up(model, at),
            Action::ArriveLate(late, wall_ns) => self.arrive_late(model, late, wall_ns),
            Action::Deliver(packet) => {
                if self.budget.repetitions != EVER {
                    self.nodes.in_flight.remove(&packet);
                }
                let replies = self.nodes.deliver(&packet);
                self.take(model, packet.to, replies);
            }
            Action::Repeat(packet) => {
                Budget::spend(&mut self.budget.repetitions);
                let replies = self.nodes.deliver(&packet);
                self.take(model, packet.to, replies);
            }
            Action::Fire(node, timer, peers) => {
                if timer.recurs() {
                    Budget::spend(&mut self.budget.rounds);
                }
                let replies = self.nodes.fire(node, timer, &peers);
                self.take(model, node, replies);
            }
            Action::Recover(node) => {
                Budget::spend(&mut self.budget.recoveries);
                self.nodes.recover(node);
                self.disconnect(model, node);
            }
            Action::Sync(node) => {
                let replies = self.nodes.sync(node);
                self.take(model, node, replies);
            }
            Action::Crash(node, left) => {
                Budget::spend(&mut self.budget.recoveries);
                if self.nodes.crash(model.spec(node), left) {
                    self.seen.note(model, A_CHANGE_IS_LOST);
                }
                self.disconnect(model, node);
            }
            Action::Forget(node) => {
                Budget::spend(&mut self.budget.losses_of_memory);
                self.nodes.forget(model.spec(node));
                self.disconnect(model, node);
            }
        }
    }

    /// What becomes of it when nothing goes wrong any more.
    pub(crate) fn healed(&self, model: &ClusterModel) -> Arc<Healed> {
        model.infirmary.heal(model, &self.nodes)
    }

    /// Whether what clients saw is still explained when every node is read in the end.
    pub(crate) fn final_reads_are_explained(&self, model: &ClusterModel) -> bool {
        let Some(recordings) = &self.recordings else {
            return true;
        };
        if !recordings.iter().any(Recording::judges_final_reads) {
            return true;
        }
        let mut recordings = (**recordings).clone();
        self.healed(model).reads().all(|(node, key, shown)| {
            let recording = &mut recordings[model.recording_of(key)];
            recording.asked(READER, &get(0, key));
            let reply = Reply::Get(Vector::new(), shown.to_vec());
            recording.answered(READER, self.nodes.origin(node), &reply)
        })
    }

    fn request(&mut self, model: &ClusterModel, at: usize, wall_ns: u64) {
        self.begin(model, at);
        if !model.apart {
            self.arrive(model, at, wall_ns);
        }
    }

    fn begin(&mut self, model: &ClusterModel, at: usize) {
        let step = self.clients[at].step(model, at).expect("it has one left");
        self.clients[at].change(|client| {
            let key = step.key.as_bytes();
            let attempt = in_view(model, |view| {
                client.session.begin(view, key, step.access(), step.node)
            });
            client.phase = Phase::Sent(attempt);
        });
        let session = self.clients[at].session.id();
        self.record(model, step.key, |recording| {
            recording.asked(session, &step);
            true
        });
    }

    fn arrive(&mut self, model: &ClusterModel, at: usize, wall_ns: u64) {
        let client = &self.clients[at];
        let step = client.step(model, at).expect("its operation is under way");
        let attempt = client.phase.attempt().expect("it was sent");
        let id = RequestId(u64::from(client.session.id()));
        let context = client.session.context(attempt.group).to_vec();
        let call = client.session.call(attempt.group);
        self.clients[at].change(|client| client.phase = Phase::Waits(attempt));
        let request = Request {
            key: step.key.as_bytes(),
            operation: step.operation(),
            context: &context,
            call,
        };
        let replies = self.nodes.request(attempt.node, id, &request, wall_ns);
        self.take(model, attempt.node, replies);
    }

    /// A put goes on without its session, which does not wait for it any longer.
    fn give_up(&mut self, model: &ClusterModel, at: usize) {
        Budget::spend(&mut self.budget.given_up);
        if self.clients[at].phase == Phase::Idle {
            self.begin(model, at);
        }
        let client = &self.clients[at];
        let step = client.step(model, at).expect("its operation is under way");
        if let Phase::Sent(attempt) = client.phase {
            self.late.insert(Late {
                session: client.session.id(),
                node: attempt.node,
                key: step.key,
                value: step.value.expect("only puts are given up"),
                context: client.session.context(attempt.group).into(),
                call: client.session.call(attempt.group),
            });
        }
        let next = self.clients[at].change(|client| client.session.handle_timeout());
        self.follow(model, at, next, None);
    }

    fn arrive_late(&mut self, model: &ClusterModel, late: Late, wall_ns: u64) {
        self.late.remove(&late);
        let request = Request {
            key: late.key.as_bytes(),
            operation: Operation::Put {
                value: late.value.as_bytes(),
            },
            context: &late.context,
            call: late.call,
        };
        let id = RequestId(u64::from(late.session));
        let replies = self.nodes.request(late.node, id, &request, wall_ns);
        for (_, reply) in &replies {
            self.accept(late.node, late.key, late.value, reply);
            self.seen.note(model, A_LATE_PUT_IS_TAKEN);
        }
    }

    /// Replicas have answered. Whoever has given up does not hear it.
    fn take(&mut self, model: &ClusterModel, node: NodeId, replies: Replies) {
        for (id, reply) in replies {
            let of_session = |client: &Shared<Client>| u64::from(client.session.id()) == id.0;
            let Some(at) = self.clients.iter().position(of_session) else {
                continue;
            };
            let client = &self.clients[at];
            let Phase::Waits(attempt) = client.phase else {
                panic!("{reply:?} answers a request that does not wait");
            };
            let step = client.step(model, at).expect("its operation is under way");
            self.accept(node, step.key, step.value.unwrap_or_default(), &reply);
            if model.apart {
                self.clients[at].change(|client| client.phase = Phase::Answered(attempt, reply));
            } else {
                self.answer(model, at, attempt, &reply);
            }
        }
    }

    /// A replica has taken a put, whether or not its client hears of it.
    fn accept(&mut self, node: NodeId, key: &'static str, value: &'static str, reply: &Reply) {
        let Reply::Put(evidence) = reply else {
            return;
        };
        let dot = match evidence {
            Witness::None => return,
            Witness::Causal(dot, _) => *dot,
            Witness::Lww(version) => match self.nodes.last_dot(node) {
                // Its reply does not say, but it was the last. (No such model has disks, which keep
                // replies back.)
                Some(dot) => dot,
                None => {
                    let dot = Dot::new(Origin::from_u32(version.origin), version.time);
                    let other = self.versions.insert(dot, value);
                    self.seen.dot_twice |= other.is_some_and(|other| other != value);
                    return;
                }
            },
        };
        let put = (key, evidence.clone());
        self.seen.dot_twice |= self.accepted.insert(dot, put).is_some();
    }

    fn answer(&mut self, model: &ClusterModel, at: usize, attempt: Attempt, reply: &Reply) {
        match reply {
            Reply::Refused(Refusal::Unavailable) => self.seen.note(model, A_REQUEST_IS_REFUSED),
            Reply::Refused(Refusal::Overloaded) => self.seen.note(model, A_QUEUE_IS_FULL),
            Reply::Refused(Refusal::ContextLost) => self.seen.note(model, A_CONTEXT_IS_LOST),
            Reply::Put(_)
            | Reply::Get(..)
            | Reply::Indefinite
            | Reply::NotLeader(_)
            | Reply::Refused(Refusal::WrongShard | Refusal::NotReady | Refusal::Rejected) => {}
            Reply::Refused(Refusal::NotPrimary | Refusal::TooFewReplicas) => {
                unreachable!("no store of the zoo says so")
            }
        }
        let step = self.clients[at]
            .step(model, at)
            .expect("its operation is under way");
        let key = step.key.as_bytes();
        let (is_causal, next) = self.clients[at].change(|client| {
            let is_causal = client.is_causal(step.key, attempt, reply);
            let next = reply.as_response(|response| {
                in_view(model, |view| {
                    client.session.handle_response(view, key, response)
                })
            });
            (is_causal, next)
        });
        self.seen.acausal |= !is_causal;
        self.follow(model, at, next, Some((attempt.node, reply)));
    }

    /// The process that answers these clients has ended.
    fn disconnect(&mut self, model: &ClusterModel, node: NodeId) {
        self.late.retain(|late| late.node != node);
        for at in 0..self.clients.len() {
            let client = &self.clients[at];
            if client.phase.attempt().is_none_or(|to| to.node != node) {
                continue;
            }
            let step = client.step(model, at).expect("its operation is under way");
            let key = step.key.as_bytes();
            let next = self.clients[at].change(|client| {
                in_view(model, |view| client.session.handle_disconnect(view, key))
            });
            self.follow(model, at, next, None);
        }
    }

    /// What follows for the client, and for what is on record.
    fn follow(
        &mut self,
        model: &ClusterModel,
        at: usize,
        next: Next,
        answer: Option<(NodeId, &Reply)>,
    ) {
        match next {
            Next::Retry(attempt) | Next::Pause(attempt) => {
                self.clients[at].change(|client| client.phase = Phase::Sent(attempt));
                // Two replicas that each take the other for the leader would send it to and fro.
                let is_redirected = matches!(answer, Some((_, Reply::NotLeader(_))));
                if !model.apart && !is_redirected {
                    self.arrive(model, at, 0);
                }
            }
            Next::Done {
                outcome,
                ends_session,
            } => {
                let client = &self.clients[at];
                let session = client.session.id();
                let key = client.step(model, at).expect("it is just over").key;
                match (outcome, answer) {
                    (Outcome::Ok, Some((node, reply))) => {
                        let origin = self.nodes.origin(node);
                        self.record(model, key, |recording| {
                            recording.answered(session, origin, reply)
                        });
                    }
                    (Outcome::Ok, None) => unreachable!("only an answer ends well"),
                    (Outcome::Fail(_), _) => {
                        self.record(model, key, |recording| recording.failed(session));
                    }
                    (Outcome::Info(_), _) => {}
                }
                let clients = self.clients.len();
                self.clients[at].change(|client| client.proceed(ends_session, clients));
            }
        }
    }

    /// Puts it on record; what does so says whether all is still explained.
    fn record(
        &mut self,
        model: &ClusterModel,
        key: &str,
        what: impl FnOnce(&mut Recording) -> bool,
    ) {
        if let Some(recordings) = &mut self.recordings {
            let at = model.recording_of(key);
            let (is_explained, goes_back) = recordings.change(|recordings| {
                let recording = &mut recordings[at];
                (what(recording), recording.goes_back())
            });
            self.seen.unexplained |= !is_explained;
            if goes_back {
                self.seen.note(model, A_GET_GOES_BACK);
            }
        }
    }
}

/// What sessions know besides what they have seen: where keys are, and no node to distrust.
fn in_view<R>(model: &ClusterModel, look: impl FnOnce(View<'_>) -> R) -> R {
    look(View {
        ports: &model.ports,
        policy: Policy {
            // Scripts say where to begin, which is what was drawn.
            routing: Routing::Random,
            context: true,
        },
        suspicion: &model.suspicion,
        primary: None,
        reads_from_primary: false,
        now_ns: 0,
    })
}
