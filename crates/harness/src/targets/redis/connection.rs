//! One connection to one server: commands are pipelined, and answered in their order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use kvs_core::drive::{Ask, KEY_NAME_BYTES, NewValue, Order, key_name, payload};
use kvs_core::protocol::{PutWitness, Response, Sibling};
use kvs_target::{Answers, Connection, Connector, Local, NodeAddress, Outgoing, Refused};

use super::WAIT_OPTION;
use super::errors::{Meaning, meaning};
use super::resp::{Malformed, Reply, append_bulk, append_command, append_length, parse};
use crate::targets::store::{Credentials, Speech, Wrong};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 << 10;
/// How often a connection is looked at to see whether anything comes over it, within the patience
/// that one has.
const LOOKS: u32 = 8;
/// Rounds of reading and writing before others on the thread get a turn.
const ROUNDS_MAX: usize = 4;

/// How the error begins of a server that wants to know who asks.
const NO_AUTH: &[u8] = b"NOAUTH";

/// Sets a key to the first argument if it holds the second, or if it is not there and there is no
/// second. Answers `OK`, or what the key holds instead.
const COMPARE_AND_SET: &[u8] = b"local found = redis.call('GET', KEYS[1]) \
    if found == (ARGV[2] or false) then return redis.call('SET', KEYS[1], ARGV[1]) end \
    return found";

/// Connects to Redis.
pub(super) struct RedisConnector {
    settings: Rc<Settings>,
}

#[derive(Debug)]
struct Settings {
    key_prefix: String,
    credentials: Credentials,
    patience: Duration,
    /// How many replicas each write waits for, and for how long, in ms.
    wait: u32,
    wait_ms: u64,
}

impl RedisConnector {
    pub(super) fn new(speech: &Speech) -> Result<Self, Wrong> {
        let wait = speech.options.get(WAIT_OPTION).map_or("0", String::as_str);
        let wait = wait.parse().map_err(|_| {
            Wrong(format!(
                "store.{WAIT_OPTION} is a number of replicas, not {wait:?}"
            ))
        })?;
        Ok(Self {
            settings: Rc::new(Settings {
                key_prefix: speech.key_prefix.clone(),
                credentials: speech.credentials.clone(),
                patience: speech.patience,
                wait,
                // It is to be answered before its operation's time is over.
                wait_ms: u64::try_from(speech.patience.as_millis()).unwrap_or(u64::MAX) / 2,
            }),
        })
    }
}

impl Connector for RedisConnector {
    fn connect(&self, node: NodeAddress) -> Local<'_, Result<Box<dyn Connection>, Refused>> {
        Box::pin(async move {
            let refused = |error: io::Error| Refused(format!("{}: {error}", node.address));
            let mut stream = TcpStream::connect(node.address).await.map_err(refused)?;
            stream.set_nodelay(true).map_err(refused)?;
            authenticate(&mut stream, &self.settings.credentials)
                .await
                .map_err(refused)?;
            let outgoing = RedisOutgoing {
                settings: Rc::clone(&self.settings),
                waiting: RefCell::default(),
                expected: RefCell::default(),
                pump: RefCell::default(),
                is_closed: Cell::new(false),
                closing: Notify::new(),
                received: Cell::new(0),
            };
            let outgoing = Rc::new(outgoing);
            Ok(Box::new(RedisConnection { stream, outgoing }) as Box<dyn Connection>)
        })
    }
}

