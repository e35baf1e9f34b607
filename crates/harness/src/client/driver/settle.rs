//! What a driver does when an operation or a step has ended: it records the operation and measures
//! the step.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use kvs_check::history::{self, ArrowFile, Evidence, Phase, RecordError, Row};
use kvs_core::drive::{
    Due, EndedOperation, EndedStep, InFlight, Ledger, StepKind, Steps, Supply, payload,
};
use kvs_core::protocol::{NodeId, Refusal, Response};
use kvs_core::session::{Outcome, Trouble};
use kvs_load::workload::Generator;
use kvs_measure as measure;
use kvs_recording::{Recording, Rows, error_kind};

use super::Progress;
use super::shown::Shown;
use crate::client::work::{self, LATE_NS, Mark, Work};

/// Where operations are recorded, and counted.
#[derive(Debug)]
pub(super) struct Book {
    recording: Option<Recording<Writer>>,
    pub(super) progress: Progress,
    /// Above every key that was put, whatever the outcome.
    pub(super) keys_end: u64,
    /// Why the history cannot be recorded any further.
    pub(super) failure: Option<RecordError>,
    /// Measured compare-and-sets of this phase that found another value than they expected.
    pub(super) mismatches: u64,
    /// Whether something that the primary was asked has gone wrong since this was last asked.
    pub(super) primary_doubted: bool,
    /// Whether reads, too, go to the primary.
    pub(super) reads_from_primary: bool,
    /// What each node showed of each key when it was read back last, in short: the sum of the ids.
    shown: BTreeMap<u64, BTreeMap<NodeId, u64>>,
    /// Whether it is noted now.
    pub(super) compares: bool,
}

/// The history's recorder, and why it has failed if it has since it was last asked.
#[derive(Debug)]
struct Writer {
    recorder: ArrowFile,
    failure: Option<RecordError>,
}

impl Rows for Writer {
    fn keep(&mut self, row: &Row<'_>) {
        if let Err(error) = self.recorder.push(row) {
            self.failure = Some(error);
        }
    }
}

impl Book {
    pub(super) fn new(recorder: Option<ArrowFile>, evidence: Evidence) -> Self {
        let recording = |recorder: ArrowFile| {
            let failure = None;
            Recording::new(evidence, Writer { recorder, failure })
        };
        Self {
            recording: recorder.map(recording),
            progress: Progress::default(),
            keys_end: 0,
            failure: None,
            mismatches: 0,
            primary_doubted: false,
            reads_from_primary: false,
            shown: BTreeMap::new(),
            compares: false,
        }
    }

    /// The keys of which nodes showed different values when they were read back last.
    pub(super) fn disputed(&self) -> Vec<u64> {
        let differs = |shown: &BTreeMap<NodeId, u64>| {
            let first = shown.values().next();
            shown.values().any(|other| Some(other) != first)
        };
        { self.shown.iter() }
            .filter(|(_, shown)| differs(shown))
            .map(|(key, _)| *key)
            .collect()
    }

    /// Notes what a node showed of a key that was read back.
    fn note_shown(&mut self, ended: &EndedOperation<'_, Mark>) {
        if let Some(Response::Get { siblings, .. }) = ended.response {
            let ids = siblings.iter().map(|sibling| payload::id_of(sibling.value));
            let sum = ids.fold(0, |sum: u64, id| {
                // One more, so that the value of id 0 is not the same as none.
                sum.wrapping_add(id.map_or(u64::MAX, |id| id.wrapping_add(1)))
            });
            let shown = self.shown.entry(ended.operation.key).or_default();
            shown.insert(ended.operation.node, sum);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now_ns: u64) {
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.rows.recorder.tick(now_ns)
        {
            self.failure = Some(error);
        }
    }

    pub(super) fn finish(self) -> Option<ArrowFile> {
        self.recording.map(|recording| recording.rows.recorder)
    }
}

impl Ledger<Mark> for Book {
    fn operation(&mut self, ended: &EndedOperation<'_, Mark>) {
        if ended.operation.ask.access().is_write() {
            self.keys_end = self.keys_end.max(ended.operation.key + 1);
        }
        match ended.outcome {
            Outcome::Ok => self.progress.ok += 1,
            Outcome::Fail(_) | Outcome::Info(_) => {
                self.progress.errors += 1;
                self.primary_doubted |=
                    self.reads_from_primary || ended.operation.ask.access().is_write();
            }
        }
        let is_mismatch = matches!(ended.response, Some(Response::Mismatch { .. }));
        self.mismatches += u64::from(is_mismatch && ended.mark.measured);
        if self.compares && ended.outcome == Outcome::Ok {
            self.note_shown(ended);
        }
        if let Some(recording) = &mut self.recording {
            recording.operation(ended);
            if let Some(error) = recording.rows.failure.take() {
                self.failure = Some(error);
            }
        }
    }
}

/// Where the steps of a phase come from, and what they are measured by.
#[derive(Debug)]
pub(super) struct Source {
    generator: Generator,
    routing: Pcg64,
    pub(super) work: Work,
    /// When the last of the phase's measured steps that succeeded had ended.
    pub(super) last_ok_ns: u64,
    /// How long a node may be silent in the final reads before it is given up.
    patience_ns: u64,
    /// Which keys were to be read in the end, and which were.
    pub(super) shown: Shown,
}

impl Source {
    pub(super) fn new(generator: Generator, seed: u64, patience_ns: u64) -> Self {
        Self {
            generator,
            routing: Pcg64::seed_from_u64(seed),
            work: Work::Nothing,
            last_ok_ns: 0,
            patience_ns,
            shown: Shown::default(),
        }
    }

