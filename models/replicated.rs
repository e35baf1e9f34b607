//! `replicated` under `causal`: convergence of quiet replicas (Burckhardt et al., 2014), session
//! guarantees and causality of what clients see (Terry et al., 1994), uniqueness of dots. And under
//! `lww`: convergence, and versions that explain what clients see.

use kvs_zoo::bug::Bug;
use kvs_zoo::replica::Settings;
use kvs_zoo::server::{KVSServer, ReplicatedKVSServer};
use kvs_zoo::values::{CausalString, LwwWrapper, Value};

use crate::adapter::{
    A_REQUEST_IS_REFUSED, AN_UPDATE_IS_HELD_BACK, Budget, CONCURRENT_PUTS_MEET, ClusterModel,
    ModelHost, Step,
};

/// A model that `kvs-models` knows by name.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) describe: &'static str,
    pub(crate) model: fn() -> ClusterModel,
}

/// The models, in the order of `list`.
pub(crate) const MODELS: [Entry; 5] = [
    Entry {
        name: "replicated-causal",
        describe: "2 replicas, 2 sessions that write one key and read it on the other side",
        model: || two_replicas(None).without_history(),
    },
    Entry {
        name: "replicated-causal-history",
        describe: "the same with all that clients did in the state, and less that goes wrong",
        model: || two_recorded_replicas(None),
    },
    Entry {
        name: "replicated-causal-3",
        describe: "3 replicas, a put that answers another, a reader on the third",
        model: || three_replicas(None),
    },
    Entry {
        name: "replicated-transfer",
        describe: "2 replicas, one of which missed more than the log keeps and puts meanwhile",
        model: || transfer(None),
    },
    Entry {
        name: "replicated-lww",
        describe: "2 replicas, 2 sessions that put one key and read it where they put it",
        model: || last_write_wins(None),
    },
];

fn put(node: usize, key: &'static str, value: &'static str) -> Step {
    Step {
        node,
        key,
        value: Some(value),
    }
}

fn get(node: usize, key: &'static str) -> Step {
    Step {
        node,
        key,
        value: None,
    }
}

fn two_replicas(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![
        vec![put(0, "k", "a"), get(1, "k")],
        vec![put(1, "k", "b"), get(0, "k")],
    ];
    let budget = Budget {
        losses: 1,
        repetitions: 1,
        rounds: 1,
    };
    let happens = &[CONCURRENT_PUTS_MEET, A_REQUEST_IS_REFUSED];
    deploy::<CausalString, ReplicatedKVSServer<_, 2>>(host(bug), scripts, budget, happens)
}

/// What clients did tells most states apart, so here no message arrives twice.
fn two_recorded_replicas(bug: Option<Bug>) -> ClusterModel {
    two_replicas(bug).within(Budget {
        losses: 1,
        repetitions: 0,
        rounds: 1,
    })
}

fn three_replicas(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![
        vec![put(0, "k", "a")],
        vec![get(1, "k"), put(1, "l", "b")],
        vec![get(2, "l"), get(2, "k")],
    ];
    let budget = Budget {
        losses: 1,
        repetitions: 1,
        rounds: 0,
    };
    let happens = &[AN_UPDATE_IS_HELD_BACK];
    deploy::<CausalString, ReplicatedKVSServer<_, 3>>(host(bug), scripts, budget, happens)
}

/// The log keeps one update, so a replica that missed two gets the state.
fn transfer(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![
        vec![put(0, "k", "a"), put(0, "m", "b")],
        vec![put(1, "k", "c"), get(1, "k")],
    ];
    let budget = Budget {
        losses: 1,
        repetitions: 0,
        rounds: 1,
    };
    let host = ModelHost::new(
        Settings {
            log_updates_max: 1,
            ..Settings::default()
        },
        bug,
    );
    deploy::<CausalString, ReplicatedKVSServer<_, 2>>(
        host,
        scripts,
        budget,
        &[CONCURRENT_PUTS_MEET],
    )
}

fn last_write_wins(bug: Option<Bug>) -> ClusterModel {
    let scripts = vec![
        vec![put(0, "k", "a"), get(0, "k")],
        vec![put(1, "k", "b"), get(1, "k"), get(0, "k")],
    ];
    let budget = Budget {
        losses: 1,
        repetitions: 1,
        rounds: 1,
    };
    deploy::<LwwWrapper<String>, ReplicatedKVSServer<_, 2>>(host(bug), scripts, budget, &[])
}

fn host(bug: Option<Bug>) -> ModelHost {
    ModelHost::new(Settings::default(), bug)
}

fn deploy<V: Value, S: KVSServer<V>>(
    mut host: ModelHost,
    scripts: Vec<Vec<Step>>,
    budget: Budget,
    happens: &'static [&'static str],
) -> ClusterModel {
    let deployment = S::create_deployment(&mut host);
    let ports = S::run(&mut host, &deployment);
    host.into_model(ports, scripts, budget, happens)
}

#[cfg(test)]
mod tests {
    use kvs_zoo::protocol::{Body, NodeId};
    use kvs_zoo::replica::Timer;
    use stateright::{Checker, Model};

    use super::*;
    use crate::adapter::{
        AN_ORDER_EXPLAINS_ALL, Action, DOTS_ARE_UNIQUE, QUIET_REPLICAS_AGREE, SESSIONS_ARE_CAUSAL,
    };

