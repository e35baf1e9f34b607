//! One node process, seen from the launcher: a program at its place, which it talks to by [`Talk`].
//! Dropping the handle, or the runtime, kills it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::control::{Answer, Command, NodeStatus, Start};
use super::failure::{NodeError, UnexpectedExit};
use super::talk::{Listener, Talk, tail, understood};
use crate::storage::DiskFault;
use crate::transport::faults::NetworkFaults;
use kvs_core::protocol::NodeId;
use kvs_place::{Place, PlaceError, Process, SignalName, Spawn};

/// How long a node may take to say that it serves. It takes milliseconds, but longer on a machine
/// that is busy with compiling.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a node may take to answer a command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take to exit when asked to; then it is killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);

/// How to start a node process.
pub(super) struct Recipe {
    pub(super) node: NodeId,
    pub(super) incarnation: u16,
    /// Where it runs. Its program is the place's own.
    pub(super) place: Place,
    /// The network namespace that it is to run in, if not in its place's.
    pub(super) namespace: Option<String>,
    pub(super) log: PathBuf,
    pub(super) exits: mpsc::Sender<UnexpectedExit>,
}

/// Controls one node process. Dropped, it kills the process.
#[derive(Debug)]
pub struct NodeHandle {
    id: NodeId,
    incarnation: u16,
    addr: SocketAddr,
    log: PathBuf,
    place: Place,
    process: Process,
    talk: Rc<Talk>,
}

impl NodeHandle {
    /// Starts a node and waits until it serves.
    pub(super) async fn start(recipe: Recipe, start: Start) -> Result<Self, NodeError> {
        let node = recipe.node;
        let mut process = spawn(&recipe).await?;
        let begun = begin(&recipe, &mut process, &start);
        let addr = match tokio::time::timeout(READY_TIMEOUT, begun).await {
            Ok(ready) => ready?,
            Err(_) => {
                return Err(NodeError::Silent {
                    node,
                    waited: READY_TIMEOUT,
                    log: tail(&recipe.place, &recipe.log).await,
                });
            }
        };
        let talk = Rc::new(Talk::default());
        let listener = Listener {
            node,
            place: recipe.place.clone(),
            log: recipe.log.clone(),
            talk: Rc::clone(&talk),
            exits: recipe.exits,
        };
        let lines = process.take_lines().expect("nobody else has taken them");
        tokio::task::spawn_local(listener.run(lines));
        Ok(Self {
            id: node,
            incarnation: recipe.incarnation,
            addr,
            log: recipe.log,
            place: recipe.place,
            process,
            talk,
        })
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
        self.process.pid()
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
        self.talk.is_over()
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
    pub fn tell(&self, command: &Command) {
        // Who has exited need not hear it, and who leaves so much unread is as good as gone.
        drop(self.talk.ask(&self.process, command));
    }

    /// Stops it where it stands (SIGSTOP): its connections stay, and nothing answers.
    ///
    /// # Errors
    /// When it has exited.
    pub async fn pause(&self) -> Result<(), NodeError> {
        self.signal(SignalName::Stop).await
    }

    /// Resumes the process after [`NodeHandle::pause`] (SIGCONT).
    ///
    /// # Errors
    /// When it has exited.
    pub async fn resume(&self) -> Result<(), NodeError> {
        self.signal(SignalName::Continue).await
    }

    /// Kills it (SIGKILL) and waits until it is gone. That it already was is no error.
    pub async fn kill(self) {
        self.talk.want_exit();
        if self.signal(SignalName::Kill).await.is_ok() {
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
        tokio::time::timeout(patience, self.process.wait())
            .await
            .is_ok()
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
        let answered = self.talk.ask(&self.process, &command);
        match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(self.exited().await),
            Err(_) => Err(NodeError::Silent {
                node: self.id,
                waited: ANSWER_TIMEOUT,
                log: tail(&self.place, &self.log).await,
            }),
        }
    }

    async fn signal(&self, signal: SignalName) -> Result<(), NodeError> {
        match self.process.signal(signal).await {
            Ok(()) if !self.talk.is_over() => Ok(()),
            Ok(()) | Err(PlaceError::Gone { .. }) => Err(self.exited().await),
            Err(error) => Err(NodeError::Failed {
                node: self.id,
                reason: error.to_string(),
            }),
        }
    }

    async fn exited(&self) -> NodeError {
        NodeError::Exited {
            node: self.id,
            status: "earlier".to_owned(),
            path: self.log.clone(),
            log: tail(&self.place, &self.log).await,
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

impl Drop for NodeHandle {
    fn drop(&mut self) {
        self.talk.want_exit();
    }
}

/// Starts the process, which then waits for its first line.
async fn spawn(recipe: &Recipe) -> Result<Process, NodeError> {
    let program = recipe.place.program();
    let spawn = Spawn {
        command: vec![
            program.to_string_lossy().into_owned(),
            super::NODE_ARGUMENT.to_owned(),
        ],
        // Its files are named as those of its place are.
        directory: PathBuf::from("."),
        log: recipe.log.clone(),
        namespace: recipe.namespace.clone(),
        attached: true,
        ..Spawn::default()
    };
    let spawned = recipe.place.spawn(spawn).await;
    spawned.map_err(|source| NodeError::Spawn {
        node: recipe.node,
        program: program.to_owned(),
        source,
    })
}

/// Hands the node what it needs, and hears where it serves.
async fn begin(
    recipe: &Recipe,
    process: &mut Process,
    start: &Start,
) -> Result<SocketAddr, NodeError> {
    let node = recipe.node;
    let line = serde_json::to_string(start).expect("plain data");
    process.input(&line).map_err(|error| NodeError::Failed {
        node,
        reason: error.to_string(),
    })?;
    let first = process.line().await;
    match first.as_deref().map(understood) {
        Some(Answer::Ready { addr }) => Ok(addr),
        Some(Answer::Failed { reason }) => Err(NodeError::Failed { node, reason }),
        Some(Answer::Done | Answer::Status(_)) | None => Err(NodeError::Exited {
            node,
            status: process.wait().await.status,
            path: recipe.log.clone(),
            log: tail(&recipe.place, &recipe.log).await,
        }),
    }
}
