//! The agent: carries out orders until its standard input closes, and leaves nothing behind.

mod commands;
mod exec;
mod files;
mod output;
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::set_child_subreaper;

use crate::channel::{LINE_BYTES_MAX, Line, Order, PLACE_ARGUMENT, Report};
use crate::family::Family;
use program::Program;

pub use commands::is_installed;
pub use exec::exec_words;

/// Makes this process a place's agent when its first argument is [`PLACE_ARGUMENT`], or another
/// program when it was started by [`exec_words`], and does not return then; otherwise does nothing.
///
/// A [`Place`](crate::Place) runs its user's program again, so every program that uses one calls
/// this first in its `main`.
pub fn run_if_place() {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(argument) if argument == PLACE_ARGUMENT => {
            let status = match run() {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("the place gives up: {error}");
                    1
                }
            };
            std::process::exit(status);
        }
        Some(argument) if argument == exec::EXEC_ARGUMENT => exec::become_program(arguments),
        Some(_) | None => {}
    }
}

/// What the threads of the agent share.
struct Agent {
    /// Its process id, by which its descendants are found and their marks begin.
    own: u32,
    output: Mutex<io::Stdout>,
    /// The programs that run.
    programs: Mutex<BTreeMap<u64, Arc<Program>>>,
}

/// Why an order was not carried out.
struct Refusal {
    reason: String,
    /// Whether the program that was asked for is not there.
    missing: bool,
}

fn run() -> io::Result<()> {
    let own = std::process::id();
    sees_its_own_processes(own)?;
    // What forks away from its parent becomes the agent's child, and shows in the table.
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let agent = Arc::new(Agent {
        own,
        output: Mutex::new(io::stdout()),
        programs: Mutex::default(),
    });
    let mut input = BufReader::new(io::stdin());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut input)
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) || !line.ends_with(b"\n") {
            break;
        }
        match serde_json::from_slice::<Line<Order>>(&line) {
            Ok(Line { number, said }) => agent.carry_out(number, said),
            // Its user is not who it should be.
            Err(_) => break,
        }
    }
    Family::Whole.kill(own);
    Ok(())
}

/// That the table of processes is the one that this process's id is from: in a process namespace of
/// its own, an agent that sees another's table would signal strangers.
fn sees_its_own_processes(own: u32) -> io::Result<()> {
    let seen = fs::read_link("/proc/self")?;
    if seen.to_str() == Some(&own.to_string()) {
        return Ok(());
    }
    Err(io::Error::other(
        "/proc shows the processes of another namespace (unshare needs --mount-proc)",
    ))
}

impl Agent {
    /// Nothing here waits for a program: whoever waited could not send the signal that ends it.
    fn carry_out(self: &Arc<Self>, number: u64, order: Order) {
        match order {
            Order::Spawn(spawn) => {
                if let Err(refusal) = program::start(self, number, &spawn) {
                    self.refuse(number, refusal);
                }
            }
            Order::Signal { process, signal } => {
                if let Some(program) = self.program(process) {
                    program.signal(self.own, signal);
                }
                self.say(number, Report::Done);
            }
            Order::Input { process, line } => {
                if let Some(program) = self.program(process) {
                    program.input(line);
                }
            }
            Order::Taken { process, bytes } => {
                if let Some(program) = self.program(process) {
                    program.taken(bytes);
                }
            }
            Order::Run {
                command,
                environment,
                namespace,
                patience_ms,
            } => {
                let agent = Arc::clone(self);
                let patience = Duration::from_millis(patience_ms);
                // A command may take its time, and others are to be heard meanwhile.
                thread::spawn(move || {
                    let place = (namespace.as_deref(), &environment);
                    match commands::run_to_end(agent.own, number, &command, place, patience) {
                        Ok(ran) => agent.say(number, Report::Ran(ran)),
                        Err(refusal) => agent.refuse(number, refusal),
                    }
                });
            }
            Order::Write { path, text } => match files::write(&path, &text) {
                Ok(()) => self.say(number, Report::Done),
                Err(error) => self.refuse(number, error.into()),
            },
            Order::Fetch { path, offset } => match files::fetch(&path, offset) {
                Ok((bytes, length)) => {
                    let bytes = STANDARD.encode(bytes);
                    self.say(number, Report::Fetched { bytes, length });
                }
                Err(error) => self.refuse(number, error.into()),
            },
        }
    }

    fn program(&self, number: u64) -> Option<Arc<Program>> {
        lock(&self.programs).get(&number).cloned()
    }

    fn say(&self, number: u64, said: Report) {
        let mut line = serde_json::to_vec(&Line { number, said }).expect("plain data");
        line.push(b'\n');
        let mut output = lock(&self.output);
        // A user that is gone shows as the end of the input.
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }

    fn refuse(&self, number: u64, Refusal { reason, missing }: Refusal) {
        self.say(number, Report::Refused { reason, missing });
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self {
            reason: error.to_string(),
            missing: false,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
