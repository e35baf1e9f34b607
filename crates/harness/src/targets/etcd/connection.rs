//! Some HTTP connections to one node, as one connection of the lanes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use kvs_core::drive::{Ask, Order, key_name};
use kvs_core::protocol::{PutWitness, Refusal, Response, Sibling, Version};
use kvs_target::{Answers, Connection, Connector, Local, NodeAddress, Outgoing, Refused};

use super::errors::{Meaning, is_stranger, meaning};
use super::gateway::{self, Answer, Compared, Http};
use super::is_serializable;
use crate::targets::store::{Credentials, Speech, Wrong};

/// HTTP connections to a node: each has one request under way.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// Answers that may wait to be handed on: each connection has one.
const DONE_MAX: usize = CONNECTIONS_MAX;

/// Connects to etcd.
pub(super) struct EtcdConnector {
    settings: Rc<Settings>,
}

#[derive(Debug)]
struct Settings {
    key_prefix: String,
    serializable: bool,
    patience: Duration,
    credentials: Credentials,
}

impl EtcdConnector {
    pub(super) fn new(speech: &Speech) -> Result<Self, Wrong> {
        let credentials = speech.credentials.clone();
        if credentials.password.is_some() && credentials.user.is_none() {
            return Err(Wrong(
                "[auth] of an etcd needs `user` beside `password`".to_owned(),
            ));
        }
        Ok(Self {
            settings: Rc::new(Settings {
                key_prefix: speech.key_prefix.clone(),
                serializable: is_serializable(&speech.options),
                patience: speech.patience,
                credentials,
            }),
        })
    }
}

impl Connector for EtcdConnector {
    fn connect(&self, node: NodeAddress) -> Local<'_, Result<Box<dyn Connection>, Refused>> {
        Box::pin(async move {
            let introduced = introduce(node.address, &self.settings).await;
            let (first, token) =
                introduced.map_err(|error| Refused(format!("{}: {error}", node.address)))?;
            let outgoing = EtcdOutgoing {
                token,
                settings: Rc::clone(&self.settings),
                queue: RefCell::default(),
                arrived: Notify::new(),
                work: Notify::new(),
                idle: Cell::new(0),
                is_closed: Cell::new(false),
                closing: Notify::new(),
            };
            Ok(Box::new(EtcdConnection {
                address: node.address,
                first,
                outgoing: Rc::new(outgoing),
            }) as Box<dyn Connection>)
        })
    }
}

/// Connects to a node that lets this client in, and says the token that is for that, if it needs one.
async fn introduce(
    address: SocketAddr,
    settings: &Settings,
) -> io::Result<(Http, Option<HeaderValue>)> {
    let mut http = Http::connect(address).await?;
    let token = http.authenticate(&settings.credentials).await?;
    // The node answers by itself, so that one without its peers does as well.
    let body = gateway::range(settings.key_prefix.as_bytes(), true);
    let answer = http.post(gateway::RANGE, body).await?;
    let said = gateway::error(&answer.body);
    if !answer.is_success && is_stranger(&said) {
        let why = settings.credentials.refused(&said);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok((http, token))
}

struct EtcdConnection {
    address: SocketAddr,
    first: Http,
    outgoing: Rc<EtcdOutgoing>,
}

#[derive(Debug)]
struct EtcdOutgoing {
    settings: Rc<Settings>,
    /// Who asks.
    token: Option<HeaderValue>,
    /// What has been asked and not been sent. The lanes bound it.
    queue: RefCell<VecDeque<Job>>,
    /// Has jobs shared out.
    arrived: Notify,
    /// Has an HTTP connection without a request take a job.
    work: Notify,
    /// HTTP connections without a request.
    idle: Cell<usize>,
    is_closed: Cell<bool>,
    closing: Notify,
}

#[derive(Debug)]
struct Job {
    id: u32,
    what: What,
    body: Vec<u8>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
enum What {
    Range,
    Put,
    /// A compare-and-set.
    Transaction,
}

impl What {
    const fn path(self) -> &'static str {
        match self {
            Self::Range => gateway::RANGE,
            Self::Put => gateway::PUT,
            Self::Transaction => gateway::TRANSACTION,
        }
    }
}

/// What became of a job.
struct Done {
    id: u32,
    what: What,
    /// None when nothing was sent.
    outcome: Option<io::Result<Answer>>,
}

impl Outgoing for EtcdOutgoing {
    fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn request(&self, id: u32, order: &Order<'_>) {
        if self.is_closed.get() {
            return;
        }
        let mut key = self.settings.key_prefix.clone().into_bytes();
        key.extend_from_slice(&key_name(order.key));
        let (what, body) = match order.ask {
            Ask::Get => (
                What::Range,
                gateway::range(&key, self.settings.serializable),
            ),
            Ask::Put(new) => (What::Put, gateway::put(&key, &new.to_text())),
            Ask::Cas { expected, new } => {
                let expected = expected.map(kvs_core::drive::NewValue::to_text);
                let body = gateway::compare_and_set(&key, expected.as_deref(), &new.to_text());
                (What::Transaction, body)
            }
        };
        self.queue.borrow_mut().push_back(Job { id, what, body });
        self.arrived.notify_one();
    }

    fn close(&self) {
        self.closing.notify_one();
    }
}

impl EtcdOutgoing {
    /// Has those HTTP connections that have no request take the jobs that wait, and says how many
    /// more connections these are worth.
    fn wanted(&self, connections: usize) -> usize {
        let jobs = self.queue.borrow().len();
        for _ in 0..jobs.min(self.idle.get()) {
            self.work.notify_one();
        }
        let room = CONNECTIONS_MAX.saturating_sub(connections);
        jobs.saturating_sub(self.idle.get()).min(room)
    }
}

impl Connection for EtcdConnection {
    fn outgoing(&self) -> Rc<dyn Outgoing> {
        Rc::<EtcdOutgoing>::clone(&self.outgoing)
    }

    fn run<'a>(self: Box<Self>, answers: &'a mut dyn Answers) -> Local<'a, ()> {
        let Self {
            address,
            first,
            outgoing,
        } = *self;
        Box::pin(async move {
            let (tell, mut told) = mpsc::channel(DONE_MAX);
            let mut workers = JoinSet::new();
            let mut first = Some(first);
            loop {
                for _ in 0..outgoing.wanted(workers.len()) {
                    let outgoing = Rc::clone(&outgoing);
                    workers.spawn_local(work(address, first.take(), outgoing, tell.clone()));
                }
                tokio::select! {
                    done = told.recv() => {
                        let Some(done) = done else { break };
                        if !hand_on(done, answers) {
                            break;
                        }
                    }
                    () = outgoing.arrived.notified() => {}
                    () = outgoing.closing.notified() => break,
                }
            }
            outgoing.is_closed.set(true);
        })
    }
}

