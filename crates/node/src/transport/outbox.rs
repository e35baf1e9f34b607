//! Bytes waiting to be written to one stream.
//!
//! Anybody on the thread appends whole frames. The stream's pump writes all that there are at once.
//! Those who append keep its bound, see [`Outbox::len`].

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

use quinn::{SendStream, WriteError};

use super::codec;
use super::frame::{self, TooLong};
use kvs_core::protocol::{Request, Response};

/// An outbox that has emptied gives back memory beyond this, in bytes.
const RETAINED_BYTES_MAX: usize = 1 << 20;

/// Frames on their way to one stream. Shared by `Rc`.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: RefCell<Waiting>,
    /// The pump, when it sleeps.
    pump: RefCell<Option<Waker>>,
    state: Cell<State>,
    lost_bytes: Cell<usize>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many of them are written already.
    written: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The pump is asked to end.
    Finishing,
    /// The stream is gone.
    Closed,
}

impl Outbox {
    /// Appends a request; `id` comes back with its response. On a stream that is gone it is
    /// discarded: the end of the link tells.
    ///
    /// # Errors
    /// When a part is longer than the protocol allows. Nothing was appended.
    pub fn request(&self, id: u32, request: &Request<'_>) -> Result<(), TooLong> {
        self.append(|out| codec::append_request(out, id, request))
    }

    /// Appends the response to the request of that `id`.
    ///
    /// # Errors
    /// When a part is longer than the protocol allows. Nothing was appended.
    pub fn response(&self, id: u32, response: &Response<'_>) -> Result<(), TooLong> {
        self.append(|out| codec::append_response(out, id, response))
    }

    /// Appends a whole frame that was encoded before, by [`Outbox::encode`].
    pub fn encoded(&self, frame: &[u8]) {
        let append = |out: &mut Vec<u8>| {
            out.extend_from_slice(frame);
            Ok(())
        };
        self.append(append)
            .expect("its length was seen to be legal");
    }

    /// The frame of a response, to be appended later.
    ///
    /// # Errors
    /// When a part is longer than the protocol allows.
    pub fn encode(id: u32, response: &Response<'_>) -> Result<Vec<u8>, TooLong> {
        let mut frame = Vec::new();
        codec::append_response(&mut frame, id, response)?;
        Ok(frame)
    }

    /// Appends a message of a replica.
    ///
    /// # Errors
    /// When it is longer than the protocol allows. Nothing was appended.
    pub fn message<M: serde::Serialize>(&self, message: &M) -> Result<(), TooLong> {
        self.append(|out| frame::append_message(out, message))
    }

    /// The bytes not yet taken by QUIC. Those who append without being asked keep it under a
    /// bound of their own; those who answer are slowed by the pump's.
    #[must_use]
    pub fn len(&self) -> usize {
        let waiting = self.waiting.borrow();
        waiting.bytes.len() - waiting.written
    }

    /// Whether everything has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the stream is gone, or going.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.get() != State::Open
    }

    /// The bytes that were still waiting when the stream ended, and went with it.
    #[must_use]
    pub fn lost_bytes(&self) -> usize {
        self.lost_bytes.get()
    }

    /// Ends the stream from this side, as soon as QUIC has taken what waits here. Requests without
    /// an answer then have an unknown outcome.
    pub fn finish(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Finishing);
            self.wake();
        }
    }

    /// Marks the stream as gone and discards what was waiting.
    pub(super) fn close(&self) {
        self.lost_bytes.set(self.len());
        self.state.set(State::Closed);
        self.waiting.take();
    }

    /// Marks the stream as gone, for a pump that was dropped.
    pub fn abandon(&self) {
        if self.state.get() != State::Closed {
            self.close();
        }
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.state.get() == State::Finishing
    }

    /// The pump is at work and will look here again: appending need not wake it.
    pub(super) fn pump_is_awake(&self) {
        self.pump.take();
    }

    /// The pump goes to sleep: appending wakes it.
    pub(super) fn pump_sleeps(&self, cx: &Context<'_>) {
        *self.pump.borrow_mut() = Some(cx.waker().clone());
    }

    /// Writes as much as QUIC takes: ready when all is written, pending when its windows are
    /// full, in which case the pump is woken when they open.
    pub(super) fn poll_flush(
        &self,
        cx: &mut Context<'_>,
        stream: &mut SendStream,
    ) -> Poll<Result<(), WriteError>> {
        let mut waiting = self.waiting.borrow_mut();
        while waiting.written < waiting.bytes.len() {
            let rest = &waiting.bytes[waiting.written..];
            match std::pin::Pin::new(&mut *stream).poll_write(cx, rest) {
                Poll::Ready(Ok(written)) => waiting.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    waiting.compact();
                    return Poll::Pending;
                }
            }
        }
        waiting.clear();
        Poll::Ready(Ok(()))
    }

    fn append(
        &self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>,
    ) -> Result<(), TooLong> {
        if self.state.get() == State::Closed {
            return Ok(());
        }
        encode(&mut self.waiting.borrow_mut().bytes)?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        let pump = self.pump.take();
        if let Some(pump) = pump {
            pump.wake();
        }
    }
}

impl Waiting {
    fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.bytes.shrink_to(RETAINED_BYTES_MAX);
    }

    /// Drops what is written once it is the larger part, so that each byte moves at most once on
    /// average.
    fn compact(&mut self) {
        if self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}
