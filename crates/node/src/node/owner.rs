//! The task that owns a node's process: it carries commands and answers, sends signals, and notices
//! the exit. When nobody holds the node's handle any more, it kills the process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use bytes::BytesMut;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};

use super::child::{NodeError, UnexpectedExit};
use super::control::{Answer, Command, LINE_BYTES_MAX, Start};
use kvs_core::protocol::NodeId;

/// Commands and signals that may wait for one node, and commands that it may leave unanswered.
pub(super) const ASKS_MAX: usize = 64;
/// How many bytes of commands a node may leave unread beyond what its pipe holds: of the longest
/// ones, two.
const UNREAD_BYTES_MAX: usize = 2 * LINE_BYTES_MAX as usize;
/// How much of a log an error shows, in lines and in bytes.
const LOG_TAIL_LINES: usize = 10;
const LOG_TAIL_BYTES: usize = 4096;

/// What a handle asks of the task that owns the process.
pub(super) enum Ask {
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
    /// The network namespace that it is to run in, if not in this process's.
    pub(super) namespace: Option<String>,
    pub(super) log: PathBuf,
    pub(super) exits: mpsc::Sender<UnexpectedExit>,
}

/// Owns the process; runs as a task until the process is gone.
pub(super) struct Owner {
    node: NodeId,
    pid: u32,
    child: Child,
    stdin: ChildStdin,
    /// Commands that the pipe has not taken yet. A paused node reads nothing, and whoever waits
    /// for its pipe could not send the signal that lets it go on.
    unread: BytesMut,
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
    /// Starts the process, which then waits for its first line.
    pub(super) fn spawn(recipe: &Recipe) -> Result<Self, NodeError> {
        let mut child = spawn(recipe)?;
        let stdin = child.stdin.take().expect("stdin was asked to be piped");
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        Ok(Self {
            node: recipe.node,
            pid: child.id().expect("a child that was not waited for"),
            child,
            stdin,
            unread: BytesMut::new(),
            stdout: BufReader::new(stdout),
            line: Vec::new(),
            log: recipe.log.clone(),
            waiting: VecDeque::new(),
            exit_wanted: false,
            to_tell: Vec::new(),
        })
    }

    /// The id of the process.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Hands the node what it needs, and hears where it serves.
    pub(super) async fn begin(&mut self, start: &Start) -> Result<SocketAddr, NodeError> {
        // A node that is gone already shows in what comes next.
        self.unread.extend_from_slice(&line_of(start));
        let _ = self.stdin.write_all_buf(&mut self.unread).await;
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

    pub(super) async fn run(
        mut self,
        mut asks: mpsc::Receiver<Ask>,
        exits: mpsc::Sender<UnexpectedExit>,
    ) {
        let mut open = true;
        let status = loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.handle(ask),
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
                written = self.stdin.write_buf(&mut self.unread), if !self.unread.is_empty() => {
                    // The node is about to be seen to have exited.
                    if !matches!(written, Ok(1..)) {
                        self.unread.clear();
                    }
                }
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

    fn handle(&mut self, ask: Ask) {
        match ask {
            Ask::Command(command, answer) => {
                self.exit_wanted |= matches!(command, Command::Shutdown);
                let line = line_of(&command);
                let unread = self.unread.len() + line.len();
                if self.waiting.len() >= ASKS_MAX || unread > UNREAD_BYTES_MAX {
                    let reason = "too many commands are unanswered".to_owned();
                    let _ = answer.send(Answer::Failed { reason });
                } else {
                    self.unread.extend_from_slice(&line);
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

fn line_of(message: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
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
    let mut command = match &recipe.namespace {
        // It becomes the program, so that the process is the node's own.
        Some(namespace) => {
            let mut command = tokio::process::Command::new("ip");
            command
                .args(["netns", "exec", namespace])
                .arg(&recipe.program);
            command
        }
        None => tokio::process::Command::new(&recipe.program),
    };
    command
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
pub(super) fn tail(path: &Path) -> String {
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
