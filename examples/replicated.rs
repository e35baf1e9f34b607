//! Three replicas that gossip: what becomes of two puts that did not know of each other.
//!
//! `cargo run --release --example replicated -- --lattice causal` keeps both as siblings, until a
//! put that has seen them replaces them. `--lattice lww` keeps the one with the larger version.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};

use kvs_zoo::client::{Client, ClientSession};
use kvs_zoo::node;
use kvs_zoo::protocol::NodeId;
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::server::ReplicatedKVSServer;
use kvs_zoo::session::Policy;
use kvs_zoo::transport;
use kvs_zoo::values::{CausalString, LwwWrapper};

/// How long replicas may take to agree.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many keys are tried until two puts did not know of each other.
const ATTEMPTS: u32 = 100;

#[derive(Parser)]
struct Args {
    /// What becomes of concurrent puts.
    #[arg(long, value_enum, default_value = "causal")]
    lattice: Lattice,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Lattice {
    Causal,
    Lww,
}

fn main() -> anyhow::Result<()> {
    // Nodes are processes that run this same program again.
    node::run_if_node();
    transport::runtime()?.block_on(demonstrate(Args::parse().lattice))
}

async fn demonstrate(lattice: Lattice) -> anyhow::Result<()> {
    let config = match lattice {
        Lattice::Causal => ClusterConfig::of::<CausalString, ReplicatedKVSServer<_>>(),
        Lattice::Lww => ClusterConfig::of::<LwwWrapper<String>, ReplicatedKVSServer<_>>(),
    };
    let cluster = Cluster::start(&config).await?;
    println!("three replicas: {}", cluster.ports());
    let client = cluster.client(Policy::default()).await?;

    match lattice {
        Lattice::Causal => {
            read_your_writes(&client).await?;
            siblings(&client).await?;
        }
        Lattice::Lww => last_writer_wins(&client).await?,
    }
    cluster.shutdown().await;
    Ok(())
}

/// A session goes from replica to replica and still sees what it has put.
async fn read_your_writes(client: &Client) -> anyhow::Result<()> {
    let mut ada = client.session();
    let wrote = ada.put("motto", "measure twice").await?;
    for _ in 0..3 {
        let read = ada.get("motto").await?;
        println!(
            "ada put motto at {wrote} and gets {:?} at {}",
            read.texts(),
            read.node
        );
        ensure!(
            read.texts() == ["measure twice"],
            "a session sees its own puts at every replica"
        );
    }
    Ok(())
}

/// Two puts at two replicas, neither of which had seen the other, are both kept.
async fn siblings(client: &Client) -> anyhow::Result<()> {
    let mut ada = client.session_at(NodeId(0));
    let mut bob = client.session_at(NodeId(1));
    for attempt in 0..ATTEMPTS {
        let key = format!("lunch-{attempt}");
        let (by_ada, by_bob) = tokio::join!(ada.put(&key, "soup"), bob.put(&key, "salad"));
        by_ada?;
        by_bob?;
        let found = agreed(client, &key).await?;
        if found.len() < 2 {
            // One replica heard of the other's put before it took its own.
            continue;
        }
        println!("ada puts soup at n0 while bob puts salad at n1: every replica keeps {found:?}");
        let mut cleo = client.session();
        cleo.get(&key).await?;
        cleo.put(&key, "soup and salad").await?;
        let found = agreed(client, &key).await?;
        println!("cleo, who has seen both, puts another: every replica keeps {found:?}");
        ensure!(
            found == ["soup and salad"],
            "a put replaces what its replica had seen"
        );
        return Ok(());
    }
    anyhow::bail!("none of {ATTEMPTS} pairs of puts was concurrent")
}

/// Two puts at two replicas: every replica ends with the same one.
async fn last_writer_wins(client: &Client) -> anyhow::Result<()> {
    let mut ada = client.session_at(NodeId(0));
    let mut bob = client.session_at(NodeId(1));
    let (by_ada, by_bob) = tokio::join!(ada.put("lunch", "soup"), bob.put("lunch", "salad"));
    by_ada?;
    by_bob?;
    let found = agreed(client, "lunch").await?;
    println!("ada puts soup at n0 while bob puts salad at n1: every replica keeps {found:?}");
    ensure!(
        found.len() == 1,
        "the put with the larger version wins everywhere"
    );
    Ok(())
}

/// What every replica answers, once all answer the same.
async fn agreed(client: &Client, key: &str) -> anyhow::Result<Vec<String>> {
    let nodes: Vec<NodeId> = client.ports().nodes().collect();
    let mut sessions: Vec<ClientSession> =
        nodes.iter().map(|node| client.session_at(*node)).collect();
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        let mut answers = Vec::new();
        for session in &mut sessions {
            answers.push(session.get(key).await?.texts());
        }
        answers.dedup();
        if let [agreed] = &answers[..] {
            return Ok(agreed.clone());
        }
    }
    None.context("the replicas did not agree in time")
}
