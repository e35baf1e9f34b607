//! What the agent starts: how a command of its user's becomes a process, and commands that it runs
//! to their end.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Refusal, describe, exec};
use crate::channel::{PRINTED_BYTES_MAX, Ran};
use crate::family::{self, Family};

/// How long a command that has ended, or was killed, may leave its output open.
const OUTPUT_GRACE: Duration = Duration::from_millis(50);

/// A command that becomes the program, dies with the agent, and carries its mark.
pub(super) fn command(
    own: u32,
    number: u64,
    words: &[String],
    namespace: Option<&str>,
) -> Result<Command, Refusal> {
    installed(words)?;
    let executable = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let mut command = Command::new(executable);
    command.args(exec::exec_words());
    if let Some(namespace) = namespace {
        // It becomes the program in turn.
        command.args(["ip", "netns", "exec", namespace]);
    }
    command
        .args(words)
        .env(family::MARK, family::mark(own, number))
        .process_group(0);
    Ok(command)
}

/// That the program of a command can be found.
fn installed(command: &[String]) -> Result<(), Refusal> {
    let program = command.first().map_or("", String::as_str);
    if is_installed(program) {
        return Ok(());
    }
    Err(Refusal {
        reason: format!("{program} is not installed"),
        missing: true,
    })
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

/// Runs a command to its end, or kills it when its time is over.
pub(super) fn run_to_end(
    own: u32,
    number: u64,
    words: &[String],
    (namespace, environment): (Option<&str>, &BTreeMap<String, String>),
    patience: Duration,
) -> Result<Ran, Refusal> {
    let mut child = command(own, number, words, namespace)?
        .envs(environment)
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
            let mark = family::mark(own, number);
            let (mark, first) = (mark.as_str(), Some(pid));
            Family::Program { mark, first }.kill(own);
            Err(io::Error::other(format!("no end within {patience:?}")))
        }
    };
    let rest = |printed: Receiver<String>| {
        let left = deadline.saturating_duration_since(Instant::now());
        printed
            .recv_timeout(left.max(OUTPUT_GRACE))
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
fn printed(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
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
