//! One run, from start to verdict: launch, load, drive, quiesce, read back, check, save.
//!
//! It prints nothing: an [`Observer`] is told what goes on, and the result is a [`RunRecord`].
//! Neighbours: `cli` asks for it, `node` and `client` do the work, `checker` judges.

mod cluster;
mod config;
mod directory;
mod error;
mod interrupt;
mod quiesce;
mod record;
mod verdict;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::BufWriter;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use jiff::Timestamp;

use crate::client::{self, Clock, Driver, Load, Plan, Progress};
use crate::history;
use crate::measure::{self, Measured, RunRecord};
use crate::node::NodeStatus;
use crate::protocol::NodeId;
use crate::transport;
use crate::workload::{self, Arrivals, Generator, LoadSteps, humane};

pub use cluster::{Cluster, ClusterConfig};
pub use config::{Config, HISTORY_LIMIT_DEFAULT, HISTORY_SAMPLE, lattice_name};
pub use directory::{Directory, HISTORY_FILE, LATEST_LINK};
pub use error::Error;
pub(crate) use error::one_line;
pub use quiesce::{QUIESCE_TIMEOUT, Quiescence};
pub use verdict::{check_history, history_path};

use interrupt::Interrupt;
use record::Findings;

/// The length of the intervals of the time series.
const INTERVAL_NS: u64 = 1_000_000_000;

/// Is told what a run is doing.
pub trait Observer {
    /// A new stage has begun.
    fn stage(&mut self, name: &'static str);
    /// How far the stage has got.
    fn progress(&mut self, message: String);
}

/// What came of a run.
#[derive(Debug)]
pub struct Finished {
    /// Everything that is known of it, as saved.
    pub record: RunRecord,
    /// Whether it was interrupted: then it was not checked.
    pub interrupted: bool,
}

/// Runs `config` to its verdict, or as far as an interruption lets it, and saves the result.
///
/// # Errors
/// When there is no result: the results directory cannot be written, the nodes do not start, the
/// disk is full. What was recorded is kept.
pub fn run(config: &Config, observer: &mut dyn Observer) -> Result<Finished, Error> {
    let system = |source| Error::System {
        what: "an event loop",
        source,
    };
    let runtime = transport::runtime().map_err(system)?;
    runtime.block_on(execute(config, observer))
}

/// How long each phase took, in order.
struct Stages<'a> {
    observer: &'a mut dyn Observer,
    clock: Clock,
    done: Vec<measure::PhaseRecord>,
    current: Option<(&'static str, u64)>,
}

impl Stages<'_> {
    fn begin(&mut self, name: &'static str) {
        self.end();
        self.current = Some((name, self.clock.now_ns()));
        self.observer.stage(name);
    }

    fn end(&mut self) {
        if let Some((name, since_ns)) = self.current.take() {
            let seconds = (self.clock.now_ns() - since_ns) as f64 / 1e9;
            self.done.push(measure::PhaseRecord {
                name: name.to_owned(),
                seconds,
            });
        }
    }
}

