//! A sweep says when nothing is known of a store.

use super::*;
use kvs_measure::{Machine, VerdictWord, Versions};

fn one(rate: f64, void: bool, met: Option<bool>) -> Try {
    Try {
        rate,
        achieved_per_s: rate,
        p50_ns: Some(1_000_000),
        p95_ns: Some(2_000_000),
        p99_ns: Some(3_000_000),
        p999_ns: None,
        kept_up: !void,
        void,
        void_reason: void.then(|| "nothing was measured: it is a test; try harder".to_owned()),
        overloaded: false,
        not_started_share: 0.0,
        met,
        verdict: VerdictWord::Valid,
        directory: String::new(),
    }
}

fn swept(tries: Vec<Try>) -> SweepRecord {
    let void_from_per_s = { tries.iter() }.find(|one| one.void).map(|one| one.rate);
    SweepRecord {
        version: SWEEP_VERSION,
        command: "kvs-bench sweep".to_owned(),
        started_at: "2026-11-30T00:00:00Z".to_owned(),
        machine: Machine::probe(),
        versions: Versions::default(),
        slo: Some("p99<5ms".to_owned()),
        stores: vec![StoreSweep {
            name: "local".to_owned(),
            knee_per_s: { tries.iter() }.find(|one| one.kept_up).map(|one| one.rate),
            beyond_per_s: None,
            void_from_per_s,
            best: None,
            tries,
        }],
    }
}

#[test]
fn a_store_whose_every_try_is_void_says_so_and_has_no_rate_and_no_chart() {
    let void = swept(vec![one(1_000.0, true, None)]);
    let screen = text(&void);
    assert!(screen.contains("VOID"), "{screen}");
    assert!(screen.contains("void from 1.00k/s"), "{screen}");
    assert!(screen.contains("nobody can tell"), "{screen}");
    assert!(screen.contains("try harder"), "{screen}");
    let page = page(&void);
    assert!(page.contains("every try is void") && !page.contains("<figure"));
    let some = swept(vec![
        one(1_000.0, true, None),
        one(1_000.0, false, Some(true)),
    ]);
    let screen = text(&some);
    assert!(
        screen.contains("1 of 2 tries are void and count for nothing"),
        "{screen}"
    );
    // The control.
    let fine = swept(vec![one(1_000.0, false, Some(true))]);
    assert!(!text(&fine).to_lowercase().contains("void"));
    assert!(super::page(&fine).contains("<figure"));
}

#[test]
fn a_search_without_an_answer_says_whether_the_lowest_rate_missed_or_nobody_can_tell() {
    let sought = |met: &[Option<bool>]| {
        let tries = met.iter().map(|met| one(1_000.0, false, *met));
        swept(tries.collect()).stores[0].sought()
    };
    let missed = Sought::Missed { lowest: 1_000.0 };
    assert_eq!(sought(&[Some(false)]), missed);
    assert_eq!(sought(&[Some(true), Some(false), Some(false)]), missed);
    assert_eq!(sought(&[None, None]), Sought::Unknown);
    assert_eq!(sought(&[]), Sought::Unknown);
    let screen = text(&swept(vec![one(1_000.0, false, Some(false))]));
    assert!(
        screen.contains("none: missed at 1.00k/s, the lowest rate"),
        "{screen}"
    );
}

#[test]
fn a_percentile_among_arrivals_that_never_started_is_marked_as_the_least_it_can_be() {
    let mut late = one(1_000.0, false, None);
    (late.not_started_share, late.kept_up) = (0.03, false);
    let screen = text(&swept(vec![late]));
    assert!(screen.contains("  2.00 ms  ≥ 3.00 ms"), "{screen}");
    assert!(screen.contains("no: 3 % never started"), "{screen}");
}
