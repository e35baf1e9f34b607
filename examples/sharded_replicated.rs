//! Three shards of three replicas: nine nodes, composed by writing one type inside the other.
//!
//! `cargo run --release --example sharded_replicated`

use anyhow::ensure;

use kvs_zoo::node;
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::server::{ReplicatedKVSServer, ShardedKVSServer};
use kvs_zoo::session::Policy;
use kvs_zoo::transport;
use kvs_zoo::values::CausalString;

type Store = ShardedKVSServer<ReplicatedKVSServer<CausalString>>;

fn main() -> anyhow::Result<()> {
    // Nodes are processes that run this same program again.
    node::run_if_node();
    transport::runtime()?.block_on(demonstrate())
}

async fn demonstrate() -> anyhow::Result<()> {
    let cluster = Cluster::start(&ClusterConfig::of::<_, Store>()).await?;
    println!("three shards of three replicas: {}", cluster.ports());
    let client = cluster.client(Policy::default()).await?;
    let mut session = client.session();

    for city in ["Ankara", "Bogota", "Cairo", "Dakar"] {
        let group = client.ports().route(city.as_bytes());
        let wrote = session.put(city, format!("greetings from {city}")).await?;
        ensure!(
            group.nodes.contains(&wrote),
            "a put stays within its key's group"
        );
        let mut readers = Vec::new();
        for _ in &group.nodes {
            let read = session.get(city).await?;
            ensure!(
                read.texts() == [format!("greetings from {city}")],
                "a session sees its own puts at every replica of the group"
            );
            readers.push(read.node.to_string());
        }
        println!(
            "{city}: put at {wrote}, seen by the same session at {}",
            readers.join(", ")
        );
    }

    println!("Each shard is causal by itself; the shards share nothing, and scale.");
    cluster.shutdown().await;
    Ok(())
}
