//! `replicated` under `causal`: convergence (Burckhardt et al., 2014), session guarantees and
//! causality of what clients see (Terry et al., 1994), state transfer, and bounded buffers.

use kvs_zoo::bug::Bug;
use kvs_zoo::replica::Settings;
use kvs_zoo::server::ReplicatedKVSServer;
use kvs_zoo::values::CausalString;

use crate::adapter::{Budget, ClusterModel, EVER, Scenario};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::properties::{
    A_QUEUE_IS_FULL, A_REQUEST_IS_REFUSED, A_STATE_IS_SENT, AN_UPDATE_IS_HELD_BACK,
    CONCURRENT_PUTS_MEET, DEFERRED_IS_FULL, HELD_BACK_IS_FULL, THE_LOG_IS_FULL,
};

type Replicated<const N: u16> = ReplicatedKVSServer<CausalString, N>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "replicated-causal",
        describe: "2 replicas, 2 sessions that put one key and get it on the other side",
        bounds: "any loss and repetition, 1 round of anti-entropy",
        size: Size::Small,
        states: 0,
        model: two_replicas,
    },
    Entry {
        name: "replicated-causal-history",
        describe: "the same, with all that clients did in the state",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 0,
        model: two_recorded_replicas,
    },
    Entry {
        name: "replicated-causal-3",
        describe: "3 replicas, a put that answers another, a reader on the third",
        bounds: "any loss and repetition",
        size: Size::Small,
        states: 0,
        model: three_replicas,
    },
    Entry {
        name: "replicated-fanout",
        describe: "3 replicas that push to one other each, a put that answers another",
        bounds: "any loss and repetition, every choice of peer",
        size: Size::Small,
        states: 0,
        model: one_peer_at_a_time,
    },
    Entry {
        name: "replicated-transfer",
        describe: "2 replicas, a log of one update, a put at the receiver meanwhile",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 0,
        model: transfer,
    },
    Entry {
        name: "replicated-bounds",
        describe: "2 replicas, room for one update held back, one request deferred, one update \
                   logged; 3 sessions",
        bounds: "any loss, 1 round of anti-entropy",
        size: Size::Small,
        states: 0,
        model: small_buffers,
    },
    Entry {
        name: "replicated-causal-large",
        describe: "3 replicas, 2 keys, 2 sessions that put each key twice in all, on all replicas",
        bounds: "any loss and repetition",
        size: Size::Large,
        states: 0,
        model: four_puts,
    },
    Entry {
        name: "replicated-causal-rounds",
        describe: "2 replicas, 2 keys, 2 sessions that put each key twice in all",
        bounds: "any loss, any number of rounds",
        size: Size::Large,
        states: 0,
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
        fanout: 1,
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
            log_updates_max: 1,
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
            deferred_max: 1,
            held_back_max: 1,
            log_updates_max: 1,
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

fn four_puts(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), put(1, "l", "b")],
            vec![put(1, "k", "c"), put(2, "l", "d")],
        ],
        budget: Budget {
            repetitions: EVER,
            ..Budget::default()
        },
        happens: &[AN_UPDATE_IS_HELD_BACK, CONCURRENT_PUTS_MEET],
        records: false,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<3>>(bug)
}

fn rounds_for_ever(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a")], vec![put(1, "k", "c")]],
        budget: Budget {
            repetitions: EVER,
            rounds: EVER,
            ..Budget::default()
        },
        happens: &[CONCURRENT_PUTS_MEET],
        records: false,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}
