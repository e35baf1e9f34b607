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
            promise: "linearizable".to_owned(),
            fail_overs: Vec::new(),
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

fn fail_over(way: &str, times_ms: &[(u64, bool)], verdict: VerdictWord) -> FailOver {
    FailOver {
        way: way.to_owned(),
        rate: 1_000.0,
        outages: { times_ms.iter() }
            .map(|(ms, ended)| Outage {
                without_writes_ns: ms * 1_000_000,
                ended: *ended,
            })
            .collect(),
        calm_ns: vec![2_000_000, 9_000_000, 3_000_000],
        course: Course {
            before_ns: 100_000_000,
            bin_ns: 100_000_000,
            writes_per_s: vec![500.0, 20.0, 400.0],
            p99_ns: vec![Some(1_000_000), None, Some(2_000_000)],
        },
        verdict,
        void: false,
        directory: String::new(),
    }
}

#[test]
fn a_sweep_says_for_how_long_nobody_could_write_and_what_was_judged_of_it() {
    let mut record = swept(vec![one(1_000.0, false, Some(true))]);
    let calm = text(&record);
    assert!(!calm.contains("Fail-over"), "no node was to go: {calm}");
    let kill = [(300, true), (100, true), (2_000, false)];
    let valid = VerdictWord::Valid;
    record.stores[0].fail_overs = vec![
        fail_over("kill", &kill, valid),
        fail_over("pause", &[(50, true)], VerdictWord::Unknown),
    ];
    let screen = text(&record);
    let row = screen.lines().rfind(|line| line.contains("linearizable"));
    let row = row.expect("a row of the store");
    assert!(row.contains("300 ms, ≥ 2.00 s"), "{screen}");
    assert!(row.contains("50.0 ms, 50.0 ms"), "{screen}");
    assert!(row.contains("1.00 ms (1.00×)"), "{screen}");
    assert!(row.contains("3.00 ms"), "calm: {screen}");
    assert!(row.ends_with("unknown"), "the worst verdict: {screen}");
    let page = page(&record);
    for part in [
        "300 ms, worst ≥ 2.00 s",
        "word-unknown",
        "id=\"writes\"",
        "id=\"waits\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_record_from_before_nodes_were_to_go_is_read() {
    let record = swept(vec![one(1_000.0, false, Some(true))]);
    let mut json = serde_json::to_value(&record).expect("plain data");
    let store = &mut json["stores"][0];
    store.as_object_mut().expect("a map").remove("promise");
    let read: SweepRecord = serde_json::from_value(json).expect("a sweep");
    assert!(text(&read).contains("local") && !text(&read).contains("Fail-over"));
}
