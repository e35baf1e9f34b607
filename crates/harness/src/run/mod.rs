//! One run, from start to verdict: launch, load, drive, quiesce, read back, check, save.
//!
//! It prints nothing: an [`Observer`] is told what goes on, and the result is a [`RunRecord`].
//! Neighbours: `cli` asks for it, `node` and `client` do the work, `checker` judges.

mod beside;
mod capacity;
mod command;
mod config;
mod directory;
mod error;
mod find;
mod interrupt;
mod nemesis;
mod phases;
mod quiesce;
mod record;
mod start;
mod usage;
mod verdict;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use crate::client::{self, Driver, Load, RunClock};
use crate::targets::adapter;
use kvs_check::checker::{JudgedBy, ProgressSink};
use kvs_check::history;
use kvs_core::protocol::NodeId;
use kvs_load::workload::Generator;
use kvs_measure::{IntervalRow, Measured, NodeRecord, RunRecord, VerdictWord};
use kvs_node::transport;
use kvs_target::{Facts, Reads, Target, Writes};

pub use crate::targets::zoo::{Cluster, ClusterConfig};
pub use crate::wording::one_line;
pub use beside::add_record;
pub use capacity::Capacity;
pub use command::{arguments, engine_name};
pub use config::{
    CheckBudget, Config, Foreign, HISTORY_LIMIT_DEFAULT, HISTORY_SAMPLE, Unfit, can_be_asked,
};
pub use directory::{Directory, HISTORY_FILE, LATEST_LINK};
pub use error::Error;
pub use find::{NoHistory, find_history};
pub use quiesce::{QUIESCE_MAX, QUIESCE_TIMEOUT};
pub use start::Home;
pub use verdict::{Judging, check_history};

use interrupt::Interrupt;
use phases::{Driven, Stages, drive};
use record::Findings;
use start::{start_target, strained};
use verdict::{Attachment, Judged};

/// The stack of the thread that checks: as large as a main thread's.
const CHECKER_STACK_BYTES: usize = 8 << 20;

/// Is told what a run is doing.
pub trait Observer {
    /// A new stage has begun.
    fn stage(&mut self, name: &'static str);
    /// How far the stage has got.
    fn progress(&mut self, message: String);
    /// A second of the measured part is over.
    fn second(&mut self, _row: &IntervalRow) {}
    /// The faults that are present, now and then; empty when there are none.
    fn faults(&mut self, _present: &str) {}
}

/// What came of a run.
#[derive(Debug)]
pub struct Finished {
    /// Everything that is known of it.
    pub record: RunRecord,
    /// Whether it was interrupted: then it was not checked.
    pub interrupted: bool,
    measured: Option<Measured>,
    attachments: Vec<Attachment>,
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
            &self.attachments,
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
    run_on(config, observer, async |home| {
        start_target(config, &home).await
    })
}

/// The same on the target that `start` starts, which may be of any sort. Where `config` does not
/// name its store, [`Foreign::Own`] says what is known of it.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    config: &Config,
    observer: &mut dyn Observer,
    start: impl AsyncFnOnce(Home) -> Result<Box<dyn Target>, Error>,
) -> Result<Finished, Error> {
    // Faults that cannot come are told before anything is started.
    config.plan().map_err(Unfit::from)?;
    let system = |source| Error::System {
        what: "an event loop",
        source,
    };
    let runtime = transport::runtime().map_err(system)?;
    runtime.block_on(execute(config, observer, start))
}

