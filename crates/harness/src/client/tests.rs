//! The driver with a wire of paper and times made by hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::SystemTime;

use super::driver::{Driver, DriverSettings, Progress};
use super::work::{LATE_NS, Plan};
use kvs_check::history::{
    ArrowFile, ErrorKind, Evidence, Header, History, Kind, Outcome, Phase, Row,
};
use kvs_core::drive::{LANES_MAX, Order, PAUSE_NS, Sent, Wire};
use kvs_core::protocol::{Lattice, NodeId, PutWitness, Refusal, Response};
use kvs_core::server::{Architecture, Paper};
use kvs_core::session::Policy;
use kvs_load::workload::{ArrivalProcess, Arrivals, Generator, LoadSteps, Mix, Workload};
use kvs_measure::{self as measure, Measured, NOT_STARTED, OperationKind};

const MS: u64 = 1_000_000;
const TIMEOUT_NS: u64 = 100 * MS;
/// The end of a phase that ends otherwise.
const NEVER: u64 = u64::MAX;

/// A request as the wire saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    node: NodeId,
    id: u32,
    key: u64,
    /// The id of the value of a put.
    put: Option<u64>,
}

/// Keeps what is sent, but for what is meant for nodes that are down.
#[derive(Default)]
struct PaperWire {
    sent: VecDeque<Asked>,
    down: Vec<NodeId>,
}

impl Wire for PaperWire {
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> Sent {
        if self.down.contains(&node) {
            return Sent::Nowhere;
        }
        let put = order.ask.new_value().map(|value| value.id);
        let key = order.key;
        self.sent.push_back(Asked { node, id, key, put });
        Sent::To { incarnation: 0 }
    }
}

/// A driver, its wire, and where its history goes.
struct Fixture {
    driver: Driver,
    wire: PaperWire,
    workload: Workload,
    history: tempfile::NamedTempFile,
}

fn reads() -> Mix {
    Mix {
        read: 1.0,
        ..Mix::default()
    }
}

fn updates() -> Mix {
    Mix {
        update: 1.0,
        ..Mix::default()
    }
}

impl Fixture {
    fn new(architecture: &str, lanes: u32, mix: Mix) -> Self {
        Self::of(architecture, lanes, mix, None)
    }

    /// With arrivals of equal gaps, `rate` a second.
    fn open(lanes: u32, mix: Mix, rate: f64) -> Self {
        Self::of("local", lanes, mix, Some(rate))
    }

    fn of(architecture: &str, lanes: u32, mix: Mix, rate: Option<f64>) -> Self {
        let workload = Workload {
            records: 10,
            sessions: lanes,
            mix,
            rate,
            arrivals: ArrivalProcess::Constant,
            ..Workload::default()
        };
        workload.validate().expect("a workload that can be run");
        let architecture: Architecture = architecture.parse().expect("an architecture");
        let settings = DriverSettings {
            ports: architecture.deploy(&mut Paper::default(), Lattice::Causal),
            policy: Policy::default(),
            timeout_ns: TIMEOUT_NS,
            silence_ns: TIMEOUT_NS,
            lanes,
            seed: 1,
            evidence: Evidence::Causal,
        };
        let history = tempfile::NamedTempFile::new().expect("a temporary file");
        let recorder = ArrowFile::create(history.path(), &Header::default()).expect("a recorder");
        Self {
            driver: Driver::new(settings, Generator::new(&workload, 1), Some(recorder)),
            wire: PaperWire::default(),
            workload,
            history,
        }
    }

    /// Begins a run phase at time 0 that is measured from its start.
    fn run(&mut self, end_ns: u64, operations: u64) {
        let settings = measure::MeterSettings {
            start_ns: 0,
            interval_ns: 10 * MS,
            open_loop: self.workload.rate.is_some(),
            began_at: SystemTime::UNIX_EPOCH,
            groups: Vec::new(),
            live: None,
        };
        let log = Box::new(std::io::sink());
        let measured = measure::Meter::start(settings, log).expect("a thread");
        let plan = Plan::Run {
            start_ns: 0,
            arrivals: Arrivals::new(&self.workload, 1),
            measured_from_ns: 0,
            end_ns,
            operations,
            measured: Box::new(measured),
        };
        self.driver.begin(plan);
    }

    fn tick(&mut self, now_ns: u64) {
        self.driver.tick(now_ns, &mut self.wire);
    }

