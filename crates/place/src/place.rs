//! A place, seen from its user.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};

use crate::channel::{
    FETCH_BYTES_MAX, LINE_BYTES_MAX, Line, Order, PLACE_ARGUMENT, Ran, Report, SignalName, Spawn,
};

/// Orders that may wait for the agent's pipe.
const ORDERS_MAX: usize = 1024;
/// Lines of an attached program that may wait to be read; what comes beyond waits in the pipe.
const LINES_MAX: usize = 1024;
/// How long the agent may take for what it does at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// What running a command may take beyond the command's own patience.
const RUN_GRACE: Duration = Duration::from_secs(5);

/// Why a place does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The agent could not be started.
    #[error("cannot start the agent of a place by running {command}")]
    Start {
        /// What was run.
        command: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The agent is gone, and with it all that it had started.
    #[error("the agent of the place is gone, and all that it had started with it")]
    Gone,
    /// The agent did not answer.
    #[error("the agent of the place did not answer within {0:?}")]
    Silent(Duration),
    /// A program is not installed.
    #[error("{program} is not installed")]
    Missing {
        /// Which.
        program: String,
    },
    /// The agent could not.
    #[error("{0}")]
    Refused(String),
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// In the words of the operating system.
    pub status: String,
}

/// A place. Dropping it ends the agent, which kills all that it has started.
#[derive(Clone, Debug)]
pub struct Place {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    orders: mpsc::Sender<Line<Order>>,
    next: Cell<u64>,
    heard: Rc<Heard>,
    /// It ends when its input closes, which is when the orders have no sender any more. It must not
    /// be killed: then nobody would kill what it has started.
    _agent: Child,
}

/// Who waits for what the agent says.
#[derive(Debug, Default)]
struct Heard {
    answers: RefCell<BTreeMap<u64, oneshot::Sender<Report>>>,
    programs: RefCell<BTreeMap<u64, Program>>,
    is_gone: Cell<bool>,
}

#[derive(Debug)]
struct Program {
    ended: watch::Sender<Option<Ended>>,
    lines: Option<mpsc::Sender<String>>,
}

/// A program that was started at a place. Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    place: Place,
    number: u64,
    pid: u32,
    ended: watch::Receiver<Option<Ended>>,
    lines: Option<mpsc::Receiver<String>>,
}

