//! The loop that moves one stream's bytes. It reads what has come, handles every frame in it, and
//! writes everything that this produced.
//!
//! The same code runs at both ends. It cannot deadlock when both sides' windows are full, as long
//! as one of them always reads. The side that asks always reads, and bounds what it asks. The side
//! that answers stops reading when its answers are not taken.

use std::ops::Range;
use std::task::{Context, Poll};

use quinn::{ConnectionError, ReadError, RecvStream, SendStream, WriteError};

use super::frame::{self, Malformed, PREFIX_BYTES};
use super::outbox::Outbox;

/// How much is read at once, in bytes. What is more waits in QUIC's windows.
const READ_BYTES: usize = 32 << 10;
/// Reads that are handled before others on the thread, QUIC's own transmission first, get a turn.
const ROUNDS_MAX: usize = 4;

/// What is done with the frames of a stream.
pub trait FrameHandler {
    /// The whole frames that a read brought, not yet checked in any way, before the first of them
    /// is handled: a chance to load what they will need.
    fn anticipate<'a>(&mut self, _payloads: impl Iterator<Item = &'a [u8]>) {}

    /// One whole frame, without its prefix.
    ///
    /// # Errors
    /// When it cannot be decoded. The pump then ends; frames before it stay handled.
    fn frame(&mut self, payload: &[u8]) -> Result<(), Malformed>;

    /// Every whole frame of a read has been handled; called before the outbox is written.
    fn batch_end(&mut self) {}
}

/// What bounds a pump.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest frame accepted, in bytes without its prefix.
    pub frame_bytes_max: usize,
    /// While more bytes than this wait in the outbox, no frame is handled and nothing is read.
    pub outbox_bytes_max: usize,
}

/// Why a stream moves no more bytes.
#[derive(Debug, thiserror::Error)]
pub enum StreamEnd {
    /// The peer ended its direction between two frames, or this side finished.
    #[error("finished")]
    Finished,
    /// What came cannot be decoded.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The connection is gone.
    #[error("connection lost: {0}")]
    Lost(#[from] ConnectionError),
    /// The peer gave up this stream.
    #[error("stream given up by the peer with code {0}")]
    GivenUp(quinn::VarInt),
}

/// Moves bytes until the stream ends; then closes the outbox.
///
/// The caller closes the connection, with the code that fits the end.
pub async fn pump(
    send: SendStream,
    recv: RecvStream,
    outbox: &Outbox,
    handler: &mut impl FrameHandler,
    bounds: Bounds,
) -> StreamEnd {
    let mut pump = Pump {
        send,
        recv,
        outbox,
        handler,
        bounds,
        inbox: Inbox::new(),
    };
    let end = std::future::poll_fn(|cx| pump.poll(cx)).await;
    outbox.close();
    end
}

struct Pump<'a, H> {
    send: SendStream,
    recv: RecvStream,
    outbox: &'a Outbox,
    handler: &'a mut H,
    bounds: Bounds,
    inbox: Inbox,
}