    /// The oldest request that the test has not looked at.
    fn next(&mut self) -> Asked {
        self.wire.sent.pop_front().expect("a request was sent")
    }

    /// The same, when no other was sent.
    fn only(&mut self) -> Asked {
        let asked = self.next();
        self.nothing_sent();
        asked
    }

    fn nothing_sent(&self) {
        assert_eq!(self.wire.sent, []);
    }

    /// Answers as an empty store would.
    fn answer(&mut self, asked: Asked, now_ns: u64) {
        let response = match asked.put {
            Some(_) => Response::Put(PutWitness::None),
            None => Response::Get {
                vector: &[],
                siblings: &[],
            },
        };
        self.respond(asked, &response, now_ns);
    }

    fn respond(&mut self, asked: Asked, response: &Response<'_>, now_ns: u64) {
        self.driver
            .handle_response(asked.id, response, now_ns, &mut self.wire);
    }

    fn ok_and_errors(&self) -> (u64, u64) {
        let Progress { ok, errors } = self.driver.progress();
        (ok, errors)
    }

    /// Ends the run phase, in which nothing is under way any more.
    fn end(&mut self, now_ns: u64) -> Measured {
        assert!(self.driver.is_done(now_ns), "nothing is left or under way");
        let measured = self.driver.end(now_ns).expect("a run phase measures");
        measured.finish(now_ns).expect("a sink takes everything")
    }

    /// Everything that was recorded.
    fn history(self) -> History {
        let recorder = self.driver.finish().expect("there is a recorder");
        recorder.finish().expect("recorded");
        History::read(self.history.path()).expect("a history")
    }
}

fn rows(history: &History) -> Vec<Row<'_>> {
    (0..history.len()).map(|i| history.row(i)).collect()
}

/// A run's errors: how many of each name.
fn errors(measured: &Measured) -> BTreeMap<&str, u64> {
    let errors = measured.errors.iter();
    errors.map(|e| (e.error.as_str(), e.count)).collect()
}

/// That a latency is what it should be, as precisely as a histogram keeps it.
#[track_caller]
fn near(value: Option<u64>, exact: u64) {
    let value = value.expect("something was measured") as f64;
    assert!((value / exact as f64 - 1.0).abs() < 2e-3, "{value} ns");
}

#[test]
fn a_closed_loop_keeps_one_operation_a_lane_under_way() {
    let mut test = Fixture::new("local", 3, reads());
    test.run(NEVER, NEVER);
    test.tick(0);
    assert_eq!(test.wire.sent.len(), 3);
    test.tick(MS);
    assert_eq!(test.wire.sent.len(), 3, "time alone starts nothing");
    for now_ms in 2..50 {
        let oldest = test.next();
        test.answer(oldest, now_ms * MS);
        assert_eq!(test.wire.sent.len(), 3, "an answer starts the next");
    }
    let history = test.history();
    let mut last = BTreeMap::new();
    for row in rows(&history) {
        if let Some((index, returned)) = last.insert(row.session, (row.index, row.returned)) {
            assert_eq!(row.index, index + 1);
            assert!(Some(row.invoke) >= returned, "one after the other: {row:?}");
        }
    }
    assert_eq!(last.len(), 3, "one session a lane");
}

#[test]
fn the_load_puts_each_record_once() {
    let mut test = Fixture::new("local", 2, reads());
    let plan = Plan::Load(LoadSteps::new(&test.workload, 1));
    test.driver.begin(plan);
    test.tick(0);
    let mut keys = Vec::new();
    while let Some(asked) = test.wire.sent.pop_front() {
        assert!(asked.put.is_some() && !test.driver.is_done(MS));
        keys.push(asked.key);
        test.answer(asked, MS);
    }
    assert_eq!(keys, (0..10).collect::<Vec<_>>());
    assert!(test.driver.is_done(MS));
    assert_eq!(test.driver.keys_end(), 10);
    assert!(test.driver.end(MS).is_none(), "nothing is measured");
    let history = test.history();
    assert!(rows(&history).iter().all(|row| row.phase == Phase::Load));
}

#[test]
fn a_late_answer_to_a_request_that_was_given_up_is_ignored() {
    let mut test = Fixture::new("local", 1, reads());
    test.run(NEVER, NEVER);
    test.tick(0);
    let late = test.only();
    test.tick(TIMEOUT_NS);
    let current = test.only();
    test.answer(late, TIMEOUT_NS + MS);
    assert_eq!(test.ok_and_errors(), (0, 1));
    test.nothing_sent();
    test.answer(current, TIMEOUT_NS + 2 * MS);
    assert_eq!(test.ok_and_errors(), (1, 1), "the control");
}

