//! `replicated` under `causal`: convergence (Burckhardt et al., 2014), session guarantees and
//! causality of what clients see (Terry et al., 1994), state transfer, and bounded buffers.

use kvs_core::bug::Bug;
use kvs_core::replica::{GossipSettings, Settings};
use kvs_core::server::ReplicatedKVSServer;
use kvs_core::values::CausalString;

use crate::adapter::{Budget, ClusterModel, EVER, Scenario};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::cluster::Cluster;
use crate::properties::{A_QUEUE_IS_FULL, A_REQUEST_IS_REFUSED, Happens, buffers, statuses};

type Replicated<const N: u16> = ReplicatedKVSServer<CausalString, N>;

/// A replica keeps two values of a key.
pub(crate) const CONCURRENT_PUTS_MEET: &Happens = &Happens {
    name: "concurrent puts meet",
    happened: |_, state| statuses(state).any(|status| status.siblings > status.keys),
};
/// An update arrives before one that it depends on.
pub(crate) const AN_UPDATE_IS_HELD_BACK: &Happens = &Happens {
    name: "an update is held back",
    happened: |model, state| {
        let mut held_back = buffers(model, state).filter(|buffer| buffer.name == "held back");
        held_back.any(|buffer| buffer.used > 0)
    },
};
/// A replica that the log does not reach gets the state.
const A_STATE_IS_SENT: &Happens = &Happens {
    name: "a state is sent",
    happened: |_, state| {
        let mut packets = state.nodes.in_flight.iter();
        packets.any(|packet| packet.message.body.kind().name() == "state")
    },
};
/// A replica logs as many updates as it may.
const THE_LOG_IS_FULL: &Happens = &Happens {
    name: "the log is full",
    happened: |model, state| is_full("log", model, state),
};
/// As many updates as may be wait for others.
const HELD_BACK_IS_FULL: &Happens = &Happens {
    name: "no more updates may be held back",
    happened: |model, state| is_full("held back", model, state),
};
/// As many requests as may be wait for the replica.
const DEFERRED_IS_FULL: &Happens = &Happens {
    name: "no more requests may wait",
    happened: |model, state| is_full("deferred", model, state),
};

/// Whether the buffer of this name holds as many items as it may, at some replica.
fn is_full(name: &str, model: &ClusterModel, state: &Cluster) -> bool {
    let mut buffers = buffers(model, state).filter(|buffer| buffer.name == name);
    buffers.any(|buffer| buffer.used == buffer.max)
}

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "replicated-causal",
        describe: "2 replicas, 2 sessions that put one key and get it on the other side",
        bounds: "any loss and repetition, 1 round of anti-entropy",
        size: Size::Small,
        states: 97_376,
        model: two_replicas,
    },
    Entry {
        name: "replicated-causal-history",
        describe: "the same, with all that clients did in the state",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 72_982,
        model: two_recorded_replicas,
    },
    Entry {
        name: "replicated-causal-3",
        describe: "3 replicas, a put that answers another, a reader on the third",
        bounds: "any loss and repetition",
        size: Size::Small,
        states: 4_784,
        model: three_replicas,
    },
    Entry {
        name: "replicated-fanout",
        describe: "3 replicas that push to one other each, a put that answers another",
        bounds: "any loss and repetition, every choice of peer",
        size: Size::Small,
        states: 83_262,
        model: one_peer_at_a_time,
    },
    Entry {
        name: "replicated-transfer",
        describe: "2 replicas, a log of one update, a put at the receiver meanwhile",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 92_218,
        model: transfer,
    },
    Entry {
        name: "replicated-bounds",
        describe: "2 replicas, room for one update held back, one request deferred, one update \
                   logged; 3 sessions",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 66_583,
        model: small_buffers,
    },
    Entry {
        name: "replicated-causal-four",
        describe: "3 replicas, 2 keys, 2 sessions with 4 puts on all replicas",
        bounds: "any loss and repetition",
        size: Size::Small,
        states: 32_226,
        model: |bug| four_puts(bug, false),
    },
    Entry {
        name: "replicated-causal-four-history",
        describe: "the same, and one gets a key in the end; all that clients did in the state",
        bounds: "any loss and repetition",
        size: Size::Large,
        states: 1_773_821,
        model: |bug| four_puts(bug, true),
    },
    Entry {
        name: "replicated-causal-3-rounds",
        describe: "3 replicas, a put that answers another",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 8_162,
        model: three_replicas_and_a_round,
    },
    Entry {
        name: "replicated-causal-rounds",
        describe: "2 replicas, a session that puts a key and gets it on the other side",
        bounds: "any loss and repetition, any number of rounds of anti-entropy",
        size: Size::Large,
        states: 187_185,
        model: rounds_for_ever,
    },
];

