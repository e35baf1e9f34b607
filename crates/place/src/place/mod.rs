//! A place, seen from its user.

mod error;
mod exchange;
mod prefix;
mod process;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{mpsc, watch};

use crate::channel::{FETCH_BYTES_MAX, Order, Ran, Report, Spawn};
use exchange::{Exchange, Listener};

pub use error::PlaceError;
pub use prefix::Prefix;
pub use process::{Ended, Lines, Process};

/// How long the agent may take for what it does at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// What running a command may take beyond the command's own patience.
const RUN_GRACE: Duration = Duration::from_secs(5);

/// A place. When it and all its processes are dropped, the agent ends, which kills all that it has
/// started.
#[derive(Clone, Debug)]
pub struct Place {
    program: PathBuf,
    exchange: Rc<Exchange>,
}

impl Place {
    /// Starts the agent by running `program`, a path at the place, behind `prefix`. The program
    /// must begin with [`run_if_place`](crate::run_if_place). Must be called on a runtime with
    /// local tasks.
    ///
    /// # Errors
    /// When it cannot be run. That it is no agent shows in the first answer.
    pub fn start(program: &Path, prefix: &Prefix) -> Result<Self, PlaceError> {
        let words = prefix.agent(program);
        let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let command = shown.join(" ");
        let spawned = tokio::process::Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in a terminal goes to the harness alone, which heals and saves first.
            .process_group(0)
            .spawn();
        match spawned {
            Ok(agent) => Ok(Self {
                program: program.to_owned(),
                exchange: Rc::new(Exchange::new(agent, command)),
            }),
            Err(source) => Err(PlaceError::Start { command, source }),
        }
    }

    /// The program that is its agent, as a path at the place.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it is not installed, or cannot be run.
    pub async fn spawn(&self, spawn: Spawn) -> Result<Process, PlaceError> {
        let program = spawn.command.first().cloned().unwrap_or_default();
        let number = self.exchange.number();
        let (ended, is_ended) = watch::channel(None);
        let (lines, read) = mpsc::unbounded_channel();
        let untaken = Rc::new(Cell::new(0));
        let listener = Listener {
            ended,
            lines: spawn.attached.then_some(lines),
            untaken: Rc::clone(&untaken),
        };
        self.exchange.attend(number, listener);
        let lines = spawn.attached.then(|| Lines {
            number,
            orders: self.exchange.orders(),
            lines: read,
            ended: is_ended.clone(),
            untold: 0,
        });
        // Dropped before there is an answer, it kills the program all the same.
        let mut process = Process {
            place: self.clone(),
            number,
            pid: 0,
            ended: is_ended,
            untaken,
            lines,
        };
        let order = Order::Spawn(spawn);
        match self.exchange.ask(number, order, ANSWER_TIMEOUT).await {
            Ok(Report::Spawned { pid }) => {
                process.pid = pid;
                Ok(process)
            }
            other => {
                self.exchange.forget(number);
                Err(refusal(other, &program))
            }
        }
    }

    /// Runs a command to its end, for at most `patience`.
    ///
    /// # Errors
    /// When it is not installed, or cannot be run. That it ends badly is no error.
    pub async fn run(
        &self,
        command: &[String],
        environment: &BTreeMap<String, String>,
        namespace: Option<&str>,
        patience: Duration,
    ) -> Result<Ran, PlaceError> {
        let program = command.first().cloned().unwrap_or_default();
        let order = Order::Run {
            command: command.to_vec(),
            environment: environment.clone(),
            namespace: namespace.map(str::to_owned),
            patience_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        };
        match self.ask(order, patience + RUN_GRACE).await {
            Ok(Report::Ran(ran)) => Ok(ran),
            other => Err(refusal(other, &program)),
        }
    }

    /// Writes a file; its directory is made when missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn write(&self, path: &Path, text: &str) -> Result<(), PlaceError> {
        let order = Order::Write {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        match self.ask(order, ANSWER_TIMEOUT).await {
            Ok(Report::Done) => Ok(()),
            other => Err(refusal(other, &path.display().to_string())),
        }
    }

    /// Brings a file, or as much of its end as `bytes_max`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn fetch(&self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, PlaceError> {
        let mut all = Vec::new();
        let mut offset = 0;
        loop {
            let (part, length) = self.part(path, offset).await?;
            let end = offset + part.len() as u64;
            let is_last = (part.len() as u64) < FETCH_BYTES_MAX;
            all.extend_from_slice(&part);
            if all.len() > bytes_max {
                all.drain(..all.len() - bytes_max);
            }
            if is_last {
                return Ok(all);
            }
            // Nobody needs what lies between.
            offset = end.max(length.saturating_sub(bytes_max as u64));
            if offset > end {
                all.clear();
            }
        }
    }

    /// A part of a file, and how long that is.
    async fn part(&self, path: &Path, offset: u64) -> Result<(Vec<u8>, u64), PlaceError> {
        let order = Order::Fetch {
            path: PathBuf::from(path),
            offset,
        };
        match self.ask(order, ANSWER_TIMEOUT).await {
            Ok(Report::Fetched { bytes, length }) => match STANDARD.decode(bytes) {
                Ok(bytes) => Ok((bytes, length)),
                Err(error) => Err(PlaceError::Refused(error.to_string())),
            },
            other => Err(refusal(other, &path.display().to_string())),
        }
    }

    async fn ask(&self, order: Order, patience: Duration) -> Result<Report, PlaceError> {
        let number = self.exchange.number();
        self.exchange.ask(number, order, patience).await
    }
}

/// What a refusal, or an answer to another question, means.
fn refusal(answer: Result<Report, PlaceError>, program: &str) -> PlaceError {
    match answer {
        Err(error) => error,
        Ok(Report::Refused { missing: true, .. }) => PlaceError::Missing {
            program: program.to_owned(),
        },
        Ok(Report::Refused { reason, .. }) => PlaceError::Refused(format!("{program}: {reason}")),
        Ok(other) => PlaceError::Refused(format!("the agent answered {other:?}")),
    }
}