#[test]
fn an_answer_is_late_even_after_as_many_requests_as_there_can_be_lanes() {
    let mut test = Fixture::new("local", 1, reads());
    test.run(NEVER, NEVER);
    test.tick(0);
    let late = test.only();
    test.tick(TIMEOUT_NS);
    let requests = u64::from(LANES_MAX) - 1;
    for i in 0..requests {
        let asked = test.only();
        test.answer(asked, TIMEOUT_NS + i);
    }
    test.answer(late, TIMEOUT_NS + requests);
    assert_eq!(test.ok_and_errors(), (requests, 1));
}

#[test]
fn a_put_without_an_answer_is_unknown_and_its_lane_goes_on_under_a_new_session() {
    let mut test = Fixture::new("local", 1, updates());
    test.run(NEVER, 2);
    test.tick(0);
    let first = test.only();
    test.tick(TIMEOUT_NS - 1);
    test.nothing_sent();
    test.tick(TIMEOUT_NS);
    let second = test.only();
    assert_ne!(first.put, second.put);
    test.answer(second, TIMEOUT_NS + MS);
    let measured = test.end(TIMEOUT_NS + MS);
    assert_eq!(errors(&measured), BTreeMap::from([("timeout", 1)]));
    assert_eq!(measured.errors[0].outcome, measure::ErrorOutcome::Info);

    let history = test.history();
    let rows = rows(&history);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].outcome, Outcome::Info);
    assert_eq!(rows[0].error, Some(ErrorKind::Timeout));
    assert_eq!(rows[0].returned, None);
    assert_eq!(Some(rows[0].written), first.put);
    assert_eq!(rows[1].outcome, Outcome::Ok);
    assert_ne!(rows[1].session, rows[0].session);
    assert_eq!((rows[0].index, rows[1].index), (0, 0));
}

#[test]
fn a_get_without_an_answer_failed_and_its_session_goes_on() {
    let mut test = Fixture::new("local", 1, reads());
    test.run(NEVER, 2);
    test.tick(0);
    test.next();
    test.tick(TIMEOUT_NS);
    let second = test.only();
    test.answer(second, TIMEOUT_NS + MS);
    let history = test.history();
    let rows = rows(&history);
    assert_eq!(rows[0].outcome, Outcome::Fail);
    assert_eq!(rows[0].error, Some(ErrorKind::Timeout));
    assert_eq!(rows[0].returned, Some(TIMEOUT_NS));
    assert_eq!(rows[1].session, rows[0].session);
    assert_eq!((rows[0].index, rows[1].index), (0, 1));
}

#[test]
fn a_read_modify_write_is_two_operations_and_one_sample() {
    let mix = Mix {
        read_modify_write: 1.0,
        ..Mix::default()
    };
    let mut test = Fixture::new("local", 1, mix);
    test.run(NEVER, 2);
    test.tick(0);
    let get = test.only();
    assert_eq!(get.put, None);
    test.answer(get, 10 * MS);
    let put = test.only();
    assert!(put.put.is_some());
    assert_eq!(put.key, get.key);
    test.answer(put, 30 * MS);
    // The second one's get is refused: there is no put then.
    let get = test.only();
    test.respond(get, &Response::Refused(Refusal::Overloaded), 40 * MS);
    test.nothing_sent();

    let measured = test.end(40 * MS);
    for kind in OperationKind::ALL {
        let count = measured.service[kind as usize].count();
        assert_eq!(count, u64::from(kind == OperationKind::ReadModifyWrite));
    }
    let summary = measured.service[OperationKind::ReadModifyWrite as usize].summary();
    near(summary.max, 30 * MS);
    assert_eq!(errors(&measured), BTreeMap::from([("overloaded", 1)]));

    let history = test.history();
    let rows = rows(&history);
    let kinds: Vec<Kind> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [Kind::Get, Kind::Put, Kind::Get]);
    assert_eq!(rows[0].session, rows[1].session);
    assert_eq!((rows[1].intended, rows[1].invoke), (10 * MS, 10 * MS));
}

