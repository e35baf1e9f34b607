//! Tests whether an adapter keeps the protocol, and says what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::lines::{Answer, Ask, Meaning, append, parse};
use super::program::{EXIT_TIMEOUT, Program, Recipe};
use crate::targets::store::NodeWords;
use crate::wording::one_line;

/// How long an adapter may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Operations that are asked at once.
const AT_ONCE: u32 = 100;

/// What came of one part of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried, in a sentence.
    pub tried: &'static str,
    /// What is wrong, if anything is.
    pub wrong: Option<String>,
}

/// Tries an adapter's command against the protocol. `program` is this program; `endpoints` are the
/// nodes that the adapter is told of; `prefix` stands before every key. It stops at the first thing
/// after which nothing more can be tried.
pub async fn check(
    program: &Path,
    command: &[String],
    endpoints: &[SocketAddr],
    options: &BTreeMap<String, String>,
    prefix: &str,
) -> Vec<Finding> {
    let recipe = Recipe {
        program: program.to_owned(),
        command: command.to_vec(),
        log: None,
    };
    let mut nodes: Vec<NodeWords> = { endpoints.iter().enumerate() }
        .map(|(at, address)| node(at, address.ip(), Some(address.port())))
        .collect();
    if nodes.is_empty() {
        nodes.push(node(0, IpAddr::V4(Ipv4Addr::LOCALHOST), None));
    }
    let mut trial = Trial {
        findings: Vec::new(),
        prefix: prefix.to_owned(),
        next_id: 1,
    };
    let started = Program::start(&recipe, 0, &nodes, "client", options).await;
    let tried = "it says that it is ready, and knows read and update";
    match started {
        Ok(adapter) => {
            trial.note(tried, Ok(()));
            trial.all(adapter).await;
        }
        Err(error) => trial.note(tried, Err(one_line(&error))),
    }
    trial.findings
}

fn node(at: usize, host: IpAddr, port: Option<u16>) -> NodeWords {
    NodeWords {
        name: format!("n{at}"),
        host,
        ports: port
            .map(|port| ("client".to_owned(), port))
            .into_iter()
            .collect(),
        directory: PathBuf::new(),
    }
}

struct Trial {
    findings: Vec<Finding>,
    prefix: String,
    next_id: u32,
}

/// What an operation came to, owned.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Ok(Option<String>),
    Fail(Meaning),
    Info,
}

impl Trial {
    fn note(&mut self, tried: &'static str, outcome: Result<(), String>) {
        let wrong = outcome.err();
        self.findings.push(Finding { tried, wrong });
    }

    async fn all(&mut self, mut adapter: Program) {
        let (absent, key) = (self.key("absent"), self.key("key"));
        let read = self.one(&mut adapter, Ask::Read { key: &absent }).await;
        self.note(
            "a key that is not there reads as null",
            expect(&read, &[Got::Ok(None)]),
        );
        if read.is_err() {
            return;
        }
        let update = Ask::Update {
            key: &key,
            value: "AAAA_first-0",
        };
        let put = self.one(&mut adapter, update).await;
        self.note("an update is done", expect(&put, &[Got::Ok(None)]));
        let read = self.one(&mut adapter, Ask::Read { key: &key }).await;
        let first = Got::Ok(Some("AAAA_first-0".to_owned()));
        self.note(
            "what was written is read, letter by letter",
            expect(&read, &[first]),
        );
        if adapter.knows("cas") {
            self.compare_and_set(&mut adapter, &key, &absent).await;
        }
        if adapter.knows("delete") {
            self.delete(&mut adapter, &key).await;
        }
        let many = self.many(&mut adapter).await;
        self.note(
            "a hundred operations at once are all answered, in any order",
            many,
        );
        let exit = exit(adapter).await;
        self.note("it exits within 2 s when its input ends", exit);
    }

    async fn compare_and_set(&mut self, adapter: &mut Program, key: &str, absent: &str) {
        let cas = Ask::Cas {
            key,
            from: Some("not-what-it-holds"),
            to: "never",
        };
        let mismatch = self.one(adapter, cas).await;
        let tried = "a compare-and-set of another value fails with code 22";
        self.note(tried, expect(&mismatch, &[Got::Fail(Meaning::Mismatch)]));
        let cas = Ask::Cas {
            key,
            from: Some("AAAA_first-0"),
            to: "AAAA_second",
        };
        let done = self.one(adapter, cas).await;
        self.note(
            "a compare-and-set of what the key holds is done",
            expect(&done, &[Got::Ok(None)]),
        );
        let read = self.one(adapter, Ask::Read { key }).await;
        let second = Got::Ok(Some("AAAA_second".to_owned()));
        self.note("and what it set is read", expect(&read, &[second]));
        let cas = Ask::Cas {
            key: absent,
            from: Some("anything"),
            to: "never",
        };
        let none = self.one(adapter, cas).await;
        let answers = [Got::Fail(Meaning::Mismatch), Got::Fail(Meaning::NoSuchKey)];
        let tried = "a compare-and-set of a key that is not there fails with code 22 or 20";
        self.note(tried, expect(&none, &answers));
    }

