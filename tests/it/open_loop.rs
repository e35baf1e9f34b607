//! The acceptance test of the open loop. A store stops for a while, and the percentiles show it.

use std::time::{Duration, SystemTime};

use kvs_zoo::client::{Driver, DriverSettings, Load, Plan, RunClock};
use kvs_zoo::history::Evidence;
use kvs_zoo::measure::{self, OperationKind};
use kvs_zoo::node::NodeHandle;
use kvs_zoo::protocol::{Lattice, NodeId};
use kvs_zoo::run::{Cluster, ClusterConfig};
use kvs_zoo::session::Policy;
use kvs_zoo::target::Sessions;
use kvs_zoo::transport::runtime;
use kvs_zoo::workload::{ArrivalProcess, Arrivals, Generator, LoadSteps, Mix, Workload};

use crate::program::{DEADLINE, PROGRAM};

const SECOND_NS: u64 = 1_000_000_000;
/// Half of everything that numbers.md has: the percentiles are half of what they are there.
const DURATION: Duration = Duration::from_secs(5);
const STALL_AFTER: Duration = Duration::from_secs(2);
const STALL: Duration = Duration::from_secs(1);
const RATE: f64 = 1000.0;
const SESSIONS: u32 = 16;

/// Stops the node for a while, and returns for how many seconds.
async fn stall(node: &NodeHandle, clock: RunClock) -> f64 {
    tokio::time::sleep(STALL_AFTER).await;
    node.pause().await.unwrap();
    let since_ns = clock.now_ns();
    tokio::time::sleep(STALL).await;
    node.resume().await.unwrap();
    (clock.now_ns() - since_ns) as f64 / 1e9
}

fn run_plan(workload: &Workload, now_ns: u64) -> Plan {
    let settings = measure::MeterSettings {
        start_ns: now_ns,
        interval_ns: SECOND_NS,
        open_loop: true,
        began_at: SystemTime::now(),
        groups: Vec::new(),
        live: None,
    };
    let recorder = measure::Meter::start(settings, Box::new(std::io::sink())).unwrap();
    Plan::Run {
        start_ns: now_ns,
        arrivals: Arrivals::new(workload, 1),
        measured_from_ns: now_ns,
        end_ns: now_ns + DURATION.as_nanos() as u64,
        operations: u64::MAX,
        measured: Box::new(recorder),
    }
}

/// Drives the load over a node that stalls; what was measured, and how long the stall was.
async fn measure_a_stall() -> (measure::Measured, f64) {
    let workload = Workload {
        records: 100,
        sessions: SESSIONS,
        rate: Some(RATE),
        arrivals: ArrivalProcess::Constant,
        mix: Mix {
            read: 1.0,
            ..Mix::default()
        },
        ..Workload::default()
    };
    let mut config = ClusterConfig::new("local".parse().unwrap(), Lattice::Causal);
    config.program = Some(PROGRAM.into());
    let mut cluster = Cluster::start(&config).await.unwrap();
    let settings = DriverSettings {
        ports: cluster.ports().clone(),
        policy: Policy::default(),
        // Nothing times out.
        timeout_ns: DEADLINE.as_nanos() as u64,
        silence_ns: DEADLINE.as_nanos() as u64,
        lanes: SESSIONS,
        seed: 1,
        evidence: Evidence::Causal,
    };
    let driver = Driver::new(settings, Generator::new(&workload, 1), None);
    let clock = RunClock::start();
    let addresses = cluster.addresses();
    let load = Load::connect(
        cluster.connector(DEADLINE),
        &addresses,
        Sessions::Shared,
        driver,
        clock,
    )
    .await
    .unwrap();
    let drive = |plan| load.drive(plan, std::future::pending(), |_| ());
    drive(Plan::Load(LoadSteps::new(&workload, 1)))
        .await
        .unwrap();
    let node = cluster.launcher().node(NodeId(0)).unwrap();
    let plan = run_plan(&workload, clock.now_ns());
    let (measured, stalled) = tokio::join!(drive(plan), stall(node, clock));
    let measured = measured.unwrap().expect("a run phase measures");
    load.close().await;
    cluster.shutdown().await;
    (measured.finish(clock.now_ns()).unwrap(), stalled)
}

/// What a percentile must be when arrivals come at equal gaps: those within the stall wait for
/// its end, from all of it down to nothing, and nobody else waits.
fn closed_form(percentile: f64, stalled: f64) -> f64 {
    let share = stalled / DURATION.as_secs_f64();
    stalled * (1.0 - (1.0 - percentile) / share)
}

#[test]
fn a_stall_shows_in_the_response_times_in_full_and_hardly_in_the_service_times() {
    let (measured, stalled) = runtime()
        .unwrap()
        .block_on(async { tokio::time::timeout(DEADLINE, measure_a_stall()).await })
        .expect("the test ends before its deadline");
    assert_eq!(measured.errors, []);
    // The first arrival comes when the phase begins, a little after the plan was made.
    let arrivals = measured.offered.expect("an open loop");
    let planned = DURATION.as_secs_f64() * RATE;
    assert!((0.98 * planned..=planned).contains(&(arrivals as f64)));
    let read = OperationKind::Read as usize;
    let response = measured.response[read].summary();
    let service = measured.service[read].summary();
    assert_eq!((response.count, service.count), (arrivals, arrivals));

    let seconds = |ns: Option<u64>| ns.unwrap() as f64 / 1e9;
    for (percentile, value) in [(0.9, response.p90), (0.99, response.p99)] {
        let expected = closed_form(percentile, stalled);
        let value = seconds(value);
        // A tool that omits what it did not send is wrong by orders of magnitude.
        let error = (value - expected).abs() / expected;
        assert!(error < 0.35, "{percentile}: {value} s, not {expected} s");
    }
    // What such a tool reports: the few operations that were under way when the node stopped.
    let honest = seconds(response.p90);
    assert!(seconds(service.p90) < honest / 10.0, "{service:?}");
    assert!(seconds(service.p99) < honest / 2.0, "{service:?}");
    assert!(seconds(service.max) > 0.8 * stalled, "{service:?}");
    // And it is the store's fault: were the arrivals within the stall the generator's, all of them
    // would count as late. On a busy machine some others do.
    let within = stalled * RATE;
    assert!(
        (measured.late as f64) < 0.8 * within,
        "{} late",
        measured.late
    );
}