#[test]
fn open_loop_arrivals_start_at_their_times_whether_or_not_earlier_ones_have_ended() {
    let mut test = Fixture::open(2, reads(), 1000.0);
    test.run(NEVER, NEVER);
    test.tick(0);
    test.only();
    assert_eq!(test.driver.next_due_ns(), Some(MS));
    test.tick(MS - 1);
    test.nothing_sent();
    test.tick(MS);
    test.only();
    assert_eq!(test.driver.next_due_ns(), None, "no lane is free");
    test.tick(2 * MS);
    test.nothing_sent();
}

/// One lane, an arrival each millisecond, and a store that takes 10 ms for the first operation and
/// 1 ms for each of the next.
#[test]
fn response_time_counts_from_the_intended_start_and_service_time_from_the_actual_one() {
    let mut test = Fixture::open(1, reads(), 1000.0);
    test.run(NEVER, NEVER);
    test.tick(0);
    for now_ms in 10..=13 {
        if now_ms == 13 {
            test.driver.stop(12 * MS);
        }
        let asked = test.only();
        test.answer(asked, now_ms * MS);
    }
    let measured = test.end(13 * MS);
    let response = measured.response[OperationKind::Read as usize].summary();
    assert_eq!(response.count, 4);
    near(response.p50, 10 * MS);
    near(response.max, 10 * MS);
    let service = measured.service[OperationKind::Read as usize].summary();
    assert_eq!(service.count, 4);
    near(service.p50, MS);
    near(service.max, 10 * MS);
    assert_eq!(measured.late, 0, "the lane was busy: the store's fault");
    // Arrivals 4 to 11 were meant to start before the stop and never did.
    assert_eq!(errors(&measured), BTreeMap::from([(NOT_STARTED, 8)]));
    assert_eq!(measured.offered, Some(12));
    let waited = &measured.unstarted[&OperationKind::Read];
    near(waited.summary().max, 8 * MS);
    let offered = measured.series.rows.iter().filter_map(|row| row.offered);
    assert_eq!(
        offered.collect::<Vec<_>>(),
        [10, 2],
        "as was meant, in tens of ms"
    );

    let history = test.history();
    let times = |row: &Row<'_>| (row.intended / MS, row.invoke / MS);
    let times: Vec<_> = rows(&history).iter().map(times).collect();
    assert_eq!(times, [(0, 0), (1, 10), (2, 11), (3, 12)]);
}

#[test]
fn an_arrival_that_starts_late_though_a_lane_was_free_is_the_generators_fault() {
    let late = |tick_ns: u64| {
        let mut test = Fixture::open(1, reads(), 1000.0);
        test.run(NEVER, 2);
        test.tick(0);
        let first = test.only();
        test.answer(first, MS / 2);
        test.tick(tick_ns);
        let second = test.only();
        test.answer(second, tick_ns + MS);
        test.end(tick_ns + MS).late
    };
    assert_eq!(late(MS), 0, "the control: in time");
    assert_eq!(late(MS + LATE_NS), 0, "a little late does not count");
    assert_eq!(late(MS + LATE_NS + 1), 1);
}

#[test]
fn arrivals_that_no_lane_was_free_for_before_the_phase_was_over_are_counted() {
    let mut test = Fixture::open(1, reads(), 1000.0);
    let end_ns = 5 * MS;
    test.run(end_ns, NEVER);
    test.tick(0);
    test.only();
    test.tick(TIMEOUT_NS);
    let second = test.only();
    // The drain is over: the answer that comes now is the last.
    let now_ns = end_ns + TIMEOUT_NS;
    assert!(!test.driver.is_done(now_ns), "one is under way");
    test.answer(second, now_ns);
    test.nothing_sent();
    let measured = test.end(now_ns);
    assert_eq!(
        errors(&measured),
        BTreeMap::from([("timeout", 1), (NOT_STARTED, 3)])
    );
    assert_eq!(measured.offered, Some(5));
    assert_eq!(measured.late, 0);
    // The three were meant for 2, 3 and 4 ms.
    let waited = measured.unstarted[&OperationKind::Read].summary();
    assert_eq!(waited.count, 3);
    near(waited.max, now_ns - 2 * MS);
}

