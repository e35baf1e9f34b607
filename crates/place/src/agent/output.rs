//! What an attached program prints, handed on as fast as its user reads, and no faster.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Condvar, Mutex, PoisonError};

use super::{Agent, lock};
use crate::channel::{OUTPUT_AHEAD_BYTES_MAX, PROGRAM_LINE_BYTES_MAX, Report, weight};

/// How far the agent is ahead of its user with what a program prints.
#[derive(Default)]
pub(super) struct Window {
    ahead: Mutex<Ahead>,
    moved: Condvar,
}

#[derive(Default)]
struct Ahead {
    bytes: u64,
    /// Whether no more can come than a pipe holds.
    at_end: bool,
}

impl Window {
    /// Waits until there is room, and fills it.
    fn pass(&self, bytes: u64) {
        let mut ahead = lock(&self.ahead);
        while ahead.bytes >= OUTPUT_AHEAD_BYTES_MAX && !ahead.at_end {
            let moved = self.moved.wait(ahead);
            ahead = moved.unwrap_or_else(PoisonError::into_inner);
        }
        ahead.bytes += bytes;
    }

    /// The user has read this much.
    pub(super) fn taken(&self, bytes: u64) {
        let mut ahead = lock(&self.ahead);
        ahead.bytes = ahead.bytes.saturating_sub(bytes);
        self.moved.notify_all();
    }

    /// The program has ended: the rest of its output is to come, read or not.
    pub(super) fn at_end(&self) {
        lock(&self.ahead).at_end = true;
        self.moved.notify_all();
    }
}

/// Hands on what a program prints, line by line, until it prints no more.
pub(super) fn relay(agent: &Agent, number: u64, window: &Window, output: impl Read) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut output)
            .take(PROGRAM_LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        window.pass(weight(&text));
        agent.say(number, Report::Output(text.into_owned()));
    }
}
