//! Known differences are found, and none is found where there is none.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;
use kvs_measure::{NodeRecord, Summary, Unstarted};

/// A run with this throughput, whose latency is the inverse of it.
fn run(per_second: f64, verdict: VerdictWord) -> RunRecord {
    let mut run: RunRecord = serde_json::from_str(include_str!(
        "../../../../../tests/testdata/records/before-faults.json"
    ))
    .expect("a record");
    run.statistics.throughput.achieved_per_s = Some(per_second);
    let ns = (1e9 / per_second) as u64;
    run.statistics.service = Some(Summary {
        count: 1000,
        p50: Some(ns),
        p99: Some(ns * 9),
        ..Summary::default()
    });
    run.nodes = vec![NodeRecord {
        requests: 1000,
        cpu_seconds: Some(1.0 / per_second),
        resident_bytes: Some(1_000_000),
        ..NodeRecord::default()
    }];
    run.verdict.verdict = verdict;
    run
}

/// The comparison of these, by the usual settings.
fn compared(a: &[RunRecord], b: &[RunRecord]) -> Comparison {
    let (a, b) = (a.to_vec().into(), b.to_vec().into());
    compare(&a, &b, Thresholds::default())
}

/// Runs around a throughput, with noise of some percent.
fn runs(count: usize, per_second: f64, noise: f64, random: &mut Pcg64Mcg) -> Vec<RunRecord> {
    (0..count)
        .map(|_| {
            // The sum of uniform numbers is bell-shaped enough.
            let bell: f64 = (0..6).map(|_| random.random::<f64>() - 0.5).sum();
            run(per_second * (1.0 + noise * bell), VerdictWord::Valid)
        })
        .collect()
}

#[test]
fn a_slowdown_of_a_seventh_is_found_and_refused() {
    let mut random = Pcg64Mcg::seed_from_u64(7);
    for _ in 0..20 {
        let a = runs(10, 50_000.0, 0.04, &mut random);
        let b = runs(10, 42_500.0, 0.04, &mut random);
        let comparison = compared(&a, &b);
        assert_eq!(
            comparison.answer(),
            Answer::Refused,
            "{}",
            text(&comparison)
        );
        assert!(
            comparison.headline().starts_with("WORSE"),
            "{}",
            comparison.headline()
        );
        let other_way = compared(&b, &a);
        assert_eq!(other_way.answer(), Answer::Green, "{}", text(&other_way));
    }
}

#[test]
fn runs_of_the_same_are_called_different_at_most_once_in_a_hundred_times() {
    let mut random = Pcg64Mcg::seed_from_u64(11);
    let settings = Thresholds {
        // Whatever is certain counts here, however small.
        large: 0.0,
        ..Thresholds::default()
    };
    let alarms = (0..400)
        .filter(|_| {
            let a = runs(10, 50_000.0, 0.1, &mut random);
            let b = runs(10, 50_000.0, 0.1, &mut random);
            let comparison = compare(&a.into(), &b.into(), settings);
            comparison.has(Finding::Worse) || comparison.has(Finding::Better)
        })
        .count();
    assert!(alarms <= 4, "{alarms} of 400");
}

#[test]
fn false_alarms_are_counted_and_a_drift_of_the_machine_is_none() {
    let mut random = Pcg64Mcg::seed_from_u64(5);
    // The machine gets slower all the while, as a shared one may.
    let drifting: Vec<RunRecord> = (0..60)
        .map(|at| {
            let noise = 1.0 + 0.05 * (random.random::<f64>() - 0.5);
            run(
                50_000.0 * (1.0 - f64::from(at) * 0.005) * noise,
                VerdictWord::Valid,
            )
        })
        .collect();
    let alarms = false_alarms(&drifting, 10, Thresholds::default()).expect("enough runs");
    assert_eq!(alarms, FalseAlarms::default());
    assert_eq!(
        false_alarms(&drifting[..19], 10, Thresholds::default()),
        None
    );
    // The control: a change that is there is seen.
    let uneven: Vec<RunRecord> = (0..60)
        .map(|at| {
            run(
                if at < 30 { 50_000.0 } else { 10_000.0 } + f64::from(at),
                VerdictWord::Valid,
            )
        })
        .collect();
    let halves = compared(&uneven[..30], &uneven[30..]);
    assert!(
        halves.has(Finding::Worse),
        "a change is seen where there is one"
    );
}

#[test]
fn single_runs_differ_as_they_may_and_nothing_is_said_of_it() {
    let (a, b) = (
        run(50_000.0, VerdictWord::Valid),
        run(20_000.0, VerdictWord::Valid),
    );
    let comparison = compared(&[a], &[b]);
    assert_eq!(comparison.answer(), Answer::Undecided);
    let headline = comparison.headline();
    assert!(headline.starts_with("TOO FEW RUNS"), "{headline}");
    assert!(headline.contains("take 7 of each"), "{headline}");
}

