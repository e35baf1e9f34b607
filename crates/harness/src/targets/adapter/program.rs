//! The process of an adapter: starts it, tells it where its store is, and reads its lines.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use kvs_place::{exec_words, is_installed};

use super::lines::{Init, LINE_BYTES_MAX, NodeOf, PROTOCOL, init_line, said, shown};
use crate::targets::store::NodeWords;

/// How long an adapter may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take to exit when its input has ended.
pub(super) const EXIT_TIMEOUT: Duration = Duration::from_secs(2);
/// The first argument of this program when it is to be an adapter for nothing.
pub const NULL_ARGUMENT: &str = "null-adapter";

/// How an adapter is started.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// This program, which becomes the adapter and dies with its parent.
    pub(super) program: PathBuf,
    pub(super) command: Vec<String>,
    /// Its standard error is appended to this file; shown when absent.
    pub(super) log: Option<PathBuf>,
}

/// An adapter that is ready. Dropping it kills its process.
pub(super) struct Program {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
    /// What it says it can be asked.
    pub(super) ops: Vec<String>,
}

impl Program {
    /// Starts an adapter for a node, and waits until it is ready.
    pub(super) async fn start(
        recipe: &Recipe,
        node: usize,
        nodes: &[NodeWords],
        client_port: &str,
        options: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let words: Vec<NodeOf> = nodes
            .iter()
            .map(|node| node_of(node, client_port))
            .collect();
        let init = Init {
            protocol: PROTOCOL,
            node: words[node].clone(),
            nodes: words,
            options,
        };
        let mut program = Self::spawn(recipe)?;
        let shown = recipe.command.join(" ");
        program
            .stdin
            .write_all(&init_line(&init))
            .await
            .with_context(|| format!("`{shown}` does not read its standard input"))?;
        let ready = tokio::time::timeout(READY_TIMEOUT, program.ready()).await;
        let ready = ready.map_err(|_| {
            anyhow!(
                "`{shown}` did not say that it is ready within {} s",
                READY_TIMEOUT.as_secs()
            )
        })?;
        program.ops = ready.with_context(|| format!("starting `{shown}`"))?;
        Ok(program)
    }

    fn spawn(recipe: &Recipe) -> anyhow::Result<Self> {
        let [program, ..] = &recipe.command[..] else {
            bail!("an adapter needs a command");
        };
        if !is_installed(program) {
            bail!("the adapter cannot be started: {program} is not installed");
        }
        let errors = match &recipe.log {
            Some(log) => std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(log)
                .with_context(|| format!("writing {}", log.display()))?
                .into(),
            None => Stdio::inherit(),
        };
        let mut command = tokio::process::Command::new(&recipe.program);
        command.args(exec_words()).args(&recipe.command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        let stdin = child.stdin.take().expect("stdin was asked to be piped");
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        Ok(Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            ops: Vec::new(),
        })
    }

    /// Whether it says that it can be asked for this.
    pub(super) fn knows(&self, op: &str) -> bool {
        self.ops.iter().any(|known| known == op)
    }

    async fn ready(&mut self) -> anyhow::Result<Vec<String>> {
        let mut line = Vec::new();
        if !self.read_line(&mut line).await? {
            let status = self.child.wait().await?;
            bail!("it ended before it was ready ({status})");
        }
        let first = said(&line).map_err(|reason| anyhow!("its first line: {reason}"))?;
        let Some(ready) = first.ready else {
            bail!(
                "its first line is to be {{\"ready\": {{\"ops\": […]}}}}, not {}",
                shown(&line)
            );
        };
        for needed in ["read", "update"] {
            if !ready.ops.iter().any(|op| op == needed) {
                bail!("it does not know {needed}: its ops are {:?}", ready.ops);
            }
        }
        Ok(ready.ops)
    }

    /// See [`read_line`].
    pub(super) async fn read_line(&mut self, line: &mut Vec<u8>) -> std::io::Result<bool> {
        read_line(&mut self.stdout, line).await
    }
}

/// Appends what is missing of the next line; false at the end of the output. Safe to cancel: what
/// has come of a line stays in `line`, which its reader clears when it is done with a whole one.
pub(super) async fn read_line(
    stdout: &mut BufReader<ChildStdout>,
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    let mut bounded = stdout.take(room as u64);
    bounded.read_until(b'\n', line).await?;
    Ok(!line.is_empty())
}

fn node_of(node: &NodeWords, client_port: &str) -> NodeOf {
    NodeOf {
        name: node.name.clone(),
        host: node.host.to_string(),
        port: node.ports.get(client_port).copied().unwrap_or(0),
        ports: node.ports.clone(),
    }
}

/// Makes this process an adapter for nothing when its first argument is [`NULL_ARGUMENT`], and does
/// not return then: it answers everything at once. What it costs is what the pipe costs.
pub fn run_if_null_adapter() {
    if { std::env::args_os().nth(1) }.is_none_or(|argument| argument != NULL_ARGUMENT) {
        return;
    }
    let status = match serve_nothing() {
        Ok(()) => 0,
        Err(_) => 1,
    };
    std::process::exit(status);
}

fn serve_nothing() -> std::io::Result<()> {
    let mut input = std::io::BufReader::new(std::io::stdin().lock());
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    let mut is_first = true;
    while input.read_until(b'\n', &mut line)? > 0 {
        if is_first {
            output.write_all(b"{\"ready\":{\"ops\":[\"read\",\"update\",\"cas\"]}}\n")?;
            is_first = false;
        } else if let Some(id) = id_of(&line) {
            output.write_all(b"{\"id\":")?;
            output.write_all(id)?;
            output.write_all(b",\"ok\":{\"value\":null}}\n")?;
        }
        line.clear();
        // What has come is answered in one go.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    Ok(())
}

/// The digits of a request's id, which stands first.
fn id_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"{\"id\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    Some(&rest[..end])
}
