//! The agent: carries out orders until its standard input closes, and leaves nothing behind.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Signal, set_child_subreaper, set_parent_process_death_signal};

use crate::channel::{
    EXEC_ARGUMENT, FETCH_BYTES_MAX, LINE_BYTES_MAX, Line, Order, PLACE_ARGUMENT, PRINTED_BYTES_MAX,
    Ran, Report, SignalName, Spawn,
};
use crate::family;

/// How often the agent looks whether a program whose first process has ended still has others.
const FAMILY_POLL: Duration = Duration::from_millis(50);
/// The exit status of a program that could not become the one it was to be, as shells have it.
const NOT_FOUND: i32 = 127;

/// Makes this process a place's agent when its first argument is [`PLACE_ARGUMENT`], or another
/// program when it is [`EXEC_ARGUMENT`], and does not return then; otherwise does nothing.
///
/// A [`Place`](crate::Place) runs its own program again, so every program that uses one calls this
/// first in its `main`.
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
        Some(argument) if argument == EXEC_ARGUMENT => {
            // From here on the process dies with the agent, whatever it becomes.
            let bound = set_parent_process_death_signal(Some(Signal::KILL));
            let Some(program) = arguments.next().filter(|_| bound.is_ok()) else {
                std::process::exit(NOT_FOUND);
            };
            let error = Command::new(&program).args(arguments).exec();
            eprintln!("cannot run {}: {error}", program.display());
            std::process::exit(NOT_FOUND);
        }
        Some(_) | None => {}
    }
}

/// What the threads of the agent share.
struct Agent {
    /// The mark of all its programs.
    mark: String,
    output: Mutex<io::Stdout>,
    inputs: Mutex<BTreeMap<u64, ChildStdin>>,
    /// The first process of each program that runs.
    running: Mutex<BTreeMap<u64, u32>>,
}

fn run() -> io::Result<()> {
    let own = std::process::id();
    // What forks away from its parent becomes the agent's child, and shows in the table.
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let agent = Arc::new(Agent {
        mark: own.to_string(),
        output: Mutex::new(io::stdout()),
        inputs: Mutex::default(),
        running: Mutex::default(),
    });
    let mut input = BufReader::new(io::stdin());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut input)
            .take(LINE_BYTES_MAX)
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
    // Also what has cleared its environment, and with it the mark: it is the agent's own to reap.
    family::kill_all(&agent.mark, Some(own), own);
    Ok(())
}

impl Agent {
    fn carry_out(self: &Arc<Self>, number: u64, order: Order) {
        match order {
            Order::Spawn(spawn) => match self.spawn(number, &spawn) {
                Ok(child) => self.watch(number, child, spawn.attached),
                Err(error) => self.refuse(number, &error),
            },
            Order::Signal { process, signal } => {
                self.signal(process, signal);
                self.say(number, Report::Done);
            }
            Order::Input { process, line } => self.input(process, &line),
            Order::Run {
                command,
                environment,
                namespace,
                patience_ms,
            } => {
                let agent = Arc::clone(self);
                // A command may take its time, and others are to be heard meanwhile.
                thread::spawn(move || {
                    let ran = installed(&command).and_then(|()| {
                        let mut command = agent.command(&command, namespace.as_deref(), number);
                        command.envs(environment);
                        run_to_end(command, Duration::from_millis(patience_ms))
                    });
                    match ran {
                        Ok(ran) => agent.say(number, Report::Ran(ran)),
                        Err(error) => agent.refuse(number, &error),
                    }
                });
            }
            Order::Write { path, text } => match write(&path, &text) {
                Ok(()) => self.say(number, Report::Done),
                Err(error) => self.refuse(number, &error),
            },
            Order::Fetch { path, offset } => match fetch(&path, offset) {
                Ok(bytes) => {
                    let bytes = STANDARD.encode(bytes);
                    self.say(number, Report::Fetched { bytes });
                }
                Err(error) => self.refuse(number, &error),
            },
        }
    }

    fn say(&self, number: u64, said: Report) {
        let mut line = serde_json::to_vec(&Line { number, said }).expect("plain data");
        line.push(b'\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A user that is gone shows as the end of the input.
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }

    fn refuse(&self, number: u64, error: &io::Error) {
        self.say(
            number,
            Report::Refused {
                reason: error.to_string(),
                missing: error.kind() == io::ErrorKind::NotFound,
            },
        );
    }

    /// A command that becomes the program, dies with the agent, and carries its mark.
    fn command(&self, words: &[String], namespace: Option<&str>, number: u64) -> Command {
        let own = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
        let mut command = Command::new(own);
        command.arg(EXEC_ARGUMENT);
        if let Some(namespace) = namespace {
            // It becomes the program in turn.
            command.args(["ip", "netns", "exec", namespace]);
        }
        command
            .args(words)
            .env(family::MARK, format!("{}.{number}", self.mark))
            .process_group(0);
        command
    }

    fn spawn(&self, number: u64, spawn: &Spawn) -> io::Result<Child> {
        installed(&spawn.command)?;
        fs::create_dir_all(&spawn.directory)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spawn.log)?;
        let mut command = self.command(&spawn.command, spawn.namespace.as_deref(), number);
        command
            .envs(&spawn.environment)
            .current_dir(&spawn.directory)
            .stderr(log.try_clone()?);
        if spawn.attached {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        } else {
            command.stdin(Stdio::null()).stdout(log);
        }
        command.spawn()
    }