#[test]
fn a_phase_that_begins_late_offers_its_whole_schedule_all_the_same() {
    let mut test = Fixture::open(5, reads(), 1000.0);
    test.run(5 * MS, NEVER);
    // The plan is from 0 on, and the driver hears the time for the first time now.
    test.tick(3 * MS);
    // Those of 0 to 3 ms are due, each for the lane that was free for it.
    let due = [test.next(), test.next(), test.next(), test.next()];
    test.nothing_sent();
    for asked in due {
        test.answer(asked, 3 * MS);
    }
    test.tick(4 * MS);
    let last = test.only();
    test.answer(last, 4 * MS);
    let measured = test.end(5 * MS);
    assert_eq!(measured.offered, Some(5));
    assert_eq!(measured.late, 2, "those of 0 and 1 ms");
}

#[test]
fn waiting_in_vain_after_the_end_does_not_make_the_measured_part_longer() {
    let ends = |answer_ns: Option<u64>| {
        let end_ns = 5 * MS;
        let mut test = Fixture::new("local", 1, reads());
        test.run(end_ns, NEVER);
        test.tick(0);
        let first = test.only();
        test.answer(first, MS);
        let second = test.only();
        if let Some(answer_ns) = answer_ns {
            test.tick(answer_ns);
            test.answer(second, answer_ns);
        }
        let now_ns = 2 * TIMEOUT_NS;
        test.tick(now_ns);
        assert!(test.driver.is_done(now_ns));
        let measured = test.driver.end(now_ns).expect("it measures");
        let ended_ns = end_ns.max(test.driver.last_ok_ns());
        measured.finish(ended_ns).expect("finished").end_ns
    };
    assert_eq!(ends(None), 5 * MS);
    assert_eq!(ends(Some(4 * MS)), 5 * MS);
    assert_eq!(ends(Some(42 * MS)), 42 * MS, "it took that long");
}

#[test]
fn a_silent_node_is_tested_by_one_operation_at_a_time() {
    let mut test = Fixture::new("replicated(2)", 4, reads());
    test.run(NEVER, NEVER);
    let mut asked_ms = Vec::new();
    for now_ms in 0..=450 {
        test.tick(now_ms * MS);
        for asked in std::mem::take(&mut test.wire.sent) {
            if asked.node == NodeId(0) {
                asked_ms.push(now_ms);
            } else {
                test.answer(asked, now_ms * MS);
            }
        }
    }
    // All lanes end up there before the first time-out; from then on one lane at a time.
    assert_eq!(asked_ms.len(), 6, "{asked_ms:?}");
    let (first, then) = asked_ms.split_at(4);
    assert!(first.iter().all(|&ms| ms < 100), "{asked_ms:?}");
    assert!((200..=210).contains(&then[0]), "{asked_ms:?}");
    assert!((400..=410).contains(&then[1]), "{asked_ms:?}");
}

#[test]
fn a_lane_pauses_instead_of_spinning_when_no_replica_can_be_reached() {
    let mut test = Fixture::new("replicated", 2, updates());
    test.wire.down = (0..3).map(NodeId).collect();
    test.run(NEVER, NEVER);
    test.tick(0);
    assert_eq!(test.ok_and_errors(), (0, 2), "one each");
    test.tick(PAUSE_NS - 1);
    assert_eq!(test.ok_and_errors(), (0, 2));
    test.tick(PAUSE_NS);
    assert_eq!(test.ok_and_errors(), (0, 4));
    test.wire.down.clear();
    test.tick(2 * PAUSE_NS);
    assert_eq!(test.wire.sent.len(), 2);
    let history = test.history();
    for row in rows(&history) {
        assert_eq!(row.outcome, Outcome::Fail, "nothing was sent");
        assert_eq!(row.error, Some(ErrorKind::NoConnection));
    }
    let sessions: Vec<_> = rows(&history).iter().map(|row| row.session).collect();
    assert!(sessions.iter().all(|&session| session < 2), "{sessions:?}");
}

#[test]
fn an_insert_that_failed_is_tried_again_and_one_that_was_acknowledged_is_not() {
    let mix = Mix {
        insert: 1.0,
        ..Mix::default()
    };
    let mut test = Fixture::new("local", 2, mix);
    test.run(NEVER, NEVER);
    test.tick(0);
    let (first, second) = (test.next(), test.only());
    assert_eq!((first.key, second.key), (10, 11));
    test.answer(second, MS);
    let third = test.only();
    assert_eq!(third.key, 12);
    // The first times out, the third is answered in time.
    test.answer(third, 2 * MS);
    let fourth = test.only();
    assert_eq!(fourth.key, 13);
    test.tick(TIMEOUT_NS);
    assert_eq!(test.only().key, 10, "again");
    // The generator panics when an insert is answered twice.
    test.answer(first, TIMEOUT_NS + MS);
    test.answer(fourth, TIMEOUT_NS + MS);
    assert_eq!(test.only().key, 14);
    assert_eq!(test.driver.keys_end(), 14, "above every key that was put");
}

