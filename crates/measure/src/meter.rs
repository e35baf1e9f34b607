//! The hot half of measuring: counts every operation of the measured part, at a few nanoseconds.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::interval::{Collected, INTERVALS_QUEUED_MAX, Interval, collect};
use super::kind::OperationKind;
use super::pulse::Pulse;
use super::schedule::Schedule;
use super::series::{IntervalRow, IntervalSeries};

/// The error of an arrival that was meant to start and never did, since every session waited for
/// the store until the run was over.
pub const NOT_STARTED: &str = "not-started";

/// How a [`Meter`] counts.
#[derive(Clone, Debug)]
pub struct MeterSettings {
    /// When the measured part begins, in ns since the run began.
    pub start_ns: u64,
    /// The length of an interval, in ns; one second in a run.
    pub interval_ns: u64,
    /// Whether operations have an intended start apart from the actual one.
    pub open_loop: bool,
    /// The wall-clock time at which the run began (time 0), for the interval log.
    pub began_at: SystemTime,
    /// The replica group of each node, counted from 0, by the node's id. What nodes did that are
    /// not in it is not told apart.
    pub groups: Vec<u32>,
    /// Takes each interval as soon as it is over; those that it has no room for are left out.
    pub live: Option<SyncSender<IntervalRow>>,
}

/// How an operation that did not succeed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorOutcome {
    /// It certainly had no effect.
    Fail,
    /// Unknown: a time-out, a broken connection.
    Info,
}

/// How often operations of one kind ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRecord {
    /// The kind of operation.
    pub kind: OperationKind,
    /// What went wrong, in the words of the history.
    pub error: String,
    /// Whether it had no effect or may have had one.
    pub outcome: ErrorOutcome,
    /// How often.
    pub count: u64,
}

/// What a progress line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Operations that succeeded so far.
    pub operations: u64,
    /// Operations that did not.
    pub errors: u64,
}

/// Everything that was measured.
#[derive(Debug)]
pub struct Measured {
    /// Service times by kind, in the order of [`OperationKind::ALL`].
    pub service: [Histogram; OperationKind::COUNT],
    /// Response times by kind; empty in a closed loop, where they are the service times.
    pub response: [Histogram; OperationKind::COUNT],
    /// How long arrivals that never started had waited when the run ended, by kind, in ns: they
    /// would have been answered later than that. A kind that has none is left out.
    pub unstarted: BTreeMap<OperationKind, Histogram>,
    /// The course of the run.
    pub series: IntervalSeries,
    /// Successes and errors by tenth of a second.
    pub pulse: Pulse,
    /// Errors by kind of operation and of error.
    pub errors: Vec<ErrorRecord>,
    /// Compare-and-sets that found another value than they expected: they are among those that
    /// succeeded, since they were answered.
    pub mismatches: u64,
    /// Arrivals whose intended time lies in the measured part; absent in a closed loop.
    pub offered: Option<u64>,
    /// Until when arrivals were offered, in ns since the run began; at most `end_ns`.
    pub offered_until_ns: u64,
    /// Arrivals that the generator started late though a session was free: its own fault.
    pub late: u64,
    /// The start of the measured part, in ns since the run began.
    pub start_ns: u64,
    /// Its end.
    pub end_ns: u64,
}

/// Counts the operations of the measured part. Owned by the thread that drives the load; a second
/// thread does what takes time, once an interval.
#[derive(Debug)]
pub struct Meter {
    current: Box<Interval>,
    /// When the current interval is to end.
    due_ns: u64,
    settings: MeterSettings,
    finished: SyncSender<Box<Interval>>,
    recycled: Receiver<Box<Interval>>,
    collector: JoinHandle<io::Result<Collected>>,
    progress: Progress,
    pulse: Pulse,
    errors: Vec<ErrorRecord>,
    unstarted: BTreeMap<OperationKind, Histogram>,
    schedule: Option<Schedule>,
    offered: u64,
    /// No arrival is offered from here on.
    offers_until_ns: u64,
    late: u64,
}

