//! `replicated` under `causal` whose nodes restart, with what they had and empty.

use kvs_zoo::bug::Bug;
use kvs_zoo::server::ReplicatedKVSServer;
use kvs_zoo::values::CausalString;

use crate::adapter::{Budget, ClusterModel, Scenario};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::properties::{
    A_CONTEXT_IS_LOST, A_LATE_PUT_IS_TAKEN, A_PUT_IS_LOST, AN_UPDATE_IS_HELD_BACK,
    CONCURRENT_PUTS_MEET,
};

type Replicated<const N: u16> = ReplicatedKVSServer<CausalString, N>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "replicated-recovers",
        describe: "2 replicas, 2 sessions that put one key and get it on the other side",
        bounds: "any loss, 1 round of anti-entropy, 2 restarts with the state",
        size: Size::Small,
        states: 0,
        model: recovers,
    },
    Entry {
        name: "replicated-gives-up",
        describe: "the same",
        bounds: "any loss, 1 restart with the state, 1 put given up",
        size: Size::Small,
        states: 0,
        model: gives_up,
    },
    Entry {
        name: "replicated-forgets",
        describe: "2 replicas, 2 sessions that put one key and get it on both sides",
        bounds: "any loss, 2 rounds of anti-entropy, 1 restart without the state",
        size: Size::Small,
        states: 0,
        model: forgets,
    },
    Entry {
        name: "replicated-forgets-twice",
        describe: "2 replicas, a session that puts before and after, and one that answers it",
        bounds: "any loss, 1 round of anti-entropy, 2 restarts without the state",
        size: Size::Small,
        states: 0,
        model: forgets_twice,
    },
    Entry {
        name: "replicated-forgets-3",
        describe: "3 replicas, a put that answers another",
        bounds: "any loss, 1 round of anti-entropy, 1 restart without the state",
        size: Size::Large,
        states: 0,
        model: forgets_of_three,
    },
];

fn scenario() -> Scenario {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), get(1, "k")],
            vec![put(1, "k", "b"), get(0, "k")],
        ],
        ..Scenario::default()
    }
}

fn recovers(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        budget: Budget {
            rounds: 1,
            recoveries: 2,
            ..Budget::default()
        },
        records: false,
        happens: &[CONCURRENT_PUTS_MEET],
        ..scenario()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn gives_up(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        budget: Budget {
            recoveries: 1,
            given_up: 1,
            ..Budget::default()
        },
        happens: &[A_LATE_PUT_IS_TAKEN],
        ..scenario()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn forgets(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        budget: Budget {
            rounds: 2,
            losses_of_memory: 1,
            ..Budget::default()
        },
        records: false,
        happens: &[A_PUT_IS_LOST, A_CONTEXT_IS_LOST],
        ..scenario()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn forgets_twice(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), put(0, "k", "b")],
            vec![get(1, "k"), put(1, "k", "c")],
        ],
        budget: Budget {
            rounds: 1,
            losses_of_memory: 2,
            ..Budget::default()
        },
        happens: &[A_PUT_IS_LOST],
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

fn forgets_of_three(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a")],
            vec![get(1, "k"), put(1, "l", "b")],
            vec![get(2, "l"), get(2, "k")],
        ],
        budget: Budget {
            rounds: 1,
            losses_of_memory: 1,
            ..Budget::default()
        },
        records: false,
        happens: &[A_PUT_IS_LOST, AN_UPDATE_IS_HELD_BACK],
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<3>>(bug)
}
