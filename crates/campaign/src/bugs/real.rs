//! The real run that shows a bug: the simplest store that has it, under a load that provokes it.

use std::time::Duration;

use kvs_core::bug::Bug;
use kvs_core::session::{Policy, Routing};
use kvs_harness::run::Config;
use kvs_load::nemesis::{FaultKind, Wanted};
use kvs_load::workload::{Chosen, FaultStep};
use kvs_node::node::Durability;

/// Real runs are short: what a bug breaks shows within a second, and in three on a machine that has
/// other things to do.
const DURATION: Duration = Duration::from_secs(3);
/// How long they are driven before that.
const WARMUP: Duration = Duration::from_millis(100);
/// The time from one fault to the next, where they come at random.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long an answer may take where a node is cut off and clients have to turn to others soon.
const TIMEOUT: Duration = Duration::from_millis(200);

/// The run of the store that shows this bug, without the bug.
pub(super) fn unbroken(bug: Bug) -> Config {
    let load = Chosen::of_catalogue(workload(bug));
    let facts = bug.facts();
    let config = Config {
        lattice: facts.lattice.unwrap_or_default(),
        ..Config::new(facts.store.into(), load)
    };
    let config = provoked(bug, config);
    Config {
        load: config.load.lasting(DURATION).warmed_up_for(WARMUP),
        ..config
    }
}

/// The load that shows it.
const fn workload(bug: Bug) -> &'static str {
    match bug {
        // Seen in keys that are not put again soon.
        Bug::ForeignKeys | Bug::UnloggedPut => "zipf",
        Bug::RestartReusesDots => "lonely-restart",
        // What is lost must not be put again.
        Bug::HintExpires => "write-once",
        Bug::OverwritingMerge
        | Bug::DeliveryBeforeDependencies
        | Bug::ForgottenContext
        | Bug::StaleReads
        | Bug::MissingSibling
        | Bug::LostUpdateOnTransfer
        | Bug::ReusedDots
        | Bug::StaleAfterPause
        | Bug::ResurrectedSibling
        | Bug::ArrivalOrder
        | Bug::ClockNotCarried
        | Bug::NoRepair
        | Bug::ForgottenContextOnFailover
        | Bug::AckBeforeSync
        | Bug::NoWriteBack
        | Bug::SharedVersion
        | Bug::ReusedVersion
        | Bug::EmptyReplicaVotes
        | Bug::FirstAnswer
        | Bug::VoteNotSynced
        | Bug::TwoVotes
        | Bug::CountsEarlierTerms
        | Bug::ReadsBeforeOwnEntry
        | Bug::OldHeartbeat
        | Bug::WallClockLease
        | Bug::SnapshotForgetsCalls
        | Bug::TruncatesCommitted => "contended",
    }
}

/// The same with what else the bug needs to show.
fn provoked(bug: Bug, config: Config) -> Config {
    let every = |kind| Wanted {
        interval: Some(INTERVAL),
        ..Wanted::of(kind)
    };
    match bug {
        Bug::LostUpdateOnTransfer => Config {
            policy: Policy {
                routing: Routing::Sticky,
                ..config.policy
            },
            ..config
        },
        Bug::RestartReusesDots => Config {
            timeout: TIMEOUT,
            ..config
        },
        Bug::StaleAfterPause => Config {
            load: config.load.with_faults(vec![cut_off()]),
            ..config
        },
        Bug::HintExpires => Config {
            timeout: TIMEOUT,
            load: puts_alone(config.load).with_faults(alone_with_a_spare()),
            ..config
        },
        Bug::ClockNotCarried => Config {
            faults: every(FaultKind::CLOCK),
            ..config
        },
        Bug::AckBeforeSync => Config {
            durability: Durability::Disk,
            faults: every(FaultKind::KILL),
            ..config
        },
        Bug::OverwritingMerge
        | Bug::DeliveryBeforeDependencies
        | Bug::ForgottenContext
        | Bug::StaleReads
        | Bug::ForeignKeys
        | Bug::MissingSibling
        | Bug::ReusedDots
        | Bug::UnloggedPut
        | Bug::ResurrectedSibling
        | Bug::ArrivalOrder
        | Bug::NoRepair
        | Bug::ForgottenContextOnFailover
        | Bug::NoWriteBack
        | Bug::SharedVersion
        | Bug::ReusedVersion
        | Bug::EmptyReplicaVotes
        | Bug::FirstAnswer
        | Bug::VoteNotSynced
        | Bug::TwoVotes
        | Bug::CountsEarlierTerms
        | Bug::ReadsBeforeOwnEntry
        | Bug::OldHeartbeat
        | Bug::WallClockLease
        | Bug::SnapshotForgetsCalls
        | Bug::TruncatesCommitted => config,
    }
}

/// A node whose peers neither hear it nor are heard, for longer than requests may wait.
fn cut_off() -> FaultStep {
    FaultStep {
        at: Duration::from_millis(200),
        lasts: Duration::from_secs(2),
        fault: FaultKind::PARTITION,
        what: None,
        nodes: vec![1],
    }
}

/// The same load without gets, which node 0 could not answer alone.
fn puts_alone(mut load: Chosen) -> Chosen {
    for setting in ["mix.read=0", "mix.insert=1"] {
        load.set(setting).expect("a setting of every workload");
    }
    load
}

/// Clients and the spare reach node 0 alone, which then loses what it had in memory.
fn alone_with_a_spare() -> Vec<FaultStep> {
    let step = |at, lasts, fault, what: Option<&str>, nodes: &[u16]| FaultStep {
        at: Duration::from_millis(at),
        lasts: Duration::from_millis(lasts),
        fault,
        what: what.map(str::to_owned),
        nodes: nodes.to_vec(),
    };
    vec![
        step(200, 1_800, FaultKind::PARTITION, Some("one"), &[1]),
        step(200, 1_800, FaultKind::PARTITION, Some("one"), &[2]),
        step(200, 1_800, FaultKind::PARTITION, Some("clients"), &[1, 2]),
        step(1_500, 200, FaultKind::KILL, None, &[0]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_real_run_has_room_for_its_faults() {
        let mut beset = 0;
        for bug in Bug::ALL.into_iter().filter(|bug| bug.facts().real) {
            let plan = unbroken(bug).plan();
            let plan = plan.unwrap_or_else(|refused| panic!("{bug}: {refused}"));
            beset += usize::from(plan.is_some());
        }
        assert!(beset >= 4, "{beset}");
    }
}
