//! Run records and the screen that is made of them.

use std::fs;
use std::time::SystemTime;

use kvs_zoo::measure::{
    AnomalyRecord, Configuration, EngineRecord, ErrorOutcome, ErrorRecord, FaultWindow,
    FaultsRecord, HistoryRecord, KindRecord, Machine, Measured, Meter, MeterSettings, ModelRecord,
    NodeRecord, OperationKind, PeriodRecord, PhaseRecord, RUN_RECORD_VERSION, RunRecord,
    StalenessRecord, Statistics, Summary, Throughput, VerdictRecord, VerdictWord, Versions,
    WorkloadRecord,
};
use kvs_zoo::report;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;

fn summary(count: u64, p50_us: u64) -> Summary {
    let p50 = p50_us * MICROSECOND;
    Summary {
        count,
        mean: Some(p50 as f64 * 1.1),
        p50: Some(p50),
        p90: Some(p50 * 2),
        p95: Some(p50 * 3),
        p99: Some(p50 * 4),
        p999: Some(p50 * 20),
        p9999: Some(p50 * 55),
        max: Some(p50 * 123),
    }
}

fn node(node: u32) -> NodeRecord {
    NodeRecord {
        node,
        group: node / 3,
        requests: 41_234 + u64::from(node),
        messages_sent: 12_345,
        message_bytes_sent: 9_876_543,
        cpu_seconds: Some(2.345),
        resident_bytes: Some(21_000_000),
        keys: Some(10_000),
        overhead_bytes_per_key: Some(117.4),
        ..NodeRecord::default()
    }
}

fn model(name: &str, verdict: Option<VerdictWord>) -> ModelRecord {
    ModelRecord {
        name: name.to_owned(),
        verdict,
        promised: name == "causal",
        reason: None,
    }
}

fn engine(name: &str, verdict: VerdictWord, covered: u64, seconds: f64) -> EngineRecord {
    EngineRecord {
        name: name.to_owned(),
        verdict,
        covered,
        total: 133_702,
        seconds,
        reason: None,
    }
}

/// A closed-loop run that kept its promise.
fn valid() -> RunRecord {
    RunRecord {
        version: RUN_RECORD_VERSION,
        configuration: Configuration {
            architecture: "replicated(3)".to_owned(),
            lattice: Some("causal".to_owned()),
            nodes: 3,
            spares: Vec::new(),
            groups: 1,
            routing: "round-robin".to_owned(),
            context: true,
            host: "process".to_owned(),
            durability: "memory".to_owned(),
            workload: WorkloadRecord {
                name: "zipf".to_owned(),
                summary: "50 % read, 50 % update; 10000 records, zipfian 0.99, 100 B values; \
                          16 sessions, closed loop"
                    .to_owned(),
                settings: serde_json::json!({ "records": 10000 }),
            },
            sessions: 16,
            connections: 3,
            rate: None,
            seed: 42,
            bug: None,
            store: None,
        },
        machine: Machine {
            cores: 2,
            cpu: Some("AMD EPYC 7B13".to_owned()),
            kernel: Some("linux 6.1.0".to_owned()),
            memory_bytes: Some(8 << 30),
        },
        versions: Versions {
            kvs_zoo: "0.1.0".to_owned(),
            rustc: Some("rustc 1.95.0".to_owned()),
            commit: Some("0123456789ab".to_owned()),
        },
        command: "kvs-bench --arch replicated --workload zipf --seed 42".to_owned(),
        started_at: "2026-11-22T22:00:00Z".to_owned(),
        directory: "results/20261122T220000Z-replicated-zipf".to_owned(),
        phases: [
            ("start", 0.21),
            ("load", 0.35),
            ("warm-up", 1.0),
            ("run", 5.0),
        ]
        .map(|(name, seconds)| PhaseRecord {
            name: name.to_owned(),
            seconds,
        })
        .to_vec(),
        statistics: Statistics {
            response: None,
            service: Some(summary(116_000, 85)),
            unstarted: None,
            throughput: Throughput {
                seconds: 5.0,
                operations: 123_702,
                errors: 0,
                achieved_per_s: Some(24_740.4),
                offered_per_s: None,
                offered: None,
                late: 0,
                not_started: 0,
            },
            kinds: [
                (OperationKind::Read, 61_851),
                (OperationKind::Update, 61_851),
            ]
            .map(|(kind, count)| KindRecord {
                kind,
                per_s: Some(12_370.2),
                response: None,
                service: summary(count, 312),
                unstarted: None,
            })
            .to_vec(),
            errors: Vec::new(),
            mismatches: None,
        },
        staleness: Some(StalenessRecord {
            stale_reads: 1_203,
            reads: 61_851,
            delta_ns: summary(61_851, 812),
            k: Summary {
                count: 61_851,
                mean: Some(0.02),
                p50: Some(0),
                p90: Some(0),
                p95: Some(0),
                p99: Some(1),
                p999: Some(2),
                p9999: Some(4),
                max: Some(5),
            },
            visibility_lag_ns: summary(123_702, 640),
            clock_inversions: None,
        }),
        faults: FaultsRecord::default(),
        nodes: (0..3).map(node).collect(),
        objectives: Vec::new(),
        void: Vec::new(),
        verdict: VerdictRecord {
            promise: "causal + session guarantees + convergence".to_owned(),
            verdict: VerdictWord::Valid,
            reason: None,
            gaps: Vec::new(),
            remarks: Vec::new(),
            engines: vec![
                engine("direct", VerdictWord::Valid, 133_702, 0.214),
                EngineRecord {
                    reason: Some("the longest prefix that fits its budget".to_owned()),
                    ..engine("stateright", VerdictWord::Valid, 20_000, 1.3)
                },
            ],
            models: ["eventual", "ryw", "mr", "mw", "wfr", "causal"]
                .map(|name| model(name, Some(VerdictWord::Valid)))
                .into_iter()
                .chain(["cc", "ccv", "linearizable"].map(|name| model(name, None)))
                .collect(),
            disagreement: false,
            lost_writes: Some(0),
            anomalies: Vec::new(),
        },
        history: HistoryRecord {
            recorded: 133_702,
            operations: 133_702,
            complete: true,
            limit: None,
            unread: 0,
        },
        warnings: Vec::new(),
    }
}