    async fn delete(&mut self, adapter: &mut Program, key: &str) {
        let done = self.one(adapter, Ask::Delete { key }).await;
        self.note("a delete is done", expect(&done, &[Got::Ok(None)]));
        let read = self.one(adapter, Ask::Read { key }).await;
        let tried = "what was deleted reads as null";
        self.note(tried, expect(&read, &[Got::Ok(None)]));
        let again = self.one(adapter, Ask::Delete { key }).await;
        let answers = [Got::Ok(None), Got::Fail(Meaning::NoSuchKey)];
        let tried = "a delete of a key that is not there is done, or fails with code 20";
        self.note(tried, expect(&again, &answers));
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn one(&mut self, adapter: &mut Program, ask: Ask<'_>) -> Result<Got, String> {
        let id = self.next_id;
        self.next_id += 1;
        let mut line = String::new();
        append(&mut line, id, ask);
        send(adapter, &line).await?;
        let (answered, got) = receive(adapter).await?;
        if answered != id {
            return Err(format!("it answered {answered} when only {id} was asked"));
        }
        Ok(got)
    }

    async fn many(&mut self, adapter: &mut Program) -> Result<(), String> {
        let mut lines = String::new();
        let mut open = BTreeSet::new();
        for at in 0..AT_ONCE {
            let id = self.next_id;
            self.next_id += 1;
            let key = self.key(&format!("many{}", at % 10));
            if at % 2 == 0 {
                append(
                    &mut lines,
                    id,
                    Ask::Update {
                        key: &key,
                        value: "AAAA_many",
                    },
                );
            } else {
                append(&mut lines, id, Ask::Read { key: &key });
            }
            open.insert(id);
        }
        send(adapter, &lines).await?;
        while !open.is_empty() {
            let (id, got) = receive(adapter)
                .await
                .map_err(|wrong| format!("{wrong}, with {} of {AT_ONCE} unanswered", open.len()))?;
            if !open.remove(&id) {
                return Err(format!("it answered {id} twice, or was never asked it"));
            }
            if !matches!(got, Got::Ok(_)) {
                return Err(format!("it answered {id} with {got:?}"));
            }
        }
        Ok(())
    }
}

async fn send(adapter: &mut Program, lines: &str) -> Result<(), String> {
    let written = adapter.stdin.write_all(lines.as_bytes()).await;
    let flushed = adapter.stdin.flush().await;
    { written.and(flushed) }.map_err(|_| "it no longer reads its standard input".to_owned())
}

async fn receive(adapter: &mut Program) -> Result<(u32, Got), String> {
    let mut line = Vec::new();
    match tokio::time::timeout(ANSWER_TIMEOUT, adapter.read_line(&mut line)).await {
        Err(_) => Err(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
        Ok(Ok(true)) => {
            let (id, answer) = parse(&line)?;
            let got = match answer {
                Answer::Ok(ok) => Got::Ok(ok.value.map(std::borrow::Cow::into_owned)),
                Answer::Fail(meaning) => Got::Fail(meaning),
                Answer::Info => Got::Info,
            };
            Ok((id, got))
        }
        Ok(Ok(false) | Err(_)) => Err(match adapter.child.wait().await {
            Ok(status) => format!("it ended ({status})"),
            Err(error) => format!("it is gone: {error}"),
        }),
    }
}

fn expect(got: &Result<Got, String>, expected: &[Got]) -> Result<(), String> {
    match got {
        Ok(got) if expected.contains(got) => Ok(()),
        // What a write says of values is its own.
        Ok(Got::Ok(Some(_))) if expected == [Got::Ok(None)] => {
            Err("it read a value where there is none".to_owned())
        }
        Ok(got) => Err(format!("it answered {got:?}, not {:?}", expected[0])),
        Err(wrong) => Err(wrong.clone()),
    }
}

async fn exit(adapter: Program) -> Result<(), String> {
    let Program {
        mut child, stdin, ..
    } = adapter;
    drop(stdin);
    match tokio::time::timeout(EXIT_TIMEOUT, child.wait()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it runs on: read until the end of the input, then exit".to_owned()),
    }
}
