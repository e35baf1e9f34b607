//! What is recorded arrives in the totals, the series and the log, and nothing is counted twice.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::{
    ErrorOutcome, IntervalLogError, Meter, MeterSettings, OperationKind, PlaceRow, Statistics,
    Throughput, merge_interval_log,
};

const SECOND: u64 = 1_000_000_000;

/// A log that outlives the recorder.
#[derive(Clone, Default)]
struct SharedLog(Arc<Mutex<Vec<u8>>>);

impl Write for SharedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(open_loop: bool) -> MeterSettings {
    MeterSettings {
        start_ns: 2 * SECOND,
        interval_ns: SECOND,
        open_loop,
        began_at: SystemTime::UNIX_EPOCH,
        groups: Vec::new(),
        live: None,
    }
}

#[test]
fn totals_series_and_log_agree_on_what_was_counted() {
    let log = SharedLog::default();
    let mut recorder = Meter::start(settings(true), Box::new(log.clone())).unwrap();
    recorder.offers((0..1000).map(|n| 2 * SECOND + n * 3_500_000), u64::MAX);
    for n in 0..1000 {
        let at = 2 * SECOND + n * 3_500_000;
        recorder.record(at, OperationKind::Read, 0, 2_000_000 + n, 1_000_000 + n);
        recorder.record(at, OperationKind::Insert, 0, 5_000_000, 4_000_000);
    }
    recorder.late();
    recorder.error(
        5_400_000_000,
        OperationKind::Read,
        None,
        "timeout",
        ErrorOutcome::Info,
    );
    let measured = recorder.finish(5_500_000_000).unwrap();

    let rows = &measured.series.rows;
    assert_eq!(rows.first().unwrap().start_ns, 2 * SECOND);
    assert_eq!(rows.last().unwrap().end_ns, 5_500_000_000);
    for pair in rows.windows(2) {
        assert_eq!(pair[0].end_ns, pair[1].start_ns);
    }
    let in_rows: u64 = rows.iter().map(|row| row.all.service.count).sum();
    assert_eq!(in_rows, 2000);
    assert_eq!(rows.iter().filter_map(|row| row.offered).sum::<u64>(), 1000);
    assert_eq!(measured.service[OperationKind::Read as usize].count(), 1000);
    assert_eq!(logged(&log, "read.service"), 1000);
    assert_eq!(logged(&log, "insert.response"), 1000);
    assert_eq!(logged(&log, "update.service"), 0);

    let statistics = Statistics::from(&measured);
    assert_eq!(statistics.throughput.operations, 2000);
    assert_eq!(statistics.throughput.errors, 1);
    assert_eq!(statistics.throughput.late, 1);
    assert_eq!(statistics.kinds.len(), 2);
    let read = &statistics.kinds[0];
    assert!(read.response.unwrap().p50 > read.service.p50);
}

