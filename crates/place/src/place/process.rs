//! A program at a place, seen from its user.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::{mpsc, watch};

use super::exchange::encoded;
use super::{ANSWER_TIMEOUT, Place, PlaceError};
use crate::channel::{
    INPUT_AHEAD_BYTES_MAX, OUTPUT_AHEAD_BYTES_MAX, Order, PROGRAM_LINE_BYTES_MAX, SignalName,
    weight,
};

/// After how many bytes that were read the agent hears of it.
const TAKEN_BYTES: u64 = OUTPUT_AHEAD_BYTES_MAX / 4;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// In the words of the operating system.
    pub status: String,
}

impl Ended {
    pub(super) fn with_its_place() -> Self {
        Self {
            status: "gone with its place".to_owned(),
        }
    }

    async fn awaited(mut ended: watch::Receiver<Option<Self>>) -> Self {
        match ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or_else(Self::with_its_place),
            Err(_) => Self::with_its_place(),
        }
    }
}

/// A program that was started at a place. Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    pub(super) place: Place,
    pub(super) number: u64,
    pub(super) pid: u32,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    /// How many bytes it was told that its pipe has not taken.
    pub(super) untaken: Rc<Cell<u64>>,
    pub(super) lines: Option<Lines>,
}

/// What an attached program prints, line by line. What is not read holds up the program alone.
#[derive(Debug)]
pub struct Lines {
    pub(super) number: u64,
    /// Does not keep the place.
    pub(super) orders: mpsc::WeakSender<Vec<u8>>,
    pub(super) lines: mpsc::UnboundedReceiver<String>,
    pub(super) ended: watch::Receiver<Option<Ended>>,
    /// How many bytes were read that the agent has not heard of.
    pub(super) untold: u64,
}

impl Process {
    /// The id of its first process, in the place's table of processes.
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
    pub async fn wait(&self) -> Ended {
        Ended::awaited(self.ended.clone()).await
    }

    /// Sends a signal to all its processes: to its first one as soon as the agent hears of it, and
    /// when this returns, to those that it has started.
    ///
    /// # Errors
    /// When the place is gone.
    pub async fn signal(&self, signal: SignalName) -> Result<(), PlaceError> {
        let process = self.number;
        let exchange = &self.place.exchange;
        let order = Order::Signal { process, signal };
        exchange
            .ask(exchange.number(), order, ANSWER_TIMEOUT)
            .await?;
        Ok(())
    }

    /// Kills all its processes and waits until they are gone.
    pub async fn kill(&mut self) {
        if self.ended().is_none() && self.signal(SignalName::Kill).await.is_ok() {
            // An agent that does not say so is gone itself.
            let _ = tokio::time::timeout(ANSWER_TIMEOUT, self.wait()).await;
        }
    }

    /// Has a line written to the standard input of an attached program, which may read it later.
    ///
    /// # Errors
    /// When the place is gone, the line is longer than [`PROGRAM_LINE_BYTES_MAX`], or the program
    /// leaves more unread than [`INPUT_AHEAD_BYTES_MAX`] with it.
    pub fn input(&self, line: &str) -> Result<(), PlaceError> {
        let bytes = weight(line);
        if bytes > PROGRAM_LINE_BYTES_MAX as u64 {
            let reason = format!("a line of {bytes} bytes is too long for a program");
            return Err(PlaceError::Refused(reason));
        }
        let untaken = self.untaken.get() + bytes;
        if untaken > INPUT_AHEAD_BYTES_MAX {
            return Err(PlaceError::Unread);
        }
        self.place.exchange.tell(Order::Input {
            process: self.number,
            line: line.to_owned(),
        })?;
        self.untaken.set(untaken);
        Ok(())
    }

    /// The next line that an attached program prints; none when it prints no more, or when
    /// [`Process::take_lines`] took them. Safe to cancel.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.as_mut()?.next().await
    }

    /// What an attached program prints, for somebody else to read; none when it was taken before.
    pub fn take_lines(&mut self) -> Option<Lines> {
        self.lines.take()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.borrow().is_none() {
            // What cannot be told now is killed with the place.
            let _ = self.place.exchange.tell(Order::Signal {
                process: self.number,
                signal: SignalName::Kill,
            });
        }
    }
}

impl Lines {
    /// The next line; none when there are no more. Safe to cancel.
    pub async fn next(&mut self) -> Option<String> {
        if self.untold >= TAKEN_BYTES {
            self.tell().await;
        }
        let line = self.lines.recv().await?;
        self.untold += weight(&line);
        Some(line)
    }

    /// Waits until all processes of the program are gone, which is when there are no more lines.
    pub async fn ended(&self) -> Ended {
        Ended::awaited(self.ended.clone()).await
    }

    /// Lets the agent hear how much was read.
    async fn tell(&mut self) {
        let order = Order::Taken {
            process: self.number,
            bytes: self.untold,
        };
        let line = encoded(self.number, order).expect("a short order");
        if let Some(orders) = self.orders.upgrade() {
            // A place that is gone counts no longer.
            let _ = orders.send(line).await;
        }
        self.untold = 0;
    }
}
