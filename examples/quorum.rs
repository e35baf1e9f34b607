//! Three replicas, two of which are enough: one dies, and nothing is lost or even late.
//!
//! `cargo run --release --example quorum`

use anyhow::ensure;

use kvs_zoo::node;
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::server::QuorumKVSServer;
use kvs_zoo::session::Policy;
use kvs_zoo::transport;
use kvs_zoo::values::LwwWrapper;

type Value = LwwWrapper<String>;
type Store = QuorumKVSServer<Value>;

fn main() -> anyhow::Result<()> {
    // Nodes are processes that run this same program again.
    node::run_if_node();
    transport::runtime()?.block_on(demonstrate())
}

async fn demonstrate() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(&ClusterConfig::of::<Value, Store>()).await?;
    println!("three replicas: {}", cluster.ports());
    let client = cluster.client(Policy::default()).await?;
    let nodes = client.ports().route(b"motto").nodes.clone();
    let mut ada = client.session_at(nodes[0]);
    let mut bob = client.session_at(nodes[1]);

    ada.put("motto", "measure twice").await?;
    let read = bob.get("motto").await?;
    println!(
        "ada puts motto at {}; bob gets {:?} at {}",
        nodes[0],
        read.texts(),
        nodes[1]
    );
    ensure!(
        read.texts() == ["measure twice"],
        "a linearizable store shows the last put"
    );

    cluster.kill(nodes[2]).await;
    println!("{} dies", nodes[2]);
    bob.put("motto", "cut once").await?;
    let read = ada.get("motto").await?;
    println!(
        "bob puts motto at {}; ada gets {:?} at {}",
        nodes[1],
        read.texts(),
        nodes[0]
    );
    ensure!(
        read.texts() == ["cut once"],
        "two of three are enough for puts and gets"
    );

    println!("Every read meets every write in a replica: linearizable, and nobody leads.");
    cluster.shutdown().await;
    Ok(())
}
