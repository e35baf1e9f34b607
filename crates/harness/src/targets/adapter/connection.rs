//! An adapter's process as a connection to a node.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::ChildStdout;
use tokio::sync::Notify;

use kvs_core::drive::{self, NewValue, Order, key_name};
use kvs_core::protocol::{PutWitness, Refusal, Response, Sibling, Version};
use kvs_target::{
    Answers, Connection, Connector, Local, NodeAddress, Operations, Outgoing, Refused,
};

use super::lines::{Answer, Ask, Meaning, append, parse};
use super::program::{Program, Recipe, read_line};
use super::retired::Retired;
use crate::targets::store::{Speech, StoreConfig, beside};
use crate::wording::one_line;

/// Requests that an adapter may leave unanswered: more than the lanes have under way at once.
/// Beyond that it is ended.
const UNANSWERED_MAX: usize = 2 * drive::LANES_MAX as usize;
/// How much is written at once, in bytes.
const WRITE_BYTES: usize = 64 << 10;
/// Lines that are read before what they caused is written.
const LINES_AT_ONCE: usize = 64;

/// Starts adapters.
pub(super) struct AdapterConnector {
    speech: Rc<Speech>,
    program: PathBuf,
    command: Vec<String>,
    retired: Rc<Retired>,
}

impl AdapterConnector {
    pub(super) fn new(config: &StoreConfig, program: &Path, speech: &Rc<Speech>) -> Self {
        Self {
            speech: Rc::clone(speech),
            program: program.to_owned(),
            command: beside(&config.definition.adapter.command, &config.directory),
            retired: Rc::default(),
        }
    }

    /// What its adapters can be asked, as a first one says.
    pub(super) async fn operations(&self) -> anyhow::Result<Operations> {
        let program = self.start(0).await?;
        Ok(Operations {
            compare_and_set: program.knows("cas"),
            delete: program.knows("delete"),
        })
    }

    pub(super) async fn start(&self, node: usize) -> anyhow::Result<Program> {
        let speech = &self.speech;
        let log = format!("{}-adapter.log", speech.nodes[node].name);
        let recipe = Recipe {
            program: self.program.clone(),
            command: self.command.clone(),
            log: Some(speech.logs.join(log)),
        };
        let (nodes, port) = (&speech.nodes, &speech.client_port);
        Program::start(&recipe, node, nodes, port, &speech.options).await
    }
}

impl Connector for AdapterConnector {
    fn connect(&self, node: NodeAddress) -> Local<'_, Result<Box<dyn Connection>, Refused>> {
        Box::pin(async move {
            let program = self.start(usize::from(node.node.0)).await;
            let program = program.map_err(|error| Refused(one_line(&error)))?;
            let outgoing = AdapterOutgoing {
                key_prefix: self.speech.key_prefix.clone(),
                waiting: RefCell::default(),
                expected: RefCell::default(),
                arrived: Notify::new(),
                is_closed: Cell::new(false),
                closing: Notify::new(),
            };
            Ok(Box::new(AdapterConnection {
                program: Some(program),
                retired: Rc::clone(&self.retired),
                speech: Rc::clone(&self.speech),
                name: self.speech.nodes[usize::from(node.node.0)].name.clone(),
                outgoing: Rc::new(outgoing),
            }) as Box<dyn Connection>)
        })
    }

    fn release(&self) -> Local<'_, ()> {
        Box::pin(self.retired.end(&self.speech))
    }
}

struct AdapterConnection {
    /// The adapter, until it has broken the protocol.
    program: Option<Program>,
    retired: Rc<Retired>,
    speech: Rc<Speech>,
    name: String,
    outgoing: Rc<AdapterOutgoing>,
}

#[derive(Debug)]
struct AdapterOutgoing {
    key_prefix: String,
    /// Lines that are not written yet. The lanes bound them.
    waiting: RefCell<String>,
    /// What was asked and is not answered, also what the lanes have given up: at most
    /// [`UNANSWERED_MAX`].
    expected: RefCell<HashMap<u32, Asked>>,
    arrived: Notify,
    is_closed: Cell<bool>,
    closing: Notify,
}

/// What an answer will be to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Read,
    Write,
    CompareAndSet,
}

impl Outgoing for AdapterOutgoing {
    fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn request(&self, id: u32, order: &Order<'_>) {
        if self.is_closed.get() {
            return;
        }
        let name = key_name(order.key);
        let name = std::str::from_utf8(&name).expect("names of keys are ASCII");
        let key = format!("{}{name}", self.key_prefix);
        let mut waiting = self.waiting.borrow_mut();
        let text = |value: NewValue| String::from_utf8(value.to_text()).expect("it is text");
        let asked = match order.ask {
            drive::Ask::Get => {
                append(&mut waiting, id, Ask::Read { key: &key });
                Asked::Read
            }
            drive::Ask::Put(new) => {
                let value = &text(new);
                append(&mut waiting, id, Ask::Update { key: &key, value });
                Asked::Write
            }
            drive::Ask::Cas { expected, new } => {
                let (from, to) = (expected.map(text), text(new));
                let ask = Ask::Cas {
                    key: &key,
                    from: from.as_deref(),
                    to: &to,
                };
                append(&mut waiting, id, ask);
                Asked::CompareAndSet
            }
        };
        self.expected.borrow_mut().insert(id, asked);
        self.arrived.notify_one();
    }

    fn close(&self) {
        self.closing.notify_one();
    }
}

