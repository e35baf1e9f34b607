//! The hot half of measuring: counts every operation of the measured part, at a few nanoseconds.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::interval::{Collected, INTERVALS_QUEUED_MAX, Interval, collect};
use super::kind::OperationKind;
use super::series::{IntervalRow, IntervalSeries};

/// How a [`Recorder`] counts.
#[derive(Clone, Copy, Debug)]
pub struct RecorderSettings {
    /// When the measured part begins, in ns since the run began.
    pub start_ns: u64,
    /// The length of an interval, in ns; one second in a run.
    pub interval_ns: u64,
    /// Whether operations have an intended start apart from the actual one.
    pub open_loop: bool,
    /// The wall-clock time at which the run began (time 0), for the interval log.
    pub began_at: SystemTime,
}

/// How an operation that did not succeed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
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
    pub outcome: Outcome,
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
    /// The course of the run.
    pub series: IntervalSeries,
    /// Errors by kind of operation and of error.
    pub errors: Vec<ErrorRecord>,
    /// Arrivals whose intended time lies in the measured part; absent in a closed loop.
    pub offered: Option<u64>,
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
pub struct Recorder {
    current: Box<Interval>,
    /// When the current interval is to end.
    due_ns: u64,
    settings: RecorderSettings,
    finished: SyncSender<Box<Interval>>,
    recycled: Receiver<(Box<Interval>, IntervalRow)>,
    collector: JoinHandle<io::Result<Collected>>,
    last: Option<IntervalRow>,
    progress: Progress,
    errors: Vec<ErrorRecord>,
    offered: u64,
    late: u64,
}

impl Recorder {
    /// Starts counting. `log` takes the HDR interval log ([`io::sink`] when none is wanted).
    ///
    /// # Errors
    /// When the collecting thread cannot be started.
    ///
    /// # Panics
    /// When the interval is 0.
    pub fn start(settings: RecorderSettings, log: Box<dyn Write + Send>) -> io::Result<Self> {
        assert!(settings.interval_ns > 0, "an interval has a length");
        let (finished, receiver) = mpsc::sync_channel(INTERVALS_QUEUED_MAX);
        // Room for every interval there is, so that none is thrown away on its way back.
        let (sender, recycled) = mpsc::sync_channel(INTERVALS_QUEUED_MAX + 2);
        let collector = std::thread::Builder::new()
            .name("measure".to_owned())
            .spawn(move || {
                let RecorderSettings {
                    open_loop,
                    began_at,
                    ..
                } = settings;
                collect(&receiver, &sender, open_loop, log, began_at)
            })?;
        Ok(Self {
            current: Box::new(Interval::starting_at(settings.start_ns)),
            due_ns: settings.start_ns + settings.interval_ns,
            settings,
            finished,
            recycled,
            collector,
            last: None,
            progress: Progress::default(),
            errors: Vec::new(),
            offered: 0,
            late: 0,
        })
    }

    /// Counts an operation that succeeded at `at_ns`, which never decreases by more than an
    /// interval. `response_ns` counts from the intended start; a closed loop ignores it.
    #[inline]
    pub fn record(&mut self, at_ns: u64, kind: OperationKind, response_ns: u64, service_ns: u64) {
        if at_ns >= self.due_ns {
            self.roll(at_ns);
        }
        self.progress.operations += 1;
        self.current.service[kind as usize].saturating_record(service_ns);
        if self.settings.open_loop {
            self.current.response[kind as usize].saturating_record(response_ns);
        }
    }

