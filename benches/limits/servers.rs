//! The servers under measurement: child processes of this one, started in its placement.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kvs_zoo::node::Launcher;
use kvs_zoo::protocol::{Lattice, NodeId};
use kvs_zoo::server::Architecture;
use kvs_zoo::transport::{CertificateAuthority, Endpoint};
use tokio::net::TcpStream;

use super::load::{Cluster, Route, Sample, measure_tcp};
use super::redis::Redis;
use super::{CONNECTIONS_ARCHITECTURES, Cell, Measured, OUTSTANDING_ARCHITECTURES};

/// Arguments that make this program one of the servers.
pub(crate) const ECHO_QUIC: &str = "echo-quic";
pub(crate) const ECHO_TCP: &str = "echo-tcp";
pub(crate) const RELAY: &str = "relay";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Echo,
    /// As many echo servers as the other architectures have nodes: what the machine allows them.
    Echoes,
    Local,
    Sharded,
    Replicated,
    /// As many servers as exchange the messages of a quorum.
    Relays,
    Quorum,
    Tcp,
    Redis,
}

pub(crate) struct Servers {
    echo: (Process, Cluster),
    /// Of `echo` as well, with as many connections as the architectures have.
    echo_wide: Cluster,
    echoes: (Vec<Process>, Cluster),
    tcp: (Process, TcpStream),
    local: (Launcher, Cluster),
    /// Of `local` as well, with as many connections as the other architectures have.
    local_wide: Cluster,
    sharded: (Launcher, Cluster),
    replicated: (Launcher, Cluster),
    relays: (Vec<Process>, Cluster),
    quorum: (Launcher, Cluster),
    redis: Option<Redis>,
    _logs: tempfile::TempDir,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let logs = tempfile::tempdir().expect("a directory for logs");
        let store = async |arch: &str, route| {
            let launcher = launch(arch, &logs.path().join(arch)).await;
            let nodes: Vec<_> = launcher.addresses().into_iter().collect();
            let endpoint = launcher.client_endpoint().expect("a client's endpoint");
            let cluster = Cluster::connect(&endpoint, &nodes, route).await;
            cluster.fill().await;
            (launcher, cluster)
        };
        let local = store("local", Route::ByPlace).await;
        let endpoint = local.0.client_endpoint().expect("a client's endpoint");
        let node = local.0.addresses().into_iter().next().expect("a node");
        let nodes = [node; CONNECTIONS_ARCHITECTURES];
        let authority = CertificateAuthority::new().expect("an authority");
        let identity = authority.client().expect("an identity");
        let to_echo = Endpoint::client(&identity).expect("a socket");
        let (echo, at) = start_echo(&authority, NodeId(0));
        let (echoes, all): (Vec<_>, Vec<_>) = (1..)
            .take(CONNECTIONS_ARCHITECTURES)
            .map(|number| start_echo(&authority, NodeId(number)))
            .unzip();
        let (relays, at_relays) = start_relays(&authority);
        let wide = [at; CONNECTIONS_ARCHITECTURES];
        Self {
            echo: (
                echo,
                Cluster::connect(&to_echo, &[at], Route::ByPlace).await,
            ),
            echo_wide: Cluster::connect(&to_echo, &wide, Route::ByPlace).await,
            echoes: (
                echoes,
                Cluster::connect(&to_echo, &all, Route::ByPlace).await,
            ),
            relays: (
                relays,
                Cluster::connect(&to_echo, &at_relays, Route::ByPlace).await,
            ),
            quorum: store("quorum", Route::ByPlace).await,
            tcp: start_tcp().await,
            local_wide: Cluster::connect(&endpoint, &nodes, Route::ByPlace).await,
            local,
            sharded: store("sharded", Route::ByKey).await,
            replicated: store("replicated", Route::ByPlace).await,
            redis: Redis::start(),
            _logs: logs,
        }
    }

    pub(crate) fn has(&self, system: System) -> bool {
        system != System::Redis || self.redis.is_some()
    }

    pub(crate) async fn measure(&mut self, cell: Cell, time: Duration) -> Measured {
        let Cell {
            outstanding, mix, ..
        } = cell;
        match cell.system {
            System::Echo => {
                let wide = outstanding == OUTSTANDING_ARCHITECTURES;
                let cluster = if wide { &self.echo_wide } else { &self.echo.1 };
                let cpu = self.echo.0.cpu_ns();
                let sample = cluster.measure(outstanding, mix, time).await;
                measured(sample, self.echo.0.cpu_ns() - cpu)
            }
            System::Echoes => measure_processes(&self.echoes, cell, time).await,
            System::Relays => measure_processes(&self.relays, cell, time).await,
            System::Quorum => measure_store(&self.quorum.0, &self.quorum.1, cell, time).await,
            System::Tcp => {
                let cpu = self.tcp.0.cpu_ns();
                let sample = measure_tcp(&mut self.tcp.1, outstanding, mix, time).await;
                measured(sample, self.tcp.0.cpu_ns() - cpu)
            }
            System::Local if outstanding == OUTSTANDING_ARCHITECTURES => {
                measure_store(&self.local.0, &self.local_wide, cell, time).await
            }
            System::Local => measure_store(&self.local.0, &self.local.1, cell, time).await,
            System::Sharded => measure_store(&self.sharded.0, &self.sharded.1, cell, time).await,
            System::Replicated => {
                measure_store(&self.replicated.0, &self.replicated.1, cell, time).await
            }
            System::Redis => {
                let redis = self.redis.as_ref().expect("cells have what there is");
                redis.measure(outstanding, time)
            }
        }
    }

    pub(crate) async fn stop(self) {
        for (launcher, _) in [self.local, self.sharded, self.replicated, self.quorum] {
            let killed = launcher.shutdown_all().await;
            assert!(killed.is_empty(), "nodes that had to be killed: {killed:?}");
        }
    }
}

