//! Architectures as types: `ShardedKVSServer<ReplicatedKVSServer<CausalString>>`.

use std::marker::PhantomData;

use super::architecture::DEFAULT_SIZE;
use super::{Architecture, Deployment, Host, ServerPorts};
use crate::replica::{QuorumRule, RaftRule};
use crate::values::Value;

/// A composition of nodes that stores values of `V`, whose lattice decides what concurrent puts
/// mean.
pub trait KVSServer<V: Value> {
    /// The same composition as data.
    ///
    /// # Panics
    /// When its sizes cannot be deployed: zero, or more than [`super::NODES_MAX`] nodes.
    fn architecture() -> Architecture;

    /// How many nodes it has.
    #[must_use]
    fn size() -> usize {
        Self::architecture().size()
    }

    /// Reserves its nodes.
    fn create_deployment(host: &mut impl Host) -> Deployment {
        Self::architecture().reserve(host)
    }

    /// Starts its reserved nodes and tells how to reach them.
    fn run(host: &mut impl Host, deployment: &Deployment) -> ServerPorts {
        Self::architecture().run(host, deployment, V::LATTICE)
    }
}

/// One node with every key: `local`.
pub struct LocalKVSServer<V>(PhantomData<fn() -> V>);

/// `N` replicas of every key, which gossip: `replicated`.
pub struct ReplicatedKVSServer<V, const N: u16 = DEFAULT_SIZE>(PhantomData<fn() -> V>);

/// `N` replicas of every key, a majority of which takes part in every operation: `quorum`. A key
/// holds one value whatever the lattice of `V`: it is linearizable.
pub struct QuorumKVSServer<V, const N: u16 = DEFAULT_SIZE>(PhantomData<fn() -> V>);

/// `N` replicas of every key and `SPARES` nodes that stand in for those that cannot be reached:
/// `sloppy`.
pub struct SloppyKVSServer<V, const N: u16 = DEFAULT_SIZE, const SPARES: u16 = 2>(
    PhantomData<fn() -> V>,
);

/// `N` replicas of every key that agree on a log, of which one leads: `raft`. A key holds one value
/// whatever the lattice of `V`: it is linearizable.
pub struct RaftKVSServer<V, const N: u16 = DEFAULT_SIZE>(PhantomData<fn() -> V>);

/// Keys partitioned by hash among `N` servers `S`: `sharded`.
pub struct ShardedKVSServer<S, const N: u16 = DEFAULT_SIZE>(PhantomData<fn() -> S>);

impl<V: Value> KVSServer<V> for LocalKVSServer<V> {
    fn architecture() -> Architecture {
        Architecture::local()
    }
}

impl<V: Value, const N: u16> KVSServer<V> for ReplicatedKVSServer<V, N> {
    fn architecture() -> Architecture {
        Architecture::replicated(N).expect("a possible number of replicas")
    }
}

impl<V: Value, const N: u16> KVSServer<V> for QuorumKVSServer<V, N> {
    fn architecture() -> Architecture {
        Architecture::quorum(N, QuorumRule::majorities(N)).expect("a possible number of replicas")
    }
}

impl<V: Value, const N: u16, const SPARES: u16> KVSServer<V> for SloppyKVSServer<V, N, SPARES> {
    fn architecture() -> Architecture {
        let rule = QuorumRule::majorities(N);
        Architecture::sloppy(N, SPARES, rule).expect("possible numbers of replicas and spares")
    }
}

impl<V: Value, const N: u16> KVSServer<V> for RaftKVSServer<V, N> {
    fn architecture() -> Architecture {
        Architecture::raft(N, RaftRule::default()).expect("a possible number of replicas")
    }
}