impl Connection for AdapterConnection {
    fn outgoing(&self) -> Rc<dyn Outgoing> {
        Rc::<AdapterOutgoing>::clone(&self.outgoing)
    }

    fn run<'a>(mut self: Box<Self>, answers: &'a mut dyn Answers) -> Local<'a, ()> {
        Box::pin(async move {
            let outgoing = Rc::clone(&self.outgoing);
            tokio::select! {
                wrong = self.serve(answers) => {
                    let complaint = format!("the adapter of {}: {wrong}", self.name);
                    self.speech.complaints.add(complaint);
                    // It is killed at once.
                    self.program = None;
                }
                () = outgoing.closing.notified() => {}
            }
            outgoing.is_closed.set(true);
        })
    }
}

impl Drop for AdapterConnection {
    fn drop(&mut self) {
        if let Some(program) = self.program.take() {
            self.retired.add(&self.name, program);
        }
    }
}

impl AdapterConnection {
    /// Moves lines until something is wrong, and says what. It reads while it writes: an adapter
    /// whose answers nobody takes would take no more requests.
    async fn serve(&mut self, answers: &mut dyn Answers) -> String {
        let Self {
            program, outgoing, ..
        } = self;
        let program = program.as_mut().expect("it is served once");
        let mut line = Vec::new();
        let mut unwritten = BytesMut::new();
        loop {
            if unwritten.len() < WRITE_BYTES {
                let mut waiting = outgoing.waiting.borrow_mut();
                unwritten.extend_from_slice(waiting.as_bytes());
                waiting.clear();
            }
            if outgoing.expected.borrow().len() > UNANSWERED_MAX {
                return format!("it has left more than {UNANSWERED_MAX} requests unanswered");
            }
            let Program { stdin, stdout, .. } = program;
            tokio::select! {
                written = stdin.write_buf(&mut unwritten), if !unwritten.is_empty() => {
                    if !matches!(written, Ok(1..)) {
                        return end(program).await;
                    }
                }
                () = outgoing.arrived.notified() => {}
                read = read_line(stdout, &mut line) => {
                    if !matches!(read, Ok(true)) {
                        return end(program).await;
                    }
                    let handed = outgoing.hand_on(&line, answers);
                    line.clear();
                    let handed = handed.and_then(|()| outgoing.hand_on_buffered(stdout, answers));
                    if let Err(wrong) = handed {
                        return wrong;
                    }
                }
            }
        }
    }
}

/// How an adapter ended.
async fn end(program: &mut Program) -> String {
    match program.child.wait().await {
        Ok(status) => format!("it ended by itself ({status})"),
        Err(error) => format!("it is gone: {error}"),
    }
}

impl AdapterOutgoing {
    /// Hands the whole lines on that were read already.
    fn hand_on_buffered(
        &self,
        stdout: &mut BufReader<ChildStdout>,
        answers: &mut dyn Answers,
    ) -> Result<(), String> {
        use tokio::io::AsyncBufRead as _;
        for _ in 0..LINES_AT_ONCE {
            let buffered = stdout.buffer();
            let Some(end) = buffered.iter().position(|byte| *byte == b'\n') else {
                return Ok(());
            };
            let line = buffered[..=end].to_vec();
            std::pin::Pin::new(&mut *stdout).consume(end + 1);
            self.hand_on(&line, answers)?;
        }
        Ok(())
    }

    fn hand_on(&self, line: &[u8], answers: &mut dyn Answers) -> Result<(), String> {
        let (id, answer) = parse(line)?;
        let asked = self.expected.borrow_mut().remove(&id);
        let Some(asked) = asked else {
            return Err(format!(
                "it answers {id}, which nobody asked or which it has answered"
            ));
        };
        match (asked, answer) {
            (Asked::Read, Answer::Ok(ok)) => {
                let value = ok.value.as_deref();
                let sibling = value.map(|value| Sibling {
                    value: value.as_bytes(),
                    witness: witness(ok.version),
                });
                answer_get(answers, id, sibling.as_slice());
            }
            (Asked::Read, Answer::Fail(Meaning::NoSuchKey)) => answer_get(answers, id, &[]),
            (Asked::CompareAndSet, Answer::Fail(Meaning::NoSuchKey)) => {
                answers.answer(id, &Response::Mismatch { found: Some(&[]) });
            }
            (Asked::CompareAndSet, Answer::Fail(Meaning::Mismatch)) => {
                answers.answer(id, &Response::Mismatch { found: None });
            }
            (Asked::Write | Asked::CompareAndSet, Answer::Ok(ok)) => {
                answers.answer(id, &Response::Put(witness(ok.version)));
            }
            (_, Answer::Fail(meaning)) => {
                answers.answer(id, &Response::Refused(refusal(meaning)));
            }
            (_, Answer::Info) => answers.indefinite(id),
        }
        Ok(())
    }
}

fn answer_get(answers: &mut dyn Answers, id: u32, siblings: &[Sibling<'_>]) {
    let response = Response::Get {
        vector: &[],
        siblings,
    };
    answers.answer(id, &response);
}

const fn refusal(meaning: Meaning) -> Refusal {
    match meaning {
        Meaning::Refused(refusal) => refusal,
        Meaning::NoSuchKey | Meaning::Mismatch | Meaning::NotSupported | Meaning::Indefinite => {
            Refusal::Rejected
        }
    }
}

fn witness(version: Option<u64>) -> PutWitness<'static> {
    version.map_or(PutWitness::None, |time| PutWitness::Lww {
        version: Version { time, origin: 0 },
    })
}
