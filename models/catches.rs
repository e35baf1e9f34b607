//! Which model catches which planted bug, by which property, and the shortest way to it.

use kvs_core::bug::Bug;

#[cfg(test)]
use crate::adapter::ClusterModel;
use crate::catalogue::find;
use crate::explore::{Found, explore};
use crate::properties::{
    AN_ORDER_EXPLAINS_ALL, DOTS_ARE_UNIQUE, REPLICAS_AGREE, SESSIONS_ARE_CAUSAL,
};
use crate::raft;

/// Where a planted bug shows.
pub(crate) struct Catch {
    pub(crate) bug: Bug,
    /// The model.
    pub(crate) model: &'static str,
    /// Its property that does not hold.
    pub(crate) property: &'static str,
    /// What has to happen before it does not, in words.
    pub(crate) path: &'static [&'static str],
}

impl Catch {
    /// Looks for the bug, and ends with the first state that shows it: on one thread, so that it is
    /// the same each time and no other is nearer.
    pub(crate) fn explore(&self) -> Found {
        let entry = find(self.model).expect("a bug is caught by a model that there is");
        let model = (entry.model)(Some(self.bug)).only(self.property);
        explore(model, 1, |_| ())
    }
}

/// Every planted bug that a model catches.
pub(crate) fn catches() -> impl Iterator<Item = &'static Catch> {
    CATCHES.iter().chain(raft::CATCHES)
}

const CATCHES: &[Catch] = &[
    Catch {
        bug: Bug::OverwritingMerge,
        model: "replicated-lww",
        property: REPLICAS_AGREE,
        path: &["client 0 asks", "client 1 asks"],
    },
    Catch {
        bug: Bug::DeliveryBeforeDependencies,
        model: "replicated-causal-3",
        property: SESSIONS_ARE_CAUSAL,
        path: &[
            "client 0 asks",
            "client 1 asks",
            "n0 pushes",
            "n0 -> n1 rumour",
            "client 1 asks",
            "n1 pushes",
            "n1 -> n2 rumour",
            "client 2 asks",
        ],
    },
    Catch {
        bug: Bug::ForgottenContext,
        model: "replicated-causal",
        property: SESSIONS_ARE_CAUSAL,
        path: &["client 0 asks", "client 0 asks"],
    },
    Catch {
        bug: Bug::StaleReads,
        model: "local-stale",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
            "client 0 asks",
        ],
    },
    Catch {
        bug: Bug::ForeignKeys,
        model: "sharded",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "client 0's request arrives",
            "client 0 has its answer",
        ],
    },
    Catch {
        bug: Bug::MissingSibling,
        model: "replicated-causal",
        property: SESSIONS_ARE_CAUSAL,
        path: &[
            "client 0 asks",
            "client 1 asks",
            "client 1 asks",
            "n1 pushes to n0",
            "n1 -> n0 rumour",
        ],
    },
    Catch {
        bug: Bug::LostUpdateOnTransfer,
        model: "replicated-transfer",
        property: REPLICAS_AGREE,
        path: &[
            "client 0 asks",
            "client 0 asks",
            "client 1 asks",
            "n1 sends its digest to n0",
            "n1 -> n0 digest",
        ],
    },
    Catch {
        bug: Bug::ReusedDots,
        model: "replicated-transfer",
        property: DOTS_ARE_UNIQUE,
        path: &["client 0 asks", "client 0 asks"],
    },
    Catch {
        bug: Bug::UnloggedPut,
        model: "replicated-lww-clocks",
        property: REPLICAS_AGREE,
        path: &["client 0 asks", "client 0 asks"],
    },
    Catch {
        bug: Bug::RestartReusesDots,
        model: "replicated-forgets",
        property: DOTS_ARE_UNIQUE,
        path: &["client 0 asks", "n0 restarts empty", "client 1 asks"],
    },
    Catch {
        bug: Bug::StaleAfterPause,
        model: "replicated-causal",
        property: SESSIONS_ARE_CAUSAL,
        path: &[
            "client 0 asks",
            "client 0 asks",
            "n1 looks for overdue requests",
            "n1 looks for overdue requests",
        ],
    },
    Catch {
        bug: Bug::ResurrectedSibling,
        model: "replicated-causal",
        property: REPLICAS_AGREE,
        path: &[
            "client 0 asks",
            "n0 pushes to n1",
            "n0 -> n1 rumour",
            "client 1 asks",
            "n0 -> n1 rumour",
        ],
    },
    Catch {
        bug: Bug::ArrivalOrder,
        model: "replicated-lww",
        property: REPLICAS_AGREE,
        path: &["client 0 asks", "client 1 asks"],
    },
    Catch {
        bug: Bug::ClockNotCarried,
        model: "replicated-lww-clocks",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 1 asks",
            "client 1 asks",
            "n1 pushes to n0",
            "n1 -> n0 rumour",
            "client 1 asks",
            "client 0 asks",
        ],
    },
    Catch {
        bug: Bug::NoRepair,
        model: "replicated-causal",
        property: REPLICAS_AGREE,
        path: &["client 0 asks"],
    },
    Catch {
        bug: Bug::ForgottenContextOnFailover,
        model: "replicated-failover",
        property: SESSIONS_ARE_CAUSAL,
        path: &["client 1 asks", "client 1 asks", "n2 restarts"],
    },
    Catch {
        bug: Bug::AckBeforeSync,
        model: "local-disk",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &["client 0 asks", "n0 restarts with 0 changes"],
    },
    Catch {
        bug: Bug::NoWriteBack,
        model: "quorum",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "client 1 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "client 1 asks at 1",
            "n1 -> n2 query",
            "n2 -> n1 answer",
        ],
    },
    Catch {
        bug: Bug::SharedVersion,
        model: "quorum-puts",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "client 1 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "n0 -> n2 write",
            "n2 -> n0 written",
        ],
    },
    Catch {
        bug: Bug::ReusedVersion,
        model: "quorum-disk",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "n0 syncs a change",
            "n0 -> n2 write",
            "n0 restarts with 1 changes",
            "client 0 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "n0 syncs a change",
            "n2 syncs a change",
            "n2 -> n0 written",
            "client 0 asks at 1",
            "n1 -> n2 query",
            "n2 -> n1 answer",
            "n1 syncs a change",
        ],
    },
    Catch {
        bug: Bug::EmptyReplicaVotes,
        model: "quorum-forgets",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "n0 -> n1 write",
            "n1 -> n0 written",
            "n1 restarts empty",
            "client 0 asks at 1",
            "n1 -> n2 query",
            "n2 -> n1 answer",
        ],
    },
    Catch {
        bug: Bug::FirstAnswer,
        model: "quorum-puts",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "n0 -> n1 query",
            "n1 -> n0 answer",
            "n0 -> n2 write",
            "n2 -> n0 written",
            "client 2 asks",
        ],
    },
    Catch {
        bug: Bug::HintExpires,
        model: "sloppy",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "n0 asks again",
            "n0 -> n2 hint",
            "n2 -> n0 written",
            "n0 restarts empty",
        ],
    },
];

