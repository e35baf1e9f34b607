//! The zoo's contract, through real processes: every architecture does what it is asked, and
//! keeps its promise. Nothing here sleeps; what takes time is awaited with a deadline.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use kvs_zoo::client::{Client, ClientError};
use kvs_zoo::measure::{RunRecord, VerdictWord};
use kvs_zoo::protocol::{Lattice, NodeId, Refusal};
use kvs_zoo::run::{self, Cluster, ClusterConfig, Config, Observer};
use kvs_zoo::server::{
    Architecture, KVSServer, LocalKVSServer, ReplicatedKVSServer, ShardedKVSServer,
};
use kvs_zoo::session::{Policy, Trouble};
use kvs_zoo::transport;
use kvs_zoo::values::{CausalString, LwwWrapper, Value};
use kvs_zoo::workload::Chosen;

type Lww = LwwWrapper<String>;

/// How long replicas may take to agree.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs `test` against a cluster of nodes that run the real program.
fn with_cluster<F: Future<Output = Cluster>>(
    mut config: ClusterConfig,
    test: impl FnOnce(Cluster) -> F,
) {
    config.program = Some(program());
    let runtime = transport::runtime().expect("an event loop");
    runtime.block_on(async {
        let cluster = Cluster::start(&config).await.expect("the nodes start");
        let cluster = test(cluster).await;
        assert_eq!(
            cluster.shutdown().await,
            [],
            "every node ends in good order"
        );
    });
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_kvs-bench").into()
}

async fn client(cluster: &Cluster) -> Client {
    cluster
        .client(Policy::default())
        .await
        .expect("the nodes accept clients")
}

/// Bounds a wait by [`DEADLINE`].
struct Patience(Instant);

impl Patience {
    fn new() -> Self {
        Self(Instant::now() + DEADLINE)
    }

    #[track_caller]
    fn check(&self, what: impl FnOnce() -> String) {
        assert!(Instant::now() < self.0, "{}", what());
    }
}

/// What every node of the key's group answers, once they answer the same.
async fn agreed(client: &Client, key: &str) -> Vec<String> {
    let nodes = client.ports().route(key.as_bytes()).nodes.clone();
    let mut sessions: Vec<_> = nodes.iter().map(|node| client.session_at(*node)).collect();
    let patience = Patience::new();
    loop {
        let mut answers = Vec::new();
        for session in &mut sessions {
            answers.push(session.get(key).await.expect("the node answers").texts());
        }
        answers.dedup();
        if let [agreed] = &answers[..] {
            return agreed.clone();
        }
        patience.check(|| format!("the replicas still disagree: {answers:?}"));
    }
}

/// Puts at two nodes at once, until one key ends with what `wanted` looks for.
async fn put_at_once(
    client: &Client,
    nodes: [NodeId; 2],
    wanted: impl Fn(&[String]) -> bool,
) -> Vec<String> {
    let [mut one, mut other] = nodes.map(|node| client.session_at(node));
    let patience = Patience::new();
    for attempt in 0.. {
        let key = format!("both-{attempt}");
        if client.ports().route(key.as_bytes()).nodes[0] != nodes[0] {
            continue;
        }
        let (a, b) = tokio::join!(one.put(&key, "one"), other.put(&key, "other"));
        a.expect("put");
        b.expect("put");
        let found = agreed(client, &key).await;
        if wanted(&found) {
            return found;
        }
        patience.check(|| format!("no key ended as expected; the last with {found:?}"));
    }
    unreachable!("the attempts have no end")
}

#[test]
fn local_shows_every_session_the_last_acknowledged_put() {
    with_cluster(
        ClusterConfig::of::<Lww, LocalKVSServer<_>>(),
        async |cluster| {
            let client = client(&cluster).await;
            let (mut ada, mut bob) = (client.session(), client.session());
            assert_eq!(
                bob.get("k").await.expect("get").texts(),
                Vec::<String>::new()
            );
            for round in 0..100 {
                let (writer, reader) = if round % 2 == 0 {
                    (&mut ada, &mut bob)
                } else {
                    (&mut bob, &mut ada)
                };
                let value = format!("v{round}");
                writer.put("k", &value).await.expect("put");
                assert_eq!(reader.get("k").await.expect("get").texts(), [value]);
            }
            cluster
        },
    );
}

