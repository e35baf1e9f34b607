//! `kvs-bench` as its users have it: a process. Every wait has a deadline, [`DEADLINE`].

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use kvs_zoo::node::Launcher;
use kvs_zoo::protocol::Lattice;
use kvs_zoo::server::{Architecture, ServerPorts};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kvs-bench");
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `test` on the transport's runtime, until [`DEADLINE`].
pub(crate) fn on_runtime(test: impl Future<Output = ()>) {
    kvs_zoo::transport::runtime()
        .unwrap()
        .block_on(async { tokio::time::timeout(DEADLINE, test).await })
        .expect("the test ends before its deadline");
}

/// Starts the nodes of an architecture, which run the real program.
pub(crate) async fn launch(architecture: &str, logs: &Path) -> (Launcher, ServerPorts) {
    let launcher = Launcher::new(logs, 1).unwrap().with_program(PROGRAM);
    launch_with(architecture, launcher).await
}

/// Starts the nodes of an architecture by this launcher.
pub(crate) async fn launch_with(
    architecture: &str,
    mut launcher: Launcher,
) -> (Launcher, ServerPorts) {
    let architecture: Architecture = architecture.parse().unwrap();
    let ports = architecture.deploy(&mut launcher, Lattice::Causal);
    launcher.launch().await.unwrap();
    (launcher, ports)
}

/// Lets other tasks run until `condition` holds. The deadline of [`on_runtime`] bounds it.
pub(crate) async fn awaited(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether a process of that id is there and not merely waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

/// The processes that the first thread of a process has started and not reaped.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// The process that has started another, or has adopted it.
pub(crate) fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A program that runs; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts `command` with its output piped to the test.
    pub(crate) fn start(command: &mut Command) -> Self {
        command
            .env_remove("RUST_BACKTRACE")
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = read(child.stdout.take().unwrap());
        let stderr = read(child.stderr.take().unwrap());
        Self {
            child,
            stdout: Some(stdout),
            stderr: Some(stderr),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The agents of its places.
    pub(crate) fn agents(&self) -> Vec<u32> {
        children(self.pid())
    }

    /// The processes that its places have started, in the order of their ids: its nodes.
    pub(crate) fn nodes(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.agents().into_iter().flat_map(children).collect();
        pids.sort_unstable();
        pids
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let mut status = None;
        until("the program has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Ended {
            status: status.unwrap(),
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: self.stderr.take().unwrap().join().unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The exit status that the program chose.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| {
            let signal = self.status.signal();
            panic!("killed by signal {signal:?}: {}", self.stderr)
        })
    }

    /// The one line on standard error.
    #[track_caller]
    pub(crate) fn error_line(&self) -> &str {
        let stderr = &self.stderr;
        assert!(stderr.starts_with("error: "), "{stderr:?}");
        assert!(stderr.ends_with('\n'), "{stderr:?}");
        assert_eq!(stderr.lines().count(), 1, "one line: {stderr:?}");
        stderr.trim_end()
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}

/// `kvs-bench` with these arguments, to its end.
pub(crate) fn bench(arguments: &[&str]) -> Ended {
    Running::start(Command::new(PROGRAM).args(arguments)).wait()
}

/// The run directory below `results`, once there is one.
pub(crate) fn run_directory(results: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(results).ok()?;
    entries
        .map(|entry| entry.unwrap())
        .find(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.path())
}