impl Meter {
    /// Starts counting. `log` takes the HDR interval log ([`io::sink`] when none is wanted).
    ///
    /// # Errors
    /// When the collecting thread cannot be started.
    ///
    /// # Panics
    /// When the interval is 0.
    pub fn start(settings: MeterSettings, log: Box<dyn Write + Send>) -> io::Result<Self> {
        assert!(settings.interval_ns > 0, "an interval has a length");
        let start_ns = settings.start_ns;
        let (finished, receiver) = mpsc::sync_channel(INTERVALS_QUEUED_MAX);
        // Room for every interval there is, so that none is thrown away on its way back.
        let (sender, recycled) = mpsc::sync_channel(INTERVALS_QUEUED_MAX + 3);
        let told = settings.clone();
        let collector = std::thread::Builder::new()
            .name("measure".to_owned())
            .spawn(move || collect(&receiver, &sender, &told, log))?;
        let first = Interval::starting_at(settings.start_ns, settings.groups.len());
        Ok(Self {
            current: Box::new(first),
            due_ns: settings.start_ns + settings.interval_ns,
            settings,
            finished,
            recycled,
            collector,
            progress: Progress::default(),
            pulse: Pulse::starting_at(start_ns),
            errors: Vec::new(),
            unstarted: BTreeMap::new(),
            schedule: None,
            offered: 0,
            offers_until_ns: u64::MAX,
            late: 0,
        })
    }

    /// Counts an operation that `node` did and that succeeded at `at_ns`, which never decreases by
    /// more than an interval. `response_ns` counts from the intended start; a closed loop ignores
    /// it.
    #[inline]
    pub fn record(
        &mut self,
        at_ns: u64,
        kind: OperationKind,
        node: usize,
        response_ns: u64,
        service_ns: u64,
    ) {
        if at_ns >= self.due_ns {
            self.roll(at_ns);
        }
        self.progress.operations += 1;
        self.pulse.success(at_ns);
        self.current.service[kind as usize].saturating_record(service_ns);
        let latency_ns = if self.settings.open_loop {
            self.current.response[kind as usize].saturating_record(response_ns);
            response_ns
        } else {
            service_ns
        };
        if let Some(node) = self.current.nodes.get_mut(node) {
            node.latency.saturating_record(latency_ns);
        }
    }