#[test]
fn a_causal_session_reads_its_writes_at_every_replica() {
    with_cluster(
        ClusterConfig::of::<CausalString, ReplicatedKVSServer<_>>(),
        async |cluster| {
            let client = client(&cluster).await;
            let mut session = client.session();
            for round in 0..50 {
                let value = format!("v{round}");
                session.put("k", &value).await.expect("put");
                let mut nodes = Vec::new();
                for _ in 0..3 {
                    let read = session.get("k").await.expect("get");
                    assert_eq!(
                        read.texts(),
                        std::slice::from_ref(&value),
                        "read at {}",
                        read.node
                    );
                    nodes.push(read.node);
                }
                nodes.sort();
                nodes.dedup();
                assert_eq!(nodes.len(), 3, "round-robin asks every replica");
            }
            cluster
        },
    );
}

#[test]
fn a_causal_reader_sees_what_the_writer_of_its_value_had_seen() {
    with_cluster(
        ClusterConfig::of::<CausalString, ReplicatedKVSServer<_>>(),
        async |cluster| {
            let client = client(&cluster).await;
            let (mut ada, mut bob, mut cleo) =
                (client.session(), client.session(), client.session());
            let patience = Patience::new();
            for round in 0..50 {
                let (question, answer) = (format!("question-{round}"), format!("answer-{round}"));
                ada.put(&question, "what is it?").await.expect("put");
                bob.get(&question).await.expect("get");
                while bob.get(&question).await.expect("get").texts().is_empty() {
                    patience.check(|| "bob never sees the question".to_owned());
                }
                bob.put(&answer, "a store").await.expect("put");
                while cleo.get(&answer).await.expect("get").texts().is_empty() {
                    patience.check(|| "cleo never sees the answer".to_owned());
                }
                let seen = cleo.get(&question).await.expect("get");
                assert_eq!(
                    seen.texts(),
                    ["what is it?"],
                    "the answer without the question"
                );
            }
            cluster
        },
    );
}

#[test]
fn concurrent_causal_puts_stay_as_siblings_until_a_put_that_has_seen_both() {
    with_cluster(
        ClusterConfig::of::<CausalString, ReplicatedKVSServer<_>>(),
        async |cluster| {
            let client = client(&cluster).await;
            let found =
                put_at_once(&client, [NodeId(0), NodeId(1)], |found| found.len() == 2).await;
            assert_eq!(found, ["one", "other"]);
            cluster
        },
    );
}

#[test]
fn concurrent_last_write_wins_puts_end_as_one_value_at_every_replica() {
    with_cluster(
        ClusterConfig::of::<Lww, ReplicatedKVSServer<_>>(),
        async |cluster| {
            let client = client(&cluster).await;
            let nodes = [NodeId(0), NodeId(1)];
            let found = put_at_once(&client, nodes, |found| found == ["one"]).await;
            assert_eq!(found, ["one"]);
            let found = put_at_once(&client, nodes, |found| found == ["other"]).await;
            assert_eq!(found, ["other"], "neither node always wins");
            cluster
        },
    );
}

#[test]
fn every_shard_serves_its_own_keys_and_refuses_the_others() {
    with_cluster(
        ClusterConfig::of::<Lww, ShardedKVSServer<LocalKVSServer<_>>>(),
        async |cluster| {
            let client = client(&cluster).await;
            let mut session = client.session();
            let mut homes = std::collections::BTreeSet::new();
            for n in 0..60 {
                let key = format!("key-{n}");
                let home = session.put(&key, &key).await.expect("put");
                assert_eq!(client.ports().route(key.as_bytes()).nodes, [home]);
                assert_eq!(
                    session.get(&key).await.expect("get").texts(),
                    std::slice::from_ref(&key)
                );
                for stranger in client.ports().nodes().filter(|node| *node != home) {
                    assert_eq!(
                        client.session_at(stranger).get(&key).await,
                        Err(ClientError::Failed(Trouble::Refused(Refusal::WrongShard)))
                    );
                }
                homes.insert(home);
            }
            assert_eq!(homes.len(), 3, "every shard has keys");
            cluster
        },
    );
}

#[test]
fn each_shard_of_sharded_replicated_keeps_its_sessions_promise() {
    type Store = ShardedKVSServer<ReplicatedKVSServer<CausalString>>;
    with_cluster(
        ClusterConfig::of::<CausalString, Store>(),
        async |cluster| {
            session_promise_holds_in_every_group(&cluster, 3, 9).await;
            let client = client(&cluster).await;
            let found =
                put_at_once(&client, [NodeId(0), NodeId(1)], |found| found.len() == 2).await;
            assert_eq!(found, ["one", "other"]);
            cluster
        },
    );
}