/// Sends what is asked, one after the other, until the connection breaks.
async fn work(
    address: SocketAddr,
    connected: Option<Http>,
    outgoing: Rc<EtcdOutgoing>,
    tell: mpsc::Sender<Done>,
) {
    let mut http = connected;
    loop {
        let job = outgoing.queue.borrow_mut().pop_front();
        let Some(Job { id, what, body }) = job else {
            outgoing.idle.set(outgoing.idle.get() + 1);
            outgoing.work.notified().await;
            outgoing.idle.set(outgoing.idle.get() - 1);
            continue;
        };
        let connected = match http.take() {
            Some(connected) => Ok(connected),
            None => {
                let token = outgoing.token.clone();
                let connected = Http::connect(address).await;
                connected.map(|http| http.with_token(token))
            }
        };
        let outcome = match connected {
            Err(_) => None,
            Ok(mut connected) => {
                let patience = outgoing.settings.patience;
                let answer =
                    tokio::time::timeout(patience, connected.post(what.path(), body)).await;
                let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                http = answer.is_ok().then_some(connected);
                Some(answer)
            }
        };
        let done = Done { id, what, outcome };
        if tell.send(done).await.is_err() {
            return;
        }
    }
}

/// Hands an answer on, and says whether the connections can go on.
fn hand_on(done: Done, answers: &mut dyn Answers) -> bool {
    let Done { id, what, outcome } = done;
    let answer = match outcome {
        None => {
            // Nothing was sent.
            answers.answer(id, &Response::Refused(Refusal::NotReady));
            return false;
        }
        // The lane has lost patience as well, and this HTTP connection is replaced.
        Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return true,
        Some(Err(_)) => return false,
        Some(Ok(answer)) => answer,
    };
    if !answer.is_success {
        let said = gateway::error(&answer.body);
        match meaning(&said) {
            Meaning::Definite(refusal) => answers.answer(id, &Response::Refused(refusal)),
            Meaning::Indefinite => answers.indefinite(id),
        }
        // Whoever connects again gets another token.
        return !is_stranger(&said);
    }
    match what {
        What::Range => hand_on_found(id, &answer.body, answers),
        What::Put => match gateway::revision(&answer.body) {
            Some(revision) => answers.answer(id, &Response::Put(witness(revision))),
            None => answers.indefinite(id),
        },
        What::Transaction => hand_on_compared(id, &answer.body, answers),
    }
    true
}

fn hand_on_found(id: u32, body: &[u8], answers: &mut dyn Answers) {
    match gateway::found(body) {
        Some(found) => {
            let sibling = found.as_ref().map(sibling);
            let response = Response::Get {
                vector: &[],
                siblings: sibling.as_slice(),
            };
            answers.answer(id, &response);
        }
        None => answers.indefinite(id),
    }
}

fn hand_on_compared(id: u32, body: &[u8], answers: &mut dyn Answers) {
    match gateway::compared(body) {
        Some(Compared::Set(revision)) => answers.answer(id, &Response::Put(witness(revision))),
        Some(Compared::Found(found)) => {
            let sibling = found.as_ref().map(sibling);
            let found = Some(sibling.as_slice());
            answers.answer(id, &Response::Mismatch { found });
        }
        None => answers.indefinite(id),
    }
}

/// A value, with the revision of its write.
fn sibling((value, revision): &(Vec<u8>, u64)) -> Sibling<'_> {
    Sibling {
        value,
        witness: witness(*revision),
    }
}

/// The revision of a write orders all writes of the cluster.
const fn witness(revision: u64) -> PutWitness<'static> {
    PutWitness::Lww {
        version: Version {
            time: revision,
            origin: 0,
        },
    }
}