    #[track_caller]
    fn assert_holds(model: ClusterModel, states: usize) {
        let checker = model.checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        assert_eq!(checker.unique_state_count(), states);
    }

    /// The shortest counterexample, in words: messages are long.
    fn counterexample(model: ClusterModel, property: &'static str) -> Vec<String> {
        let checker = model.only(property).checker().threads(1).spawn_bfs().join();
        let path = checker.assert_any_discovery(property);
        path.into_actions().iter().map(in_words).collect()
    }

    fn in_words(action: &Action) -> String {
        match action {
            Action::Request(client) => format!("client {client} asks"),
            Action::Deliver(from, to, message) => {
                format!("{from} -> {to} {}", kind(&message.body))
            }
            Action::Repeat(from, to, message) => {
                format!("{from} -> {to} {} again", kind(&message.body))
            }
            Action::Lose(from, to, message) => {
                format!("{from} -> {to} {} lost", kind(&message.body))
            }
            Action::Fire(node, timer, peer) => {
                let to = peer.map_or(String::new(), |peer: NodeId| format!(" to {peer}"));
                match timer {
                    Timer::Rumour => format!("{node} pushes"),
                    Timer::AntiEntropy => format!("{node} sends its digest{to}"),
                    Timer::Deferral => format!("{node} looks for overdue requests"),
                }
            }
        }
    }

    fn kind(body: &Body) -> &'static str {
        match body {
            Body::Updates { fresh: true, .. } => "rumour",
            Body::Updates { fresh: false, .. } => "missing",
            Body::Digest { .. } => "digest",
            Body::StateRequest { .. } => "state request",
            Body::StateChunk { .. } => "state",
        }
    }

    #[test]
    fn two_causal_replicas_keep_their_promise_in_every_state() {
        assert_holds(two_replicas(None).without_history(), 234_877);
    }

    #[test]
    fn what_clients_of_two_causal_replicas_did_is_explained_in_every_state() {
        assert_holds(two_recorded_replicas(None), 111_215);
    }

    #[test]
    fn three_causal_replicas_keep_their_promise_in_every_state() {
        assert_holds(three_replicas(None), 46_940);
    }

    #[test]
    fn a_state_transfer_keeps_the_promise_in_every_state() {
        assert_holds(transfer(None), 180_768);
    }

    #[test]
    fn a_forgotten_context_lets_a_session_miss_its_own_put() {
        let model = two_replicas(Some(Bug::ForgottenContext));
        let path = counterexample(model, SESSIONS_ARE_CAUSAL);
        assert_eq!(path, ["client 0 asks", "client 0 asks"]);
    }

    #[test]
    fn delivery_before_dependencies_shows_an_answer_without_its_question() {
        let model = three_replicas(Some(Bug::DeliveryBeforeDependencies));
        let path = counterexample(model, SESSIONS_ARE_CAUSAL);
        let expected = [
            "client 0 asks",
            "client 1 asks",
            "n0 pushes",
            "n0 -> n1 rumour",
            "client 1 asks",
            "n1 pushes",
            "n1 -> n2 rumour",
            "client 2 asks",
        ];
        assert_eq!(path, expected);
    }

    #[test]
    fn a_transfer_that_replaces_the_state_keeps_replicas_apart() {
        let model = transfer(Some(Bug::LostUpdateOnTransfer));
        let path = counterexample(model, QUIET_REPLICAS_AGREE);
        let expected = [
            "client 0 asks",
            "client 0 asks",
            "client 1 asks",
            "client 1 asks",
            "n0 pushes",
            "n1 pushes",
            "n1 sends its digest to n0",
            "n1 -> n0 digest",
            "n0 -> n1 digest lost",
            "n0 -> n1 state",
            "n0 -> n1 rumour",
            "n1 -> n0 rumour",
        ];
        assert_eq!(path, expected);
    }

    #[test]
    fn a_reused_dot_is_seen_at_the_second_put() {
        let model = transfer(Some(Bug::ReusedDots));
        let path = counterexample(model, DOTS_ARE_UNIQUE);
        let expected = ["client 0 asks", "client 0 asks"];
        assert_eq!(path, expected);
    }

    #[test]
    fn last_write_wins_keeps_its_promise_in_every_state() {
        assert_holds(last_write_wins(None), 512_728);
    }

    #[test]
    fn the_causal_tester_refuses_a_session_that_misses_its_own_put() {
        let model = two_recorded_replicas(Some(Bug::ForgottenContext));
        let path = counterexample(model, AN_ORDER_EXPLAINS_ALL);
        assert_eq!(path, ["client 0 asks", "client 0 asks"]);
    }

    #[test]
    fn the_causal_tester_refuses_a_reused_dot() {
        let model = transfer(Some(Bug::ReusedDots));
        let path = counterexample(model, AN_ORDER_EXPLAINS_ALL);
        assert_eq!(path, ["client 0 asks", "client 0 asks"]);
    }

    #[test]
    fn the_lww_tester_refuses_a_replica_that_takes_an_older_update() {
        let model = last_write_wins(Some(Bug::OverwritingMerge));
        let path = counterexample(model, AN_ORDER_EXPLAINS_ALL);
        let expected = [
            "client 0 asks",
            "client 1 asks",
            "n0 pushes",
            "n0 -> n1 rumour",
            "client 1 asks",
        ];
        assert_eq!(path, expected);
    }
}