    /// Counts an operation that did not succeed. There are as many names of errors as the program
    /// has, so the list stays short.
    pub fn error(
        &mut self,
        at_ns: u64,
        kind: OperationKind,
        error: &'static str,
        outcome: Outcome,
    ) {
        if at_ns >= self.due_ns {
            self.roll(at_ns);
        }
        self.progress.errors += 1;
        self.current.errors[kind as usize] += 1;
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

    /// Counts an arrival whose intended time lies in the measured part.
    pub fn offered(&mut self) {
        self.offered += 1;
        self.current.offered += 1;
    }

    /// Counts an arrival that was started late though a session was free.
    pub fn late(&mut self) {
        self.late += 1;
        self.current.late += 1;
    }

    /// Ends the current interval if its time is up. Called a few times a second, so that seconds
    /// in which nothing succeeded are seen as such.
    pub fn advance(&mut self, at_ns: u64) {
        if at_ns >= self.due_ns {
            self.roll(at_ns);
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// The last interval that was summarised, if there is one.
    #[must_use]
    pub const fn last_interval(&self) -> Option<&IntervalRow> {
        self.last.as_ref()
    }

    /// Ends the measured part at `at_ns` and waits for the collecting thread.
    ///
    /// # Errors
    /// When the interval log could not be written: the disk is full, say.
    pub fn finish(mut self, at_ns: u64) -> io::Result<Measured> {
        let end_ns = at_ns.max(self.current.start_ns);
        self.current.end_ns = end_ns;
        let Self {
            current,
            settings,
            finished,
            collector,
            mut errors,
            offered,
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
            service: collected.service,
            response: collected.response,
            series: collected.series,
            errors,
            offered: settings.open_loop.then_some(offered),
            late,
            start_ns: settings.start_ns,
            end_ns,
        })
    }

    /// Hands the current interval over and begins the next. An interval ends at a multiple of its
    /// length; a silence of several makes one long one.
    #[cold]
    fn roll(&mut self, at_ns: u64) {
        let RecorderSettings {
            start_ns,
            interval_ns,
            ..
        } = self.settings;
        let boundary = at_ns - (at_ns - start_ns) % interval_ns;
        let mut next = match self.recycled.try_recv() {
            Ok((interval, row)) => {
                self.last = Some(row);
                interval
            }
            Err(_) => Box::new(Interval::starting_at(boundary)),
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::measure::Statistics;

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

    fn settings(open_loop: bool) -> RecorderSettings {
        RecorderSettings {
            start_ns: 2 * SECOND,
            interval_ns: SECOND,
            open_loop,
            began_at: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn totals_series_and_log_agree_on_what_was_counted() {
        let log = SharedLog::default();
        let mut recorder = Recorder::start(settings(true), Box::new(log.clone())).unwrap();
        for n in 0..1000 {
            let at = 2 * SECOND + n * 3_500_000;
            recorder.offered();
            recorder.record(at, OperationKind::Read, 2_000_000 + n, 1_000_000 + n);
            recorder.record(at, OperationKind::Insert, 5_000_000, 4_000_000);
        }
        recorder.late();
        recorder.error(5_400_000_000, OperationKind::Read, "timeout", Outcome::Info);
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
        let mut deserializer = Deserializer::new();
        IntervalLogIterator::new(&bytes)
            .map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) if interval.tag().unwrap().as_str() == tag => {
                    let bytes = decode_base64(interval.encoded_histogram());
                    let counts: hdrhistogram::Histogram<u64> =
                        deserializer.deserialize(&mut &bytes[..]).unwrap();
                    counts.len()
                }
                LogEntry::Interval(_) | LogEntry::BaseTime(_) | LogEntry::StartTime(_) => 0,
            })
            .sum()
    }

    fn decode_base64(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
        for character in text.trim_end_matches('=').bytes() {
            let digit = DIGITS.iter().position(|d| *d == character).unwrap();
            bits = bits << 6 | digit as u32;
            held += 6;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held) as u8);
            }
        }
        bytes
    }

    #[test]
    fn a_closed_loop_has_one_time_and_offers_nothing() {
        let mut recorder = Recorder::start(settings(false), Box::new(io::sink())).unwrap();
        recorder.record(2 * SECOND, OperationKind::Update, 9, 7);
        let measured = recorder.finish(3 * SECOND).unwrap();
        let statistics = Statistics::from(&measured);
        assert_eq!(statistics.throughput.offered, None);
        assert_eq!(statistics.kinds[0].response, None);
        assert_eq!(statistics.kinds[0].service.max, Some(7));
    }

    #[test]
    fn seconds_without_an_answer_are_rows_of_their_own() {
        let mut recorder = Recorder::start(settings(false), Box::new(io::sink())).unwrap();
        recorder.record(2 * SECOND, OperationKind::Read, 5, 5);
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
        let mut recorder = Recorder::start(settings(false), Box::new(Full)).unwrap();
        for second in 2..200 {
            recorder.record(second * SECOND, OperationKind::Read, 5, 5);
        }
        let error = recorder.finish(200 * SECOND).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_run_in_which_nothing_happened_has_no_nan() {
        let recorder = Recorder::start(settings(true), Box::new(io::sink())).unwrap();
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
}
