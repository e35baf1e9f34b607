//! A node as a process: from its first line of input to its exit.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use super::control::{Answer, Command, LINE_BYTES_MAX, Start, TraceStart};
use super::disk::Stored;
use super::service::Service;
use super::{NODE_ARGUMENT, log};
use crate::transport::{self, Endpoint};
use kvs_core::replica::ReplicaSpec;
use kvs_core::trace::{Header, TRACE_BYTES_MAX, Tracer};

/// How long saying goodbye may take: a few round trips, for peers that still listen.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(200);

/// Makes this process a node when its first argument is [`NODE_ARGUMENT`], or what
/// [`kvs_place::run_if_place`] makes it, and does not return then; otherwise does nothing.
///
/// A [`Launcher`](super::Launcher) starts the agent of its nodes' place, and that starts the nodes,
/// by running the launcher's own program again. So every program that uses one calls this first in
/// its `main`.
pub fn run_if_node() {
    kvs_place::run_if_place();
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == NODE_ARGUMENT)
    {
        let status = match run_node() {
            Ok(()) => 0,
            Err(error) => {
                log(format_args!("giving up: {error:#}"));
                1
            }
        };
        std::process::exit(status);
    }
}

/// Runs a node: reads its [`Start`] line from stdin, serves, obeys [`Command`] lines, and returns
/// when told to shut down or when stdin closes.
///
/// # Errors
/// When it cannot start: its input is not what a launcher writes, or it cannot have its socket.
pub fn run_node() -> anyhow::Result<()> {
    // A replica whose assertion failed must not go on serving from its other tasks.
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default_hook(panic);
        std::process::abort();
    }));
    transport::runtime()
        .context("starting the event loop")?
        .block_on(serve())
}

async fn serve() -> anyhow::Result<()> {
    let mut control = Control::new()?;
    let Some(start) = control.next::<Start>().await? else {
        bail!("stdin closed before the first line: nodes are started by a launcher");
    };
    let start = start.context("reading the first line")?;
    let node = start.spec.node;
    let endpoint = Endpoint::node(&start.identity, start.bind)?;
    let addr = endpoint.local_addr().context("asking for the port")?;
    let trace = start
        .trace
        .map(|trace| new_trace(trace, &start.spec))
        .transpose()?;
    let disk = start
        .disk
        .map(|path| Stored::open(&path, &start.spec))
        .transpose()?;
    let service = Service::start(start.spec, start.seed, endpoint.clone(), trace, disk)?;
    tokio::task::spawn_local(Rc::clone(&service).accept_all(endpoint.clone()));
    log(format_args!("node {node} serves at {addr}"));
    answer(&Answer::Ready { addr })?;

    while let Some(command) = control.next::<Command>().await? {
        match command {
            Ok(Command::Peers { addresses }) => {
                service.meet(&addresses);
                answer(&Answer::Done)?;
            }
            Ok(Command::Status) => {
                answer(&Answer::Status(Box::new(service.status(&endpoint))))?;
            }
            Ok(Command::ClockOffset { offset_ns }) => {
                log(format_args!("clock offset {offset_ns} ns"));
                service.set_clock_offset(offset_ns);
                answer(&Answer::Done)?;
            }
            Ok(Command::Network { faults }) => {
                log(format_args!("network faults: {faults:?}"));
                endpoint.set_faults(faults);
                answer(&Answer::Done)?;
            }
            Ok(Command::Disk { fault }) => {
                log(format_args!("disk fault: {fault:?}"));
                answer(&if service.set_disk_fault(fault) {
                    Answer::Done
                } else {
                    let reason = "it keeps nothing on disk".to_owned();
                    Answer::Failed { reason }
                })?;
            }
            Ok(Command::Shutdown) => {
                answer(&Answer::Done)?;
                // Peers that do not listen find out by themselves.
                let _ = tokio::time::timeout(GOODBYE_TIMEOUT, endpoint.close()).await;
                service.finish_trace();
                log(format_args!("node {node} shuts down as told"));
                return Ok(());
            }
            Err(error) => {
                let reason = format!("command not understood: {error}");
                answer(&Answer::Failed { reason })?;
            }
        }
    }
    service.finish_trace();
    log(format_args!(
        "node {node} exits: its control channel closed"
    ));
    Ok(())
}

/// A new trace.
fn new_trace(trace: TraceStart, spec: &ReplicaSpec) -> anyhow::Result<Tracer<File>> {
    let TraceStart { path, program } = trace;
    let header = Header {
        program,
        spec: spec.clone(),
    };
    File::create(&path)
        .and_then(|file| Tracer::new(file, &header, TRACE_BYTES_MAX))
        .with_context(|| format!("cannot write the trace {}", path.display()))
}

/// The lines that come in.
struct Control {
    input: BufReader<pipe::Receiver>,
    line: Vec<u8>,
}

impl Control {
    fn new() -> anyhow::Result<Self> {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
        let input = pipe::Receiver::from_file(File::from(stdin))
            .context("stdin is not a pipe: nodes are started by a launcher")?;
        Ok(Self {
            input: BufReader::new(input),
            line: Vec::new(),
        })
    }

    /// The next line; `None` when the channel has closed.
    async fn next<T: serde::de::DeserializeOwned>(
        &mut self,
    ) -> anyhow::Result<Option<serde_json::Result<T>>> {
        self.line.clear();
        let mut bounded = (&mut self.input).take(LINE_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut self.line).await?;
        ensure!(
            read == 0 || self.line.ends_with(b"\n"),
            "a line of the control channel that is too long or has no end"
        );
        Ok((read > 0).then(|| serde_json::from_slice(&self.line)))
    }
}

/// The launcher reads what it asked for, so that this never blocks for long.
fn answer(answer: &Answer) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(&line)
        .and_then(|()| stdout.flush())
        .context("answering the launcher")
}