    /// Counts an operation that was meant for `node`, if it had one yet, and did not succeed. There
    /// are as many names of errors as the program has, so the list stays short.
    pub fn error(
        &mut self,
        at_ns: u64,
        kind: OperationKind,
        node: Option<usize>,
        error: &'static str,
        outcome: ErrorOutcome,
    ) {
        if at_ns >= self.due_ns {
            self.roll(at_ns);
        }
        self.progress.errors += 1;
        self.pulse.error(at_ns);
        self.current.errors[kind as usize] += 1;
        if let Some(node) = node.and_then(|node| self.current.nodes.get_mut(node)) {
            node.errors += 1;
        }
        let same =
            |e: &&mut ErrorRecord| e.kind == kind && e.error == error && e.outcome == outcome;
        match self.errors.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => self.errors.push(ErrorRecord {
                kind,
                error: error.to_owned(),
                outcome,
                count: 1,
            }),
        }
    }

    /// What an open loop offers: the intended starts of all arrivals, ascending, in ns since the
    /// run began. Of those in the measured part `operations` count at most. Each counts in the
    /// interval that it is meant for, whether or not the store lets it start then.
    pub fn offers(
        &mut self,
        schedule: impl Iterator<Item = u64> + Send + 'static,
        operations: u64,
    ) {
        let from_ns = self.settings.start_ns;
        self.schedule = Some(Schedule::new(Box::new(schedule), from_ns, operations));
    }

    /// Arrivals are meant for times before `end_ns` only; the earliest end that was given holds.
    /// What the store takes later, since it could not keep up, lengthens the measured part but not
    /// the time that was offered over.
    pub fn offers_until(&mut self, end_ns: u64) {
        self.offers_until_ns = self.offers_until_ns.min(end_ns);
    }

    /// Counts an arrival that was meant to start and never did: an error at `at_ns`. It had waited
    /// for `waited_ns` when the run ended.
    pub fn never_started(&mut self, at_ns: u64, kind: OperationKind, waited_ns: u64) {
        self.error(at_ns, kind, None, NOT_STARTED, ErrorOutcome::Fail);
        self.unstarted.entry(kind).or_default().record(waited_ns);
    }

    /// Counts an arrival that was started late though a session was free.
    pub fn late(&mut self) {
        self.late += 1;
        self.current.late += 1;
    }

    /// A fault begins or ends now: what clients notice of it is counted separately from what came
    /// before.
    pub fn mark(&mut self, now_ns: u64) {
        self.pulse.mark(now_ns);
    }

    /// Ends the current interval if its time is up. Called a few times a second, so that seconds
    /// in which nothing succeeded are seen as such.
    pub fn advance(&mut self, at_ns: u64) {
        self.offer(at_ns.min(self.due_ns));
        if at_ns >= self.due_ns {
            self.roll(at_ns);
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Ends the measured part at `at_ns` and waits for the collecting thread.
    ///
    /// # Errors
    /// When the interval log could not be written: the disk is full, say.
    pub fn finish(mut self, at_ns: u64) -> io::Result<Measured> {
        let end_ns = at_ns.max(self.current.start_ns);
        self.offer(end_ns);
        self.current.end_ns = end_ns;
        let Self {
            current,
            settings,
            finished,
            collector,
            pulse,
            mut errors,
            unstarted,
            offered,
            offers_until_ns,
            late,
            ..
        } = self;
        // The collector hangs up early only after an error, which `join` returns.
        drop(finished.send(current));
        drop(finished);
        let collected = match collector.join() {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        errors.sort_by(|a, b| (a.kind, &a.error, a.outcome).cmp(&(b.kind, &b.error, b.outcome)));
        Ok(Measured {
            mismatches: 0,
            service: collected.service,
            response: collected.response,
            unstarted,
            series: collected.series,
            pulse,
            errors,
            offered: settings.open_loop.then_some(offered),
            offered_until_ns: offers_until_ns.min(end_ns),
            late,
            start_ns: settings.start_ns,
            end_ns,
        })
    }

    /// Counts what the schedule has before `until_ns` in the current interval.
    fn offer(&mut self, until_ns: u64) {
        if let Some(schedule) = &mut self.schedule {
            let count = schedule.take_before(until_ns.min(self.offers_until_ns));
            self.offered += count;
            self.current.offered += count;
        }
    }

    /// Hands the current interval over and begins the next. An interval ends at a multiple of its
    /// length; a silence of several makes one long one.
    #[cold]
    fn roll(&mut self, at_ns: u64) {
        let MeterSettings {
            start_ns,
            interval_ns,
            ..
        } = self.settings;
        let boundary = at_ns - (at_ns - start_ns) % interval_ns;
        self.offer(boundary);
        let mut next = match self.recycled.try_recv() {
            Ok(interval) => interval,
            Err(_) => Box::new(Interval::starting_at(boundary, self.settings.groups.len())),
        };
        next.start_ns = boundary;
        next.end_ns = boundary;
        self.due_ns = boundary + interval_ns;
        self.current.end_ns = boundary;
        let ended = std::mem::replace(&mut self.current, next);
        match self.finished.try_send(ended) {
            Ok(()) => {}
            // Go on with the old one; it will be handed over, longer, at the next boundary. A
            // collector that hung up has met an error, which `finish` returns.
            Err(TrySendError::Full(ended) | TrySendError::Disconnected(ended)) => {
                self.current = ended;
            }
        }
    }
}
