//! A node's connections to its peers, over which its messages leave.
//!
//! Each node dials each of its peers and only sends on that connection. So the two directions fail
//! and recover independently. Replicas tolerate loss. A queue is bounded, and what does not fit is
//! dropped and counted. What a broken connection had in its queue is gone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::counters::Counters;
use super::log;
use crate::transport::pump::{Bounds, FrameHandler, pump};
use crate::transport::{CloseCode, Endpoint, Malformed, Outbox, Role, link};
use kvs_core::protocol::{Message, NodeId};

/// How many bytes of messages may wait for one peer. At the bound new messages are dropped: what
/// they carry will be asked for by digests.
const QUEUE_BYTES_MAX: usize = 4 << 20;
/// How long one attempt to reach a peer may take: a handshake takes milliseconds. Fresh attempts
/// find a peer sooner after a cut than repetitions of an old one, whose intervals double.
const DIAL_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a peer may leave what is sent to it without any answer before it is dialled anew.
/// Longer than a busy machine makes a node wait, and short beside the cuts that are worth noticing.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// Pauses between attempts, doubling from the one to the other: a peer that was just restarted
/// is found at once, and one that is gone costs little.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// All peers of a node.
pub(super) struct Peers {
    own: NodeId,
    endpoint: Endpoint,
    counters: Rc<RefCell<Counters>>,
    peers: RefCell<BTreeMap<NodeId, Rc<Peer>>>,
}

struct Peer {
    id: NodeId,
    addr: Cell<SocketAddr>,
    /// It belongs to the present connection, or to the next one.
    outbox: RefCell<Rc<Outbox>>,
    /// The present connection, to be closed when the peer has moved.
    connection: RefCell<Option<quinn::Connection>>,
}

impl Peers {
    pub(super) fn new(own: NodeId, endpoint: Endpoint, counters: Rc<RefCell<Counters>>) -> Self {
        Self {
            own,
            endpoint,
            counters,
            peers: RefCell::default(),
        }
    }

    /// Learns where nodes are; connects to those of them that are `relevant`.
    pub(super) fn set(
        &self,
        addresses: &[(NodeId, SocketAddr)],
        relevant: impl Fn(NodeId) -> bool,
    ) {
        let mut peers = self.peers.borrow_mut();
        for &(id, addr) in addresses {
            if id == self.own || !relevant(id) {
                continue;
            }
            if let Some(peer) = peers.get(&id) {
                peer.move_to(addr);
                continue;
            }
            let peer = Rc::new(Peer {
                id,
                addr: Cell::new(addr),
                outbox: RefCell::default(),
                connection: RefCell::default(),
            });
            peers.insert(id, Rc::clone(&peer));
            let (endpoint, counters) = (self.endpoint.clone(), Rc::clone(&self.counters));
            tokio::task::spawn_local(async move { peer.keep_connected(endpoint, &counters).await });
        }
    }

    /// Queues a message for a peer, or drops it.
    pub(super) fn send(&self, to: NodeId, message: &Message) {
        let peers = self.peers.borrow();
        let mut counters = self.counters.borrow_mut();
        let Some(peer) = peers.get(&to) else {
            counters.messages_dropped += 1;
            return;
        };
        let outbox = peer.outbox.borrow();
        let waiting = outbox.len();
        if waiting > QUEUE_BYTES_MAX || outbox.message(message).is_err() {
            counters.messages_dropped += 1;
            return;
        }
        counters.messages_out += 1;
        counters.message_bytes_out += (outbox.len() - waiting) as u64;
    }
}

impl Peer {
    fn move_to(&self, addr: SocketAddr) {
        if self.addr.replace(addr) != addr
            && let Some(connection) = &*self.connection.borrow()
        {
            connection.close(0_u32.into(), b"you have moved");
        }
    }

    /// For as long as the node lives.
    async fn keep_connected(&self, endpoint: Endpoint, counters: &RefCell<Counters>) {
        let mut pause = PAUSE_MIN;
        loop {
            let dial = endpoint.dial(self.addr.get(), self.id, Role::Messages);
            match tokio::time::timeout(DIAL_TIMEOUT, dial).await {
                Ok(Ok(streams)) => {
                    pause = PAUSE_MIN;
                    counters.borrow_mut().peers_dialled += 1;
                    self.converse(streams, counters).await;
                }
                failed => {
                    if pause == PAUSE_MIN {
                        match failed {
                            Ok(Err(error)) => log(format_args!("{error}; trying on")),
                            _ => log(format_args!("node {} does not answer; trying on", self.id)),
                        }
                    }
                    counters.borrow_mut().dials_failed += 1;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Sends what is queued until the connection ends.
    async fn converse(&self, streams: link::Streams, counters: &RefCell<Counters>) {
        let link::Streams {
            connection,
            send,
            recv,
        } = streams;
        *self.connection.borrow_mut() = Some(connection.clone());
        let outbox = Rc::clone(&self.outbox.borrow());
        let bounds = Bounds {
            frame_bytes_max: 0,
            outbox_bytes_max: usize::MAX,
        };
        let mut nothing = NothingExpected;
        tokio::select! {
            end = pump(send, recv, &outbox, &mut nothing, bounds) => {
                link::close(&connection, &end);
                log(format_args!("connection to node {}: {end}", self.id));
            }
            () = link::silence(&connection, SILENCE_MAX) => {
                connection.close(CloseCode::Done.into(), b"silence");
                log(format_args!("connection to node {}: silent, given up", self.id));
            }
        }
        // Whoever still holds it need not fill it.
        outbox.abandon();
        counters.borrow_mut().message_bytes_lost += outbox.lost_bytes() as u64;
        *self.connection.borrow_mut() = None;
        *self.outbox.borrow_mut() = Rc::default();
    }
}

/// Nothing is ever said in answer on a stream of messages.
struct NothingExpected;

impl FrameHandler for NothingExpected {
    fn frame(&mut self, _: &[u8]) -> Result<(), Malformed> {
        Err(Malformed::Unknown("answer to a message"))
    }
}
