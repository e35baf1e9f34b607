//! A client: a worker with a finite script, which it goes through under the sessions that
//! production's clients use.

use std::collections::BTreeMap;

use kvs_core::protocol::{Call, Dot, NodeId, Operation, Vector};
use kvs_core::session::{Access, Attempt, Session};
use kvs_core::values::VectorClock;

use crate::adapter::ClusterModel;
use crate::reply::{Reply, Shown};

/// One operation of a client's script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Which node of the key's group is asked first.
    pub(crate) node: u32,
    /// The key.
    pub(crate) key: &'static str,
    /// What is put; none for a get.
    pub(crate) value: Option<&'static str>,
}

/// `value` under `key` at the group's `node`-th node.
pub(crate) const fn put(node: u32, key: &'static str, value: &'static str) -> Step {
    Step {
        node,
        key,
        value: Some(value),
    }
}

/// What `key` holds at the group's `node`-th node.
pub(crate) const fn get(node: u32, key: &'static str) -> Step {
    Step {
        node,
        key,
        value: None,
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

    pub(crate) const fn access(&self) -> Access {
        match self.value {
            None => Access::Read,
            Some(_) => Access::Write,
        }
    }
}

/// Where a client's operation is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// There is none.
    Idle,
    /// On its way to the node.
    Sent(Attempt),
    /// At the node, which has not answered.
    Waits(Attempt),
    /// Its answer is on its way back.
    Answered(Attempt, Reply),
}

impl Phase {
    pub(crate) const fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::Idle => None,
            Self::Sent(attempt) | Self::Waits(attempt) | Self::Answered(attempt, _) => {
                Some(*attempt)
            }
        }
    }
}

/// A worker and the session that it goes on under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) session: Session,
    /// Its place in its script.
    pub(crate) next: usize,
    pub(crate) phase: Phase,
    /// The session's last put on each key.
    puts: BTreeMap<&'static str, Dot>,
}

/// A put whose session has given it up, and which may still arrive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Late {
    pub(crate) session: u32,
    pub(crate) node: NodeId,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) context: Vector,
    pub(crate) call: Option<Call>,
}

impl Client {
    pub(crate) const fn new(session: u32) -> Self {
        Self {
            session: Session::new(session),
            next: 0,
            phase: Phase::Idle,
            puts: BTreeMap::new(),
        }
    }

    /// What it does next or is doing; none when its script is over.
    pub(crate) fn step(&self, model: &ClusterModel, at: usize) -> Option<Step> {
        model.scripts[at].get(self.next).copied()
    }

    /// Goes on to the next operation, under a new session if this one has ended.
    pub(crate) fn proceed(&mut self, ends_session: bool, clients: usize) {
        self.phase = Phase::Idle;
        self.next += 1;
        if ends_session {
            let clients = u32::try_from(clients).expect("a handful of clients");
            self.session = self.session.successor(self.session.id() + clients);
            self.puts.clear();
        }
    }

    /// Whether an answer covers what the session had seen, its own put on the key, and what the
    /// values that it shows had covered. Remembers the session's own put.
    pub(crate) fn is_causal(&mut self, key: &'static str, attempt: Attempt, reply: &Reply) -> bool {
        let (vector, shown): (_, &[Shown]) = match reply {
            Reply::Put(put) => match put {
                crate::reply::Witness::Causal(dot, vector) => {
                    self.puts.insert(key, *dot);
                    (vector, &[])
                }
                crate::reply::Witness::None | crate::reply::Witness::Lww(_) => return true,
            },
            Reply::Get(vector, shown) => (vector, shown),
            Reply::Refused(_) | Reply::Indefinite | Reply::NotLeader(_) => return true,
        };
        let clock = |vector: &Vector| VectorClock::from(vector.as_slice());
        let vectors: Vec<&Vector> = shown.iter().filter_map(|s| s.evidence.vector()).collect();
        let covers = clock(vector);
        let shows_own = match (reply, self.puts.get(key)) {
            (Reply::Get(..), Some(own)) => vectors.iter().any(|put| clock(put).covers(*own)),
            _ => true,
        };
        let covers_shown = vectors.iter().all(|put| covers.covers_all(put));
        shows_own && covers_shown && covers.covers_all(self.session.context(attempt.group))
    }
}