fn invalid() -> RunRecord {
    let mut record = valid();
    record.configuration.bug = Some("deliver-before-dependencies".to_owned());
    record.verdict.verdict = VerdictWord::Invalid;
    record.verdict.engines = vec![
        engine("direct", VerdictWord::Invalid, 133_702, 0.2),
        EngineRecord {
            reason: Some("5 s of budget ran out".to_owned()),
            ..engine("stateright", VerdictWord::Unknown, 8_000, 5.0)
        },
    ];
    record.verdict.models[5].verdict = Some(VerdictWord::Invalid);
    let text = "session 3 #17 covers n0:597, which depends on n1:591, but not n1:591 itself\n  \
                session 3 [#17 put user42=3:17 n0]\n  \
                session 5                         [#9 get user42->3:17 n1][#10 get user7->nothing n1]\n  \
                session 3 #17 put user42 = 3:17 at n0 [1204.100000 .. 1204.600000 ms] dot n0:597 \
                vector n0:597 n1:591 n2:573\n  \
                session 5 #9 get user42 -> 3:17 at n1 [1205.000000 .. 1205.300000 ms] vector n0:597\n  \
                session 5 #10 get user7 -> nothing at n1 [1205.400000 .. 1205.700000 ms]";
    record.verdict.anomalies = (0..40)
        .map(|_| AnomalyRecord {
            kind: "missed-write".to_owned(),
            model: "causal".to_owned(),
            text: text.to_owned(),
            operations: Vec::new(),
            meaning: None,
        })
        .collect();
    record
}