/// The shortest way to a state that breaks this property, with this bug.
#[cfg(test)]
pub(crate) fn counterexample(model: &str, bug: Bug, property: &'static str) -> Vec<String> {
    let entry = find(model).expect("there is such a model");
    counterexample_of((entry.model)(Some(bug)), property)
}

/// The shortest way to a state of this model that breaks this property.
#[cfg(test)]
pub(crate) fn counterexample_of(model: ClusterModel, property: &'static str) -> Vec<String> {
    let mut found = explore(model.only(property), 1, |_| ());
    let broken = found.broken.pop().expect("the bug breaks it");
    broken.path.expect("there is a way to it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Broken;
    use crate::properties::{BUFFERS_ARE_BOUNDED, NOTHING_IS_LOST, NOTHING_WAITS};

    #[test]
    fn every_planted_bug_is_caught_by_its_model_on_the_shortest_way() {
        for catch in catches() {
            let found = catch.explore();
            let [
                Broken {
                    property,
                    path: Some(path),
                },
            ] = found.broken.as_slice()
            else {
                panic!("{} is not caught by {}", catch.bug, catch.model);
            };
            assert_eq!(*property, catch.property);
            assert_eq!(path, catch.path, "{}", catch.bug);
        }
    }

    #[test]
    fn every_planted_bug_that_a_model_must_find_has_one() {
        for bug in Bug::ALL {
            let catches = catches().filter(|catch| catch.bug == bug).count();
            assert_eq!(catches, usize::from(bug.facts().model), "{bug}");
        }
    }

    #[test]
    fn a_request_waits_for_ever_for_what_no_digest_brings() {
        let path = counterexample("replicated-causal", Bug::NoRepair, NOTHING_WAITS);
        assert_eq!(path, ["client 0 asks", "client 0 asks"]);
    }

    #[test]
    fn a_transfer_that_replaces_the_state_loses_what_the_receiver_had_accepted() {
        let model = "replicated-transfer";
        let path = counterexample(model, Bug::LostUpdateOnTransfer, NOTHING_IS_LOST);
        let expected = [
            "client 0 asks",
            "client 0 asks",
            "client 1 asks",
            "n1 sends its digest to n0",
            "n1 -> n0 digest",
        ];
        assert_eq!(path, expected);
    }

    #[test]
    fn the_causal_tester_refuses_a_session_that_misses_its_own_put() {
        let model = "replicated-causal-history";
        let path = counterexample(model, Bug::ForgottenContext, AN_ORDER_EXPLAINS_ALL);
        assert_eq!(path, ["client 0 asks", "client 0 asks"]);
    }

    #[test]
    fn the_causal_tester_refuses_a_reused_dot() {
        let path = counterexample(
            "replicated-transfer",
            Bug::ReusedDots,
            AN_ORDER_EXPLAINS_ALL,
        );
        assert_eq!(path, ["client 0 asks", "client 0 asks"]);
    }

    #[test]
    fn the_lww_tester_refuses_a_replica_that_takes_an_older_update() {
        let path = counterexample(
            "replicated-lww",
            Bug::OverwritingMerge,
            AN_ORDER_EXPLAINS_ALL,
        );
        let expected = [
            "client 0 asks",
            "client 1 asks",
            "n0 pushes to n1",
            "n0 -> n1 rumour",
            "client 1 asks",
        ];
        assert_eq!(path, expected);
    }

    #[test]
    fn a_log_longer_than_its_bound_is_seen() {
        let entry = find("replicated-bounds").expect("there is such a model");
        let mut model = (entry.model)(None).only(BUFFERS_ARE_BOUNDED);
        model.bounds.gossip.log_updates_max = 0;
        let found = explore(model, 1, |_| ());
        let [
            Broken {
                path: Some(path), ..
            },
        ] = found.broken.as_slice()
        else {
            panic!("the replicas log one update, as their settings say");
        };
        assert_eq!(path, &["client 0 asks"]);
    }
}
