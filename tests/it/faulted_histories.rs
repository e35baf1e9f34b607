//! Histories that the simulator records of replicas with disks under faults, on few keys, judged
//! with their evidence and without, and with too little time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kvs_zoo::checker::{Clock, Engine, Options, Property, Report, VerdictWord, check};
use kvs_zoo::history::{Evidence, History};
use kvs_zoo::protocol::Lattice;
use kvs_zoo::sim::{self, Plan, SimFault};
use kvs_zoo::workload::Workload;

/// Steps of the workload: enough for siblings and unknown outcomes, too few for a second thread of
/// the checker, so that the clock is read in one order.
const STEPS: u64 = 1_500;
const HISTORIES: usize = 4;
/// What is searched at most, for a seed whose disks fail.
const SEEDS: std::ops::Range<u64> = 0..40;
/// So many times a lent clock jumps, each time somewhat later.
const JUMPS: u64 = 24;
const BUDGET: Duration = Duration::from_secs(1_000);
/// What a verdict of `causal` rests on beside the session guarantees, which the certificate
/// implies.
const DECISIVE: [Property; 4] = [
    Property::Integrity,
    Property::Convergence,
    Property::LostWrites,
    Property::Causal,
];
const COMMAND: &str = "`kvs-bench check here --check-budget none`";

/// What clients of three replicas with disks saw on the keys of `contended`, where syncs failed
/// and other faults came too.
fn histories() -> Vec<History> {
    let contended = Workload::load("contended").unwrap();
    let architecture = "replicated".parse().unwrap();
    let options = sim::Options {
        steps: STEPS,
        ..sim::Options::new(architecture, Lattice::Causal)
    };
    let recorded = SEEDS.filter_map(|seed| {
        let plan = Plan {
            workload: contended.clone(),
            loses_puts: false,
            ..Plan::draw(seed, &options)
        };
        let outcome = sim::run(&plan);
        let disks_failed = outcome.counters.faults[SimFault::DISK.index()] > 0;
        let puts_met = outcome.counters.sibling_reads > 0;
        let is_wanted = disks_failed && puts_met && outcome.counters.timeouts > 0;
        is_wanted.then_some(outcome.history)
    });
    let found: Vec<History> = recorded.take(HISTORIES).collect();
    assert_eq!(found.len(), HISTORIES, "other seeds are needed");
    for history in &found {
        let evidence = &history.columns.evidence;
        assert!(evidence.contains(&Evidence::Causal), "nothing to verify");
    }
    found
}

/// Judges by the promise, by the direct engine, with a clock if there is one.
fn judged(history: &History, clock: Option<Clock>) -> Report {
    let options = Options {
        engine: Engine::Direct,
        check_budget: clock.is_some().then_some(BUDGET),
        clock,
        again: Some("kvs-bench check here".to_owned()),
        ..Options::default()
    };
    check(history, &options)
}

/// A clock that stands still until it has been read so often, and then goes on by `jump` at once;
/// and how often it was read.
fn jumping(after: u64, jump: Duration) -> (Clock, Arc<AtomicU64>) {
    let reads = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reads);
    let clock = Clock::new(move || {
        let is_over = counted.fetch_add(1, Ordering::Relaxed) >= after;
        if is_over { jump } else { Duration::ZERO }
    });
    (clock, reads)
}

/// The reports of checks whose clock jumps ever later, from the second time that it is read (the
/// first says when the check began) to after the last.
fn with_jumps(history: &History, jump: Duration) -> Vec<Report> {
    let (clock, reads) = jumping(u64::MAX, jump);
    let whole = judged(history, Some(clock));
    let reads = reads.load(Ordering::Relaxed);
    assert!(reads > JUMPS, "the clock was read {reads} times: {whole}");
    let places = (0..JUMPS).map(|number| 1 + number * reads / JUMPS);
    let cut = places.map(|after| judged(history, Some(jumping(after, jump).0)));
    cut.chain([whole]).collect()
}

fn is_verified(report: &Report, property: Property) -> bool {
    report.check(property).is_some_and(|c| c.verdict.is_valid())
}

#[test]
fn a_faulted_contended_history_is_valid_by_its_certificate() {
    for history in histories() {
        let report = judged(&history, None);
        assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
        assert!(is_verified(&report, Property::Causal), "{report}");
    }
}

#[test]
fn a_faulted_contended_history_is_never_invalid_without_its_evidence() {
    for history in histories() {
        let history = history.without_evidence();
        let reports = with_jumps(&history, 2 * BUDGET);
        for report in &reports {
            assert_ne!(report.verdict(), VerdictWord::Invalid, "{report}");
            let refuted = report.checks.iter().any(|check| check.verdict.is_invalid());
            assert!(!refuted, "{report}");
            if report.verdict() == VerdictWord::Valid {
                let decided = is_verified(report, Property::CausalBlackBox);
                assert!(decided, "nothing else can tell: {report}");
            } else {
                names_the_command(report);
            }
        }
    }
}

#[test]
fn a_budget_that_is_over_at_once_leaves_valid_only_what_the_certificate_proved_in_time() {
    for history in histories() {
        let reports = with_jumps(&history, 2 * BUDGET);
        for report in &reports {
            match report.verdict() {
                VerdictWord::Valid => {
                    let verified = |property: &Property| is_verified(report, *property);
                    assert!(DECISIVE.iter().all(verified), "{report}");
                }
                VerdictWord::Unknown => names_the_command(report),
                VerdictWord::Invalid => panic!("{report}"),
            }
        }
        let verdicts: Vec<VerdictWord> = reports.iter().map(Report::verdict).collect();
        assert_eq!(
            verdicts.first(),
            Some(&VerdictWord::Unknown),
            "over at once"
        );
        assert_eq!(verdicts.last(), Some(&VerdictWord::Valid), "in time");
    }
}

#[test]
fn a_black_box_without_time_leaves_a_verified_certificate_valid() {
    // Longer than the black box may take after a certificate, and no end of the budget.
    let jump = BUDGET / 10;
    for history in histories() {
        let reports = with_jumps(&history, jump);
        let remark = "black box unfinished";
        let is_cut = |report: &&Report| report.to_string().contains(remark);
        assert!(reports.iter().any(|report| is_cut(&report)), "never cut");
        for report in &reports {
            assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
            assert!(is_verified(report, Property::Causal), "{report}");
        }
    }
}

#[track_caller]
fn names_the_command(report: &Report) {
    let text = report.to_string();
    let line = text.lines().next().unwrap_or_default();
    let is_named = line.starts_with("unknown") && line.contains(COMMAND);
    assert!(is_named, "{report}");
}
