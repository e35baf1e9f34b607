//! One node, every key: what a session puts, every session gets, at once.
//!
//! `cargo run --release --example local`

use kvs_zoo::node;
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::server::LocalKVSServer;
use kvs_zoo::session::Policy;
use kvs_zoo::transport;
use kvs_zoo::values::LwwWrapper;

type Store = LocalKVSServer<LwwWrapper<String>>;

fn main() -> anyhow::Result<()> {
    // Nodes are processes that run this same program again.
    node::run_if_node();
    transport::runtime()?.block_on(demonstrate())
}

async fn demonstrate() -> anyhow::Result<()> {
    let cluster = Cluster::start(&ClusterConfig::of::<_, Store>()).await?;
    println!("one node: {}", cluster.ports());
    let client = cluster.client(Policy::default()).await?;
    let (mut ada, mut bob) = (client.session(), client.session());

    println!(
        "bob gets motto, which nobody has put: {:?}",
        bob.get("motto").await?.texts()
    );
    ada.put("motto", "measure twice").await?;
    println!(
        "ada puts motto; bob gets {:?}",
        bob.get("motto").await?.texts()
    );
    bob.put("motto", "cut once").await?;
    let read = ada.get("motto").await?;
    println!("bob puts motto; ada gets {:?}", read.texts());
    anyhow::ensure!(
        read.texts() == ["cut once"],
        "a linearizable store shows the last put"
    );

    println!("Every get shows the last put that had been acknowledged: linearizable.");
    cluster.shutdown().await;
    Ok(())
}
