//! One node process, seen from the launcher.
//!
//! A task owns the process: it carries commands and answers, sends signals, and notices the exit.
//! Dropping the handle, or the runtime, kills the process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};

use super::control::{Answer, Command, LINE_BYTES_MAX, NodeStatus, Start};
use crate::protocol::NodeId;

/// How long a node may take to say that it serves. It takes milliseconds; a machine that compiles
/// beside it takes its time.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a node may take to answer a command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take to exit when asked to; then it is killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);
/// Commands and signals that may wait for one node.
const ASKS_MAX: usize = 64;
/// How much of a log an error shows, in lines and in bytes.
const LOG_TAIL_LINES: usize = 10;
const LOG_TAIL_BYTES: usize = 4096;

/// Why a node does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The program could not be run.
    #[error("cannot start node {node} by running {}", program.display())]
    Spawn {
        /// Which node.
        node: NodeId,
        /// What was run.
        program: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Its log could not be written.
    #[error("cannot write the log of node {node} to {}: is the directory writable?", path.display())]
    Log {
        /// Which node.
        node: NodeId,
        /// Where its log was to be.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It exited without being asked to.
    #[error("node {node} exited ({status}); the end of its log {}:\n{log}", path.display())]
    Exited {
        /// Which node.
        node: NodeId,
        /// How.
        status: String,
        /// Where its log is.
        path: PathBuf,
        /// The last lines of it.
        log: String,
    },
    /// It runs and does not answer: it may be paused, or the machine overloaded.
    #[error("node {node} did not answer within {waited:?}; the end of its log:\n{log}")]
    Silent {
        /// Which node.
        node: NodeId,
        /// How long was waited.
        waited: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// It answered that it cannot, or something that is no answer to this.
    #[error("node {node} failed: {reason}")]
    Failed {
        /// Which node.
        node: NodeId,
        /// What it said.
        reason: String,
    },
}

/// A node that exited without being asked to.
#[derive(Clone, Debug)]
pub struct UnexpectedExit {
    /// Which node.
    pub node: NodeId,
    /// How, in the words of the operating system.
    pub status: String,
    /// The last lines of its log.
    pub log: String,
}

/// Controls one node process. Dropped, it kills the process.
#[derive(Debug)]
pub struct NodeHandle {
    id: NodeId,
    incarnation: u16,
    pid: u32,
    addr: SocketAddr,
    log: PathBuf,
    asks: mpsc::Sender<Ask>,
}

/// What a handle asks of the task that owns the process.
enum Ask {
    Command(Command, oneshot::Sender<Answer>),
    Signal(Signal, oneshot::Sender<()>),
    /// Send word when the process has exited.
    Exit(oneshot::Sender<()>),
}

/// How to start a node process.
pub(super) struct Recipe {
    pub(super) node: NodeId,
    pub(super) incarnation: u16,
    pub(super) program: PathBuf,
    pub(super) log: PathBuf,
    pub(super) exits: mpsc::Sender<UnexpectedExit>,
}

impl NodeHandle {
    /// Starts a node and waits until it serves.
    pub(super) async fn start(recipe: Recipe, start: Start) -> Result<Self, NodeError> {
        let node = recipe.node;
        let mut child = spawn(&recipe)?;
        let stdin = child.stdin.take().expect("stdin was asked to be piped");
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        let mut owner = Owner {
            node,
            pid: child.id().expect("a child that was not waited for"),
            child,
            stdin,
            stdout: BufReader::new(stdout),
            line: Vec::new(),
            log: recipe.log.clone(),
            waiting: VecDeque::new(),
            exit_wanted: false,
            to_tell: Vec::new(),
        };
        let addr = match tokio::time::timeout(READY_TIMEOUT, owner.begin(&start)).await {
            Ok(ready) => ready?,
            Err(_) => {
                return Err(NodeError::Silent {
                    node,
                    waited: READY_TIMEOUT,
                    log: tail(&recipe.log),
                });
            }
        };
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let handle = Self {
            id: node,
            incarnation: recipe.incarnation,
            pid: owner.pid,
            addr,
            log: recipe.log,
            asks,
        };
        tokio::spawn(owner.run(asked, recipe.exits));
        Ok(handle)
    }

    /// Which node it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Which of the node's lives this is, from 0.
    #[must_use]
    pub fn incarnation(&self) -> u16 {
        self.incarnation
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it serves.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where its log is.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it is.
    ///
    /// # Errors
    /// When it has exited, or does not answer in time.
    pub async fn status(&self) -> Result<NodeStatus, NodeError> {
        match self.command(Command::Status).await? {
            Answer::Status(status) => Ok(*status),
            other @ (Answer::Ready { .. } | Answer::Done | Answer::Failed { .. }) => {
                Err(self.nonsense(&other))
            }
        }
    }

    /// Tells it where the nodes are.
    ///
    /// # Errors
    /// When it has exited, or does not answer in time.
    pub async fn peers(&self, addresses: Vec<(NodeId, SocketAddr)>) -> Result<(), NodeError> {
        self.command_done(Command::Peers { addresses }).await
    }

    /// Sets how much more than the machine's its clock reads, in ns.
    ///
    /// # Errors
    /// When it has exited, or does not answer in time.
    pub async fn clock_offset(&self, offset_ns: i64) -> Result<(), NodeError> {
        self.command_done(Command::ClockOffset { offset_ns }).await
    }

    /// Stops it where it stands (SIGSTOP): its connections stay, and nothing answers.
    ///
    /// # Errors
    /// When it has exited.
    pub async fn pause(&self) -> Result<(), NodeError> {
        self.signal(Signal::STOP).await
    }

    /// Lets it go on after [`NodeHandle::pause`] (SIGCONT).
    ///
    /// # Errors
    /// When it has exited.
    pub async fn resume(&self) -> Result<(), NodeError> {
        self.signal(Signal::CONT).await
    }

    /// Kills it (SIGKILL) and waits until it is gone. That it already was is no error.
    pub async fn kill(self) {
        if self.signal(Signal::KILL).await.is_ok() {
            self.gone(EXIT_TIMEOUT).await;
        }
    }

    /// Asks it to exit in good order, and kills it when it does not in time. Says whether it did.
    pub async fn shutdown(self) -> bool {
        let exit = async {
            self.command_done(Command::Shutdown).await.is_ok() && self.gone(EXIT_TIMEOUT).await
        };
        let gone = tokio::time::timeout(EXIT_TIMEOUT, exit).await;
        if gone == Ok(true) {
            return true;
        }
        self.kill().await;
        false
    }

    /// Whether the process exits within `patience`.
    async fn gone(&self, patience: Duration) -> bool {
        let (tell, told) = oneshot::channel();
        if self.asks.send(Ask::Exit(tell)).await.is_err() {
            return true;
        }
        // An error is the owner's end, which is the process's as well.
        tokio::time::timeout(patience, told).await.is_ok()
    }

    async fn command_done(&self, command: Command) -> Result<(), NodeError> {
        match self.command(command).await? {
            Answer::Done => Ok(()),
            other @ (Answer::Ready { .. } | Answer::Status(_) | Answer::Failed { .. }) => {
                Err(self.nonsense(&other))
            }
        }
    }

    async fn command(&self, command: Command) -> Result<Answer, NodeError> {
        let exchange = async {
            let (answer, answered) = oneshot::channel();
            let ask = Ask::Command(command, answer);
            self.asks.send(ask).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.exited()),
            Err(_) => Err(NodeError::Silent {
                node: self.id,
                waited: ANSWER_TIMEOUT,
                log: tail(&self.log),
            }),
        }
    }

    async fn signal(&self, signal: Signal) -> Result<(), NodeError> {
        let (sent, was_sent) = oneshot::channel();
        let ask = Ask::Signal(signal, sent);
        if self.asks.send(ask).await.is_err() {
            return Err(self.exited());
        }
        was_sent.await.map_err(|_| self.exited())
    }

    fn exited(&self) -> NodeError {
        NodeError::Exited {
            node: self.id,
            status: "earlier".to_owned(),
            path: self.log.clone(),
            log: tail(&self.log),
        }
    }

    fn nonsense(&self, answer: &Answer) -> NodeError {
        let reason = match answer {
            Answer::Failed { reason } => reason.clone(),
            Answer::Ready { .. } | Answer::Status(_) | Answer::Done => {
                "it answered another question".to_owned()
            }
        };
        NodeError::Failed {
            node: self.id,
            reason,
        }
    }
}

/// Owns the process; runs as a task until the process is gone.
struct Owner {
    node: NodeId,
    pid: u32,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What has come of the next line.
    line: Vec<u8>,
    log: PathBuf,
    /// Who awaits the answers to come, in order.
    waiting: VecDeque<oneshot::Sender<Answer>>,
    /// Whether the exit, when it comes, was asked for.
    exit_wanted: bool,
    to_tell: Vec<oneshot::Sender<()>>,
}

impl Owner {
    /// Hands the node what it needs, and hears where it serves.
    async fn begin(&mut self, start: &Start) -> Result<SocketAddr, NodeError> {
        // A node that is gone already shows in what comes next.
        let _ = self.write(start).await;
        match self.read().await {
            Some(Answer::Ready { addr }) => Ok(addr),
            Some(Answer::Failed { reason }) => Err(NodeError::Failed {
                node: self.node,
                reason,
            }),
            Some(Answer::Done | Answer::Status(_)) | None => {
                let status = self.child.wait().await;
                Err(NodeError::Exited {
                    node: self.node,
                    status: describe(status),
                    path: self.log.clone(),
                    log: tail(&self.log),
                })
            }
        }
    }

    async fn run(mut self, mut asks: mpsc::Receiver<Ask>, exits: mpsc::Sender<UnexpectedExit>) {
        let mut open = true;
        let status = loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.handle(ask).await,
                    None => break self.end().await,
                },
                answer = read_line(&mut self.stdout, &mut self.line), if open => match answer {
                    Some(answer) => {
                        if let Some(waiting) = self.waiting.pop_front() {
                            // Whoever asked may have lost patience.
                            let _ = waiting.send(answer);
                        }
                    }
                    None => open = false,
                },
                status = self.child.wait() => break status,
            }
        };
        if !self.exit_wanted {
            let exit = UnexpectedExit {
                node: self.node,
                status: describe(status),
                log: tail(&self.log),
            };
            // Nobody listens, or too many exits are unheard already.
            let _ = exits.try_send(exit);
        }
        for told in self.to_tell {
            let _ = told.send(());
        }
    }

    async fn handle(&mut self, ask: Ask) {
        match ask {
            Ask::Command(command, answer) => {
                self.exit_wanted |= matches!(command, Command::Shutdown);
                // A paused node reads nothing: its pipe must not fill, since writing to a full
                // one would keep the signal that lets the node go on from being sent.
                if self.waiting.len() >= ASKS_MAX {
                    let reason = "too many commands are unanswered".to_owned();
                    let _ = answer.send(Answer::Failed { reason });
                } else if self.write(&command).await.is_ok() {
                    self.waiting.push_back(answer);
                }
            }
            Ask::Signal(signal, sent) => {
                self.exit_wanted |= signal == Signal::KILL;
                // The process was not waited for yet, so that the id is still its own.
                let pid = self
                    .child
                    .id()
                    .and_then(|pid| Pid::from_raw(pid.cast_signed()));
                if pid.is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok()) {
                    let _ = sent.send(());
                }
            }
            Ask::Exit(tell) => self.to_tell.push(tell),
        }
    }

    /// The handle is gone, and so shall be the process.
    async fn end(&mut self) -> std::io::Result<ExitStatus> {
        self.exit_wanted = true;
        self.child.start_kill()?;
        self.child.wait().await
    }

    async fn write(&mut self, message: &impl serde::Serialize) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await
    }

    async fn read(&mut self) -> Option<Answer> {
        read_line(&mut self.stdout, &mut self.line).await
    }
}

