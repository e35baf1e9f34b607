//! `replicated` under `causal` whose nodes restart, with what they had and empty.

use kvs_core::bug::Bug;
use kvs_core::server::ReplicatedKVSServer;
use kvs_core::values::CausalString;

use crate::adapter::{Budget, ClusterModel, EVER, Scenario};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::properties::{
    A_CONTEXT_IS_LOST, A_LATE_PUT_IS_TAKEN, A_PUT_IS_LOST, A_REQUEST_IS_REFUSED, Happens,
};
use crate::replicated::{AN_UPDATE_IS_HELD_BACK, CONCURRENT_PUTS_MEET};

type Replicated<const N: u16> = ReplicatedKVSServer<CausalString, N>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "replicated-recovers",
        describe: "2 replicas, 2 sessions that put one key and get it on the other side",
        bounds: "any loss, 1 round of anti-entropy, 2 restarts with the state",
        size: Size::Small,
        states: 92_724,
        model: recovers,
    },
    Entry {
        name: "replicated-gives-up",
        describe: "the same",
        bounds: "any loss, 1 restart with the state, 1 put given up",
        size: Size::Small,
        states: 9_672,
        model: gives_up,
    },
    Entry {
        name: "replicated-forgets",
        describe: "2 replicas, 2 sessions that put on the first and get on the second",
        bounds: "any loss, 1 round of anti-entropy, 1 restart without the state",
        size: Size::Small,
        states: 88_050,
        model: |bug| forgets(bug, 1, &[A_PUT_IS_LOST]),
    },
    Entry {
        name: "replicated-forgets-declares",
        describe: "the same",
        bounds: "any loss, 2 rounds of anti-entropy, 1 restart without the state",
        size: Size::Large,
        states: 2_142_439,
        model: |bug| forgets(bug, 2, &[A_PUT_IS_LOST, A_CONTEXT_IS_LOST]),
    },
    Entry {
        name: "replicated-failover",
        describe: "3 replicas, a session that puts on the first and gets on the last",
        bounds: "any loss and repetition, 1 restart with the state",
        size: Size::Small,
        states: 16_478,
        model: fails_over,
    },
    Entry {
        name: "replicated-forgets-twice",
        describe: "2 replicas, a session that puts before and after, and one that answers it",
        bounds: "any loss, 1 round of anti-entropy, 2 restarts without the state",
        size: Size::Large,
        states: 1_668_267,
        model: forgets_twice,
    },
    Entry {
        name: "replicated-forgets-3",
        describe: "3 replicas, a put that answers another",
        bounds: "any loss, 1 round of anti-entropy, 1 restart without the state",
        size: Size::Large,
        states: 539_315,
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

fn forgets(bug: Option<Bug>, rounds: u8, happens: &'static [&'static Happens]) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), get(1, "k")],
            vec![put(0, "k", "b"), get(1, "k")],
        ],
        budget: Budget {
            rounds,
            losses_of_memory: 1,
            ..Budget::default()
        },
        records: false,
        happens,
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<2>>(bug)
}

/// The session that gets turns from the last replica to the second, which may know nothing.
fn fails_over(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(1, "l", "b")],
            vec![put(0, "k", "a"), get(2, "k"), get(2, "l")],
        ],
        budget: Budget {
            repetitions: EVER,
            recoveries: 1,
            ..Budget::default()
        },
        happens: &[A_REQUEST_IS_REFUSED],
        ..Scenario::default()
    }
    .deploy::<CausalString, Replicated<3>>(bug)
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

#[cfg(test)]
mod tests {
    use crate::explore::assert_holds;

    #[test]
    fn replicas_that_restart_with_their_state_keep_their_promise() {
        assert_holds("replicated-recovers");
    }

    #[test]
    fn a_put_that_was_given_up_may_count_or_not() {
        assert_holds("replicated-gives-up");
    }

    #[test]
    fn only_what_no_other_replica_had_is_lost_with_a_memory() {
        assert_holds("replicated-forgets");
    }

    #[test]
    fn a_session_that_fails_over_sees_what_it_had_seen() {
        assert_holds("replicated-failover");
    }
}