fn final_reads(nodes: u16) -> Plan {
    let reads = (0..nodes).map(|node| (NodeId(node), (0..4).collect()));
    Plan::Final {
        reads: reads.collect(),
        compared: false,
    }
}

/// Which keys each node was asked for and answered.
fn keys_read(history: &History) -> BTreeMap<u16, Vec<u64>> {
    let mut read: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for row in rows(history) {
        assert_eq!((row.phase, row.kind), (Phase::Final, Kind::Get));
        if row.outcome == Outcome::Ok {
            read.entry(row.node).or_default().push(row.key);
        }
    }
    for keys in read.values_mut() {
        keys.sort_unstable();
    }
    read
}

#[test]
fn every_replica_is_read_back_whole_even_by_fewer_sessions_than_there_are_nodes() {
    let mut test = Fixture::new("replicated", 1, reads());
    test.driver.begin(final_reads(3));
    test.tick(0);
    while let Some(asked) = test.wire.sent.pop_front() {
        test.answer(asked, MS);
    }
    assert!(test.driver.is_done(MS));
    let whole = vec![0, 1, 2, 3];
    let expected = BTreeMap::from([(0, whole.clone()), (1, whole.clone()), (2, whole)]);
    assert_eq!(keys_read(&test.history()), expected);
}

#[test]
fn nodes_without_a_key_keep_no_lane_from_reading_the_others_back() {
    let mut test = Fixture::new("sharded(3)", 4, reads());
    let none = VecDeque::new();
    let reads = [none.clone(), VecDeque::from([0, 1]), none];
    let reads = (0..).map(NodeId).zip(reads).collect();
    test.driver.begin(Plan::Final {
        reads,
        compared: false,
    });
    test.tick(0);
    for _ in 0..2 {
        let asked = test.next();
        test.answer(asked, MS);
    }
    assert!(test.driver.is_done(MS));
    assert_eq!(
        keys_read(&test.history()),
        BTreeMap::from([(1, vec![0, 1])])
    );
}

/// Reads two nodes back, the first of which is down until `up_ns`.
fn read_back_with_a_node_down(up_ns: u64) -> (u64, History) {
    let (ended_ns, unread, history) = with_a_node_down("replicated(2)", final_reads(2), up_ns);
    assert_eq!(unread, 0, "the other node has shown each");
    (ended_ns, history)
}

/// Reads until it ends, while the first node is down until `up_ns`. Tells when it ended, and how many
/// keys nobody answered for.
fn with_a_node_down(architecture: &str, plan: Plan, up_ns: u64) -> (u64, u64, History) {
    let mut test = Fixture::new(architecture, 2, reads());
    test.wire.down = vec![NodeId(0)];
    test.driver.begin(plan);
    for now_ns in (0..).step_by(PAUSE_NS as usize) {
        if now_ns >= up_ns {
            test.wire.down.clear();
        }
        test.tick(now_ns);
        while let Some(asked) = test.wire.sent.pop_front() {
            test.answer(asked, now_ns);
        }
        if test.driver.is_done(now_ns) {
            return (now_ns, test.driver.unread(), test.history());
        }
    }
    unreachable!("the loop has no end of its own")
}

#[test]
fn a_node_that_is_reached_within_the_time_out_is_read_back_whole() {
    let (_, history) = read_back_with_a_node_down(TIMEOUT_NS / 2);
    let whole = vec![0, 1, 2, 3];
    assert_eq!(
        keys_read(&history),
        BTreeMap::from([(0, whole.clone()), (1, whole)])
    );
}

#[test]
fn a_node_that_cannot_be_reached_is_given_up_and_the_others_are_read_back() {
    let (ended_ns, history) = read_back_with_a_node_down(u64::MAX);
    assert!((TIMEOUT_NS..=TIMEOUT_NS + 2 * PAUSE_NS).contains(&ended_ns));
    assert_eq!(keys_read(&history), BTreeMap::from([(1, vec![0, 1, 2, 3])]));
    let refused = rows(&history).iter().filter(|row| row.node == 0).count();
    assert!(refused > 0, "the history tells that it was asked");
}

