//! A convenient client: one session, one operation at a time, awaited. For examples and tests;
//! the load generator drives many sessions at a fraction of the price.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use kvs_core::protocol::{NodeId, Operation, PutWitness, Request, Response, Sibling};
use kvs_core::server::ServerPorts;
use kvs_core::session::{
    Access, Attempt, Fate, Next, Outcome, PATIENCE_NS, Policy, Session, Suspicion, Trouble, ViewMut,
};
use kvs_node::transport::{
    CallError, Caller, DialError, Endpoint, OwnedResponse, OwnedSibling, OwnedWitness,
};

use super::load::RunClock;
use kvs_target::NodeAddress;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take before another replica is asked, where that is safe.
const PATIENCE: Duration = Duration::from_nanos(PATIENCE_NS);

/// Connections to every node of a deployment, which sessions share.
#[derive(Debug)]
pub struct Client {
    connections: Rc<Connections>,
}

#[derive(Debug)]
struct Connections {
    callers: BTreeMap<NodeId, Caller>,
    ports: ServerPorts,
    policy: Policy,
    suspicion: RefCell<Suspicion>,
    clock: RunClock,
    sessions: std::cell::Cell<u32>,
}

/// One session of a [`Client`]. What it has seen once, it will not miss later.
#[derive(Debug)]
pub struct ClientSession {
    connections: Rc<Connections>,
    session: Session,
}

/// What a get found: no value, one, or concurrent siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The node that answered.
    pub node: NodeId,
    /// The values with their evidence, in the order in which the replica keeps them.
    pub siblings: Vec<OwnedSibling>,
}

/// Why an operation did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It certainly had no effect.
    #[error("the operation had no effect: {0}")]
    Failed(Trouble),
    /// It may have had an effect; the session was replaced by a fresh one.
    #[error("whether the operation took effect is unknown: {0}")]
    Unknown(Trouble),
}

impl Read {
    /// The values as text, sorted; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .siblings
            .iter()
            .map(|sibling| String::from_utf8_lossy(&sibling.value).into_owned())
            .collect();
        texts.sort();
        texts
    }
}

impl Client {
    /// Connects to each of `nodes`.
    ///
    /// # Errors
    /// When a node refuses or does not answer.
    pub async fn connect(
        endpoint: &Endpoint,
        nodes: &[NodeAddress],
        ports: ServerPorts,
        policy: Policy,
    ) -> Result<Self, DialError> {
        let mut callers = BTreeMap::new();
        for node in nodes {
            let caller = Caller::dial(endpoint, node.address, node.node).await?;
            callers.insert(node.node, caller);
        }
        let connections = Connections {
            suspicion: RefCell::new(Suspicion::new(callers.len())),
            callers,
            ports,
            policy,
            clock: RunClock::start(),
            sessions: std::cell::Cell::new(0),
        };
        Ok(Self {
            connections: Rc::new(connections),
        })
    }

    /// A session that has seen nothing.
    #[must_use]
    pub fn session(&self) -> ClientSession {
        let session = Session::new(self.connections.next_session());
        ClientSession {
            connections: Rc::clone(&self.connections),
            session,
        }
    }

    /// A session that only talks to `node`.
    #[must_use]
    pub fn session_at(&self, node: NodeId) -> ClientSession {
        let session = Session::pinned(self.connections.next_session(), node);
        ClientSession {
            connections: Rc::clone(&self.connections),
            session,
        }
    }

    /// Which nodes serve which key.
    #[must_use]
    pub fn ports(&self) -> &ServerPorts {
        &self.connections.ports
    }
}

impl Connections {
    fn next_session(&self) -> u32 {
        let id = self.sessions.get();
        self.sessions.set(id + 1);
        id
    }
}