fn open_loop() -> RunRecord {
    let mut record = valid();
    record.configuration.rate = Some(20_000.0);
    record.configuration.workload.summary = "50 % read, 50 % update; 10000 records, uniform, \
        16 to 4096 B uniform values; 16 sessions, open loop, 20000 a second, poisson"
        .to_owned();
    record.command += " --rate 20k";
    record.configuration.lattice = Some("lww".to_owned());
    let throughput = &mut record.statistics.throughput;
    throughput.offered = Some(100_000);
    throughput.offered_per_s = Some(20_000.0);
    throughput.achieved_per_s = Some(19_998.2);
    throughput.operations = 99_991;
    throughput.errors = 9;
    throughput.late = 42;
    for kind in &mut record.statistics.kinds {
        kind.response = Some(summary(50_000, 401));
        kind.service.count = 50_000;
    }
    record.statistics.response = Some(summary(99_991, 401));
    record.statistics.kinds[1].response.as_mut().unwrap().max = Some(2_001 * MILLISECOND);
    let error = |kind, error: &str, outcome, count| ErrorRecord {
        kind,
        error: error.to_owned(),
        outcome,
        count,
    };
    record.statistics.errors = vec![
        error(OperationKind::Read, "unavailable", ErrorOutcome::Fail, 2),
        error(OperationKind::Update, "timeout", ErrorOutcome::Info, 7),
    ];
    record.nodes[2].fate = Some("killed by signal 9 at 3.2 s".to_owned());
    record.nodes[1].refused_frames = 1;
    record.staleness.as_mut().unwrap().clock_inversions = Some(12);
    record.history = HistoryRecord {
        recorded: 50_000,
        operations: 110_000,
        complete: false,
        limit: Some(40_000),
        unread: 0,
    };
    record.warnings = vec!["3 nodes and the generator share 2 cores: give them more".to_owned()];
    record
}

fn void() -> RunRecord {
    let mut record = open_loop();
    record.statistics.throughput.late = 12_000;
    record.void = record.statistics.throughput.void_reasons();
    record.verdict.verdict = VerdictWord::Unknown;
    record.verdict.engines.clear();
    record.verdict.models.clear();
    record.staleness = None;
    record.history = HistoryRecord {
        recorded: 0,
        operations: 110_000,
        complete: false,
        limit: None,
        unread: 0,
    };
    record
}

/// The screen, which must fit.
fn screen(record: &RunRecord) -> String {
    let text = report::text(record);
    assert!(text.lines().count() <= report::LINES_MAX, "{text}");
    for line in text.lines() {
        let columns = line.chars().count();
        assert!(columns <= report::COLUMNS_MAX, "{columns} columns: {line}");
        assert_eq!(line.trim_end(), line, "trailing blanks");
    }
    text
}

#[test]
fn the_screen_of_a_valid_run() {
    insta::assert_snapshot!(screen(&valid()));
}

#[test]
fn the_screen_of_an_invalid_run_shows_the_operations_that_prove_it() {
    insta::assert_snapshot!(screen(&invalid()));
}

#[test]
fn the_screen_of_a_run_under_a_nemesis_says_what_clients_noticed_and_what_failed() {
    let period = |operations, errors, p99_ms: u64| PeriodRecord {
        seconds: 2.0,
        operations,
        errors,
        p99_ns: Some(p99_ms * MILLISECOND),
        max_ns: Some(3 * p99_ms * MILLISECOND),
    };
    let window = |kind: &str, errors, recovery_ns| FaultWindow {
        kind: kind.to_owned(),
        fault: format!("{kind} n1"),
        nodes: vec![1],
        from_ns: 1_000 * MILLISECOND,
        to_ns: 3_000 * MILLISECOND,
        before: period(20_000, 0, 1),
        during: period(9_000, errors, 40),
        after: period(19_000, 0, 2),
        recovery_ns,
        under_way: Some(64),
    };
    let mut record = valid();
    record.configuration.durability = "disk".to_owned();
    record.faults = FaultsRecord {
        windows: vec![
            window("kill", 1_000, Some(300 * MILLISECOND)),
            window("partition", 0, Some(0)),
            window("kill", 10, None),
        ],
        failures: vec!["could not heal pause n1: node n1 did not answer within 5s".to_owned()],
        ..FaultsRecord::default()
    };
    insta::assert_snapshot!(screen(&record));
}

#[test]
fn the_screen_of_an_open_loop_shows_both_times() {
    insta::assert_snapshot!(screen(&open_loop()));
}

#[test]
fn the_screen_of_a_void_run_has_the_reason_and_no_numbers() {
    insta::assert_snapshot!(screen(&void()));
}