#[test]
fn keys_that_no_node_shows_in_the_end_are_counted_and_those_that_one_shows_are_not() {
    let unread = |refuses: fn(&Asked) -> bool| {
        let mut test = Fixture::new("replicated(2)", 2, reads());
        test.driver.begin(final_reads(2));
        // A node that refuses is asked again for a while.
        for now_ns in (0..=4 * TIMEOUT_NS).step_by(PAUSE_NS as usize) {
            test.tick(now_ns);
            let asked: Vec<Asked> = test.wire.sent.drain(..).collect();
            for asked in asked {
                if refuses(&asked) {
                    test.respond(asked, &Response::Refused(Refusal::NotReady), now_ns);
                } else {
                    test.answer(asked, now_ns);
                }
            }
        }
        assert!(test.driver.is_done(4 * TIMEOUT_NS));
        test.driver.unread()
    };
    assert_eq!(unread(|_| true), 4);
    assert_eq!(unread(|asked| asked.key == 3), 1);
    assert_eq!(unread(|asked| asked.node == NodeId(1)), 0);
    assert_eq!(unread(|_| false), 0);
}

#[test]
fn what_clients_read_in_the_end_is_asked_again_until_somebody_answers_or_time_is_over() {
    let read = |up_ns| {
        let plan = Plan::Sweep { keys: 0..4 };
        let (ended_ns, unread, history) = with_a_node_down("local", plan, up_ns);
        let is_ok = |row: &&Row<'_>| row.outcome == Outcome::Ok;
        let read = rows(&history);
        let keys: BTreeSet<_> = read.iter().filter(is_ok).map(|row| row.key).collect();
        (ended_ns, unread, keys)
    };
    let (_, unread, keys) = read(TIMEOUT_NS / 2);
    assert_eq!((unread, keys), (0, (0..4).collect()), "each was read");
    let (ended_ns, unread, keys) = read(u64::MAX);
    assert_eq!((unread, keys), (4, BTreeSet::new()), "nobody answered");
    assert!((TIMEOUT_NS..=TIMEOUT_NS + 2 * PAUSE_NS).contains(&ended_ns));
}

#[test]
fn a_node_that_does_not_answer_is_given_up_after_one_time_out() {
    let mut test = Fixture::new("local", 2, reads());
    test.driver.begin(final_reads(1));
    test.tick(0);
    test.tick(TIMEOUT_NS);
    assert!(test.driver.is_done(TIMEOUT_NS), "two of four keys are left");
    assert_eq!(test.ok_and_errors(), (0, 2));
}

#[test]
fn a_broken_connection_moves_a_get_to_another_replica() {
    let mut test = Fixture::new("replicated", 1, reads());
    test.run(NEVER, 1);
    test.tick(0);
    let first = test.only();
    test.driver
        .handle_disconnect(first.node, None, MS, &mut test.wire);
    let second = test.only();
    assert_ne!(second.node, first.node);
    assert_eq!(second.key, first.key);
    test.answer(second, 3 * MS);
    let measured = test.end(3 * MS);
    near(
        measured.service[OperationKind::Read as usize].summary().max,
        3 * MS,
    );
    let history = test.history();
    let rows = rows(&history);
    assert_eq!(rows.len(), 1, "one operation");
    assert_eq!(
        (rows[0].node, rows[0].outcome),
        (second.node.0, Outcome::Ok)
    );
}

#[test]
fn a_broken_connection_ends_the_session_of_a_put_and_leaves_other_nodes_operations_alone() {
    let mut test = Fixture::new("replicated", 2, updates());
    test.run(NEVER, NEVER);
    test.tick(0);
    let (first, other) = (test.next(), test.only());
    assert_ne!(first.node, other.node, "round robin");
    test.driver
        .handle_disconnect(first.node, None, MS, &mut test.wire);
    let next = test.only();
    assert_ne!(next.node, first.node, "it is suspected");
    test.answer(other, 2 * MS);
    test.answer(next, 2 * MS);
    let history = test.history();
    let rows = rows(&history);
    assert_eq!(rows[0].outcome, Outcome::Info);
    assert_eq!(rows[0].error, Some(ErrorKind::Disconnected));
    let row = |put: Option<u64>| {
        let row = rows.iter().find(|row| Some(row.written) == put);
        *row.expect("every operation is recorded")
    };
    assert_eq!(row(other.put).outcome, Outcome::Ok);
    assert_eq!(row(next.put).index, 0);
    assert!(row(next.put).session > 1, "a fresh session");
}
