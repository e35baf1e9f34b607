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

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tokio::sync::oneshot;

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
use verdict::Judged;

/// The stack of the thread that checks: as large as a main thread's.
const CHECKER_STACK_BYTES: usize = 8 << 20;
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
    /// Everything that is known of it.
    pub record: RunRecord,
    /// Whether it was interrupted: then it was not checked.
    pub interrupted: bool,
    measured: Option<Measured>,
    directory: Directory,
}

impl Finished {
    /// Saves the result: the measurements, the anomalies, `screen` as what was shown of it, and
    /// the run record last, so that a directory with a record is whole.
    ///
    /// # Errors
    /// When something cannot be written. The history is there all the same.
    pub fn save(&self, screen: &str) -> Result<(), Error> {
        record::save(
            &self.directory,
            &self.record,
            self.measured.as_ref(),
            screen,
        )
        .map_err(|reason| Error::Save {
            reason,
            directory: self.directory.path().to_owned(),
        })
    }

    /// Points `<results>/latest` at this run.
    ///
    /// # Errors
    /// When the link cannot be replaced; nothing else depends on it.
    pub fn link_latest(&self) -> std::io::Result<()> {
        self.directory.link_latest()
    }
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
    /// When the clock read 0.
    began_at: SystemTime,
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
    let mut stages = Stages {
        observer,
        clock: Clock::start(),
        began_at: SystemTime::now(),
        done: Vec::new(),
        current: None,
    };

    stages.begin("start");
    let directory = Directory::create(
        &config.results,
        start,
        &config.architecture.to_string(),
        &config.workload.name,
    )
    .map_err(|source| Error::Results {
        path: config.results.clone(),
        source,
    })?;
    let load_failed = |reason| Error::Load {
        reason,
        directory: directory.path().to_owned(),
    };
    let mut cluster = Cluster::start(&cluster_config(config, &directory))
        .await
        .map_err(Error::Start)?;
    let ports = cluster.ports().clone();
    let driver = driver(config, &cluster, &directory).map_err(load_failed)?;
    let (driven, driver, nodes) = drive_and_stop(
        config,
        &mut cluster,
        driver,
        &interrupt,
        &directory,
        &mut stages,
    )
    .await?;
    cluster.shutdown().await;
    // Whatever became of the load, what was recorded is kept.
    let recorded = driver.finish().map(history::Recorder::finish).transpose();
    let driven = driven.map_err(load_failed)?;
    let recorded = recorded.map_err(|error| load_failed(error.into()))?;

    let mut judged = None;
    if recorded.is_some() && !interrupt.is_asked() {
        stages.begin("check");
        judged = judge(config, &directory, &interrupt).await?;
    }
    stages.end();

    let Driven {
        measured,
        load_errors,
        load_diverged,
        quiescence,
    } = driven;
    let interrupted = interrupt.is_asked() && judged.is_none();
    let findings = Findings {
        start,
        phases: stages.done,
        measured: measured.as_ref(),
        load_errors,
        load_diverged,
        quiescence,
        nodes,
        recorded,
        judged,
        interrupted,
    };
    Ok(Finished {
        record: record::assemble(config, &ports, &directory, findings),
        interrupted,
        measured,
        directory,
    })
}

fn cluster_config(config: &Config, directory: &Directory) -> ClusterConfig {
    ClusterConfig {
        architecture: config.architecture.clone(),
        lattice: config.lattice,
        bug: config.bug,
        seed: config.seed,
        logs: Some(directory.nodes()),
        program: config.program.clone(),
    }
}

/// Connects, drives the load through its phases, and asks every node how it is in the end.
async fn drive_and_stop(
    config: &Config,
    cluster: &mut Cluster,
    driver: Driver,
    interrupt: &Interrupt,
    directory: &Directory,
    stages: &mut Stages<'_>,
) -> Result<(anyhow::Result<Driven>, Driver, NodeStatuses), Error> {
    let load = Load::connect(
        cluster.client_endpoint(),
        &cluster.addresses(),
        driver,
        stages.clock,
    )
    .await
    .context("connecting to the nodes")
    .map_err(Error::Start)?;
    let driven = drive(config, &load, cluster, interrupt, directory, stages).await;
    stages.begin("stop");
    let silent = match &driven {
        Ok(Driven {
            quiescence: Some(quiescence),
            ..
        }) => quiescence.unreachable.clone(),
        Ok(_) | Err(_) => BTreeMap::new(),
    };
    let nodes = fates(cluster, silent).await;
    Ok((driven, load.close().await, nodes))
}

/// Judges the history on a thread of its own, so that an interruption is heard: then there is no
/// judgement, and the thread ends with the program.
async fn judge(
    config: &Config,
    directory: &Directory,
    interrupt: &Interrupt,
) -> Result<Option<Judged>, Error> {
    let (tell, told) = oneshot::channel();
    let path = directory.path().join(HISTORY_FILE);
    let budget = config.budget;
    std::thread::Builder::new()
        .name("checker".to_owned())
        .stack_size(CHECKER_STACK_BYTES)
        .spawn(move || {
            // Nobody listens after an interruption.
            let _ = tell.send(verdict::judge(&path, budget));
        })
        .map_err(|source| Error::System {
            what: "a thread for the checkers",
            source,
        })?;
    tokio::select! {
        () = interrupt.asked() => Ok(None),
        judged = told => {
            let save_failed = |reason| Error::Save {
                reason,
                directory: directory.path().to_owned(),
            };
            let judged = judged.map_err(|_| anyhow!("the thread that checks has panicked"));
            judged
                .and_then(|judged| judged.context("reading the history back"))
                .map(Some)
                .map_err(save_failed)
        }
    }
}

/// How each node is in the end, or what became of it.
type NodeStatuses = Vec<(NodeId, Result<NodeStatus, String>)>;

/// How each node is in the end. Those that were `silent` before are not waited for again, and
/// whoever does not answer is killed.
async fn fates(cluster: &mut Cluster, silent: BTreeMap<NodeId, String>) -> NodeStatuses {
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
#[derive(Default)]
struct Driven {
    measured: Option<Measured>,
    /// Records that could not be loaded.
    load_errors: u64,
    /// Whether replicas still disagreed when the workload began.
    load_diverged: bool,
    quiescence: Option<Quiescence>,
}

async fn drive(
    config: &Config,
    load: &Load,
    cluster: &mut Cluster,
    interrupt: &Interrupt,
    directory: &Directory,
    stages: &mut Stages<'_>,
) -> anyhow::Result<Driven> {
    let mut driven = Driven::default();

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
    driven.load_errors = load.with_driver(|driver| driver.progress().errors);
    let loaded = quiesce::quiesce(cluster, interrupt, stages.observer).await;
    driven.load_diverged = !loaded.converged;

    stages.begin("run");
    driven.measured = Some(run_workload(config, load, interrupt, directory, stages).await?);
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
        began_at: stages.began_at,
    };
    let mut recorder = measure::Recorder::start(settings, Box::new(BufWriter::new(log)))
        .context("starting to measure")?;
    let end_ns = workload.time_limit().map_or(u64::MAX, |limit| {
        measured_from_ns.saturating_add(limit.as_nanos() as u64)
    });
    recorder.offers_until(end_ns);
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