/// How many values the log holds under `tag`.
fn logged(log: &SharedLog, tag: &str) -> u64 {
    let bytes = log.0.lock().unwrap().clone();
    match merge_interval_log(&bytes, Some(tag)) {
        Ok(histogram) => histogram.count(),
        Err(IntervalLogError::NoSuchTag { .. }) => 0,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_interval_log_that_is_damaged_or_lacks_a_tag_is_a_clear_error() {
    let log = SharedLog::default();
    let mut recorder = Meter::start(settings(false), Box::new(log.clone())).unwrap();
    recorder.record(2 * SECOND, OperationKind::Read, 0, 5, 5);
    recorder.finish(3 * SECOND).unwrap();
    let bytes = log.0.lock().unwrap().clone();
    assert_eq!(merge_interval_log(&bytes, None).unwrap().count(), 1);
    let error = merge_interval_log(&bytes, Some("read.response")).unwrap_err();
    assert!(
        error.to_string().contains("there are: read.service"),
        "{error}"
    );
    let text = String::from_utf8(bytes).unwrap();
    // A character of the histogram is no longer base64.
    let damaged = text.replace("HISTFAAA", "HIST?AAA");
    assert_ne!(damaged, text);
    assert!(merge_interval_log(damaged.as_bytes(), None).is_err());
}

#[test]
fn a_closed_loop_has_one_time_and_offers_nothing() {
    let mut recorder = Meter::start(settings(false), Box::new(io::sink())).unwrap();
    recorder.record(2 * SECOND, OperationKind::Update, 0, 9, 7);
    let measured = recorder.finish(3 * SECOND).unwrap();
    let statistics = Statistics::from(&measured);
    assert_eq!(statistics.throughput.offered, None);
    assert_eq!(statistics.kinds[0].response, None);
    assert_eq!(statistics.kinds[0].service.max, Some(7));
}

#[test]
fn seconds_without_an_answer_are_rows_of_their_own() {
    let mut recorder = Meter::start(settings(false), Box::new(io::sink())).unwrap();
    recorder.record(2 * SECOND, OperationKind::Read, 0, 5, 5);
    for tenth in 21..=60 {
        recorder.advance(tenth * SECOND / 10);
    }
    // Four intervals fit into the queue, so that none of them was prolonged.
    let measured = recorder.finish(6 * SECOND).unwrap();
    let silent = measured
        .series
        .rows
        .iter()
        .filter(|row| row.all.service.count == 0);
    assert!(silent.count() >= 3);
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_in_the_end() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut recorder = Meter::start(settings(false), Box::new(Full)).unwrap();
    for second in 2..200 {
        recorder.record(second * SECOND, OperationKind::Read, 0, 5, 5);
    }
    let error = recorder.finish(200 * SECOND).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_run_in_which_nothing_happened_has_no_nan() {
    let recorder = Meter::start(settings(true), Box::new(io::sink())).unwrap();
    let measured = recorder.finish(2 * SECOND).unwrap();
    let statistics = Statistics::from(&measured);
    let json = serde_json::to_string(&statistics).unwrap();
    assert_eq!(
        serde_json::from_str::<Statistics>(&json).unwrap(),
        statistics
    );
    assert_eq!(statistics.throughput.achieved_per_s, None);
    let mut csv = Vec::new();
    measured.series.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(!csv.contains("NaN") && !csv.contains("inf"), "{csv}");
}

#[test]
fn nodes_and_their_groups_are_told_apart_and_together_make_up_the_whole() {
    let settings = MeterSettings {
        groups: vec![0, 0, 1],
        ..settings(false)
    };
    let mut recorder = Meter::start(settings, Box::new(io::sink())).unwrap();
    for n in 0..60 {
        let node = n % 3;
        let latency_ns = (node as u64 + 1) * 1_000_000;
        recorder.record(2 * SECOND, OperationKind::Read, node, 0, latency_ns);
    }
    let node = Some(1);
    recorder.error(
        2 * SECOND,
        OperationKind::Read,
        node,
        "timeout",
        ErrorOutcome::Info,
    );
    recorder.error(
        2 * SECOND,
        OperationKind::Read,
        None,
        "not-started",
        ErrorOutcome::Fail,
    );
    // The second interval shows that the first was cleared.
    recorder.record(3 * SECOND + 1, OperationKind::Read, 2, 0, 1_000);
    let measured = recorder.finish(3 * SECOND + SECOND / 2).unwrap();

    let row = &measured.series.rows[0];
    let counts = |places: &[PlaceRow]| {
        let counts = places.iter().map(|at| (at.latency.count, at.errors));
        counts.collect::<Vec<_>>()
    };
    assert_eq!(counts(&row.nodes), [(20, 0), (20, 1), (20, 0)]);
    assert_eq!(counts(&row.groups), [(40, 1), (20, 0)]);
    let max = row.groups[0].latency.max.unwrap() as f64;
    assert!((max / 2e6 - 1.0).abs() < 0.01, "{max}");
    assert_eq!(
        counts(&measured.series.rows[1].nodes),
        [(0, 0), (0, 0), (1, 0)]
    );

    let mut csv = Vec::new();
    measured.series.write_places_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 5, "{csv}");
    assert!(
        lines[4].starts_with("2.000,3.000,group,0,40,40.0,1,"),
        "{csv}"
    );
    assert!(lines[6].ends_with(",node,0,0,0.0,0,,,,"), "{csv}");
}

/// Reads as an open loop of one arrival a millisecond has them, the store having stopped for the
/// second second.
fn paused() -> Meter {
    let mut recorder = Meter::start(settings(true), Box::new(io::sink())).unwrap();
    recorder.offers((0..).map(|n| n * 1_000_000), u64::MAX);
    recorder.offers_until(6 * SECOND);
    for ms in 2000..6000 {
        let done_ms = if (3000..4000).contains(&ms) { 4000 } else { ms };
        recorder.advance(ms * 1_000_000);
        recorder.record(done_ms * 1_000_000, OperationKind::Read, 0, 9, 9);
    }
    recorder
}

#[test]
fn offered_is_the_schedule_though_the_store_stops_for_a_second() {
    let measured = paused().finish(6 * SECOND).unwrap();
    let rows = &measured.series.rows;
    let offered: Vec<_> = rows.iter().filter_map(|row| row.offered).collect();
    assert_eq!(offered, [1000; 4]);
    let done: Vec<_> = rows.iter().map(|row| row.all.service.count).collect();
    assert_eq!(
        done,
        [1000, 0, 2000, 1000],
        "the control: the store stopped"
    );
    assert_eq!(measured.offered, Some(4000));
}

#[test]
fn answers_after_the_end_of_the_schedule_offer_nothing_more() {
    let mut recorder = Meter::start(settings(true), Box::new(io::sink())).unwrap();
    recorder.offers((0..).map(|n| n * 1_000_000), u64::MAX);
    recorder.offers_until(3 * SECOND);
    recorder.advance(3 * SECOND);
    recorder.record(4 * SECOND + 1, OperationKind::Read, 0, SECOND, 9);
    let measured = recorder.finish(4 * SECOND + SECOND / 2).unwrap();
    let offered = measured.series.rows.iter().filter_map(|row| row.offered);
    assert_eq!(offered.collect::<Vec<_>>(), [1000, 0, 0]);
    let throughput = Statistics::from(&measured).throughput;
    assert_eq!(throughput.offered_per_s, Some(1000.0));
}

#[test]
fn of_a_schedule_as_many_arrivals_count_as_operations_were_asked_for() {
    let mut recorder = Meter::start(settings(true), Box::new(io::sink())).unwrap();
    recorder.offers((0..).map(|n| n * 1_000_000), 1_500);
    recorder.advance(9 * SECOND);
    let measured = recorder.finish(9 * SECOND).unwrap();
    assert_eq!(measured.offered, Some(1_500));
}

#[test]
fn the_answers_that_come_some_microseconds_after_the_end_are_no_interval_of_their_own() {
    let log = SharedLog::default();
    let mut recorder = Meter::start(settings(false), Box::new(log.clone())).unwrap();
    for n in 0..100 {
        recorder.record(2 * SECOND + n, OperationKind::Read, 0, 5, 5);
    }
    for n in 0..16 {
        recorder.record(3 * SECOND + n, OperationKind::Read, 0, 5, 5);
    }
    let end_ns = 3 * SECOND + 37_000;
    let measured = recorder.finish(end_ns).unwrap();
    let [row] = &measured.series.rows[..] else {
        panic!("one row: {:?}", measured.series.rows)
    };
    assert_eq!((row.all.service.count, row.end_ns), (116, end_ns));
    assert_eq!(logged(&log, "read.service"), 116);
    assert_eq!(measured.service[OperationKind::Read as usize].count(), 116);
    // A tenth of an interval is one: it is long enough for a rate.
    let mut recorder = Meter::start(settings(false), Box::new(log.clone())).unwrap();
    recorder.advance(3 * SECOND);
    let measured = recorder.finish(3 * SECOND + SECOND / 10).unwrap();
    assert_eq!(measured.series.rows.len(), 2);
}

#[test]
fn a_run_of_a_moment_has_its_counts_and_no_rate_and_its_log_no_interval_of_no_length() {
    let log = SharedLog::default();
    let mut recorder = Meter::start(settings(false), Box::new(log.clone())).unwrap();
    recorder.record(2 * SECOND, OperationKind::Read, 0, 5, 5);
    let measured = recorder.finish(2 * SECOND + 40_000).unwrap();
    let mut csv = Vec::new();
    measured.series.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.contains("2.000,2.000,all,1,,0,,0,"), "{csv}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let entries = log.lines().filter(|line| line.starts_with("Tag="));
    let lengths: Vec<_> = entries.map(|line| line.split(',').nth(2)).collect();
    assert_eq!(lengths, [Some("0.001")], "{log}");
}

#[test]
fn arrivals_that_never_started_bound_the_response_times_of_all() {
    let mut recorder = Meter::start(settings(true), Box::new(io::sink())).unwrap();
    recorder.offers((0..100).map(|n| 2 * SECOND + n), u64::MAX);
    for _ in 0..62 {
        recorder.record(2 * SECOND + 9, OperationKind::Read, 0, 10_000_000, 9);
    }
    for _ in 0..38 {
        recorder.never_started(3 * SECOND, OperationKind::Update, 2_300_000_000);
    }
    let measured = recorder.finish(3 * SECOND + SECOND / 2).unwrap();
    let statistics = Statistics::from(&measured);
    assert_eq!(statistics.throughput.not_started, 38);
    assert_eq!(statistics.throughput.errors, 38);
    assert!(!statistics.throughput.is_overloaded());
    let all = statistics.unstarted.expect("some never started");
    // To the precision of a histogram.
    let ms = |ns: Option<u64>| ns.map(|ns| (ns as f64 / 1e7).round() * 10.0);
    assert_eq!((all.count, all.at_most.count), (38, 100));
    assert_eq!(
        (ms(all.at_least.p50), ms(all.at_most.p50)),
        (Some(10.0), Some(10.0))
    );
    assert_eq!(
        (ms(all.at_least.p99), ms(all.at_most.p99)),
        (Some(2300.0), None)
    );
    // A kind of which nothing started is there, and has no service time.
    let update = &statistics.kinds[1];
    assert_eq!(
        (update.kind, update.service.count),
        (OperationKind::Update, 0)
    );
    assert_eq!(update.unstarted.expect("none started").at_most.p50, None);
    assert_eq!(statistics.kinds[0].unstarted, None);
}

#[test]
fn numbers_of_which_nothing_can_be_used_are_void_and_say_why() {
    let throughput = |operations, not_started, errors| Throughput {
        seconds: 1.0,
        operations,
        errors,
        offered: (not_started > 0).then_some(operations + errors),
        not_started,
        ..Throughput::default()
    };
    for (throughput, reason) in [
        (throughput(50, 50, 50), None),
        (
            throughput(49, 51, 51),
            Some("51.0 % of the arrivals never started"),
        ),
        (
            throughput(0, 2_000_000, 2_000_000),
            Some("100.0 % of the arrivals never started"),
        ),
        (throughput(0, 0, 7), Some("none of the 7 operations")),
        (
            throughput(0, 0, 0),
            Some("no operation ended in the measured part"),
        ),
        (throughput(1, 0, 7), None),
    ] {
        let reasons = throughput.void_reasons();
        match (reason, &reasons[..]) {
            (None, []) => {}
            (Some(reason), [said]) => assert!(said.contains(reason), "{said}"),
            _ => panic!("{throughput:?}: {reasons:?}"),
        }
    }
}