async fn execute(config: &Config, observer: &mut dyn Observer) -> Result<Finished, Error> {
    let system = |source| Error::System {
        what: "to listen to signals",
        source,
    };
    let interrupt = Interrupt::listen().map_err(system)?;
    let start = Timestamp::now();
    let began_at = SystemTime::now();
    let clock = Clock::start();
    let mut stages = Stages {
        observer,
        clock,
        done: Vec::new(),
        current: None,
    };

    stages.begin("start");
    let architecture = config.architecture.to_string();
    let directory = Directory::create(&config.results, start, &architecture, &config.workload.name)
        .map_err(|source| Error::Results {
            path: config.results.clone(),
            source,
        })?;
    let cluster_config = ClusterConfig {
        architecture: config.architecture.clone(),
        lattice: config.lattice,
        bug: config.bug,
        seed: config.seed,
        logs: Some(directory.nodes()),
        program: config.program.clone(),
    };
    let mut cluster = Cluster::start(&cluster_config)
        .await
        .map_err(Error::Start)?;

    let load_failed = |reason| Error::Load {
        reason,
        directory: directory.path().to_owned(),
    };
    let save_failed = |reason| Error::Save {
        reason,
        directory: directory.path().to_owned(),
    };

    let driver = driver(config, &cluster, &directory).map_err(load_failed)?;
    let load = Load::connect(
        cluster.client_endpoint(),
        &cluster.addresses(),
        driver,
        clock,
    )
    .await
    .context("connecting to the nodes")
    .map_err(Error::Start)?;
    let driven = drive(
        config,
        &load,
        &mut cluster,
        &interrupt,
        &directory,
        began_at,
        &mut stages,
    )
    .await
    .map_err(load_failed);
    stages.begin("stop");
    let silent = driven
        .as_ref()
        .ok()
        .and_then(|driven| driven.quiescence.as_ref());
    let silent = silent.map(|quiescence| quiescence.unreachable.clone());
    let nodes = fates(&mut cluster, silent.unwrap_or_default()).await;
    let ports = cluster.ports().clone();
    let driver = load.close().await;
    cluster.shutdown().await;
    let driven = driven?;
    let recorded = match driver.finish() {
        Some(recorder) => Some(
            recorder
                .finish()
                .map_err(|error| load_failed(error.into()))?,
        ),
        None => None,
    };

    let interrupted = interrupt.is_asked();
    let judged = if interrupted || recorded.is_none() {
        None
    } else {
        stages.begin("check");
        let judged = verdict::judge(&directory.path().join(HISTORY_FILE), config.budget)
            .context("reading the history back")
            .map_err(save_failed)?;
        Some(judged)
    };
    stages.end();

    let findings = Findings {
        start,
        phases: stages.done,
        measured: driven.measured.as_ref(),
        quiescence: driven.quiescence,
        nodes,
        recorded,
        judged,
        interrupted,
    };
    let record = record::assemble(config, &ports, &directory, findings);
    record::save(&directory, &record, driven.measured.as_ref()).map_err(save_failed)?;
    Ok(Finished {
        record,
        interrupted,
    })
}

/// How each node is in the end. Those that were `silent` before are not waited for again, and
/// whoever does not answer is killed.
async fn fates(
    cluster: &mut Cluster,
    silent: BTreeMap<NodeId, String>,
) -> Vec<(NodeId, Result<NodeStatus, String>)> {
    for node in silent.keys() {
        cluster.kill(*node).await;
    }
    let mut statuses = cluster.statuses().await;
    statuses.extend(silent.into_iter().map(|(node, reason)| (node, Err(reason))));
    statuses.sort_unstable_by_key(|(node, _)| *node);
    let exits = cluster.exits();
    for (node, status) in &mut statuses {
        if let Err(fate) = status {
            if let Some(exit) = exits.get(node) {
                *fate = format!("exited in mid-run ({exit})");
            }
            *fate += &format!("; its log is nodes/{node}.log");
            cluster.kill(*node).await;
        }
    }
    statuses
}

fn driver(config: &Config, cluster: &Cluster, directory: &Directory) -> anyhow::Result<Driver> {
    let recorder = match config.history_limit {
        Some(limit) => {
            let header = record::history_header(config, cluster.ports(), limit);
            Some(history::Recorder::create(
                &directory.path().join(HISTORY_FILE),
                &header,
            )?)
        }
        None => None,
    };
    let settings = client::Settings {
        ports: cluster.ports().clone(),
        policy: config.policy,
        timeout_ns: config.timeout.as_nanos() as u64,
        lanes: config.workload.sessions,
        seed: config.seed,
    };
    Ok(Driver::new(
        settings,
        Generator::new(&config.workload, config.seed),
        recorder,
    ))
}

/// What came of driving the load.
struct Driven {
    measured: Option<Measured>,
    quiescence: Option<Quiescence>,
}