#[test]
fn three_levels_of_nesting_by_type_and_by_text_are_one_store_that_works() {
    type Inner = ShardedKVSServer<ReplicatedKVSServer<CausalString, 2>, 2>;
    type Store = ShardedKVSServer<Inner, 2>;
    let by_type = <Store as KVSServer<CausalString>>::architecture();
    let by_text: Architecture = "sharded(2, sharded(2, replicated(2)))"
        .parse()
        .expect("an architecture");
    assert_eq!(by_type, by_text);
    with_cluster(
        ClusterConfig::of::<CausalString, Store>(),
        async |cluster| {
            session_promise_holds_in_every_group(&cluster, 4, 8).await;
            cluster
        },
    );
}

async fn session_promise_holds_in_every_group(cluster: &Cluster, groups: usize, nodes: usize) {
    assert_eq!(cluster.ports().groups().len(), groups);
    assert_eq!(cluster.ports().nodes().count(), nodes);
    let client = client(cluster).await;
    let mut session = client.session();
    let mut used = std::collections::BTreeSet::new();
    for n in 0..80 {
        let key = format!("key-{n}");
        let group = client.ports().route(key.as_bytes());
        let wrote = session.put(&key, &key).await.expect("put");
        assert!(group.nodes.contains(&wrote));
        for _ in &group.nodes {
            assert_eq!(
                session.get(&key).await.expect("get").texts(),
                std::slice::from_ref(&key)
            );
        }
        assert_eq!(agreed(&client, &key).await, [key]);
        used.insert(group.id);
    }
    assert_eq!(used.len(), groups, "every group has keys");
}

/// An observer with nothing to show.
struct Silence;

impl Observer for Silence {
    fn stage(&mut self, _: &'static str) {}
    fn progress(&mut self, _: String) {}
}

/// A short contended run, judged as the command line would judge it.
fn judged<V: Value, S: KVSServer<V>>() -> RunRecord {
    let results = tempfile::tempdir().expect("a temporary directory");
    let load = Chosen::of_catalogue("contended").of_operations(20_000);
    let config = Config {
        lattice: V::LATTICE,
        timeout: Duration::from_secs(10),
        seed: 7,
        results: results.path().to_owned(),
        history_limit: Some(1_000_000),
        budget: Duration::from_secs(1),
        program: Some(program()),
        ..Config::new(S::architecture(), load.warmed_up_for(Duration::ZERO))
    };
    config.check().expect("a possible run");
    run::run(&config, &mut Silence).expect("a result").record
}

#[track_caller]
fn assert_promise_kept(record: &RunRecord, promise: &str) {
    assert_eq!(record.verdict.promise, promise);
    assert_eq!(
        record.verdict.verdict,
        VerdictWord::Valid,
        "{:#?}",
        record.verdict
    );
    assert!(
        record.history.recorded > 20_000,
        "the history is empty: {:?}",
        record.history
    );
}

#[test]
fn a_contended_run_of_local_is_linearizable() {
    assert_promise_kept(&judged::<Lww, LocalKVSServer<_>>(), "linearizable");
}

#[test]
fn a_contended_run_of_replicated_is_causal() {
    assert_promise_kept(&judged::<CausalString, ReplicatedKVSServer<_>>(), "causal");
}

#[test]
fn a_contended_run_of_replicated_is_a_last_write_wins_register() {
    assert_promise_kept(&judged::<Lww, ReplicatedKVSServer<_>>(), "lww");
}

#[test]
fn a_contended_run_of_sharded_is_linearizable() {
    type Store = ShardedKVSServer<LocalKVSServer<Lww>>;
    assert_promise_kept(&judged::<Lww, Store>(), "linearizable");
}

#[test]
fn a_contended_run_of_sharded_replicated_is_causal_in_each_shard() {
    type Store = ShardedKVSServer<ReplicatedKVSServer<CausalString>>;
    assert_promise_kept(&judged::<CausalString, Store>(), "causal");
}

#[test]
fn a_contended_run_nested_three_levels_deep_is_last_write_wins_in_each_shard() {
    type Store = ShardedKVSServer<ShardedKVSServer<ReplicatedKVSServer<Lww, 2>, 2>, 2>;
    let record = judged::<Lww, Store>();
    assert_promise_kept(&record, "lww");
    assert_eq!(record.nodes.len(), 8);
    assert_eq!(Lattice::Lww, <Lww as Value>::LATTICE);
}