#[test]
fn the_screen_of_a_run_in_which_nothing_succeeded_calls_nothing_valid() {
    let mut record = valid();
    let statistics = &mut record.statistics;
    statistics.throughput.operations = 0;
    statistics.throughput.errors = 512;
    statistics.throughput.achieved_per_s = Some(0.0);
    statistics.kinds.clear();
    statistics.service = None;
    record.verdict.verdict = VerdictWord::Unknown;
    record.verdict.gaps = statistics.gap().into_iter().collect();
    record.void = statistics.throughput.void_reasons();
    insta::assert_snapshot!(screen(&record));
}

#[test]
fn mismatches_are_counted_on_the_screen_and_are_no_errors() {
    let mut record = valid();
    assert!(!screen(&record).contains("Mismatches"), "the control");
    let compared = KindRecord {
        kind: OperationKind::CompareAndSet,
        per_s: Some(80.0),
        response: None,
        service: summary(400, 312),
        unstarted: None,
    };
    record.statistics.kinds.push(compared);
    record.statistics.mismatches = Some(100);
    let text = screen(&record);
    let told = "Mismatches  100 of 400 compare-and-sets found another value (25.0 %)";
    assert!(text.contains(told), "{text}");
    assert!(text.contains("Errors      none"), "{text}");
}

#[test]
fn nine_nodes_of_an_invalid_run_still_fit_one_screen() {
    let mut record = invalid();
    record.configuration.architecture = "sharded(3, replicated(3))".to_owned();
    record.nodes = (0..9).map(node).collect();
    (record.configuration.nodes, record.configuration.groups) = (9, 3);
    let text = screen(&record);
    assert!(text.contains("[#10 get user7->nothing n1]"), "{text}");
    record.verdict.verdict = VerdictWord::Valid;
    assert!(screen(&record).contains("n8 "));
}

#[test]
fn many_nodes_are_summed_up() {
    let mut record = valid();
    record.nodes = (0..400).map(node).collect();
    let text = screen(&record);
    assert!(text.contains("+ 391 more in run.json"), "{text}");
}

#[test]
fn engines_that_disagree_are_said_to() {
    let mut record = valid();
    assert!(!screen(&record).contains("DISAGREE"));
    record.verdict.disagreement = true;
    assert!(screen(&record).contains("THE ENGINES DISAGREE"));
}

#[test]
fn a_long_proof_is_cut_and_says_where_the_rest_is() {
    let mut record = invalid();
    let anomaly = &mut record.verdict.anomalies[0];
    anomaly.text = anomaly
        .text
        .repeat(20)
        .replace("ms]session", "ms]\nsession");
    let text = screen(&record);
    assert!(text.contains("the rest is in anomalies/"), "{text}");
}

