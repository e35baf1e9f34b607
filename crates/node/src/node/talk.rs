//! What is said to a node and what it answers, over the standard input and output that its place
//! carries.
//!
//! A task reads the answers, and notices the exit.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};

use super::control::{Answer, Command};
use super::failure::UnexpectedExit;
use kvs_core::protocol::NodeId;
use kvs_place::{LOG_TAIL_BYTES, Lines, Place, PlaceError, Process, log_tail};

/// Commands that a node may leave unanswered; whoever has more is refused.
const UNANSWERED_MAX: usize = 64;

/// Who waits for what of a node.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// Who awaits the answers to come, in order.
    waiting: RefCell<VecDeque<oneshot::Sender<Answer>>>,
    /// Whether the exit, when it comes, was asked for.
    exit_wanted: Cell<bool>,
    /// Whether the process is gone, and whoever wants to know of that has been told.
    is_over: Cell<bool>,
}

impl Talk {
    /// Sends a command, whose answer comes to the receiver: that it cannot be sent, at once, and
    /// nothing where the node is gone.
    pub(super) fn ask(&self, process: &Process, command: &Command) -> oneshot::Receiver<Answer> {
        let (tell, told) = oneshot::channel();
        if self.is_over.get() {
            return told;
        }
        if matches!(command, Command::Shutdown) {
            self.exit_wanted.set(true);
        }
        let mut waiting = self.waiting.borrow_mut();
        let line = serde_json::to_string(command).expect("plain data");
        let sent = if waiting.len() < UNANSWERED_MAX {
            process.input(&line)
        } else {
            Err(PlaceError::Unread)
        };
        match sent {
            Ok(()) => waiting.push_back(tell),
            // It is gone with its place.
            Err(PlaceError::Gone { .. }) => {}
            Err(error) => {
                let reason = format!("it cannot be told any more: {error}");
                // Whoever asked is there: it has not been given the receiver yet.
                drop(tell.send(Answer::Failed { reason }));
            }
        }
        told
    }

    /// That the exit, when it comes, is no surprise.
    pub(super) fn want_exit(&self) {
        self.exit_wanted.set(true);
    }

    /// Whether the process is gone.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over.get()
    }

    fn hear(&self, line: &str) {
        // A node answers in order; what nobody asked for goes to nobody.
        if let Some(waiting) = self.waiting.borrow_mut().pop_front() {
            // Whoever asked may have lost patience.
            let _ = waiting.send(understood(line));
        }
    }
}

/// What a line of a node's says. One that is no answer is an answer that says so.
pub(super) fn understood(line: &str) -> Answer {
    serde_json::from_str(line).unwrap_or_else(|error| Answer::Failed {
        reason: format!("its answer is not understood: {error}"),
    })
}

/// A node that is talked to.
pub(super) struct Listener {
    pub(super) node: NodeId,
    pub(super) place: Place,
    pub(super) log: PathBuf,
    pub(super) talk: Rc<Talk>,
    pub(super) exits: mpsc::Sender<UnexpectedExit>,
}

impl Listener {
    /// Hands on what the node answers until its process is gone, and says so if nobody wanted that.
    pub(super) async fn run(self, mut lines: Lines) {
        while let Some(line) = lines.next().await {
            self.talk.hear(&line);
        }
        let ended = lines.ended().await;
        if !self.talk.exit_wanted.get() {
            let exit = UnexpectedExit {
                node: self.node,
                status: ended.status,
                log: tail(&self.place, &self.log).await,
            };
            // Nobody listens, or too many exits are unheard already.
            let _ = self.exits.try_send(exit);
        }
        self.talk.is_over.set(true);
        self.talk.waiting.borrow_mut().clear();
    }
}

/// The last lines of a log, indented.
pub(super) async fn tail(place: &Place, path: &Path) -> String {
    let bytes = match place.fetch(path, LOG_TAIL_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) => return format!("  ({error})"),
    };
    let last = log_tail(&bytes);
    if last.is_empty() {
        return "  (empty)".to_owned();
    }
    let indented: Vec<String> = last.iter().map(|line| format!("  {line}")).collect();
    indented.join("\n")
}
