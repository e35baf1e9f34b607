//! One node process, seen from the launcher.
//!
//! A task owns the process, see [`super::owner`]. Dropping the handle, or the runtime, kills it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};

use super::control::{Answer, Command, NodeStatus, Start};
use super::owner::{ASKS_MAX, Ask, Owner, Recipe, tail};
use crate::storage::DiskFault;
use crate::transport::faults::NetworkFaults;
use kvs_core::protocol::NodeId;

/// How long a node may take to say that it serves. It takes milliseconds, but longer on a machine
/// that is busy with compiling.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a node may take to answer a command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take to exit when asked to; then it is killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);
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

impl NodeHandle {
    /// Starts a node and waits until it serves.
    pub(super) async fn start(recipe: Recipe, start: Start) -> Result<Self, NodeError> {
        let node = recipe.node;
        let mut owner = Owner::spawn(&recipe)?;
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
            pid: owner.pid(),
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

    /// Whether its process is gone.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        // The task that owns the process ends with it.
        self.asks.is_closed()
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

    /// Has these faults, and no others, meet what it sends and receives.
    ///
    /// # Errors
    /// When it has exited, or does not answer in time.
    pub async fn network(&self, faults: NetworkFaults) -> Result<(), NodeError> {
        self.command_done(Command::Network { faults }).await
    }

    /// Has this go wrong with its disk, and nothing else.
    ///
    /// # Errors
    /// When it has exited, does not answer in time, or has no disk.
    pub async fn disk(&self, fault: DiskFault) -> Result<(), NodeError> {
        self.command_done(Command::Disk { fault }).await
    }

    /// Tells it something without waiting for the answer: a paused node hears of it when it goes
    /// on.
    pub fn tell(&self, command: Command) {
        let (answer, _) = oneshot::channel();
        // Who has exited need not hear it, and who leaves so much unread is as good as gone.
        let _ = self.asks.try_send(Ask::Command(command, answer));
    }

    /// Stops it where it stands (SIGSTOP): its connections stay, and nothing answers.
    ///
    /// # Errors
    /// When it has exited.
    pub async fn pause(&self) -> Result<(), NodeError> {
        self.signal(Signal::STOP).await
    }

    /// Resumes the process after [`NodeHandle::pause`] (SIGCONT).
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
