//! What a driver does when an operation or a step has ended: it is recorded, and measured.

use kvs_check::history::Phase;
use kvs_core::protocol::Response;
use kvs_core::session::{Outcome, Trouble};
use kvs_load::workload::StepKind;
use kvs_measure as measure;
use kvs_recording::{InFlight, error_kind};

use super::Driver;
use crate::client::work;

impl Driver {
    /// Records the operation under way, which is over.
    pub(super) fn end_operation(
        &mut self,
        lane: u32,
        outcome: Outcome,
        ends_session: bool,
        response: Option<&Response<'_>>,
        now_ns: u64,
    ) {
        let task = self.task(lane);
        if task.operation.put {
            self.keys_end = self.keys_end.max(task.due.step.key + 1);
        }
        match outcome {
            Outcome::Ok => self.progress.ok += 1,
            Outcome::Fail(_) | Outcome::Info(_) => self.progress.errors += 1,
        }
        if let Some(recorder) = &mut self.recorder {
            let session = self.lanes[lane as usize].session.id();
            let operation = &task.operation;
            let evidence = &mut self.evidence;
            let row = evidence.row(session, operation, self.phase, outcome, response, now_ns);
            if let Err(error) = recorder.push(&row) {
                self.failure = Some(error);
            }
        }
        if ends_session {
            let id = self.sessions_begun;
            self.sessions_begun += 1;
            let worker = &mut self.lanes[lane as usize];
            worker.session = worker.session.successor(id);
        }
    }

    /// Measures the step under way, which is over, and frees its lane.
    pub(super) fn end_step(&mut self, lane: u32, outcome: Outcome, now_ns: u64) {
        let task = self.task(lane);
        self.lanes[lane as usize].task = None;
        let step = task.due.step;
        let InFlight {
            node, invoke_ns, ..
        } = task.operation;
        match outcome {
            Outcome::Ok => self.work.read_back(node),
            Outcome::Fail(trouble) | Outcome::Info(trouble) if is_unreached(trouble) => {
                let patience_ns = self.settings.timeout_ns;
                self.work
                    .not_read_back(node, step.key, invoke_ns, now_ns, patience_ns);
            }
            Outcome::Fail(_) | Outcome::Info(_) => {}
        }
        let planned_ns = self.work.within_plan(now_ns);
        if let Some(measured) = self.work.measured()
            && task.due.measured
        {
            let kind = work::kind(step.kind);
            let place = usize::from(node.0);
            match outcome {
                Outcome::Ok => {
                    self.last_ok_ns = now_ns;
                    let response_ns = now_ns - task.due.intended_ns;
                    let service_ns = now_ns - task.started_ns;
                    measured.record(now_ns, kind, place, response_ns, service_ns);
                }
                Outcome::Fail(trouble) => {
                    let error = error_kind(trouble).name();
                    measured.error(planned_ns, kind, Some(place), error, measure::Outcome::Fail);
                }
                Outcome::Info(trouble) => {
                    let error = error_kind(trouble).name();
                    measured.error(planned_ns, kind, Some(place), error, measure::Outcome::Info);
                }
            }
        }
        if matches!(step.kind, StepKind::Insert) && self.phase == Phase::Run {
            match outcome {
                Outcome::Ok => self.generator.insert_acknowledged(step.key),
                Outcome::Fail(_) | Outcome::Info(_) => self.generator.insert_failed(step.key),
            }
        }
    }
}

/// Whether the node did not answer, as opposed to having refused.
const fn is_unreached(trouble: Trouble) -> bool {
    match trouble {
        Trouble::Timeout | Trouble::Disconnected | Trouble::NoConnection => true,
        Trouble::Malformed | Trouble::Refused(_) => false,
    }
}
