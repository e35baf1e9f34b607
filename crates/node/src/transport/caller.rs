//! One request, one answer: the convenient way to ask, for examples and tests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::oneshot;

use super::frame::TooLong;
use super::link::Link;
use super::outbox::Outbox;
use super::quic::{DialError, Endpoint};
use kvs_core::protocol::{
    Dot, NodeId, PutWitness, Refusal, Request, Response, Sibling, Vector, Version,
};

/// Calls that may be outstanding on one caller.
const CALLS_MAX: usize = 1024;

/// A [`Response`] that outlives the bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedResponse {
    /// The put took effect.
    Put(OwnedWitness),
    /// The value or values of the key.
    Get {
        /// All that the replica had applied; empty but under `causal`.
        vector: Vector,
        /// The values, in ascending order of their dots.
        siblings: Vec<OwnedSibling>,
    },
    /// The operation certainly had no effect.
    Refused(Refusal),
    /// It is not known whether the operation took effect.
    Indefinite,
    /// Another node leads, and this one if it is known.
    NotLeader(Option<NodeId>),
    /// The compare-and-set found something else than it expected.
    Mismatch {
        /// What it found, where the store tells.
        found: Option<Vec<OwnedSibling>>,
    },
}

/// A [`Sibling`] that outlives the bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedSibling {
    /// What was put.
    pub value: Vec<u8>,
    /// The put's evidence.
    pub witness: OwnedWitness,
}

/// A [`PutWitness`] that outlives the bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedWitness {
    /// An unreplicated store gives none.
    None,
    /// Causal.
    Causal {
        /// The put's identity.
        dot: Dot,
        /// What it covers.
        vector: Vector,
    },
    /// Last write wins.
    Lww {
        /// The put's version.
        version: Version,
    },
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection ended first: whether the operation took effect is unknown.
    #[error("the connection ended before the answer came")]
    Lost,
    /// The connection had ended before: nothing was sent.
    #[error("the connection had ended before, nothing was sent")]
    NotSent,
    /// A part is longer than the protocol allows. Nothing was sent.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// More calls are outstanding than a caller allows. Nothing was sent.
    #[error("more than {CALLS_MAX} calls outstanding: await some of them first")]
    Busy,
}

/// A connection on which many tasks of one thread may ask, each awaiting its own answer.
///
/// A task a call costs a quarter of the throughput: the load generator does not use this.
#[derive(Debug)]
pub struct Caller {
    outbox: Rc<Outbox>,
    waiting: Waiting,
    next_id: Cell<u32>,
}

type Waiting = Rc<RefCell<BTreeMap<u32, oneshot::Sender<OwnedResponse>>>>;

impl Caller {
    /// Connects to `node` and serves the connection by a task on this thread. Must be called on
    /// a [`runtime`](super::runtime), or in a `LocalSet`.
    ///
    /// # Errors
    /// When either side refuses the other, or nothing answers in time.
    pub async fn dial(
        endpoint: &Endpoint,
        addr: SocketAddr,
        node: NodeId,
    ) -> Result<Self, DialError> {
        let link = Link::dial(endpoint, addr, node).await?;
        let outbox = link.outbox();
        let waiting = Waiting::default();
        let to_answer = Rc::clone(&waiting);
        tokio::task::spawn_local(async move {
            let answer = |id: u32, response: &Response<'_>| {
                if let Some(caller) = to_answer.borrow_mut().remove(&id) {
                    // A caller that gave up waiting no longer wants the answer.
                    let _ = caller.send(response.into());
                }
            };
            link.run(answer).await;
            // Whoever waits learns that the connection ended.
            to_answer.borrow_mut().clear();
        });
        Ok(Self {
            outbox,
            waiting,
            next_id: Cell::new(0),
        })
    }

    /// Asks, and awaits the answer for as long as the connection lives: bound it with a time-out.
    ///
    /// # Errors
    /// When the connection ends first, or nothing could be sent.
    pub async fn call(&self, request: &Request<'_>) -> Result<OwnedResponse, CallError> {
        if self.outbox.is_closed() {
            return Err(CallError::NotSent);
        }
        if self.waiting.borrow().len() >= CALLS_MAX {
            return Err(CallError::Busy);
        }
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1));
        self.outbox.request(id, request)?;
        let (answer, answered) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, answer);
        let forget = Forget(&self.waiting, id);
        let response = answered.await.map_err(|_| CallError::Lost);
        drop(forget);
        response
    }
}

/// Closes the connection: calls that are outstanding end with [`CallError::Lost`].
impl Drop for Caller {
    fn drop(&mut self) {
        self.outbox.finish();
    }
}

/// Takes a call off the list, also when its future is dropped before the answer came.
struct Forget<'a>(&'a Waiting, u32);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

impl From<&Response<'_>> for OwnedResponse {
    fn from(response: &Response<'_>) -> Self {
        match response {
            Response::Put(witness) => Self::Put(witness.into()),
            Response::Get { vector, siblings } => Self::Get {
                vector: Vector::from_slice(vector),
                siblings: siblings.iter().map(OwnedSibling::from).collect(),
            },
            Response::Refused(refusal) => Self::Refused(*refusal),
            Response::Indefinite => Self::Indefinite,
            Response::NotLeader { leader } => Self::NotLeader(*leader),
            Response::Mismatch { found } => Self::Mismatch {
                found: found.map(|found| found.iter().map(OwnedSibling::from).collect()),
            },
        }
    }
}

impl From<&Sibling<'_>> for OwnedSibling {
    fn from(sibling: &Sibling<'_>) -> Self {
        Self {
            value: sibling.value.to_vec(),
            witness: (&sibling.witness).into(),
        }
    }
}

impl From<&PutWitness<'_>> for OwnedWitness {
    fn from(witness: &PutWitness<'_>) -> Self {
        match witness {
            PutWitness::None => Self::None,
            PutWitness::Causal { dot, vector } => Self::Causal {
                dot: *dot,
                vector: Vector::from_slice(vector),
            },
            PutWitness::Lww { version } => Self::Lww { version: *version },
        }
    }
}
