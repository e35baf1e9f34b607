//! The phases of a run, in order: load, workload, quiesce, read back.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tokio::sync::oneshot;

use crate::client::{Driver, Load, Plan, Progress, RunClock};
use kvs_core::protocol::NodeId;
use kvs_load::nemesis::{self, Schedule};
use kvs_load::workload::{self, Arrivals, LoadSteps, humane};
use kvs_measure::{self as measure, FaultsRecord, Measured};
use kvs_target::{Facts, Quiet, Reads, Target};

use super::Observer;
use super::config::Config;
use super::directory::Directory;
use super::interrupt::Interrupt;
use super::nemesis::{Nemesis, Present, Times};
use super::quiesce;
use super::usage::Sampler;

/// The length of the intervals of the time series.
const INTERVAL_NS: u64 = 1_000_000_000;

/// The time between two rounds of reading what nodes showed differently.
const REREAD_INTERVAL: Duration = Duration::from_millis(200);

/// Seconds that wait to be shown.
const SECONDS_SHOWN_MAX: usize = 16;

/// How long each phase took, in order.
pub(super) struct Stages<'a> {
    pub(super) observer: &'a mut dyn Observer,
    pub(super) clock: RunClock,
    /// When the clock read 0.
    pub(super) began_at: SystemTime,
    pub(super) done: Vec<measure::PhaseRecord>,
    pub(super) current: Option<(&'static str, u64)>,
}

impl Stages<'_> {
    pub(super) fn begin(&mut self, name: &'static str) {
        self.end();
        self.current = Some((name, self.clock.now_ns()));
        self.observer.stage(name);
    }

    pub(super) fn end(&mut self) {
        if let Some((name, since_ns)) = self.current.take() {
            let seconds = (self.clock.now_ns() - since_ns) as f64 / 1e9;
            self.done.push(measure::PhaseRecord {
                name: name.to_owned(),
                seconds,
            });
        }
    }
}

/// What came of driving the load.
#[derive(Default)]
pub(super) struct Driven {
    pub(super) measured: Option<Measured>,
    /// Records that could not be loaded.
    pub(super) load_errors: u64,
    /// Whether replicas still disagreed when the workload began.
    pub(super) load_diverged: bool,
    pub(super) quiescence: Option<Quiet>,
    /// What the nemesis did.
    pub(super) faults: FaultsRecord,
    /// Whether every replica was read back in the end, as far as it answered.
    pub(super) read_back: bool,
}

pub(super) async fn drive(
    config: &Config,
    load: &Load,
    target: &mut dyn Target,
    interrupt: &Interrupt,
    directory: &Directory,
    stages: &mut Stages<'_>,
) -> anyhow::Result<Driven> {
    let mut driven = Driven::default();

    stages.begin("load");
    let records = config.workload().records;
    let steps = LoadSteps::new(config.workload(), config.seed);
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
    let loaded = quiesce::quiesce(target, interrupt, stages.observer).await;
    driven.load_diverged = loaded.is_known && !loaded.converged;

    stages.begin("run");
    let (measured, faults) =
        run_workload(config, load, target, interrupt, directory, stages).await?;
    (driven.measured, driven.faults) = (Some(measured), faults);
    if interrupt.is_asked() {
        return Ok(driven);
    }

    stages.begin("quiesce");
    driven.quiescence = Some(quiesce::quiesce(target, interrupt, stages.observer).await);
    if config.history_limit.is_none() || interrupt.is_asked() {
        return Ok(driven);
    }

    // What replicas show while they still take in updates says nothing of what they agree on.
    if driven.quiescence.as_ref().is_some_and(|quiet| quiet.moved) {
        return Ok(driven);
    }

    stages.begin("read back");
    let keys_end = load.with_driver(Driver::keys_end);
    let is_asked = driven
        .quiescence
        .as_ref()
        .is_some_and(|quiet| quiet.is_known);
    if !is_asked {
        // As clients read: what they find counts in every model.
        let keys = 0..keys_end;
        load.drive(Plan::Sweep { keys }, interrupt.asked(), |_| ())
            .await?;
    }
    if target.facts().reads == Reads::Unknown {
        driven.read_back = !interrupt.is_asked();
        return Ok(driven);
    }
    // Where replicas cannot be asked whether they agree, what they show is compared.
    let compared = !is_asked;
    let reads = final_reads(target, 0..keys_end);
    let total: usize = reads.iter().map(|(_, keys)| keys.len()).sum();
    let observer = &mut *stages.observer;
    let tell = |progress: Progress| {
        observer.progress(format!(
            "{} of {total} reads",
            progress.ok + progress.errors
        ));
    };
    load.drive(Plan::Final { reads, compared }, interrupt.asked(), tell)
        .await?;
    if !is_asked {
        read_until_agreed(load, target, interrupt).await?;
    }
    driven.read_back = !interrupt.is_asked();
    Ok(driven)
}

/// Reads those keys again of which nodes showed different values, until the nodes show the same or
/// the time is over. For these stores nobody can ask the replicas whether they agree.
async fn read_until_agreed(
    load: &Load,
    target: &dyn Target,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + quiesce::QUIESCE_TIMEOUT;
    loop {
        let disputed = load.with_driver(Driver::disputed);
        if disputed.is_empty() || Instant::now() >= deadline || interrupt.is_asked() {
            return Ok(());
        }
        tokio::time::sleep(REREAD_INTERVAL).await;
        let reads = final_reads(target, disputed.into_iter());
        let compared = true;
        load.drive(Plan::Final { reads, compared }, interrupt.asked(), |_| ())
            .await?;
    }
}