fn two_replicas(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        budget: Budget {
            repetitions: EVER,
            rounds: 1,
            ..Budget::default()
        },
        records: false,
        ..both_sides()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

/// What clients did tells most states apart, so here no message arrives twice.
fn two_recorded_replicas(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        budget: Budget {
            rounds: 1,
            ..Budget::default()
        },
        ..both_sides()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn both_sides() -> Scenario {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), get(1, "k")],
            vec![put(1, "k", "b"), get(0, "k")],
        ],
        happens: &[CONCURRENT_PUTS_MEET, A_REQUEST_IS_REFUSED],
        ..Scenario::default()
    }
}

fn three_replicas(bug: Option<Bug>) -> ClusterModel {
    answer_and_reader(Settings::default()).deploy::<CausalString, Replicated<3>>(bug)
}

fn one_peer_at_a_time(bug: Option<Bug>) -> ClusterModel {
    answer_and_reader(Settings {
        gossip: GossipSettings {
            fanout: 1,
            ..GossipSettings::default()
        },
        ..Settings::default()
    })
    .deploy::<CausalString, Replicated<3>>(bug)
}

fn answer_and_reader(settings: Settings) -> Scenario {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a")],
            vec![get(1, "k"), put(1, "l", "b")],
            vec![get(2, "l"), get(2, "k")],
        ],
        budget: Budget {
            repetitions: EVER,
            ..Budget::default()
        },
        settings,
        happens: &[AN_UPDATE_IS_HELD_BACK],
        ..Scenario::default()
    }
}

/// The log keeps one update, so a replica that missed two gets the state.
fn transfer(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), put(0, "m", "b")],
            vec![put(1, "k", "c"), get(1, "k")],
        ],
        budget: Budget {
            rounds: 1,
            ..Budget::default()
        },
        settings: Settings {
            gossip: GossipSettings {
                log_updates_max: 1,
                ..GossipSettings::default()
            },
            ..Settings::default()
        },
        happens: &[CONCURRENT_PUTS_MEET, A_STATE_IS_SENT],
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn small_buffers(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), put(0, "k", "b"), get(1, "k")],
            vec![put(0, "l", "c"), get(1, "l")],
        ],
        budget: Budget {
            rounds: 1,
            ..Budget::default()
        },
        settings: Settings {
            gossip: GossipSettings {
                deferred_max: 1,
                held_back_max: 1,
                log_updates_max: 1,
                ..GossipSettings::default()
            },
            ..Settings::default()
        },
        happens: &[
            THE_LOG_IS_FULL,
            HELD_BACK_IS_FULL,
            DEFERRED_IS_FULL,
            A_QUEUE_IS_FULL,
        ],
        records: false,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn four_puts(bug: Option<Bug>, records: bool) -> ClusterModel {
    let mut scripts = vec![
        vec![put(0, "k", "a"), put(1, "l", "b")],
        vec![put(1, "k", "c"), put(2, "l", "d")],
    ];
    if records {
        scripts[1].push(get(0, "l"));
    }
    Scenario {
        scripts,
        budget: Budget {
            repetitions: EVER,
            ..Budget::default()
        },
        happens: &[AN_UPDATE_IS_HELD_BACK, CONCURRENT_PUTS_MEET],
        records,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<3>>(bug)
}

fn three_replicas_and_a_round(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a")], vec![get(1, "k"), put(1, "l", "b")]],
        budget: Budget {
            rounds: 1,
            ..Budget::default()
        },
        happens: &[AN_UPDATE_IS_HELD_BACK],
        records: false,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<3>>(bug)
}

fn rounds_for_ever(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a"), get(1, "k")]],
        budget: Budget {
            repetitions: EVER,
            rounds: EVER,
            ..Budget::default()
        },
        records: false,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

#[cfg(test)]
mod tests {
    use crate::explore::assert_holds;

    #[test]
    fn two_causal_replicas_keep_their_promise_in_every_state() {
        assert_holds("replicated-causal");
    }

    #[test]
    fn what_clients_of_two_causal_replicas_did_is_explained_in_every_state() {
        assert_holds("replicated-causal-history");
    }

    #[test]
    fn three_causal_replicas_keep_their_promise_in_every_state() {
        assert_holds("replicated-causal-3");
    }

    #[test]
    fn anti_entropy_between_three_replicas_keeps_the_promise_in_every_state() {
        assert_holds("replicated-causal-3-rounds");
    }

    #[test]
    fn rumours_to_one_peer_keep_the_promise_in_every_state() {
        assert_holds("replicated-fanout");
    }

    #[test]
    fn a_state_transfer_keeps_the_promise_in_every_state() {
        assert_holds("replicated-transfer");
    }

    #[test]
    fn buffers_of_one_item_are_full_and_never_more() {
        assert_holds("replicated-bounds");
    }

    #[test]
    fn four_puts_of_two_keys_on_three_replicas_keep_the_promise_in_every_state() {
        assert_holds("replicated-causal-four");
    }
}