impl<V: Value, S: KVSServer<V>, const N: u16> KVSServer<V> for ShardedKVSServer<S, N> {
    fn architecture() -> Architecture {
        Architecture::sharded(N, S::architecture()).expect("a possible number of shards")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bug::Bug;
    use crate::protocol::{Lattice, NodeId, Operation};
    use crate::server::{ReplicaKind, ReplicaSpec};
    use crate::values::{CausalString, LwwWrapper};

    #[derive(Default)]
    struct Recorder {
        reserved: u16,
        started: Vec<ReplicaSpec>,
        bug: Option<Bug>,
    }

    impl Host for Recorder {
        fn reserve(&mut self) -> NodeId {
            self.reserved += 1;
            NodeId(self.reserved - 1)
        }

        fn start(&mut self, node: NodeId, replica: ReplicaSpec) {
            assert_eq!(replica.node, node);
            self.started.push(replica);
        }

        fn bug(&self) -> Option<Bug> {
            self.bug
        }
    }

    fn deploy<V: Value, S: KVSServer<V>>(host: &mut Recorder) -> ServerPorts {
        let deployment = S::create_deployment(host);
        assert_eq!(deployment.nodes().len(), S::size());
        S::run(host, &deployment)
    }

    fn keys() -> impl Iterator<Item = Vec<u8>> {
        (0..600).map(|n| format!("user{n:012}").into_bytes())
    }

    #[test]
    fn types_and_strings_yield_one_architecture() {
        type Lww = LwwWrapper<String>;
        type Nested = ShardedKVSServer<ShardedKVSServer<ReplicatedKVSServer<CausalString, 5>>, 2>;
        let cases = [
            (<LocalKVSServer<Lww>>::architecture(), "local"),
            (<ReplicatedKVSServer<Lww>>::architecture(), "replicated"),
            (
                <ShardedKVSServer<LocalKVSServer<Lww>> as KVSServer<Lww>>::architecture(),
                "sharded",
            ),
            (<QuorumKVSServer<Lww>>::architecture(), "quorum"),
            (
                <ShardedKVSServer<QuorumKVSServer<Lww, 5>> as KVSServer<Lww>>::architecture(),
                "sharded(3, quorum(5))",
            ),
            (<RaftKVSServer<Lww>>::architecture(), "raft"),
            (
                <ShardedKVSServer<RaftKVSServer<Lww, 5>> as KVSServer<Lww>>::architecture(),
                "sharded(3, raft(5))",
            ),
            (<SloppyKVSServer<Lww>>::architecture(), "sloppy"),
            (
                <SloppyKVSServer<Lww, 5, 1>>::architecture(),
                "sloppy(5, spares = 1)",
            ),
            (
                <ShardedKVSServer<ReplicatedKVSServer<CausalString>> as KVSServer<_>>::architecture(
                ),
                "sharded_replicated",
            ),
            (
                <Nested as KVSServer<CausalString>>::architecture(),
                "sharded(2, sharded(3, replicated(5)))",
            ),
        ];
        for (of_type, text) in cases {
            assert_eq!(Ok(of_type), text.parse());
        }
        assert_eq!(<Nested as KVSServer<CausalString>>::size(), 30);
    }

    #[test]
    fn a_key_is_owned_by_exactly_the_nodes_that_it_is_routed_to() {
        let mut host = Recorder::default();
        type Nested =
            ShardedKVSServer<ShardedKVSServer<ReplicatedKVSServer<CausalString, 2>, 2>, 3>;
        let ports = deploy::<CausalString, Nested>(&mut host);
        assert_eq!(host.started.len(), 12);
        assert_eq!(ports.groups().len(), 6);
        for key in keys() {
            let owners: Vec<NodeId> = host
                .started
                .iter()
                .filter(|spec| {
                    spec.shards.iter().zip(0..).all(|(step, depth)| {
                        crate::server::shard_of(&key, depth, step.count) == step.index
                    })
                })
                .map(|spec| spec.node)
                .collect();
            assert_eq!(ports.route(&key).nodes, owners);
        }
    }

    #[test]
    fn replicas_know_their_peers_their_kind_and_no_bug() {
        let mut host = Recorder::default();
        deploy::<LwwWrapper<String>, ReplicatedKVSServer<_>>(&mut host);
        let peers: Vec<_> = host.started.iter().map(|spec| spec.peers.clone()).collect();
        let n = NodeId;
        assert_eq!(peers, [[n(1), n(2)], [n(0), n(2)], [n(0), n(1)]]);
        for spec in &host.started {
            assert_eq!(spec.kind, ReplicaKind::Replicated(Lattice::Lww));
            assert_eq!(spec.bug, None);
            let json = serde_json::to_string(spec).expect("plain data");
            assert!(!json.contains("bug"));
            assert_eq!(
                &serde_json::from_str::<ReplicaSpec>(&json).expect("was printed"),
                spec
            );
        }
    }

    #[test]
    fn ports_print_their_tree_and_survive_serialisation() {
        let mut host = Recorder::default();
        let ports =
            deploy::<CausalString, ShardedKVSServer<ReplicatedKVSServer<_, 2>, 2>>(&mut host);
        assert_eq!(ports.to_string(), "by key [any of n0 n1, any of n2 n3]");
        let json = serde_json::to_string(&ports).expect("plain data");
        assert_eq!(
            serde_json::from_str::<ServerPorts>(&json).expect("was printed"),
            ports
        );
        assert_eq!(ports.nodes().collect::<Vec<_>>(), [0, 1, 2, 3].map(NodeId));
    }

    #[test]
    fn only_the_planted_bug_sends_a_keys_put_elsewhere_than_its_get() {
        let mut host = Recorder::default();
        let put = Operation::Put { value: b"v" };
        let misrouted = |ports: &ServerPorts| {
            keys()
                .filter(|key| {
                    ports.route_operation(key, &put) != ports.route_operation(key, &Operation::Get)
                })
                .count()
        };
        let good = deploy::<CausalString, ShardedKVSServer<LocalKVSServer<_>>>(&mut host);
        assert_eq!(misrouted(&good), 0);
        host = Recorder {
            bug: Some(Bug::ForeignKeys),
            ..Recorder::default()
        };
        let bad = deploy::<CausalString, ShardedKVSServer<LocalKVSServer<_>>>(&mut host);
        assert!(
            (20..60).contains(&misrouted(&bad)),
            "about one in sixteen of 600"
        );
    }
}
