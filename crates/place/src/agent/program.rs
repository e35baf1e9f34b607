//! A program that the agent has started: fed, read, signalled, and watched until all its processes
//! are gone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::output::{Window, relay};
use super::{Agent, Refusal, commands, describe, lock};
use crate::channel::{INPUT_AHEAD_BYTES_MAX, Report, SignalName, Spawn, weight};
use crate::family::{self, Family};

/// How often the agent looks whether a program whose first process has ended still has others.
const FAMILY_POLL: Duration = Duration::from_millis(50);

/// A program that runs.
pub(super) struct Program {
    number: u64,
    /// What its processes carry.
    mark: String,
    /// Its first process. None from the moment when that is reaped, and its id may be another's.
    first: Mutex<Option<Pid>>,
    input: Mutex<Option<Sender<String>>>,
    /// How many bytes of its input its pipe has not taken.
    untaken: AtomicU64,
    window: Window,
}

/// Starts a program, and says so. Its end is told when it comes.
pub(super) fn start(agent: &Arc<Agent>, number: u64, spawn: &Spawn) -> Result<(), Refusal> {
    let mut child = spawned(agent, number, spawn)?;
    let pid = child.id();
    let (input, inputs) = channel();
    let program = Arc::new(Program {
        number,
        mark: family::mark(agent.own, number),
        first: Mutex::new(Some(Pid::from_child(&child))),
        input: Mutex::new(child.stdin.is_some().then_some(input)),
        untaken: AtomicU64::new(0),
        window: Window::default(),
    });
    lock(&agent.programs).insert(number, Arc::clone(&program));
    agent.say(number, Report::Spawned { pid });
    if let Some(stdin) = child.stdin.take() {
        let (agent, program) = (Arc::clone(agent), Arc::clone(&program));
        thread::spawn(move || program.feed(&agent, stdin, &inputs));
    }
    let agent = Arc::clone(agent);
    thread::spawn(move || program.watch(&agent, child));
    Ok(())
}

fn spawned(agent: &Agent, number: u64, spawn: &Spawn) -> Result<Child, Refusal> {
    let namespace = spawn.namespace.as_deref();
    let mut command = commands::command(agent.own, number, &spawn.command, namespace)?;
    { fs::create_dir_all(&spawn.directory) }.map_err(of(&spawn.directory))?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&spawn.log)
        .map_err(of(&spawn.log))?;
    command
        .envs(&spawn.environment)
        .current_dir(&spawn.directory)
        .stderr(log.try_clone()?);
    if spawn.attached {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
    } else {
        command.stdin(Stdio::null()).stdout(log);
    }
    Ok(command.spawn()?)
}

/// An error of a file's, with the file's name.
fn of(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::other(format!("{}: {error}", path.display()))
}

impl Program {
    /// Hands it what its user says, until there is no more. It may read late, or never.
    fn feed(&self, agent: &Agent, mut stdin: ChildStdin, lines: &Receiver<String>) {
        for line in lines {
            let bytes = weight(&line);
            if stdin.write_all((line + "\n").as_bytes()).is_err() {
                // One that no longer reads is about to be seen to end.
                return;
            }
            self.untaken.fetch_sub(bytes, Ordering::Relaxed);
            agent.say(self.number, Report::Taken { bytes });
        }
    }

    /// Keeps a line for it. Its user knows how many it may leave unread, and counts as this does.
    pub(super) fn input(&self, line: String) {
        let bytes = weight(&line);
        if self.untaken.load(Ordering::Relaxed) + bytes > INPUT_AHEAD_BYTES_MAX {
            return;
        }
        if let Some(input) = &*lock(&self.input) {
            self.untaken.fetch_add(bytes, Ordering::Relaxed);
            // One that no longer reads is about to be seen to end.
            let _ = input.send(line);
        }
    }

    /// Its user has read this much of what it prints.
    pub(super) fn taken(&self, bytes: u64) {
        self.window.taken(bytes);
    }

    /// Hands on what it prints if it is attached, and tells of its end.
    fn watch(&self, agent: &Agent, mut child: Child) {
        let output = child.stdout.take();
        let status = thread::scope(|scope| {
            if let Some(output) = output {
                scope.spawn(|| relay(agent, self.number, &self.window, output));
            }
            let status = self.reap(&mut child);
            lock(&self.input).take();
            self.await_family(agent.own);
            self.window.at_end();
            status
        });
        lock(&agent.programs).remove(&self.number);
        let status = describe(status);
        agent.say(self.number, Report::Exited { status });
    }

    /// Waits for the end of its first process. Nobody signals its id from then on.
    fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(child);
        // Still there to be signalled, as a zombie, while this waits.
        let unreaped = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), unreaped), Err(Errno::INTR)) {}
        let mut first = lock(&self.first);
        *first = None;
        child.wait()
    }

    /// Its processes, by its mark and by what descends from its first one.
    fn family(&self, first: Option<u32>) -> Family<'_> {
        let mark = self.mark.as_str();
        Family::Program { mark, first }
    }

    /// Waits until no process of it is left: its first one may have forked and gone.
    fn await_family(&self, own: u32) {
        while !self.family(None).is_gone(own) {
            thread::sleep(FAMILY_POLL);
        }
    }

    /// Signals its first process at once, and then all others: finding them takes a while.
    pub(super) fn signal(&self, own: u32, signal: SignalName) {
        let signal = match signal {
            SignalName::Kill => Signal::KILL,
            SignalName::Stop => Signal::STOP,
            SignalName::Continue => Signal::CONT,
            SignalName::Terminate => Signal::TERM,
        };
        let first = {
            let first = lock(&self.first);
            if let Some(first) = *first {
                // It may have ended, and wait to be reaped.
                let _ = kill_process(first, signal);
            }
            first.map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
        };
        let family = self.family(first);
        if signal == Signal::KILL {
            family.kill(own);
            return;
        }
        let others = { family.members(own).into_iter() }.filter(|pid| Some(*pid) != first);
        family::signal(others, signal);
    }
}