/// The next answer; `None` at the end of the channel. A line that is no answer is an answer that
/// says so. Safe to cancel: what has come of a line stays in `line`.
async fn read_line(stdout: &mut BufReader<ChildStdout>, line: &mut Vec<u8>) -> Option<Answer> {
    let room = LINE_BYTES_MAX.saturating_sub(line.len() as u64);
    let read = stdout.take(room).read_until(b'\n', line).await;
    if !matches!(read, Ok(1..)) && line.is_empty() {
        return None;
    }
    let answer = serde_json::from_slice(line).unwrap_or_else(|error| Answer::Failed {
        reason: format!("its answer is not understood: {error}"),
    });
    line.clear();
    Some(answer)
}

fn spawn(recipe: &Recipe) -> Result<Child, NodeError> {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&recipe.log)
        .map_err(|source| NodeError::Log {
            node: recipe.node,
            path: recipe.log.clone(),
            source,
        })?;
    tokio::process::Command::new(&recipe.program)
        .arg(super::NODE_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C in a terminal goes to the launcher alone, which heals and saves first.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| NodeError::Spawn {
            node: recipe.node,
            program: recipe.program.clone(),
            source,
        })
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// The last lines of a log, indented.
fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let end = &bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..];
    let text = String::from_utf8_lossy(end);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..];
    if last.is_empty() {
        return "  (empty)".to_owned();
    }
    last.iter()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