/// Says who this client is, or finds out that the server does not want to know.
pub(super) async fn authenticate(
    stream: &mut TcpStream,
    credentials: &Credentials,
) -> io::Result<()> {
    let mut words: Vec<&[u8]> = Vec::new();
    match &credentials.password {
        Some(password) => {
            words.push(b"AUTH");
            words.extend(credentials.user.as_ref().map(String::as_bytes));
            words.push(password.as_bytes());
        }
        None => words.push(b"PING"),
    }
    let is_told = credentials.password.is_some();
    let refused = exchange(stream, &words, |reply| match reply {
        // A server may have other reasons not to answer a PING yet.
        Reply::Error(error) if is_told || error.starts_with(NO_AUTH) => {
            Some(credentials.refused(&String::from_utf8_lossy(error)))
        }
        Reply::Error(_)
        | Reply::Simple(_)
        | Reply::Integer(_)
        | Reply::Bulk(_)
        | Reply::Array(_) => None,
    });
    match refused.await? {
        Some(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        None => Ok(()),
    }
}

/// Sends one command, and has its reply looked at.
pub(super) async fn exchange<T>(
    stream: &mut TcpStream,
    words: &[&[u8]],
    look: impl FnOnce(&Reply<'_>) -> T,
) -> io::Result<T> {
    let mut bytes = Vec::new();
    append_command(&mut bytes, words);
    stream.write_all(&bytes).await?;
    bytes.clear();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse(&bytes) {
            Ok(Some((reply, _))) => return Ok(look(&reply)),
            Ok(None) => {}
            Err(malformed) => return Err(io::Error::other(malformed.to_string())),
        }
    }
}

struct RedisConnection {
    stream: TcpStream,
    outgoing: Rc<RedisOutgoing>,
}

#[derive(Debug)]
struct RedisOutgoing {
    settings: Rc<Settings>,
    /// Commands that are not written yet.
    waiting: RefCell<Waiting>,
    /// What has been asked and not answered, in order. The lanes bound it.
    expected: RefCell<VecDeque<Expected>>,
    /// The pump, when it sleeps.
    pump: RefCell<Option<Waker>>,
    is_closed: Cell<bool>,
    closing: Notify,
    /// How often something was received.
    received: Cell<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
    /// Whether a write came since the last WAIT.
    unwaited: bool,
}

/// What a reply will be to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Get(u32),
    Set(u32),
    /// A compare-and-set, whose mismatch is a value or nothing.
    Cas(u32),
    /// The WAIT for all writes before it that are not waited for yet.
    Wait,
}

impl Outgoing for RedisOutgoing {
    fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn request(&self, id: u32, order: &Order<'_>) {
        if self.is_closed.get() {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        let out = &mut waiting.bytes;
        let expected = match order.ask {
            Ask::Get => {
                append_length(out, b'*', 2);
                append_bulk(out, 3, |out| out.extend_from_slice(b"GET"));
                self.append_key(out, order.key);
                Expected::Get(id)
            }
            Ask::Put(new) => {
                append_length(out, b'*', 3);
                append_bulk(out, 3, |out| out.extend_from_slice(b"SET"));
                self.append_key(out, order.key);
                append_value(out, new);
                waiting.unwaited = true;
                Expected::Set(id)
            }
            Ask::Cas { expected, new } => {
                append_length(out, b'*', 5 + usize::from(expected.is_some()));
                append_bulk(out, 4, |out| out.extend_from_slice(b"EVAL"));
                append_bulk(out, COMPARE_AND_SET.len(), |out| {
                    out.extend_from_slice(COMPARE_AND_SET);
                });
                append_bulk(out, 1, |out| out.push(b'1'));
                self.append_key(out, order.key);
                append_value(out, new);
                if let Some(expected) = expected {
                    append_value(out, expected);
                }
                waiting.unwaited = true;
                Expected::Cas(id)
            }
        };
        self.expected.borrow_mut().push_back(expected);
        if let Some(pump) = self.pump.take() {
            pump.wake();
        }
    }

    fn close(&self) {
        self.closing.notify_one();
    }
}

impl RedisOutgoing {
    fn append_key(&self, out: &mut Vec<u8>, key: u64) {
        let prefix = self.settings.key_prefix.as_bytes();
        append_bulk(out, prefix.len() + KEY_NAME_BYTES, |out| {
            out.extend_from_slice(prefix);
            out.extend_from_slice(&key_name(key));
        });
    }