impl Place {
    /// Starts the agent by running `program`, which must begin with
    /// [`run_if_place`](crate::run_if_place), behind the words of `prefix`. Must be called on a
    /// runtime with local tasks.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start(program: &Path, prefix: &[String]) -> Result<Self, PlaceError> {
        let mut words = prefix
            .iter()
            .map(Into::into)
            .collect::<Vec<std::ffi::OsString>>();
        words.push(program.into());
        words.push(PLACE_ARGUMENT.into());
        let mut child = tokio::process::Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in a terminal goes to the harness alone, which heals and saves first.
            .process_group(0)
            .spawn()
            .map_err(|source| PlaceError::Start {
                command: format!("{words:?}"),
                source,
            })?;
        let stdin = child.stdin.take().expect("stdin was asked to be piped");
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let heard = Rc::new(Heard::default());
        tokio::task::spawn_local(write(stdin, ordered));
        tokio::task::spawn_local(listen(stdout, Rc::clone(&heard)));
        Ok(Self {
            inner: Rc::new(Inner {
                orders,
                next: Cell::new(0),
                heard,
                _agent: child,
            }),
        })
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it is not installed, or cannot be run.
    pub async fn spawn(&self, spawn: Spawn) -> Result<Process, PlaceError> {
        let program = spawn.command.first().cloned().unwrap_or_default();
        let (ended, is_ended) = watch::channel(None);
        let (lines, read) = if spawn.attached {
            let (lines, read) = mpsc::channel(LINES_MAX);
            (Some(lines), Some(read))
        } else {
            (None, None)
        };
        let number = self.number();
        { self.inner.heard.programs.borrow_mut() }.insert(number, Program { ended, lines });
        let answer = self.ask(number, Order::Spawn(spawn), ANSWER_TIMEOUT).await;
        match answer {
            Ok(Report::Spawned { pid }) => Ok(Process {
                place: self.clone(),
                number,
                pid,
                ended: is_ended,
                lines: read,
            }),
            other => {
                self.inner.heard.programs.borrow_mut().remove(&number);
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
        match self.ask(self.number(), order, patience + RUN_GRACE).await {
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
        match self.ask(self.number(), order, ANSWER_TIMEOUT).await {
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
            let order = Order::Fetch {
                path: PathBuf::from(path),
                offset,
            };
            let part = match self.ask(self.number(), order, ANSWER_TIMEOUT).await {
                Ok(Report::Fetched { bytes }) => STANDARD
                    .decode(bytes)
                    .map_err(|error| PlaceError::Refused(error.to_string()))?,
                other => return Err(refusal(other, &path.display().to_string())),
            };
            offset += part.len() as u64;
            let is_last = (part.len() as u64) < FETCH_BYTES_MAX;
            all.extend_from_slice(&part);
            if all.len() > bytes_max {
                all.drain(..all.len() - bytes_max);
            }
            if is_last {
                return Ok(all);
            }
        }
    }

    fn number(&self) -> u64 {
        let number = self.inner.next.get();
        self.inner.next.set(number + 1);
        number
    }

    async fn ask(
        &self,
        number: u64,
        said: Order,
        patience: Duration,
    ) -> Result<Report, PlaceError> {
        let heard = &self.inner.heard;
        if heard.is_gone.get() {
            return Err(PlaceError::Gone);
        }
        let (tell, told) = oneshot::channel();
        heard.answers.borrow_mut().insert(number, tell);
        let exchange = async {
            let line = Line { number, said };
            self.inner.orders.send(line).await.ok()?;
            told.await.ok()
        };
        let answer = tokio::time::timeout(patience, exchange).await;
        heard.answers.borrow_mut().remove(&number);
        match answer {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Err(PlaceError::Gone),
            Err(_) => Err(PlaceError::Silent(patience)),
        }
    }
}

impl Process {
    /// The id of its first process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Waits until all its processes are gone.
    pub async fn wait(&mut self) -> Ended {
        let lost = || Ended {
            status: "gone with its place".to_owned(),
        };
        match self.ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }

    /// Sends a signal to all its processes.
    ///
    /// # Errors
    /// When the place is gone.
    pub async fn signal(&self, signal: SignalName) -> Result<(), PlaceError> {
        let process = self.number;
        let order = Order::Signal { process, signal };
        let number = self.place.number();
        self.place.ask(number, order, ANSWER_TIMEOUT).await?;
        Ok(())
    }

    /// Kills all its processes and waits until they are gone.
    pub async fn kill(&mut self) {
        if self.ended().is_none() && self.signal(SignalName::Kill).await.is_ok() {
            // An agent that does not say so is gone itself.
            let _ = tokio::time::timeout(ANSWER_TIMEOUT, self.wait()).await;
        }
    }

    /// Writes a line to the standard input of an attached program.
    ///
    /// # Errors
    /// When the place is gone, or too much waits for it.
    pub fn input(&self, line: &str) -> Result<(), PlaceError> {
        let said = Order::Input {
            process: self.number,
            line: line.to_owned(),
        };
        let number = self.place.number();
        let orders = &self.place.inner.orders;
        orders
            .try_send(Line { number, said })
            .map_err(|_| PlaceError::Gone)
    }

    /// The next line that an attached program prints; none when it prints no more.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.as_mut()?.recv().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.borrow().is_none() {
            let said = Order::Signal {
                process: self.number,
                signal: SignalName::Kill,
            };
            let number = self.place.number();
            // What cannot be told now is killed with the place.
            let _ = self.place.inner.orders.try_send(Line { number, said });
        }
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

/// Writes orders as they come, until the place is dropped.
async fn write(mut stdin: ChildStdin, mut orders: mpsc::Receiver<Line<Order>>) {
    while let Some(order) = orders.recv().await {
        let mut line = serde_json::to_vec(&order).expect("plain data");
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Hands on what the agent says, until it is gone.
async fn listen(stdout: ChildStdout, heard: Rc<Heard>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stdout).take(LINE_BYTES_MAX);
        if !matches!(bounded.read_until(b'\n', &mut line).await, Ok(1..)) {
            break;
        }
        let Ok(Line { number, said }) = serde_json::from_slice::<Line<Report>>(&line) else {
            break;
        };
        heard.hand_on(number, said).await;
    }
    heard.is_gone.set(true);
    heard.answers.borrow_mut().clear();
    for (_, program) in std::mem::take(&mut *heard.programs.borrow_mut()) {
        let status = "gone with its place".to_owned();
        program.ended.send_replace(Some(Ended { status }));
    }
}

impl Heard {
    async fn hand_on(&self, number: u64, said: Report) {
        match said {
            Report::Exited { status } => {
                let program = self.programs.borrow_mut().remove(&number);
                if let Some(program) = program {
                    program.ended.send_replace(Some(Ended { status }));
                }
            }
            Report::Output(line) => {
                let lines = self
                    .programs
                    .borrow()
                    .get(&number)
                    .and_then(|program| program.lines.clone());
                if let Some(lines) = lines {
                    // Whoever attached it may read no longer.
                    let _ = lines.send(line).await;
                }
            }
            answer @ (Report::Spawned { .. }
            | Report::Done
            | Report::Refused { .. }
            | Report::Ran(_)
            | Report::Fetched { .. }) => {
                let waiting = self.answers.borrow_mut().remove(&number);
                if let Some(waiting) = waiting {
                    // Whoever asked may have lost patience.
                    let _ = waiting.send(answer);
                }
            }
        }
    }
}
