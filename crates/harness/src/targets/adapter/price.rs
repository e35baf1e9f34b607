//! What the pipe to an adapter costs: measures an adapter that answers at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use tokio::io::AsyncWriteExt;

use super::lines::{Ask, append, parse};
use super::program::{NULL_ARGUMENT, Program, Recipe};
use crate::targets::store::NodeWords;

/// How long it is measured.
const LASTS: Duration = Duration::from_millis(300);
/// Operations that are outstanding at most: their lines fit a pipe, so that neither side waits for
/// the other to read.
const OUTSTANDING_MAX: u32 = 512;
/// The key that is asked for.
const KEY: &str = "user000000000000";

/// What the pipe to an adapter costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Operations a second, with as many outstanding as the run has sessions.
    pub operations_per_s: f64,
    /// How long half of them took at most, in ns.
    pub p50_ns: u64,
}

/// Measures an adapter that answers everything at once, with so many operations outstanding, or
/// 512 where those are more.
/// `program` is this program.
///
/// # Errors
/// When it cannot be started.
pub async fn price(program: &Path, outstanding: u32) -> anyhow::Result<Price> {
    let recipe = Recipe {
        program: program.to_owned(),
        command: vec![program.display().to_string(), NULL_ARGUMENT.to_owned()],
        log: None,
    };
    let node = NodeWords {
        name: "n0".to_owned(),
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports: BTreeMap::new(),
        directory: PathBuf::new(),
    };
    let mut adapter = Program::start(&recipe, 0, &[node], "client", &BTreeMap::new()).await?;
    let start = Instant::now();
    let mut asked: Vec<Instant> = Vec::new();
    let mut took_ns: Vec<u64> = Vec::new();
    let mut lines = String::new();
    let mut line = Vec::new();
    for id in 0..outstanding.clamp(1, OUTSTANDING_MAX) {
        append(&mut lines, id, Ask::Read { key: KEY });
        asked.push(start);
    }
    while start.elapsed() < LASTS {
        adapter.stdin.write_all(lines.as_bytes()).await?;
        adapter.stdin.flush().await?;
        lines.clear();
        loop {
            if !adapter.read_line(&mut line).await? {
                bail!("the adapter for nothing has ended");
            }
            let (id, _) = parse(&line).map_err(|reason| anyhow!(reason))?;
            line.clear();
            let now = Instant::now();
            let lane = id as usize;
            took_ns.push((now - asked[lane]).as_nanos() as u64);
            asked[lane] = now;
            append(&mut lines, id, Ask::Read { key: KEY });
            if !adapter.stdout.buffer().contains(&b'\n') {
                break;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let operations = took_ns.len();
    took_ns.sort_unstable();
    Ok(Price {
        operations_per_s: operations as f64 / seconds,
        p50_ns: took_ns.get(operations / 2).copied().unwrap_or(0),
    })
}