async fn measure_processes(
    (processes, cluster): &(Vec<Process>, Cluster),
    cell: Cell,
    time: Duration,
) -> Measured {
    let cpu = || processes.iter().map(Process::cpu_ns).sum::<u64>();
    let before = cpu();
    let sample = cluster.measure(cell.outstanding, cell.mix, time).await;
    measured(sample, cpu() - before)
}

async fn measure_store(
    launcher: &Launcher,
    cluster: &Cluster,
    cell: Cell,
    time: Duration,
) -> Measured {
    let before = cpu_of_nodes(launcher).await;
    let sample = cluster.measure(cell.outstanding, cell.mix, time).await;
    measured(sample, cpu_of_nodes(launcher).await - before)
}

async fn cpu_of_nodes(launcher: &Launcher) -> u64 {
    let statuses = launcher.statuses().await;
    statuses
        .into_iter()
        .map(|(_, status)| status.expect("a live node").usage.cpu_ns)
        .sum()
}

fn measured(sample: Sample, server_cpu_ns: u64) -> Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let server_cpu_us = server_cpu_ns as f64 / 1e3 / sample.operations as f64;
    Measured {
        sample,
        server_cpu_us: Some(server_cpu_us),
    }
}

async fn launch(arch: &str, logs: &std::path::Path) -> Launcher {
    let mut launcher = Launcher::new(logs, 1).expect("a launcher");
    let architecture: Architecture = arch.parse().expect("an architecture");
    architecture.deploy(&mut launcher, Lattice::Causal);
    launcher.launch().await.expect("nodes start");
    launcher
}

fn start_echo(authority: &CertificateAuthority, node: NodeId) -> (Process, (NodeId, SocketAddr)) {
    let identity = authority.node(node).expect("an identity");
    let line = serde_json::to_string(&identity).expect("plain data");
    let (process, addr) = Process::start(ECHO_QUIC, &line);
    (process, (node, addr))
}

/// Three of them, each of which is told where the others are and who it is to them.
fn start_relays(authority: &CertificateAuthority) -> (Vec<Process>, Vec<(NodeId, SocketAddr)>) {
    let nodes = (100..103).map(NodeId);
    let started = nodes.map(|node| {
        let identity = authority.node(node).expect("an identity");
        let line = serde_json::to_string(&identity).expect("plain data");
        let (process, addr) = Process::start(RELAY, &line);
        (process, (node, addr))
    });
    let (mut processes, addresses): (Vec<_>, Vec<_>) = started.unzip();
    for (process, own) in processes.iter_mut().zip(&addresses) {
        let others: Vec<_> = addresses.iter().filter(|other| *other != own).collect();
        let client = authority.client().expect("an identity");
        process.tell(&serde_json::to_string(&(client, others)).expect("plain data"));
    }
    (processes, addresses)
}

async fn start_tcp() -> (Process, TcpStream) {
    let (process, addr) = Process::start(ECHO_TCP, "");
    let stream = TcpStream::connect(addr).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    (process, stream)
}

/// An echo server's process, killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    fn start(kind: &str, line: &str) -> (Self, SocketAddr) {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .arg(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs again");
        let stdin = child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("the server reads");
        let mut addr = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped"))
            .read_line(&mut addr)
            .expect("the server says where it is");
        let addr = addr.trim().parse().expect("an address");
        (Self(child), addr)
    }

    fn tell(&mut self, line: &str) {
        let stdin = self.0.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("the server reads");
    }

    fn cpu_ns(&self) -> u64 {
        cpu_ns(self.0.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CPU time of all threads of another process, in ns.
pub(crate) fn cpu_ns(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .expect("the process lives")
        .filter_map(|task| {
            let path = task.ok()?.path().join("schedstat");
            let text = std::fs::read_to_string(path).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}