#[test]
fn a_promise_that_broke_is_refused_however_fast_the_store_was() {
    let a = run(50_000.0, VerdictWord::Valid);
    let b = run(90_000.0, VerdictWord::Invalid);
    let comparison = compared(&[a], &[b]);
    assert_eq!(comparison.answer(), Answer::Refused);
    let summary = markdown(&comparison);
    assert!(summary.starts_with("## ❌ A PROMISE BROKE"), "{summary}");
    assert!(summary.contains("Do not merge"), "{summary}");
    let files = ci_files(&comparison);
    let junit = files
        .iter()
        .find(|file| file.name == "junit.xml")
        .expect("junit");
    assert!(
        junit.contents.contains("failures=\"1\""),
        "{}",
        junit.contents
    );
}

#[test]
fn a_void_run_does_not_count_and_a_cell_of_one_set_is_not_compared() {
    let a = run(50_000.0, VerdictWord::Valid);
    let mut void = a.clone();
    void.void.push("the load generator was late".to_owned());
    let mut other = a.clone();
    other.configuration.architecture = "local".to_owned();
    let comparison = compared(&[a], &[void, other]);
    assert!(comparison.cells.is_empty());
    let headline = comparison.headline();
    assert!(headline.starts_with("NOTHING WAS COMPARED: "), "{headline}");
    let screen = text(&comparison);
    assert!(
        screen.contains("does not count") && screen.contains("in B only"),
        "{screen}"
    );
}

#[test]
fn the_files_for_ci_have_the_shapes_that_their_readers_want() {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let a = runs(4, 50_000.0, 0.04, &mut random);
    let comparison = compared(&a, &a);
    for file in ci_files(&comparison) {
        if file.name == "junit.xml" {
            let suite = "name=\"kvs-bench verdicts\" tests=\"4\"";
            assert!(file.contents.contains(suite), "{}", file.contents);
            continue;
        }
        let json: serde_json::Value = serde_json::from_str(&file.contents).expect(file.name);
        if file.name == "bencher.json" {
            let (_, measures) = json
                .as_object()
                .expect("an object")
                .iter()
                .next()
                .expect("one");
            let latency = &measures["latency"];
            assert!(
                latency["lower_value"].as_f64() <= latency["value"].as_f64(),
                "{json}"
            );
            assert!(measures["throughput"]["upper_value"].is_f64(), "{json}");
        } else {
            let entry = &json[0];
            assert!(
                entry["value"].is_f64() && entry["range"].is_string(),
                "{json}"
            );
            let expected = if file.name.contains("bigger") {
                "ops/s"
            } else {
                "ns"
            };
            assert_eq!(entry["unit"], expected);
        }
    }
    assert!(markdown(&comparison).len() < 1_000_000);
}

/// Runs of an open loop, of which some arrivals never started: p99 is at least this.
fn overloaded(runs: &[RunRecord], at_least_ms: u64) -> Vec<RunRecord> {
    let mut runs = runs.to_vec();
    for run in &mut runs {
        let known = run.statistics.service.expect("it has latencies");
        run.statistics.unstarted = Some(Unstarted {
            count: 100,
            at_least: Summary {
                p99: Some(at_least_ms * 1_000_000),
                ..known
            },
            at_most: Summary { p99: None, ..known },
        });
    }
    runs
}

#[test]
fn a_percentile_among_arrivals_that_never_started_decides_only_what_holds_whatever_it_is() {
    let mut random = Pcg64Mcg::seed_from_u64(13);
    let fine = runs(10, 50_000.0, 0.04, &mut random);
    let late = overloaded(&fine, 2_000);
    let p99 = |comparison: &Comparison| {
        let mut metrics = comparison.cells[0].metrics.iter();
        let p99 = metrics.find(|metric| metric.name == "latency p99");
        p99.expect("it is compared").finding
    };
    // More than 2 s is more than 180 µs, however much more.
    assert_eq!(p99(&compared(&fine, &late)), Finding::Worse);
    assert_eq!(p99(&compared(&late, &fine)), Finding::Better);
    // Of two that are at least 2 s nobody can tell.
    let comparison = compared(&late, &late);
    assert_eq!(p99(&comparison), Finding::NotStarted);
    assert_eq!(comparison.answer(), Answer::Undecided);
    // A rise that is at least half a percent may be any.
    let hardly = overloaded(&fine, 0);
    assert_eq!(p99(&compared(&fine, &hardly)), Finding::NotStarted);
}