async fn execute(
    config: &Config,
    observer: &mut dyn Observer,
    start_on: impl AsyncFnOnce(Home) -> Result<Box<dyn Target>, Error>,
) -> Result<Finished, Error> {
    let system = |source| Error::System {
        what: "to listen to signals",
        source,
    };
    let interrupt = Interrupt::listen().map_err(system)?;
    let start = Timestamp::now();
    let mut stages = Stages {
        observer,
        clock: RunClock::start(),
        began_at: SystemTime::now(),
        done: Vec::new(),
        current: None,
    };

    stages.begin("start");
    let directory = Directory::create(
        &config.results,
        start,
        &config.store_name(),
        &config.workload().name,
    )
    .map_err(|source| Error::Results {
        path: config.results.clone(),
        source,
    })?;
    let load_failed = |reason| Error::Load {
        reason,
        directory: directory.path().to_owned(),
    };
    let mut target = start_on(Home::of(&directory, start)).await?;
    let facts = target.facts().clone();
    // An adapter says only now what it knows.
    if let Err(unfit) = config.suits(&facts) {
        target.stop().await;
        return Err(unfit.into());
    }
    let price = price_of_the_pipe(config).await;
    let driver = driver(config, &facts, &directory).map_err(load_failed)?;
    let (driven, driver, nodes) = drive_and_stop(
        config,
        &mut *target,
        driver,
        &interrupt,
        &directory,
        &mut stages,
    )
    .await?;
    target.connector().release().await;
    let cleaned = clean(config, &mut *target, driver.keys_end(), &mut stages).await;
    let mut complaints = target.complaints();
    complaints.extend(
        cleaned
            .as_ref()
            .and_then(|cleaned| cleaned.as_ref().err())
            .cloned(),
    );
    let version = target.version();
    target.stop().await;
    let (inserts_withheld, unread) = (driver.inserts_withheld(), driver.unread());
    // Whatever became of the load, what was recorded is kept.
    let is_driven = driven.as_ref().is_ok_and(|driven| driven.read_back);
    let recorded = driver.finish().map(|mut recorder| {
        if !is_driven {
            recorder.interrupted();
        }
        recorder.finish()
    });
    let recorded = recorded.transpose();
    let driven = driven.map_err(load_failed)?;
    let recorded = recorded.map_err(|error| load_failed(error.into()))?;

    let mut judged = None;
    if recorded.is_some() && !interrupt.is_asked() {
        stages.begin("check");
        judged = judge(config, &directory, &interrupt, stages.observer).await?;
    }
    let attachments = judged
        .as_mut()
        .map_or_else(Vec::new, |judged| std::mem::take(&mut judged.attachments));
    stages.end();

    let Driven {
        measured,
        load_errors,
        load_diverged,
        quiescence,
        faults,
        read_back: _,
    } = driven;
    let interrupted = interrupt.is_asked() && judged.is_none();
    let findings = Findings {
        start,
        phases: stages.done,
        measured: measured.as_ref(),
        load_errors,
        load_diverged,
        quiescence,
        faults,
        inserts_withheld,
        unread,
        nodes,
        recorded,
        judged,
        interrupted,
        complaints,
        version,
        price,
        cleaned: cleaned.and_then(Result::ok),
    };
    let record = record::assemble(config, &facts, &directory, findings);
    if record.verdict.verdict == VerdictWord::Valid {
        // What nodes stored is evidence only of a promise that was not kept.
        directory.remove_stores();
    }
    Ok(Finished {
        record,
        interrupted,
        measured,
        attachments,
        directory,
    })
}

/// Deletes what the run wrote, if it was asked to, however the run ended. Says how many keys there
/// were, or that they are still there.
async fn clean(
    config: &Config,
    target: &mut dyn Target,
    keys_end: u64,
    stages: &mut Stages<'_>,
) -> Option<Result<u64, String>> {
    if !config.file()?.clean {
        return None;
    }
    stages.begin("clean");
    let cleaned = target.clean(keys_end).await;
    Some(cleaned.map_err(|why| format!("keys of this run are still there (--clean): {why}")))
}

/// What the pipe to an adapter costs, where there is one.
async fn price_of_the_pipe(config: &Config) -> Option<adapter::Price> {
    let store = config.file()?;
    if store.definition.adapter.builtin.is_some() {
        return None;
    }
    let program = config
        .program
        .clone()
        .or_else(|| std::env::current_exe().ok())?;
    // A run without it is still a run.
    adapter::price(&program, config.workload().sessions)
        .await
        .ok()
}

/// Connects, drives the load through its phases, and asks every node how it is in the end.
async fn drive_and_stop(
    config: &Config,
    target: &mut dyn Target,
    driver: Driver,
    interrupt: &Interrupt,
    directory: &Directory,
    stages: &mut Stages<'_>,
) -> Result<(anyhow::Result<Driven>, Driver, NodeStatuses), Error> {
    let mut load = Load::connect(
        target.connector(),
        &target.addresses(),
        target.facts().sessions,
        driver,
        stages.clock,
    )
    .await
    .map_err(|reason| Error::Connect(strained(reason.into(), config)))?;
    let facts = target.facts();
    let (reads, writes) = (facts.reads, facts.writes);
    if (reads == Reads::Primary || writes == Writes::Primary)
        && let Some(leadership) = target.leadership()
    {
        load.follow(leadership, reads).await;
    }
    let driven = drive(config, &load, target, interrupt, directory, stages).await;
    stages.begin("stop");
    let silent = match &driven {
        Ok(Driven {
            quiescence: Some(quiescence),
            ..
        }) => quiescence.unreachable.clone(),
        Ok(_) | Err(_) => BTreeMap::new(),
    };
    let nodes = fates(target, silent).await;
    Ok((driven, load.close().await, nodes))
}