impl<H: FrameHandler> Pump<'_, H> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<StreamEnd> {
        self.outbox.pump_is_awake();
        for _ in 0..ROUNDS_MAX {
            match self.round(cx) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => {
                    self.outbox.pump_sleeps(cx);
                    return Poll::Pending;
                }
                Err(end) => return Poll::Ready(end),
            }
        }
        cx.waker().wake_by_ref();
        self.outbox.pump_sleeps(cx);
        Poll::Pending
    }

    /// Handles what is here, writes, reads. Pending when there is nothing to do until woken.
    fn round(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, StreamEnd> {
        let all_handled = self.handle_frames()?;
        let flushed = match self.outbox.poll_flush(cx, &mut self.send) {
            Poll::Ready(result) => {
                result.map_err(StreamEnd::of_write)?;
                true
            }
            Poll::Pending => false,
        };
        if self.outbox.is_finishing() && flushed {
            // Already finished or stopped is as good as finished now.
            let _ = self.send.finish();
            return Err(StreamEnd::Finished);
        }
        if self.outbox.len() > self.bounds.outbox_bytes_max {
            // Woken when the peer takes some of it.
            return Ok(Poll::Pending);
        }
        if !all_handled {
            return Ok(Poll::Ready(()));
        }
        match self.inbox.poll_fill(cx, &mut self.recv) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Ok(0)) => Err(self.inbox.end()),
            Poll::Ready(Ok(_)) => {
                self.handler.anticipate(self.inbox.whole_frames());
                Ok(Poll::Ready(()))
            }
            Poll::Ready(Err(error)) => Err(StreamEnd::of_read(error)),
        }
    }

    /// Whether every whole frame was handled; if not, the outbox is over its bound.
    fn handle_frames(&mut self) -> Result<bool, StreamEnd> {
        let mut handled = 0_usize;
        let all = loop {
            if self.outbox.len() > self.bounds.outbox_bytes_max {
                break false;
            }
            let Some(range) = self.inbox.next_frame(self.bounds.frame_bytes_max)? else {
                break true;
            };
            self.handler.frame(&self.inbox.bytes[range])?;
            handled += 1;
        };
        if handled > 0 {
            self.handler.batch_end();
        }
        Ok(all)
    }
}

/// What has been read and not yet handled: `bytes[start..end]`.
struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// What the frame at `start` takes, prefix included, once its prefix is known.
    wanted: usize,
}

impl Inbox {
    fn new() -> Self {
        Self {
            bytes: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            wanted: PREFIX_BYTES,
        }
    }

    /// Takes the next whole frame, if there is one, and says where its contents are.
    fn next_frame(&mut self, frame_bytes_max: usize) -> Result<Option<Range<usize>>, Malformed> {
        let Some(prefix) = self.bytes[self.start..self.end].first_chunk() else {
            self.wanted = PREFIX_BYTES;
            return Ok(None);
        };
        self.wanted = PREFIX_BYTES + frame::length(*prefix, frame_bytes_max)?;
        if self.end - self.start < self.wanted {
            return Ok(None);
        }
        let contents = self.start + PREFIX_BYTES..self.start + self.wanted;
        self.start += self.wanted;
        Ok(Some(contents))
    }

    /// The contents of all whole frames that are here.
    fn whole_frames(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[self.start..self.end];
        std::iter::from_fn(move || {
            let (prefix, contents) = rest.split_first_chunk()?;
            let length = u32::from_le_bytes(*prefix) as usize;
            let (frame, after) = contents.split_at_checked(length)?;
            rest = after;
            Some(frame)
        })
    }

    /// Reads what has come, as much as there is room for; 0 bytes is the end of the stream.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        recv: &mut RecvStream,
    ) -> Poll<Result<usize, ReadError>> {
        self.make_room();
        let read = recv.poll_read(cx, &mut self.bytes[self.end..]);
        if let Poll::Ready(Ok(bytes)) = &read {
            self.end += bytes;
        }
        read
    }

    /// Moves the rest to the front, and makes room for the whole of the frame that it begins.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        // A frame of legal length: `next_frame` has checked it.
        let size = self.wanted.max(READ_BYTES);
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        } else if self.bytes.len() > size && self.end <= READ_BYTES {
            self.bytes.truncate(size);
            self.bytes.shrink_to_fit();
        }
    }

    /// How a stream ended that brings nothing more.
    fn end(&self) -> StreamEnd {
        if self.start == self.end {
            StreamEnd::Finished
        } else {
            Malformed::Truncated("stream").into()
        }
    }
}

impl StreamEnd {
    fn of_read(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::GivenUp(code),
            ReadError::ConnectionLost(error) => Self::Lost(error),
            // Ordered reads on a stream whose connection never used 0-RTT.
            ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => Self::Finished,
        }
    }

    fn of_write(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::GivenUp(code),
            WriteError::ConnectionLost(error) => Self::Lost(error),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Finished,
        }
    }
}