    /// Tells of the program, of what it prints if it is attached, and of its end.
    fn watch(self: &Arc<Self>, number: u64, mut child: Child, attached: bool) {
        if let Some(input) = child.stdin.take() {
            lock(&self.inputs).insert(number, input);
        }
        lock(&self.running).insert(number, child.id());
        self.say(number, Report::Spawned { pid: child.id() });
        let agent = Arc::clone(self);
        let output = child.stdout.take().filter(|_| attached);
        thread::spawn(move || {
            if let Some(output) = output {
                agent.relay(number, output);
            }
            let status = child.wait();
            lock(&agent.inputs).remove(&number);
            agent.await_family(number);
            lock(&agent.running).remove(&number);
            let status = describe(status);
            agent.say(number, Report::Exited { status });
        });
    }

    fn relay(&self, number: u64, output: impl Read) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut output)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line);
            if !matches!(read, Ok(1..)) {
                return;
            }
            let text = String::from_utf8_lossy(&line);
            self.say(number, Report::Output(text.trim_end().to_owned()));
        }
    }

    /// Waits until no process of a program is left: its first one may have forked and gone.
    fn await_family(&self, number: u64) {
        let mark = format!("{}.{number}", self.mark);
        while !family::members(&mark, None).is_empty() {
            thread::sleep(FAMILY_POLL);
        }
    }

    fn signal(&self, process: u64, signal: SignalName) {
        let signal = match signal {
            SignalName::Kill => Signal::KILL,
            SignalName::Stop => Signal::STOP,
            SignalName::Continue => Signal::CONT,
            SignalName::Terminate => Signal::TERM,
        };
        let mark = format!("{}.{process}", self.mark);
        let root = lock(&self.running).get(&process).copied();
        if signal == Signal::KILL {
            family::signal(&family::members(&mark, root), signal);
            return family::kill_all(&mark, root, std::process::id());
        }
        family::signal(&family::members(&mark, root), signal);
    }

    fn input(&self, process: u64, line: &str) {
        if let Some(input) = lock(&self.inputs).get_mut(&process) {
            // A program that no longer reads is about to be seen to end.
            let _ = input
                .write_all(line.as_bytes())
                .and_then(|()| input.write_all(b"\n"))
                .and_then(|()| input.flush());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That the program of a command can be found.
fn installed(command: &[String]) -> io::Result<()> {
    let program = command.first().map_or("", String::as_str);
    if is_installed(program) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("{program} is not installed"),
    ))
}

/// Whether a program can be found: by its path, or in one of the directories of PATH.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !program.is_empty() && std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

fn fetch(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(FETCH_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Runs a command to its end, or kills it when its time is over.
fn run_to_end(mut command: Command, patience: Duration) -> io::Result<Ran> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = child.id();
    let (tell, told) = channel();
    let output = printed(child.stdout.take());
    let errors = printed(child.stderr.take());
    thread::spawn(move || {
        // Nobody waits any longer when the time is over.
        let _ = tell.send(child.wait());
    });
    let deadline = Instant::now() + patience;
    let status = match told.recv_timeout(patience) {
        Ok(status) => status,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            family::signal(&family::members("", Some(pid)), Signal::KILL);
            Err(io::Error::other(format!("no end within {patience:?}")))
        }
    };
    let rest = |printed: std::sync::mpsc::Receiver<String>| {
        let left = deadline.saturating_duration_since(Instant::now());
        printed
            .recv_timeout(left.max(FAMILY_POLL))
            .unwrap_or_default()
    };
    Ok(Ran {
        succeeded: status.as_ref().is_ok_and(ExitStatus::success),
        status: describe(status),
        output: rest(output),
        errors: rest(errors),
    })
}

/// All that comes out of a stream, as far as it is kept.
fn printed(stream: Option<impl Read + Send + 'static>) -> std::sync::mpsc::Receiver<String> {
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What could be read is what there is.
            let _ = stream.take(PRINTED_BYTES_MAX).read_to_end(&mut bytes);
        }
        let _ = tell.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    told
}

fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