/// Judges the history on a thread of its own, so that an interruption can stop the wait. There is
/// then no judgement, and the thread ends with the program.
async fn judge(
    config: &Config,
    directory: &Directory,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Result<Option<Judged>, Error> {
    let (tell, mut told) = oneshot::channel();
    let (report, mut reported) = watch::channel(None);
    let path = directory.path().join(HISTORY_FILE);
    let judging = Judging {
        judged_by: JudgedBy::default(),
        engine: config.engine,
        budget: config.budget,
        check_budget: config.check_budget,
        again: format!("kvs-bench check {}", directory.path().display()),
        // Nobody looks on after an interruption.
        progress: Some(ProgressSink::new(move |progress| {
            report.send_replace(Some(progress));
        })),
    };
    std::thread::Builder::new()
        .name("checker".to_owned())
        .stack_size(CHECKER_STACK_BYTES)
        .spawn(move || {
            // Nobody listens after an interruption.
            let _ = tell.send(verdict::judge(&path, &judging));
        })
        .map_err(|source| Error::System {
            what: "a thread for the checkers",
            source,
        })?;
    let judged = loop {
        tokio::select! {
            () = interrupt.asked() => return Ok(None),
            judged = &mut told => break judged,
            // It ends when the thread does, which then has told.
            Ok(()) = reported.changed() => {
                if let Some(progress) = *reported.borrow_and_update() {
                    observer.progress(progress.to_string());
                }
            }
        }
    };
    let judged = judged.map_err(|_| anyhow!("the thread that checks has panicked"));
    judged
        .and_then(|judged| judged.context("reading the history back"))
        .map(Some)
        .map_err(|reason| Error::Save {
            reason,
            directory: directory.path().to_owned(),
        })
}

/// How each node is in the end, or what became of it.
type NodeStatuses = Vec<(NodeId, Result<NodeRecord, String>)>;

/// The status of each node in the end. This does not wait again for nodes that were `silent`
/// before, and kills each node that does not answer.
async fn fates(target: &mut dyn Target, silent: BTreeMap<NodeId, String>) -> NodeStatuses {
    for node in silent.keys() {
        target.kill(*node).await;
    }
    let mut statuses: BTreeMap<_, _> = target.observe().await.into_iter().collect();
    statuses.extend(silent.into_iter().map(|(node, reason)| (node, Err(reason))));
    let exits = target.exits();
    for (node, status) in &mut statuses {
        if let Err(fate) = status {
            if let Some(exit) = exits.get(node) {
                *fate = format!("exited in mid-run ({exit})");
            }
            *fate += &format!("; its log is nodes/{node}.log");
            target.kill(*node).await;
        }
    }
    statuses.into_iter().collect()
}

/// How long a node may be silent in the final reads before it is given up. A node of the zoo has
/// been asked before whether it is quiet; another store may still be taking over what it missed.
fn silence(config: &Config) -> Duration {
    match config.store {
        Some(_) => config.timeout.max(QUIESCE_TIMEOUT),
        None => config.timeout,
    }
}

fn driver(config: &Config, facts: &Facts, directory: &Directory) -> anyhow::Result<Driver> {
    let recorder = match config.history_limit {
        Some(limit) => {
            let header = record::history_header(config, facts, limit);
            Some(history::ArrowFile::create(
                &directory.path().join(HISTORY_FILE),
                &header,
            )?)
        }
        None => None,
    };
    let settings = client::DriverSettings {
        ports: facts.ports.clone(),
        policy: config.policy,
        timeout_ns: config.timeout.as_nanos() as u64,
        silence_ns: silence(config).as_nanos() as u64,
        lanes: config.workload().sessions,
        seed: config.seed,
        evidence: facts.evidence,
    };
    Ok(Driver::new(
        settings,
        Generator::new(config.workload(), config.seed),
        recorder,
    ))
}
