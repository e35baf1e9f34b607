//! Three shards of one node: each key has one home, which every client computes alike.
//!
//! `cargo run --release --example sharded`

use std::collections::BTreeMap;

use anyhow::ensure;

use kvs_zoo::node;
use kvs_zoo::protocol::NodeId;
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::server::{LocalKVSServer, ShardedKVSServer};
use kvs_zoo::session::Policy;
use kvs_zoo::transport;
use kvs_zoo::values::LwwWrapper;

type Value = LwwWrapper<String>;
type Store = ShardedKVSServer<LocalKVSServer<Value>>;

fn main() -> anyhow::Result<()> {
    // Nodes are processes that run this same program again.
    node::run_if_node();
    transport::runtime()?.block_on(demonstrate())
}

async fn demonstrate() -> anyhow::Result<()> {
    let cluster = Cluster::start(&ClusterConfig::of::<Value, Store>()).await?;
    println!("three shards: {}", cluster.ports());
    let client = cluster.client(Policy::default()).await?;
    let mut session = client.session();

    let mut homes: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
    for fruit in [
        "apple",
        "banana",
        "cherry",
        "date",
        "elderberry",
        "fig",
        "grape",
        "honeydew",
    ] {
        let node = session.put(fruit, format!("a {fruit}")).await?;
        homes.entry(node).or_default().push(fruit.to_owned());
        let read = session.get(fruit).await?;
        ensure!(read.node == node, "a key has one home");
        ensure!(
            read.texts() == [format!("a {fruit}")],
            "what was put is there"
        );
    }
    for (node, keys) in &homes {
        println!("{node} holds {}", keys.join(", "));
    }

    let home = client.ports().route(b"apple").nodes[0];
    let stranger = client
        .ports()
        .nodes()
        .find(|node| *node != home)
        .expect("three nodes");
    let refused = client.session_at(stranger).get("apple").await;
    println!(
        "{stranger} is asked for apple, which lives on {home}: {}",
        refused.unwrap_err()
    );

    println!("An operation touches one key, so the whole is linearizable as each shard is.");
    cluster.shutdown().await;
    Ok(())
}