    pub(super) fn stop(&mut self, now_ns: u64) {
        self.work.stop(now_ns, &mut self.generator);
    }

    pub(super) const fn inserts_withheld(&self) -> u64 {
        self.generator.inserts_withheld()
    }

    /// Time has passed.
    pub(super) fn advance(&mut self, now_ns: u64) {
        let planned_ns = self.work.within_plan(now_ns);
        if let Some(measured) = self.work.measured() {
            measured.advance(planned_ns);
        }
    }

    /// Measures a step of the run phase.
    fn measure(&mut self, ended: &EndedStep<Mark>) {
        let now_ns = ended.ended_ns;
        let planned_ns = self.work.within_plan(now_ns);
        let Some(measured) = self.work.measured() else {
            return;
        };
        let kind = work::kind(ended.due.step.kind);
        let place = usize::from(ended.operation.node.0);
        match ended.outcome {
            Outcome::Ok => {
                self.last_ok_ns = now_ns;
                let response_ns = now_ns - ended.due.intended_ns;
                let service_ns = now_ns - ended.started_ns;
                measured.record(now_ns, kind, place, response_ns, service_ns);
            }
            Outcome::Fail(trouble) => {
                let error = error_kind(trouble).name();
                measured.error(
                    planned_ns,
                    kind,
                    Some(place),
                    error,
                    measure::ErrorOutcome::Fail,
                );
            }
            Outcome::Info(trouble) => {
                let error = error_kind(trouble).name();
                measured.error(
                    planned_ns,
                    kind,
                    Some(place),
                    error,
                    measure::ErrorOutcome::Info,
                );
            }
        }
    }
}

impl Steps<Mark> for Source {
    fn draw(&mut self) -> u32 {
        self.routing.random()
    }

    fn value_id(&self, session: u32, index: u32) -> u64 {
        history::value_id(session, index)
    }

    fn step(&mut self, ended: &EndedStep<Mark>) {
        let (step, mark) = (ended.due.step, ended.due.mark);
        let InFlight {
            node, invoke_ns, ..
        } = ended.operation;
        match ended.outcome {
            Outcome::Ok => {
                self.work.read_back(node);
                self.shown.show(step.key);
            }
            Outcome::Fail(trouble) | Outcome::Info(trouble) if is_unreached(trouble) => {
                let (now_ns, patience_ns) = (ended.ended_ns, self.patience_ns);
                let work = &mut self.work;
                work.not_read_back(node, step.key, invoke_ns, now_ns, patience_ns);
            }
            Outcome::Fail(_) | Outcome::Info(_) => {}
        }
        if mark.measured {
            self.measure(ended);
        }
        if matches!(step.kind, StepKind::Insert) && mark.phase == Phase::Run {
            match ended.outcome {
                Outcome::Ok => self.generator.insert_acknowledged(step.key),
                Outcome::Fail(_) | Outcome::Info(_) => self.generator.insert_failed(step.key),
            }
        }
    }
}

impl Supply<Mark> for Source {
    /// A step may begin late, which is the generator's fault where a lane was free for it.
    fn next(&mut self, pin: Option<NodeId>, lane_was_free: bool, now_ns: u64) -> Option<Due<Mark>> {
        let due = self.work.next(pin, now_ns, &mut self.generator)?;
        if lane_was_free
            && due.mark.measured
            && now_ns - due.intended_ns > LATE_NS
            && let Some(measured) = self.work.measured()
        {
            measured.late();
        }
        Some(due)
    }
}

/// Whether the node did not answer, as opposed to having refused.
const fn is_unreached(trouble: Trouble) -> bool {
    match trouble {
        Trouble::Timeout
        | Trouble::Disconnected
        | Trouble::NoConnection
        | Trouble::Refused(Refusal::NotReady) => true,
        Trouble::Malformed | Trouble::Indefinite | Trouble::Refused(_) => false,
    }
}
