//! Three replicas agree on a log, and one of them leads: it dies, another one is elected, and what
//! was acknowledged is there.
//!
//! `cargo run --release --example raft`

use std::time::Instant;

use anyhow::ensure;

use kvs_zoo::node;
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::server::RaftKVSServer;
use kvs_zoo::session::Policy;
use kvs_zoo::transport;
use kvs_zoo::values::LwwWrapper;

type Value = LwwWrapper<String>;
type Store = RaftKVSServer<Value>;

fn main() -> anyhow::Result<()> {
    // Nodes are processes that run this same program again.
    node::run_if_node();
    transport::runtime()?.block_on(demonstrate())
}

async fn demonstrate() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(&ClusterConfig::of::<Value, Store>()).await?;
    println!("three replicas: {}", cluster.ports());
    let client = cluster.client(Policy::default()).await?;
    let mut ada = client.session();

    let leader = ada.put("motto", "measure twice").await?;
    println!("ada puts motto: {leader} leads");

    let others = client.ports().route(b"motto").nodes.clone();
    let other = others.into_iter().find(|node| *node != leader);
    let mut bob = client.session_at(other.expect("there are three"));
    let read = bob.get("motto").await?;
    println!("bob gets {:?} at {}", read.texts(), read.node);
    ensure!(
        read.texts() == ["measure twice"],
        "a linearizable store shows the last put, whichever replica is asked"
    );

    cluster.kill(leader).await;
    println!("{leader} dies");
    let begun = Instant::now();
    let next = ada.put("motto", "cut once").await?;
    let waited = begun.elapsed().as_millis();
    println!("ada puts motto: {next} leads, {waited} ms later");
    ensure!(next != leader, "a dead replica leads nobody");
    let read = ada.get("motto").await?;
    ensure!(
        read.texts() == ["cut once"],
        "two of three are enough for puts and gets"
    );

    println!("Every write has its place in one log: linearizable, and one replica leads.");
    cluster.shutdown().await;
    Ok(())
}
