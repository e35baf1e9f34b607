//! One connection to one server: commands are pipelined, and answered in their order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use kvs_core::drive::{Ask, KEY_NAME_BYTES, NewValue, Order, key_name, payload};
use kvs_target::{Answers, Connection, Connector, Local, NodeAddress, Outgoing, Refused};

use super::WAIT_OPTION;
use super::exchange::authenticate;
use super::pump::Pump;
use super::resp::{append_bulk, append_command, append_length};
use crate::targets::store::{Credentials, Speech, Wrong};

/// How often a connection is looked at to see whether anything comes over it, within the patience
/// that one has.
const LOOKS: u32 = 8;

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

struct RedisConnection {
    stream: TcpStream,
    outgoing: Rc<RedisOutgoing>,
}

/// What goes out, and what is expected to come back.
#[derive(Debug)]
pub(super) struct RedisOutgoing {
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
pub(super) enum Expected {
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

    /// What the next reply is to.
    pub(super) fn next_expected(&self) -> Option<Expected> {
        self.expected.borrow_mut().pop_front()
    }

    /// How many replicas each write waits for.
    pub(super) fn wait(&self) -> u32 {
        self.settings.wait
    }

    /// Notes that the server has sent something.
    pub(super) fn note_received(&self) {
        self.received.set(self.received.get() + 1);
    }

    /// Wakes the pump when something is asked.
    pub(super) fn wake_when_asked(&self, waker: &Waker) {
        *self.pump.borrow_mut() = Some(waker.clone());
    }

    /// Writes what waits.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
    ) -> Poll<io::Result<()>> {
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
            let mut pump = Pump::new(stream, &outgoing, answers);
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

/// Appends a value as a word of a command.
fn append_value(out: &mut Vec<u8>, value: NewValue) {
    append_bulk(out, value.bytes as usize, |out| {
        let start = out.len();
        out.resize(start + value.bytes as usize, 0);
        payload::fill_text(value.id, &mut out[start..]);
    });
}
