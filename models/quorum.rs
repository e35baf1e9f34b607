//! `quorum`: three replicas, whose promise is linearizability, while messages are lost and processes
//! end. Requests are taken and answered at once where they arrive; operations overlap all the same,
//! since they wait for messages.
//!
//! Which replica is asked first is drawn: a request comes with any of two random numbers.

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::replica::{QuorumRule, QuorumSettings, Settings};
use kvs_core::server::{Architecture, DEFAULT_SIZE, QuorumKVSServer};
use kvs_core::values::LwwWrapper;

use crate::adapter::{Budget, ClusterModel, Scenario, TICK_NS};
use crate::catalogue::{Entry, Size};
use crate::client::{Step, get, put};
use crate::properties::{A_CHANGE_IS_LOST, A_GET_GOES_BACK};

type Lww = LwwWrapper<String>;

/// Either of the two peers is asked first.
pub(crate) const EITHER: &[u64] = &[0, TICK_NS + 1];

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "quorum",
        describe: "3 replicas of a quorum, a session that puts a key, one that gets it at two of them",
        bounds: "any loss",
        size: Size::Small,
        states: 1_192,
        model: put_and_gets,
    },
    Entry {
        name: "quorum-repeats",
        describe: "3 replicas of a quorum, a session that puts a key, one that gets it at another",
        bounds: "any loss, 1 repetition, 1 look or round of anti-entropy",
        size: Size::Small,
        states: 76_967,
        model: repeats,
    },
    Entry {
        name: "quorum-puts",
        describe: "3 replicas of a quorum, 2 sessions that put a key at one of them, one that gets it",
        bounds: "any loss",
        size: Size::Small,
        states: 12_844,
        model: puts_at_once,
    },
    Entry {
        name: "quorum-strict",
        describe: "3 replicas of a quorum without write-back, a put and two gets: regular, and a get goes back",
        bounds: "any loss",
        size: Size::Small,
        states: 1_947,
        model: strict,
    },
    Entry {
        name: "quorum-forgets",
        describe: "3 replicas of a quorum, a session that puts a key and gets it",
        bounds: "any loss, 1 restart without the state",
        size: Size::Small,
        states: 6_378,
        model: forgets,
    },
    Entry {
        name: "quorum-disk",
        describe: "3 replicas of a quorum with disks, 2 puts at one of them and a get",
        bounds: "any loss, 1 crash that leaves any change that is not durable or none",
        size: Size::Small,
        states: 15_187,
        model: disks,
    },
    Entry {
        name: "sloppy",
        describe: "2 replicas of a sloppy quorum and a spare, a session that puts a key",
        bounds: "any loss, 2 looks, rounds or hand-overs, 1 restart without the state",
        size: Size::Small,
        states: 25_760,
        model: sloppy,
    },
];

pub(crate) fn settings() -> Settings {
    Settings {
        quorum: QuorumSettings {
            looks_max: 4,
            ..QuorumSettings::default()
        },
        ..Settings::default()
    }
}

fn put_then_gets() -> Vec<Vec<Step>> {
    vec![vec![put(0, "k", "a")], vec![get(0, "k"), get(1, "k")]]
}

fn put_and_gets(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: put_then_gets(),
        walls: EITHER,
        settings: settings(),
        ..Scenario::default()
    }
    .deploy::<Lww, QuorumKVSServer<Lww>>(bug)
}

fn repeats(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a")], vec![get(1, "k")]],
        budget: Budget {
            repetitions: 1,
            rounds: 1,
            ..Budget::default()
        },
        settings: settings(),
        ..Scenario::default()
    }
    .deploy::<Lww, QuorumKVSServer<Lww>>(bug)
}

fn strict(bug: Option<Bug>) -> ClusterModel {
    let rule = QuorumRule {
        write_back: false,
        ..QuorumRule::majorities(DEFAULT_SIZE)
    };
    let store = Architecture::quorum(DEFAULT_SIZE, rule).expect("a possible rule");
    Scenario {
        scripts: put_then_gets(),
        walls: EITHER,
        settings: settings(),
        happens: &[A_GET_GOES_BACK],
        ..Scenario::default()
    }
    .deploy_on(&store, Lattice::Lww, bug)
}

fn puts_at_once(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a")],
            vec![put(0, "k", "b")],
            vec![get(1, "k")],
        ],
        settings: settings(),
        ..Scenario::default()
    }
    .deploy::<Lww, QuorumKVSServer<Lww>>(bug)
}

fn forgets(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a"), get(1, "k")]],
        budget: Budget {
            losses_of_memory: 1,
            ..Budget::default()
        },
        walls: EITHER,
        settings: settings(),
        ..Scenario::default()
    }
    .deploy::<Lww, QuorumKVSServer<Lww>>(bug)
}

fn disks(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a"), put(0, "k", "b"), get(1, "k")]],
        budget: Budget {
            recoveries: 1,
            ..Budget::default()
        },
        walls: EITHER,
        disks: true,
        settings: settings(),
        happens: &[A_CHANGE_IS_LOST],
        ..Scenario::default()
    }
    .deploy::<Lww, QuorumKVSServer<Lww>>(bug)
}

fn sloppy(bug: Option<Bug>) -> ClusterModel {
    let rule = QuorumRule {
        read: 1,
        ..QuorumRule::majorities(2)
    };
    let store = Architecture::sloppy(2, 1, rule).expect("a possible rule");
    Scenario {
        scripts: vec![vec![put(0, "k", "a")]],
        budget: Budget {
            rounds: 2,
            losses_of_memory: 1,
            ..Budget::default()
        },
        settings: settings(),
        ..Scenario::default()
    }
    .deploy_on(&store, Lattice::Lww, bug)
}

#[cfg(test)]
mod tests {
    use crate::explore::assert_holds;

    #[test]
    fn a_quorum_is_linearizable_whatever_is_lost() {
        assert_holds("quorum");
    }

    #[test]
    fn a_quorum_is_linearizable_when_messages_come_twice_and_are_asked_for_again() {
        assert_holds("quorum-repeats");
    }

    #[test]
    fn a_quorum_without_write_back_is_regular_and_a_get_goes_back() {
        assert_holds("quorum-strict");
    }

    #[test]
    fn puts_at_once_at_one_replica_are_linearizable() {
        assert_holds("quorum-puts");
    }

    #[test]
    fn a_replica_that_comes_back_empty_loses_nothing() {
        assert_holds("quorum-forgets");
    }

    #[test]
    fn what_a_sloppy_quorum_has_answered_is_there_in_the_end_if_one_memory_is_lost() {
        assert_holds("sloppy");
    }

    #[test]
    fn a_quorum_with_disks_is_linearizable_whatever_a_crash_leaves() {
        assert_holds("quorum-disk");
    }
}
