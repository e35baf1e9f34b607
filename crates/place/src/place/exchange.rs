//! What goes to and fro between a place and its agent.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Ended, PlaceError};
use crate::channel::{LINE_BYTES_MAX, Line, Order, Report};

/// Orders that may wait for the agent's pipe; whoever has more waits, or is told.
pub(super) const ORDERS_MAX: usize = 1024;
/// How long an agent that says no more may take to end, so that it can be said how it did.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The way to the agent, and who waits for what it says.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What was run.
    command: String,
    /// The agent ends when its input closes, which is when the orders have no sender any more. It
    /// must not be killed: then nobody would kill what forked away from what it has started.
    orders: mpsc::Sender<Vec<u8>>,
    next: Cell<u64>,
    heard: Rc<Heard>,
}

/// Who waits for what the agent says.
#[derive(Debug, Default)]
struct Heard {
    answers: RefCell<BTreeMap<u64, oneshot::Sender<Report>>>,
    programs: RefCell<BTreeMap<u64, Listener>>,
    /// How the agent ended, once it has.
    gone: RefCell<Option<String>>,
}

/// Whom to tell of a program.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) ended: watch::Sender<Option<Ended>>,
    /// Of an attached program. The agent bounds what waits there, by
    /// [`OUTPUT_AHEAD_BYTES_MAX`](crate::channel::OUTPUT_AHEAD_BYTES_MAX). So a program whose user
    /// reads late holds up itself and nobody else.
    pub(super) lines: Option<mpsc::UnboundedSender<String>>,
    /// How many bytes it was told that its pipe has not taken.
    pub(super) untaken: Rc<Cell<u64>>,
}

impl Exchange {
    /// Carries orders to this agent, which was started by `command`, and hears it.
    pub(super) fn new(mut agent: Child, command: String) -> Self {
        let stdin = agent.stdin.take().expect("stdin was asked to be piped");
        let stdout = agent.stdout.take().expect("stdout was asked to be piped");
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let heard = Rc::new(Heard::default());
        tokio::task::spawn_local(write(stdin, ordered));
        tokio::task::spawn_local(listen(agent, stdout, Rc::clone(&heard)));
        Self {
            command,
            orders,
            next: Cell::new(0),
            heard,
        }
    }

    /// A number that no order has had.
    pub(super) fn number(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    /// Whom to tell of the program that will have this number.
    pub(super) fn attend(&self, number: u64, listener: Listener) {
        self.heard.programs.borrow_mut().insert(number, listener);
    }

    /// Nobody is to be told any more.
    pub(super) fn forget(&self, number: u64) {
        self.heard.programs.borrow_mut().remove(&number);
    }

    /// A way for orders that keeps no place alive.
    pub(super) fn orders(&self) -> mpsc::WeakSender<Vec<u8>> {
        self.orders.downgrade()
    }

    /// Sends what has no answer, if there is room.
    pub(super) fn tell(&self, said: Order) -> Result<(), PlaceError> {
        let line = encoded(self.number(), said)?;
        self.orders.try_send(line).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PlaceError::Unread,
            mpsc::error::TrySendError::Closed(_) => self.gone(),
        })
    }

    /// Sends what has an answer, and waits for that.
    pub(super) async fn ask(
        &self,
        number: u64,
        said: Order,
        patience: Duration,
    ) -> Result<Report, PlaceError> {
        if self.heard.gone.borrow().is_some() {
            return Err(self.gone());
        }
        let line = encoded(number, said)?;
        let (tell, told) = oneshot::channel();
        self.heard.answers.borrow_mut().insert(number, tell);
        let exchange = async {
            // The way is closed as soon as the agent is gone; the answers say how it went.
            let _ = self.orders.send(line).await;
            told.await.ok()
        };
        let answer = tokio::time::timeout(patience, exchange).await;
        self.heard.answers.borrow_mut().remove(&number);
        match answer {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Err(self.gone()),
            Err(_) => Err(PlaceError::Silent(patience)),
        }
    }

    fn gone(&self) -> PlaceError {
        let status = self.heard.gone.borrow().clone();
        PlaceError::Gone {
            command: self.command.clone(),
            status: status.unwrap_or_else(|| "it reads no more".to_owned()),
        }
    }
}

/// An order as a line.
pub(super) fn encoded(number: u64, said: Order) -> Result<Vec<u8>, PlaceError> {
    let mut line = serde_json::to_vec(&Line { number, said }).expect("plain data");
    line.push(b'\n');
    if line.len() > LINE_BYTES_MAX {
        let reason = format!("an order of {} bytes is too long for a place", line.len());
        return Err(PlaceError::Refused(reason));
    }
    Ok(line)
}

/// Writes orders as they come, until the place is dropped.
async fn write(mut stdin: ChildStdin, mut orders: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = orders.recv().await {
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Hands on what the agent says, until it is gone. Never waits for anybody who hears it: an end or
/// an answer would wait behind what one program prints.
async fn listen(mut agent: Child, stdout: ChildStdout, heard: Rc<Heard>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stdout).take(LINE_BYTES_MAX as u64);
        if !matches!(bounded.read_until(b'\n', &mut line).await, Ok(1..)) {
            break;
        }
        let Ok(Line { number, said }) = serde_json::from_slice::<Line<Report>>(&line) else {
            break;
        };
        heard.hand_on(number, said);
    }
    // One that says what nobody understands notices that nobody reads it.
    drop(stdout);
    let status = match tokio::time::timeout(END_TIMEOUT, agent.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it says no more".to_owned(),
    };
    *heard.gone.borrow_mut() = Some(status);
    heard.answers.borrow_mut().clear();
    for (_, program) in std::mem::take(&mut *heard.programs.borrow_mut()) {
        program.ended.send_replace(Some(Ended::with_its_place()));
    }
}

impl Heard {
    fn hand_on(&self, number: u64, said: Report) {
        match said {
            Report::Exited { status } => {
                let program = self.programs.borrow_mut().remove(&number);
                if let Some(program) = program {
                    program.ended.send_replace(Some(Ended { status }));
                }
            }
            Report::Output(line) => {
                if let Some(program) = self.programs.borrow().get(&number)
                    && let Some(lines) = &program.lines
                {
                    // Whoever attached it may read no longer.
                    let _ = lines.send(line);
                }
            }
            Report::Taken { bytes } => {
                if let Some(program) = self.programs.borrow().get(&number) {
                    let left = program.untaken.get().saturating_sub(bytes);
                    program.untaken.set(left);
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