#[test]
fn what_was_measured_becomes_files_for_other_tools() {
    let settings = MeterSettings {
        start_ns: 0,
        interval_ns: 1_000 * MILLISECOND,
        open_loop: true,
        began_at: SystemTime::UNIX_EPOCH,
        groups: Vec::new(),
        live: None,
    };
    let directory = tempfile::tempdir().unwrap();
    let log = fs::File::create(directory.path().join(Measured::LOG_FILE_NAME)).unwrap();
    let mut recorder = Meter::start(settings, Box::new(log)).unwrap();
    recorder.offers((0..2_000).map(|n| n * MILLISECOND), u64::MAX);
    for n in 0..2_000 {
        recorder.record(n * MILLISECOND, OperationKind::Read, 0, 300 + n, 200 + n);
    }
    recorder.error(
        1_999 * MILLISECOND,
        OperationKind::Insert,
        None,
        "timeout",
        ErrorOutcome::Info,
    );
    let measured = recorder.finish(2_000 * MILLISECOND).unwrap();
    measured.save(directory.path()).unwrap();
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "latency.hlog",
        "nodes.csv",
        "read.response.hgrm",
        "read.service.hgrm",
        "timeseries.csv",
    ];
    assert_eq!(names, expected);
    let csv = fs::read_to_string(directory.path().join("timeseries.csv")).unwrap();
    let fields: Vec<Vec<_>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert!(
        fields.iter().all(|line| line.len() == fields[0].len()),
        "{csv}"
    );
    let kinds: Vec<_> = fields[1..].iter().map(|line| line[2]).collect();
    assert_eq!(kinds, ["all", "read", "all", "read", "insert"], "{csv}");
    let operations: u64 = fields[1..]
        .iter()
        .filter(|line| line[2] == "all")
        .map(|line| line[3].parse::<u64>().unwrap())
        .sum();
    assert_eq!(operations, 2_000);
    let log = fs::read_to_string(directory.path().join("latency.hlog")).unwrap();
    assert!(
        log.starts_with("#[Histogram log format version 1.3]\n"),
        "{log}"
    );
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    for record in [valid(), invalid(), open_loop(), void()] {
        let directory = tempfile::tempdir().unwrap();
        record.save(directory.path()).unwrap();
        let mut loaded = report::load(directory.path()).unwrap();
        assert_eq!(loaded.directory, directory.path().display().to_string());
        loaded.directory.clone_from(&record.directory);
        assert_eq!(loaded, record);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[track_caller]
fn refused(json: Option<&str>, message: &str) {
    let directory = tempfile::tempdir().unwrap();
    if let Some(json) = json {
        fs::write(directory.path().join("run.json"), json).unwrap();
    }
    let error = report::load(directory.path()).unwrap_err().to_string();
    let error = error.replace(&directory.path().display().to_string(), "DIR");
    assert!(
        error.starts_with(message) && !error.contains('\n'),
        "{error}"
    );
}

#[test]
fn a_record_that_cannot_be_read_is_refused_with_its_reason() {
    refused(None, "cannot read DIR/run.json: No such file");
    refused(Some("{"), "DIR/run.json is not a run record: EOF");
    refused(Some("[]"), "DIR/run.json is not a run record: ");
    refused(
        Some(r#"{"version": 99, "novelty": true}"#),
        "DIR/run.json has schema version 99, this program reads version 1: use the program",
    );
    refused(
        Some(r#"{"version": 1}"#),
        "DIR/run.json is not a run record: missing field",
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let missing = tempfile::tempdir().unwrap().path().join("gone");
    assert!(valid().save(&missing).is_err());
}

#[test]
fn more_than_one_late_arrival_in_a_hundred_voids_the_numbers() {
    let mut throughput = open_loop().statistics.throughput;
    throughput.late = 1_000;
    assert_eq!(throughput.void_reasons(), Vec::<String>::new());
    throughput.late = 1_001;
    assert_eq!(throughput.void_reasons().len(), 1);
    throughput.offered = None;
    assert_eq!(throughput.void_reasons(), Vec::<String>::new());
}

#[test]
fn a_record_from_before_faults_were_known_is_read_shown_and_made_a_page_of() {
    let stored = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/testdata/records/before-faults.json"
    );
    let directory = tempfile::tempdir().unwrap();
    fs::copy(stored, directory.path().join("run.json")).unwrap();
    let record = report::load(directory.path()).unwrap();
    assert_eq!(record.configuration.host, "process");
    assert!(record.faults.windows.is_empty() && record.objectives.is_empty());
    let screen = report::text(&record);
    assert!(
        screen.contains("VALID: the store kept its promise"),
        "{screen}"
    );
    let page = report::html::run_page(&record, directory.path()).unwrap();
    assert!(page.contains("VALID: causal kept"));
    // What was not recorded then is said to be missing.
    assert!(page.contains("timeseries.csv is missing"));
}

#[test]
fn a_page_is_whole_by_itself_and_no_text_of_a_run_becomes_markup() {
    let directory = tempfile::tempdir().unwrap();
    let mut record = invalid();
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    record.warnings.push(hostile.to_owned());
    record.command = hostile.to_owned();
    record.verdict.anomalies[0].text = hostile.to_owned();
    record.configuration.workload.name = hostile.to_owned();
    let page = report::html::run_page(&record, directory.path()).unwrap();
    assert!(
        !page.contains("<script>alert") && !page.contains("<img"),
        "not escaped"
    );
    assert!(page.contains("&lt;script&gt;alert(1)"), "not shown either");
    // Nothing is fetched: no address stands where a browser would follow it by itself.
    for loads in [
        "<link rel=\"stylesheet",
        "src=\"http",
        "url(http",
        "@import",
        "fetch(",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("default-src 'none'"));
}
