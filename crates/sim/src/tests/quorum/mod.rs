//! Replicas of a quorum under random schedules, below the simulator's own world: every message may
//! be lost, repeated or overtaken, a process may end between any two steps, with its disk or
//! without, and operations overlap as they like. What the clients saw is judged by the checker.

mod schedule;
mod simulated;

use kvs_check::{Model, Outcome};
use kvs_core::bug::Bug;
use kvs_core::replica::QuorumRule;

use self::schedule::{Schedule, Setting, Survival};

const SEEDS: u64 = 300;
/// A planted bug that shows in none of so many schedules is one that nothing would catch.
const SEEDS_OF_BUGS: u64 = 3_000;

const fn rule(read: u16, write: u16, write_back: bool) -> QuorumRule {
    QuorumRule {
        read,
        write,
        write_back,
        sloppy: false,
    }
}

const ABD_OF_THREE: Setting = Setting {
    replicas: 3,
    rule: rule(2, 2, true),
    survival: Survival::Nothing,
    bug: None,
};

const ABD_OF_FIVE: Setting = Setting {
    replicas: 5,
    rule: rule(3, 3, true),
    ..ABD_OF_THREE
};

#[track_caller]
fn assert_linearizable(setting: Setting) {
    let mut answered = 0;
    for seed in 0..SEEDS {
        let mut schedule = Schedule::new(seed, setting);
        schedule.run();
        let agreed = schedule.settle();
        assert_eq!(agreed, Ok(()), "seed {seed}");
        let history = schedule.into_history();
        answered += history
            .columns
            .outcome
            .iter()
            .filter(|outcome| **outcome == Outcome::Ok)
            .count();
        let report = history.check(Model::Linearizable);
        assert!(report.is_valid(), "seed {seed}: {report}");
        assert!(history.check(Model::Eventual).is_valid(), "seed {seed}");
    }
    assert!(
        answered > 10_000,
        "only {answered} operations were answered"
    );
}

/// The first seed whose history is not linearizable.
fn first_violation(setting: Setting) -> Option<u64> {
    (0..SEEDS_OF_BUGS).find(|seed| {
        let mut schedule = Schedule::new(*seed, setting);
        schedule.run();
        let _ = schedule.settle();
        let report = schedule.into_history().check(Model::Linearizable);
        assert!(report.is_valid() || report.is_invalid(), "{report}");
        report.is_invalid()
    })
}

#[track_caller]
fn assert_caught(bug: Bug, setting: Setting) {
    let setting = Setting {
        bug: Some(bug),
        ..setting
    };
    let seed = first_violation(setting);
    assert!(seed.is_some(), "{bug} shows in no schedule");
}

#[test]
fn three_replicas_are_linearizable_when_nobody_dies() {
    assert_linearizable(ABD_OF_THREE);
}

#[test]
fn three_replicas_are_linearizable_when_one_at_a_time_comes_back_empty() {
    assert_linearizable(Setting {
        survival: Survival::Empty,
        ..ABD_OF_THREE
    });
}

#[test]
fn three_replicas_are_linearizable_when_all_come_back_with_what_was_synced() {
    assert_linearizable(Setting {
        survival: Survival::Synced,
        ..ABD_OF_THREE
    });
}

#[test]
fn five_replicas_are_linearizable_when_two_at_a_time_come_back_empty() {
    assert_linearizable(Setting {
        survival: Survival::Empty,
        ..ABD_OF_FIVE
    });
}

#[test]
fn five_replicas_are_linearizable_when_all_come_back_with_what_was_synced() {
    assert_linearizable(Setting {
        survival: Survival::Synced,
        ..ABD_OF_FIVE
    });
}

#[test]
fn every_rule_whose_quorums_meet_is_linearizable_with_write_back() {
    for (replicas, read, write) in [
        (1, 1, 1),
        (2, 2, 1),
        (3, 1, 3),
        (3, 2, 3),
        (4, 2, 3),
        (5, 2, 4),
    ] {
        assert_linearizable(Setting {
            replicas,
            rule: rule(read, write, true),
            survival: Survival::Synced,
            bug: None,
        });
    }
}

#[test]
fn one_that_comes_back_empty_costs_nothing_where_writes_take_all() {
    for replicas in [3, 5] {
        assert_linearizable(Setting {
            replicas,
            rule: rule(1, replicas, true),
            survival: Survival::Empty,
            bug: None,
        });
    }
}

#[test]
fn without_write_back_a_later_get_may_go_back() {
    let setting = Setting {
        rule: rule(2, 2, false),
        ..ABD_OF_THREE
    };
    assert!(first_violation(setting).is_some());
}

#[test]
fn quorums_that_do_not_meet_are_not_linearizable() {
    let setting = Setting {
        rule: rule(1, 1, true),
        ..ABD_OF_THREE
    };
    assert!(first_violation(setting).is_some());
}

#[test]
fn gets_that_are_not_written_back_are_caught() {
    assert_caught(Bug::NoWriteBack, ABD_OF_THREE);
}

#[test]
fn a_version_for_two_puts_at_once_is_caught() {
    assert_caught(Bug::SharedVersion, ABD_OF_THREE);
}

#[test]
fn a_version_that_is_given_out_again_after_a_restart_is_caught() {
    let setting = Setting {
        survival: Survival::Synced,
        ..ABD_OF_THREE
    };
    assert_caught(Bug::ReusedVersion, setting);
}

#[test]
fn an_empty_replica_that_answers_is_caught() {
    for setting in [ABD_OF_THREE, ABD_OF_FIVE] {
        let survival = Survival::Empty;
        assert_caught(
            Bug::EmptyReplicaVotes,
            Setting {
                survival,
                ..setting
            },
        );
    }
}

#[test]
fn a_get_that_takes_the_first_answer_is_caught() {
    assert_caught(Bug::FirstAnswer, ABD_OF_THREE);
}