async fn drive(
    config: &Config,
    load: &Load,
    cluster: &mut Cluster,
    interrupt: &Interrupt,
    directory: &Directory,
    began_at: SystemTime,
    stages: &mut Stages<'_>,
) -> anyhow::Result<Driven> {
    let mut driven = Driven {
        measured: None,
        quiescence: None,
    };

    stages.begin("load");
    let records = config.workload.records;
    let steps = LoadSteps::new(&config.workload, config.seed);
    let observer = &mut *stages.observer;
    let tell = |progress: Progress| {
        observer.progress(format!(
            "{} of {records} records",
            progress.ok + progress.errors
        ));
    };
    load.drive(Plan::Load(steps), interrupt.asked(), tell)
        .await?;
    if interrupt.is_asked() {
        return Ok(driven);
    }
    quiesce::quiesce(cluster, interrupt, stages.observer).await;

    stages.begin("run");
    driven.measured =
        Some(run_workload(config, load, interrupt, directory, began_at, stages).await?);
    if interrupt.is_asked() {
        return Ok(driven);
    }

    stages.begin("quiesce");
    driven.quiescence = Some(quiesce::quiesce(cluster, interrupt, stages.observer).await);
    if config.history_limit.is_none() || interrupt.is_asked() {
        return Ok(driven);
    }

    stages.begin("read back");
    let reads = final_reads(cluster, load.with_driver(Driver::keys_end));
    let total: usize = reads.iter().map(|(_, keys)| keys.len()).sum();
    let observer = &mut *stages.observer;
    let tell = |progress: Progress| {
        observer.progress(format!(
            "{} of {total} reads",
            progress.ok + progress.errors
        ));
    };
    load.drive(Plan::Final { reads }, interrupt.asked(), tell)
        .await?;
    Ok(driven)
}

async fn run_workload(
    config: &Config,
    load: &Load,
    interrupt: &Interrupt,
    directory: &Directory,
    began_at: SystemTime,
    stages: &mut Stages<'_>,
) -> anyhow::Result<Measured> {
    let workload = &config.workload;
    let log_path = directory.path().join(Measured::LOG_FILE_NAME);
    let log = File::create(&log_path).context("creating the latency log")?;
    let clock = stages.clock;
    let measured_from_ns = clock.now_ns() + workload.warmup.as_nanos() as u64;
    let settings = measure::RecorderSettings {
        start_ns: measured_from_ns,
        interval_ns: INTERVAL_NS,
        open_loop: workload.rate.is_some(),
        began_at,
    };
    let recorder = measure::Recorder::start(settings, Box::new(BufWriter::new(log)))
        .context("starting to measure")?;
    let end_ns = workload.time_limit().map_or(u64::MAX, |limit| {
        measured_from_ns.saturating_add(limit.as_nanos() as u64)
    });
    let plan = Plan::Run {
        arrivals: Arrivals::new(workload, config.seed),
        measured_from_ns,
        end_ns,
        operations: workload.operations.unwrap_or(u64::MAX),
        measured: Box::new(recorder),
    };
    let observer = &mut *stages.observer;
    let mut last = (clock.now_ns(), 0);
    let tell = |progress: Progress| {
        let now_ns = clock.now_ns();
        let rate = (progress.ok - last.1) as f64 * 1e9 / (now_ns - last.0).max(1) as f64;
        last = (now_ns, progress.ok);
        observer.progress(describe(progress, rate, now_ns, measured_from_ns, end_ns));
    };
    let recorder = load.drive(plan, interrupt.asked(), tell).await?;
    // What the store took after the end, in an open loop that it could not keep up with, took time
    // as well: else it would seem faster than it is.
    let ended_ns = clock.now_ns().min(end_ns);
    let last_ok_ns = load.with_driver(Driver::last_ok_ns);
    recorder
        .expect("a run phase measures")
        .finish(ended_ns.max(last_ok_ns))
        .context("writing the latency log")
}

fn describe(progress: Progress, rate: f64, now_ns: u64, from_ns: u64, end_ns: u64) -> String {
    let left = |until_ns: u64| {
        humane::format_duration(Duration::from_secs(
            until_ns.saturating_sub(now_ns) / 1_000_000_000,
        ))
    };
    let when = if now_ns < from_ns {
        format!("warming up, {} left", left(from_ns))
    } else if end_ns < u64::MAX {
        format!("{} left", left(end_ns))
    } else {
        format!("{} done", progress.ok)
    };
    format!("{when}; {rate:.0} operations/s, {} errors", progress.errors)
}

/// Every key below `keys_end`, from every node that serves it.
fn final_reads(cluster: &Cluster, keys_end: u64) -> Vec<(NodeId, VecDeque<u64>)> {
    let ports = cluster.ports();
    let mut reads: Vec<(NodeId, VecDeque<u64>)> =
        ports.nodes().map(|node| (node, VecDeque::new())).collect();
    for key in 0..keys_end {
        for node in &ports.route(&workload::key_name(key)).nodes {
            reads[usize::from(node.0)].1.push_back(key);
        }
    }
    reads
}