impl ClientSession {
    /// Puts `value`, and returns the node that took it.
    ///
    /// # Errors
    /// When the put failed, or nobody knows.
    pub async fn put(
        &mut self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<NodeId, ClientError> {
        let operation = Operation::Put {
            value: value.as_ref(),
        };
        let (node, _) = self.perform(key.as_ref(), operation).await?;
        Ok(node)
    }

    /// Gets the value or values of a key.
    ///
    /// # Errors
    /// When no replica answered.
    pub async fn get(&mut self, key: impl AsRef<[u8]>) -> Result<Read, ClientError> {
        let (node, response) = self.perform(key.as_ref(), Operation::Get).await?;
        match response {
            OwnedResponse::Get { siblings, .. } => Ok(Read { node, siblings }),
            OwnedResponse::Put(_)
            | OwnedResponse::Refused(_)
            | OwnedResponse::Indefinite
            | OwnedResponse::NotLeader(_)
            | OwnedResponse::Mismatch { .. } => {
                unreachable!("the session ends a get with the answer to a get only")
            }
        }
    }

    async fn perform(
        &mut self,
        key: &[u8],
        operation: Operation<'_>,
    ) -> Result<(NodeId, OwnedResponse), ClientError> {
        let access = match operation {
            Operation::Get => Access::Read,
            Operation::Put { .. } => Access::Write,
            Operation::Cas { .. } => Access::CompareAndSet,
        };
        let connections = Rc::clone(&self.connections);
        if self.session.is_busy() {
            // The last call was dropped before its answer came: what it did is unknown.
            self.session = self.session.successor(connections.next_session());
        }
        let draw = self.session.next_index().wrapping_mul(0x9e37_79b9);
        let mut attempt = {
            let mut suspicion = connections.suspicion.borrow_mut();
            let client = connections.view(&mut suspicion);
            self.session.begin(client.view(), key, access, draw)
        };
        let over = Instant::now() + TIMEOUT;
        loop {
            let Attempt { node, group } = attempt;
            let request = Request {
                key,
                operation,
                context: self.session.context(group),
                call: self.session.call(group),
            };
            let may_ask_again = self.session.may_ask_again();
            let answer = connections.ask(node, &request, over, may_ask_again).await;
            match connections.tell(&mut self.session, key, &answer) {
                Next::Retry(next) => attempt = next,
                Next::Pause(next) => {
                    tokio::time::sleep_until(over.min(Instant::now() + PATIENCE)).await;
                    attempt = next;
                }
                Next::Done {
                    outcome,
                    ends_session,
                } => {
                    if ends_session {
                        self.session = self.session.successor(connections.next_session());
                    }
                    return match outcome {
                        Outcome::Ok => Ok((node, answer.expect("an ok has an answer"))),
                        Outcome::Fail(trouble) => Err(ClientError::Failed(trouble)),
                        Outcome::Info(trouble) => Err(ClientError::Unknown(trouble)),
                    };
                }
            }
        }
    }
}

/// Shows an answer that was kept as the answer that came in.
fn borrowed<T>(response: &OwnedResponse, look: impl FnOnce(&Response<'_>) -> T) -> T {
    match response {
        OwnedResponse::Put(witness) => look(&Response::Put(borrowed_witness(witness))),
        OwnedResponse::Refused(refusal) => look(&Response::Refused(*refusal)),
        OwnedResponse::Indefinite => look(&Response::Indefinite),
        OwnedResponse::NotLeader(leader) => look(&Response::NotLeader { leader: *leader }),
        OwnedResponse::Get { vector, siblings } => look(&Response::Get {
            vector,
            siblings: &borrowed_siblings(siblings),
        }),
        OwnedResponse::Mismatch { found } => {
            let found = found.as_deref().map(borrowed_siblings);
            let found = found.as_deref();
            look(&Response::Mismatch { found })
        }
    }
}

fn borrowed_siblings(siblings: &[OwnedSibling]) -> Vec<Sibling<'_>> {
    let borrowed = siblings.iter().map(|sibling| Sibling {
        value: &sibling.value,
        witness: borrowed_witness(&sibling.witness),
    });
    borrowed.collect()
}

fn borrowed_witness(witness: &OwnedWitness) -> PutWitness<'_> {
    match witness {
        OwnedWitness::None => PutWitness::None,
        OwnedWitness::Causal { dot, vector } => PutWitness::Causal { dot: *dot, vector },
        OwnedWitness::Lww { version } => PutWitness::Lww { version: *version },
    }
}

impl Connections {
    /// What all sessions share at this moment.
    fn view<'a>(&'a self, suspicion: &'a mut Suspicion) -> ViewMut<'a> {
        ViewMut {
            ports: &self.ports,
            policy: self.policy,
            suspicion,
            primary: None,
            reads_from_primary: false,
            now_ns: self.clock.now_ns(),
        }
    }

    /// Sends a request and waits for what becomes of it, which is its answer if all goes well.
    async fn ask(
        &self,
        node: NodeId,
        request: &Request<'_>,
        over: Instant,
        may_ask_again: bool,
    ) -> Result<OwnedResponse, Fate<'static>> {
        let Some(caller) = self.callers.get(&node) else {
            return Err(Fate::Unsent);
        };
        let patience = Instant::now() + PATIENCE;
        let until = if may_ask_again {
            patience.min(over)
        } else {
            over
        };
        match tokio::time::timeout_at(until, caller.call(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(CallError::Lost)) => Err(Fate::Disconnected),
            Ok(Err(CallError::NotSent | CallError::Busy | CallError::TooLong(_))) => {
                Err(Fate::Unsent)
            }
            Err(_) if until < over => Err(Fate::Silent),
            Err(_) => Err(Fate::TimedOut),
        }
    }

    /// Tells a session what has become of its request, and returns what it wants next.
    fn tell(
        &self,
        session: &mut Session,
        key: &[u8],
        answer: &Result<OwnedResponse, Fate<'static>>,
    ) -> Next {
        let mut suspicion = self.suspicion.borrow_mut();
        let mut client = self.view(&mut suspicion);
        match answer {
            Ok(response) => borrowed(response, |response| {
                client.tell(session, key, Fate::Answered(response))
            }),
            Err(fate) => client.tell(session, key, *fate),
        }
    }
}
