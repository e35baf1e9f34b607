//! The asking end of a connection: requests into an outbox, responses to a handler.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::codec;
use super::frame::{CloseCode, Malformed, RESPONSE_BYTES_MAX, Role};
use super::outbox::Outbox;
use super::pump::{Bounds, FrameHandler, StreamEnd, pump};
use super::quic::{DialError, Endpoint};
use kvs_core::protocol::{Dot, NodeId, Response};

/// A connection that was dialled and accepted, with its one stream.
#[derive(Debug)]
pub struct Streams {
    /// The connection itself: it lives as long as this does.
    pub connection: quinn::Connection,
    /// To the peer.
    pub send: quinn::SendStream,
    /// From the peer.
    pub recv: quinn::RecvStream,
}

/// What a client does with responses. A closure `FnMut(u32, &Response<'_>)` is one.
pub trait ResponseHandler {
    /// The response to the request of that id. May append to this outbox, or to any other one.
    fn response(&mut self, id: u32, response: &Response<'_>);

    /// All the responses that a read brought have been handled; what they caused to be appended
    /// is written next.
    fn batch_end(&mut self) {}
}

impl<F: FnMut(u32, &Response<'_>)> ResponseHandler for F {
    fn response(&mut self, id: u32, response: &Response<'_>) {
        self(id, response);
    }
}

/// A client's connection to one node, before it runs.
///
/// Requests go into its [`Outbox`], before and while it runs, from anywhere on the thread.
/// Whoever asks bounds how much: what a client has outstanding is what can wait there.
#[derive(Debug)]
pub struct Link {
    streams: Streams,
    outbox: Rc<Outbox>,
}

/// Why a link ended: whatever was outstanding has an unknown outcome.
pub type LinkEnd = StreamEnd;

impl Link {
    /// Connects to `node`, verifying that it is that node.
    ///
    /// # Errors
    /// When either side refuses the other, or nothing answers in time.
    pub async fn dial(
        endpoint: &Endpoint,
        addr: SocketAddr,
        node: NodeId,
    ) -> Result<Self, DialError> {
        Ok(Self {
            streams: endpoint.dial(addr, node, Role::Requests).await?,
            outbox: Rc::default(),
        })
    }

    /// Where requests go.
    #[must_use]
    pub fn outbox(&self) -> Rc<Outbox> {
        Rc::clone(&self.outbox)
    }

    /// The QUIC connection, for its statistics, and to close it without ceremony.
    #[must_use]
    pub fn connection(&self) -> &quinn::Connection {
        &self.streams.connection
    }

    /// Moves requests and responses until the connection ends, and says why it did. Spawn it on
    /// the thread; [`Outbox::finish`] ends it from this side.
    pub async fn run(self, handler: impl ResponseHandler) -> LinkEnd {
        let Streams {
            connection,
            send,
            recv,
        } = self.streams;
        let mut decoder = Decoder {
            handler,
            dots: Vec::new(),
        };
        let bounds = Bounds {
            frame_bytes_max: RESPONSE_BYTES_MAX,
            // The side that asks always reads, see `pump`.
            outbox_bytes_max: usize::MAX,
        };
        let end = pump(send, recv, &self.outbox, &mut decoder, bounds).await;
        close(&connection, &end);
        end
    }
}

/// How often a connection is looked at to see whether anything comes over it, within the patience
/// that one has.
const LOOKS: u32 = 8;

/// Returns when nothing has come over a connection for as long as `patience`, though something was
/// sent. QUIC itself goes on for longer: it probes a silent path at intervals that double, so that
/// a cut costs up to its own length again; to connect anew finds out sooner that it is over.
pub async fn silence(connection: &quinn::Connection, patience: Duration) {
    let datagrams = || {
        let stats = connection.stats();
        (stats.udp_rx.datagrams, stats.udp_tx.datagrams)
    };
    let (mut received, mut sent) = datagrams();
    // Looks are counted, and not the time, which passes for a process that is stopped as well.
    let mut silent = 0;
    while silent < LOOKS {
        tokio::time::sleep(patience / LOOKS).await;
        let now = datagrams();
        if now.0 != received {
            (received, sent) = now;
            silent = 0;
        } else if now.1 != sent {
            silent += 1;
        }
    }
}

/// Closes a connection with the code that fits how its stream ended.
pub(crate) fn close(connection: &quinn::Connection, end: &StreamEnd) {
    match end {
        StreamEnd::Malformed(malformed) => {
            let reason = malformed.to_string();
            connection.close(CloseCode::Malformed.into(), reason.as_bytes());
        }
        StreamEnd::Finished | StreamEnd::Lost(_) | StreamEnd::GivenUp(_) => {
            connection.close(CloseCode::Done.into(), b"");
        }
    }
}

struct Decoder<H> {
    handler: H,
    dots: Vec<Dot>,
}

impl<H: ResponseHandler> FrameHandler for Decoder<H> {
    fn frame(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let handler = &mut self.handler;
        codec::decode_response(payload, &mut self.dots, |id, response| {
            handler.response(id, response);
        })
    }

    fn batch_end(&mut self) {
        self.handler.batch_end();
    }
}
