//! Moves commands and replies, and gives each reply to what it is to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use kvs_core::protocol::{PutWitness, Response, Sibling};
use kvs_target::Answers;

use super::connection::{Expected, RedisOutgoing};
use super::errors::{Meaning, meaning};
use super::resp::{Malformed, Reply, parse};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 << 10;
/// Rounds of reading and writing before others on the thread get a turn.
const ROUNDS_MAX: usize = 4;

/// What was read and not yet handled: `bytes[start..end]`.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// Reads some more; nothing at the end of the stream.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
    ) -> Poll<io::Result<usize>> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() < self.end + READ_BYTES {
            self.bytes.resize(self.end + READ_BYTES, 0);
        }
        let mut room = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }
}

/// Moves commands and replies.
pub(super) struct Pump<'a> {
    stream: TcpStream,
    outgoing: &'a RedisOutgoing,
    answers: &'a mut dyn Answers,
    inbox: Inbox,
    /// Writes that are done, and whose WAIT is not answered yet.
    held: Vec<u32>,
}

impl<'a> Pump<'a> {
    /// Moves them over this stream.
    pub(super) fn new(
        stream: TcpStream,
        outgoing: &'a RedisOutgoing,
        answers: &'a mut dyn Answers,
    ) -> Self {
        Self {
            stream,
            outgoing,
            answers,
            inbox: Inbox::default(),
            held: Vec::new(),
        }
    }

    /// Moves what can be moved; ready when the connection has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..ROUNDS_MAX {
            if let Poll::Ready(Err(error)) = self.outgoing.poll_write(cx, &mut self.stream) {
                return Poll::Ready(Err(error));
            }
            match self.inbox.poll_fill(cx, &mut self.stream) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => self.handle_replies()?,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.outgoing.wake_when_asked(cx.waker());
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn handle_replies(&mut self) -> io::Result<()> {
        self.outgoing.note_received();
        let malformed = |malformed: Malformed| io::Error::other(malformed.to_string());
        loop {
            let bytes = &self.inbox.bytes[self.inbox.start..self.inbox.end];
            let Some((reply, read)) = parse(bytes).map_err(malformed)? else {
                return Ok(());
            };
            self.inbox.start += read;
            let Some(expected) = self.outgoing.next_expected() else {
                return Err(io::Error::other("the server answers what nobody asked"));
            };
            let wait = self.outgoing.wait();
            let answers = &mut *self.answers;
            match (expected, reply) {
                (Expected::Get(id), Reply::Bulk(value)) => answer_get(answers, id, value),
                (Expected::Cas(id), Reply::Bulk(found)) => {
                    let found = found.map(sibling);
                    let found = Some(found.as_slice());
                    answers.answer(id, &Response::Mismatch { found });
                }
                (Expected::Set(id) | Expected::Cas(id), Reply::Simple(_)) if wait > 0 => {
                    self.held.push(id);
                }
                (Expected::Set(id) | Expected::Cas(id), Reply::Simple(_)) => {
                    answers.answer(id, &Response::Put(PutWitness::None));
                }
                (
                    Expected::Get(id) | Expected::Set(id) | Expected::Cas(id),
                    Reply::Error(error),
                ) => {
                    answer_error(answers, id, meaning(error));
                }
                (Expected::Wait, reply) => {
                    let enough =
                        matches!(reply, Reply::Integer(replicas) if replicas >= i64::from(wait));
                    for id in self.held.drain(..) {
                        if enough {
                            answers.answer(id, &Response::Put(PutWitness::None));
                        } else {
                            answers.indefinite(id);
                        }
                    }
                }
                (Expected::Get(_) | Expected::Set(_) | Expected::Cas(_), _) => {
                    return Err(io::Error::other("the server answers another question"));
                }
            }
        }
    }
}

fn answer_get(answers: &mut dyn Answers, id: u32, value: Option<&[u8]>) {
    let sibling = value.map(sibling);
    let response = Response::Get {
        vector: &[],
        siblings: sibling.as_slice(),
    };
    answers.answer(id, &response);
}

/// A value, of which nothing more is said.
const fn sibling(value: &[u8]) -> Sibling<'_> {
    Sibling {
        value,
        witness: PutWitness::None,
    }
}

fn answer_error(answers: &mut dyn Answers, id: u32, meaning: Meaning) {
    match meaning {
        Meaning::Definite(refusal) => answers.answer(id, &Response::Refused(refusal)),
        Meaning::Indefinite => answers.indefinite(id),
    }
}
