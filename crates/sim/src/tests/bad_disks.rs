//! Simulations in which disks and processes fail, and nothing else.

use super::*;

/// Disks are slow and fail, processes end, and nothing else goes wrong.
fn with_bad_disks(seed: u64, architecture: &Architecture, bug: Option<Bug>) -> Simulated {
    let all = SimFault::ALL.iter().copied();
    let others = all.filter(|fault| ![SimFault::DISK, SimFault::CRASH].contains(fault));
    let options = Options {
        bug,
        without: others.collect(),
        ..Options::new(architecture.clone(), Lattice::Causal)
    };
    run(&Plan::draw(seed, &options))
}

#[test]
fn crashes_before_a_sync_take_nothing_that_was_acknowledged() {
    for architecture in [
        Architecture::local(),
        Architecture::replicated(3).expect("a size"),
    ] {
        let mut counters = Counters::default();
        for seed in 0..60 {
            let outcome = with_bad_disks(seed, &architecture, None);
            assert_eq!(
                outcome.verdict,
                SimVerdict::Valid,
                "{architecture}, seed {seed}"
            );
            counters.add(&outcome.counters);
        }
        let marks = [
            counters.syncs,
            counters.changes_lost,
            counters.changes_torn,
            counters.faults[SimFault::DISK.index()],
            counters.faults[SimFault::CRASH.index()],
        ];
        assert!(
            marks.iter().all(|mark| *mark > 10),
            "{architecture}: {marks:?}"
        );
    }
}

#[test]
fn a_put_that_was_acknowledged_before_its_sync_is_missed() {
    for architecture in [
        Architecture::local(),
        Architecture::replicated(3).expect("a size"),
    ] {
        let failures = (0..20)
            .map(|seed| with_bad_disks(seed, &architecture, Some(Bug::AckBeforeSync)))
            .filter(|outcome| outcome.verdict.is_failure());
        assert!(failures.count() > 3, "{architecture}");
    }
}