async fn run_workload(
    config: &Config,
    load: &Load,
    target: &mut dyn Target,
    interrupt: &Interrupt,
    directory: &Directory,
    stages: &mut Stages<'_>,
) -> anyhow::Result<(Measured, FaultsRecord)> {
    let workload = config.workload();
    let log_path = directory.path().join(Measured::LOG_FILE_NAME);
    let log = File::create(&log_path).context("creating the latency log")?;
    let clock = stages.clock;
    let start_ns = clock.now_ns();
    let measured_from_ns = start_ns + workload.warmup.as_nanos() as u64;
    let (live, seconds) = sync_channel(SECONDS_SHOWN_MAX);
    let settings = measure::MeterSettings {
        start_ns: measured_from_ns,
        interval_ns: INTERVAL_NS,
        open_loop: workload.rate.is_some(),
        began_at: stages.began_at,
        groups: groups_of_nodes(target),
        live: Some(live),
    };
    let recorder = measure::Meter::start(settings, Box::new(BufWriter::new(log)))
        .context("starting to measure")?;
    let end_ns = workload.time_limit().map_or(u64::MAX, |limit| {
        measured_from_ns.saturating_add(limit.as_nanos() as u64)
    });
    let plan = Plan::Run {
        start_ns,
        arrivals: Arrivals::new(workload, config.seed),
        measured_from_ns,
        end_ns,
        operations: workload.operations.unwrap_or(u64::MAX),
        measured: Box::new(recorder),
    };
    let present = Present::default();
    let processes = target.processes();
    let mut sampler = Sampler::new(processes, clock, directory.path())
        .context("creating the file of what the nodes use")?;
    let nemesis = match &config.plan()? {
        Some(plan) => {
            let times = Times {
                clock,
                from_ns: measured_from_ns,
            };
            let schedule = schedule(config, target.facts(), plan)?;
            let present = Rc::clone(&present);
            let plan = (plan, schedule);
            Some(Nemesis::new(target, load, times, plan, directory, present)?)
        }
        None => None,
    };
    let observer = &mut *stages.observer;
    let mut last = (clock.now_ns(), 0);
    let tell = |progress: Progress| {
        let now_ns = clock.now_ns();
        let rate = (progress.ok - last.1) as f64 * 1e9 / (now_ns - last.0).max(1) as f64;
        last = (now_ns, progress.ok);
        let mut told = describe(progress, rate, now_ns, measured_from_ns, end_ns);
        if !present.borrow().is_empty() {
            told += &format!("; {}", present.borrow());
        }
        observer.faults(&present.borrow());
        for second in seconds.try_iter() {
            observer.second(&second);
        }
        observer.progress(told);
    };
    let driving = load.drive(plan, interrupt.asked(), tell);
    let (recorder, faults) = tokio::select! {
        driven = beset(driving, nemesis, interrupt) => driven,
        never = sampler.run() => match never {},
    };
    sampler.finish().context("writing what the nodes used")?;
    let recorder = recorder?;
    // In an open loop that the store cannot keep up with, it still answers after the end. That time
    // counts too, or else the store would seem faster than it is.
    let ended_ns = clock.now_ns().min(end_ns);
    let last_ok_ns = load.with_driver(Driver::last_ok_ns);
    let mut measured = recorder
        .expect("a run phase measures")
        .finish(ended_ns.max(last_ok_ns))
        .context("writing the latency log")?;
    measured.mismatches = load.with_driver(Driver::mismatches);
    Ok((measured, faults))
}

/// The replica group of each node, by the node's id.
fn groups_of_nodes(target: &dyn Target) -> Vec<u32> {
    let ports = &target.facts().ports;
    let mut groups = vec![0; ports.nodes().count()];
    for (at, group) in ports.groups().iter().enumerate() {
        for node in group.members() {
            groups[usize::from(node.0)] = at as u32;
        }
    }
    groups
}

/// Drives the load while the nemesis is at work, which undoes everything when the load has ended or
/// the user asks for an end.
async fn beset<T>(
    driving: impl Future<Output = T>,
    nemesis: Option<Nemesis<'_>>,
    interrupt: &Interrupt,
) -> (T, FaultsRecord) {
    let Some(nemesis) = nemesis else {
        return (driving.await, FaultsRecord::default());
    };
    let (ended, has_ended) = oneshot::channel::<()>();
    let stop = async {
        tokio::select! {
            // An error is the end of the load as well.
            _ = has_ended => {}
            () = interrupt.asked() => {}
        }
    };
    let driving = async {
        let driven = driving.await;
        drop(ended);
        driven
    };
    tokio::join!(driving, nemesis.run(stop))
}

/// Which faults come in the measured part.
fn schedule(config: &Config, facts: &Facts, plan: &nemesis::Plan) -> anyhow::Result<Schedule> {
    let groups = facts.ports.groups().iter();
    let groups = groups.map(|group| group.members().collect()).collect();
    let schedule =
        Schedule::new(plan.clone(), groups).context("the nemesis cannot do what it was told")?;
    Ok(match config.workload().time_limit() {
        Some(limit) => schedule.within(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
        None => schedule,
    })
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

/// Each of these keys, from every node that serves it.
fn final_reads(
    target: &dyn Target,
    keys: impl Iterator<Item = u64>,
) -> Vec<(NodeId, VecDeque<u64>)> {
    let ports = &target.facts().ports;
    let mut reads: Vec<(NodeId, VecDeque<u64>)> =
        ports.nodes().map(|node| (node, VecDeque::new())).collect();
    for key in keys {
        for node in &ports.route(&workload::key_name(key)).nodes {
            reads[usize::from(node.0)].1.push_back(key);
        }
    }
    reads
}