    /// Has the writes that go out now waited for, all by one command.
    fn append_wait(&self) {
        let mut waiting = self.waiting.borrow_mut();
        if self.settings.wait == 0 || !waiting.unwaited {
            return;
        }
        waiting.unwaited = false;
        let (replicas, ms) = (
            self.settings.wait.to_string(),
            self.settings.wait_ms.to_string(),
        );
        let words: [&[u8]; 3] = [b"WAIT", replicas.as_bytes(), ms.as_bytes()];
        append_command(&mut waiting.bytes, &words);
        self.expected.borrow_mut().push_back(Expected::Wait);
    }

    fn poll_write(&self, cx: &mut Context<'_>, stream: &mut TcpStream) -> Poll<io::Result<()>> {
        self.append_wait();
        let mut waiting = self.waiting.borrow_mut();
        while waiting.written < waiting.bytes.len() {
            let rest = &waiting.bytes[waiting.written..];
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => waiting.written += written,
            }
        }
        waiting.bytes.clear();
        waiting.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl Connection for RedisConnection {
    fn outgoing(&self) -> Rc<dyn Outgoing> {
        Rc::<RedisOutgoing>::clone(&self.outgoing)
    }

    fn run<'a>(self: Box<Self>, answers: &'a mut dyn Answers) -> Local<'a, ()> {
        let Self { stream, outgoing } = *self;
        Box::pin(async move {
            let mut pump = Pump {
                stream,
                outgoing: &outgoing,
                answers,
                inbox: Inbox::default(),
                held: Vec::new(),
            };
            tokio::select! {
                // However it ends, what is under way is lost.
                _ = poll_fn(|cx| pump.poll(cx)) => {}
                () = outgoing.closing.notified() => {}
                () = silence(&outgoing) => {}
            }
            outgoing.is_closed.set(true);
        })
    }
}

/// Returns when nothing has come for as long as one's patience, though something was asked.
async fn silence(outgoing: &RedisOutgoing) {
    let mut received = outgoing.received.get();
    // Looks are counted, and not the time, which passes for a process that is stopped as well.
    let mut silent = 0;
    while silent < LOOKS {
        tokio::time::sleep(outgoing.settings.patience / LOOKS).await;
        let now = outgoing.received.get();
        if now != received || outgoing.expected.borrow().is_empty() {
            received = now;
            silent = 0;
        } else {
            silent += 1;
        }
    }
}

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
struct Pump<'a> {
    stream: TcpStream,
    outgoing: &'a RedisOutgoing,
    answers: &'a mut dyn Answers,
    inbox: Inbox,
    /// Writes that are done, and whose WAIT is not answered yet.
    held: Vec<u32>,
}

impl Pump<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..ROUNDS_MAX {
            if let Poll::Ready(Err(error)) = self.outgoing.poll_write(cx, &mut self.stream) {
                return Poll::Ready(Err(error));
            }
            match self.inbox.poll_fill(cx, &mut self.stream) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => self.handle_replies()?,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    *self.outgoing.pump.borrow_mut() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn handle_replies(&mut self) -> io::Result<()> {
        self.outgoing.received.set(self.outgoing.received.get() + 1);
        let malformed = |malformed: Malformed| io::Error::other(malformed.to_string());
        loop {
            let bytes = &self.inbox.bytes[self.inbox.start..self.inbox.end];
            let Some((reply, read)) = parse(bytes).map_err(malformed)? else {
                return Ok(());
            };
            self.inbox.start += read;
            let expected = self.outgoing.expected.borrow_mut().pop_front();
            let Some(expected) = expected else {
                return Err(io::Error::other("the server answers what nobody asked"));
            };
            let wait = self.outgoing.settings.wait;
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

/// Appends a value as a word of a command.
fn append_value(out: &mut Vec<u8>, value: NewValue) {
    append_bulk(out, value.bytes as usize, |out| {
        let start = out.len();
        out.resize(start + value.bytes as usize, 0);
        payload::fill_text(value.id, &mut out[start..]);
    });
}

fn answer_error(answers: &mut dyn Answers, id: u32, meaning: Meaning) {
    match meaning {
        Meaning::Definite(refusal) => answers.answer(id, &Response::Refused(refusal)),
        Meaning::Indefinite => answers.indefinite(id),
    }
}
