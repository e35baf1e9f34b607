//! Strangers abuse a node from outside. This costs nobody else anything, and leaves nothing behind.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use kvs_zoo::measure::{RunRecord, VerdictWord};
use kvs_zoo::node::NodeHandle;
use kvs_zoo::protocol::{NodeId, Operation, Request};
use kvs_zoo::transport::{Caller, CertificateAuthority, Endpoint, Link, Role};
use rand::{RngExt, SeedableRng};

use crate::program::{PROGRAM, Running, launch, on_runtime, run_directory, until};

/// Connections that come and go.
const CONNECTIONS: u32 = 10_000;
/// So many at a time.
const AT_ONCE: u32 = 20;
/// Datagrams of garbage a second, and how long they come.
const GARBAGE_PER_S: u32 = 10_000;
const GARBAGE_LASTS: Duration = Duration::from_secs(3);
/// What a node may keep of memory after abuse, in bytes.
const LEFT_BYTES_MAX: u64 = 64 << 20;

fn descriptors(node: &NodeHandle) -> usize {
    let directory = format!("/proc/{}/fd", node.pid());
    std::fs::read_dir(directory).unwrap().count()
}

async fn resident(node: &NodeHandle) -> u64 {
    node.status().await.unwrap().usage.resident_bytes
}

fn get() -> Request<'static> {
    Request {
        key: b"key",
        operation: Operation::Get,
        context: &[],
        call: None,
    }
}

#[test]
fn ten_thousand_connections_that_come_and_go_leave_no_memory_and_no_descriptor() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let endpoint = launcher.client_endpoint().unwrap();
        let bystander = Caller::dial(&endpoint, node.addr(), NodeId(0))
            .await
            .unwrap();
        let before = (descriptors(node), resident(node).await);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (endpoint, addr) = (endpoint.clone(), node.addr());
            tasks.spawn_local(async move {
                for _ in 0..CONNECTIONS / AT_ONCE {
                    drop(Link::dial(&endpoint, addr, NodeId(0)).await.unwrap());
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        bystander.call(&get()).await.unwrap();
        let status = node.status().await.unwrap();
        assert_eq!(status.counters.clients_accepted, u64::from(CONNECTIONS) + 1);
        assert_eq!(descriptors(node), before.0, "a node has one socket");
        let left = status.usage.resident_bytes.saturating_sub(before.1);
        assert!(left < LEFT_BYTES_MAX, "{left} bytes are left");
        launcher.shutdown_all().await;
    });
}

/// A frame that cannot be decoded: a length that is legal, before nonsense; or one that is not.
fn malformed_frame(random: &mut rand_pcg::Pcg64, is_length_legal: bool) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..64).map(|_| random.random()).collect();
    let (low, high) = if is_length_legal {
        (60, 0)
    } else {
        (0xff, 0xff)
    };
    bytes[..4].copy_from_slice(&[low, 0, 0, high]);
    bytes[4..12].fill(0xff);
    bytes
}

/// A malformed frame ends its connection, so each costs its sender a handshake: as many senders as
/// there can be at a time send as fast as they are let in.
#[test]
fn ten_thousand_malformed_frames_cost_their_senders_alone() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let endpoint = launcher.client_endpoint().unwrap();
        let bystander = Caller::dial(&endpoint, node.addr(), NodeId(0))
            .await
            .unwrap();
        let before = resident(node).await;
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..AT_ONCE {
            let (endpoint, addr) = (endpoint.clone(), node.addr());
            senders.spawn_local(async move {
                let mut random = rand_pcg::Pcg64::seed_from_u64(u64::from(sender));
                for round in 0..CONNECTIONS / AT_ONCE {
                    let dial = endpoint.dial(addr, NodeId(0), Role::Requests);
                    let mut streams = dial.await.unwrap();
                    let frame = malformed_frame(&mut random, round % 2 == 0);
                    streams.send.write_all(&frame).await.unwrap();
                    let _ = streams.send.finish();
                    streams.connection.closed().await;
                }
            });
        }
        let mut answers = 0;
        while !senders.is_empty() {
            bystander.call(&get()).await.unwrap();
            answers += 1;
            while let Some(done) = senders.try_join_next() {
                done.unwrap();
            }
        }
        assert!(
            answers > 100,
            "the bystander was served all the while: {answers}"
        );
        let status = node.status().await.unwrap();
        assert_eq!(status.counters.frames_malformed, u64::from(CONNECTIONS));
        let left = status.usage.resident_bytes.saturating_sub(before);
        assert!(left < LEFT_BYTES_MAX, "{left} bytes are left");
        launcher.shutdown_all().await;
    });
}

/// Where a node of a run serves, by its log.
fn address(results: &Path, node: &str) -> Option<SocketAddr> {
    let log = run_directory(results)?.join(format!("nodes/{node}.log"));
    let told = std::fs::read_to_string(log).ok()?;
    let (_, addr) = told.lines().next()?.split_once("serves at ")?;
    addr.parse().ok()
}

#[test]
fn garbage_and_strangers_in_mid_run_change_no_verdict_and_strangers_are_counted() {
    let results = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args(["--arch=replicated", "--duration=5s", "--warmup=0s"])
        .args(["--records=200", "--sessions=4"])
        .arg(format!("--results={}", results.path().display()));
    let running = Running::start(&mut command);
    until("the workload is driven", || {
        run_directory(results.path()).is_some_and(|run| run.join("latency.hlog").exists())
    });
    let addr = address(results.path(), "n1").expect("a node says where it serves");

    // A certificate of another run is refused, whatever the name in it.
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        for identity in [
            authority.client().unwrap(),
            authority.node(NodeId(0)).unwrap(),
        ] {
            let stranger = Endpoint::client(&identity).unwrap();
            assert!(Link::dial(&stranger, addr, NodeId(1)).await.is_err());
        }
    });
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut random = rand_pcg::Pcg64::seed_from_u64(2);
    let (began, mut sent) = (Instant::now(), 0u32);
    while began.elapsed() < GARBAGE_LASTS {
        let due = began.elapsed().as_secs_f64() * f64::from(GARBAGE_PER_S);
        while f64::from(sent) < due {
            let len = random.random_range(1..1_400);
            let mut bytes: Vec<u8> = (0..len).map(|_| random.random()).collect();
            // Half of it looks like the beginning of a connection.
            if sent % 2 == 0 {
                bytes[0] = 0xc0 | bytes[0] & 0x0f;
                bytes.resize(bytes.len().max(1_200), 0);
                bytes[1..5].copy_from_slice(&[0, 0, 0, 1]);
            }
            socket.send_to(&bytes, addr).unwrap();
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    let record = RunRecord::load(&run_directory(results.path()).unwrap()).unwrap();
    assert_eq!(record.verdict.verdict, VerdictWord::Valid);
    assert!(sent >= GARBAGE_PER_S, "the control: {sent} datagrams");
    assert!(
        record.nodes[1].refused_connections >= 1,
        "{:?}",
        record.nodes[1]
    );
    assert_eq!(record.nodes[0].refused_connections, 0, "the control");
    assert!(record.nodes.iter().all(|node| node.fate.is_none()));
    assert_eq!(record.statistics.throughput.errors, 0);
    assert!(
        ended.stdout.contains("refused 2 connections"),
        "{}",
        ended.stdout
    );
}
