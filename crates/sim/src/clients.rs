//! The clients of a simulated world: what they do next, await and have recorded.

use std::collections::VecDeque;

use kvs_check::history::{Columns, Phase, Row};
use kvs_core::protocol::{Operation, Refusal, Request, Response, Vector};
use kvs_core::session::{Outcome, Session, Suspicion, Trouble};
use kvs_load::workload::{Generator, LoadSteps, Step, StepKind, key_name, payload};
use kvs_recording::{Evidence, InFlight};

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::plan::Plan;

/// A worker: it does one step after another, under one session until that ends.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) client: u16,
    pub(super) session: Session,
    /// Which of its requests was the last, so that an answer to an earlier one is told apart.
    pub(super) generation: u32,
    pub(super) task: Option<Task>,
}

/// A step on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) step: Step,
    pub(super) phase: Phase,
    pub(super) operation: InFlight,
}

/// A request on its way to a node, or waiting there.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) lane: u32,
    pub(super) generation: u32,
    pub(super) client: u16,
    pub(super) node: usize,
    /// The process that it was sent to.
    pub(super) life: u32,
    /// Whether it waits at the node for its answer.
    pub(super) waits: bool,
    pub(super) key: u64,
    /// The id and the size of the value to put; none for a get.
    pub(super) put: Option<(u64, u32)>,
    pub(super) context: Vector,
}

impl Sent {
    /// Hands the request to `handle`; the value is made in `value`.
    pub(super) fn with<T>(&self, value: &mut Vec<u8>, handle: impl FnOnce(&Request<'_>) -> T) -> T {
        let operation = match self.put {
            None => Operation::Get,
            Some((id, bytes)) => {
                value.resize(bytes as usize, 0);
                payload::fill(id, value);
                Operation::Put { value }
            }
        };
        handle(&Request {
            key: &key_name(self.key),
            operation,
            context: &self.context,
        })
    }
}

/// Every client.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) lanes: Vec<Lane>,
    /// What each client suspects.
    pub(super) suspicions: Vec<Suspicion>,
    /// The requests sent, oldest first: when they are overdue, by lane and generation.
    pub(super) deadlines: VecDeque<(u64, u32, u32)>,
    load: LoadSteps,
    generator: Generator,
    pub(super) draw: Draw,
    sessions_begun: u32,
    pub(super) steps_begun: u64,
    /// Lanes that have ended their last step.
    pub(super) idle: usize,
    /// Above every key that was put or asked for.
    pub(super) keys_end: u64,
    evidence: Evidence,
    /// What was recorded.
    pub(super) rows: Columns,
}

impl Clients {
    pub(super) fn new(plan: &Plan, nodes: usize) -> Self {
        let lanes = 0..plan.workload.sessions;
        let mut load = LoadSteps::new(&plan.workload, plan.seed);
        if !plan.preload {
            load.by_ref().for_each(drop);
        }
        let lane = |id| Lane {
            client: (id % u32::from(plan.clients)) as u16,
            session: Session::new(id),
            generation: 0,
            task: None,
        };
        Self {
            suspicions: vec![Suspicion::new(nodes); usize::from(plan.clients)],
            deadlines: VecDeque::new(),
            load,
            generator: Generator::new(&plan.workload, plan.seed),
            draw: Draw::new(plan.seed, Purpose::Clients),
            sessions_begun: plan.workload.sessions,
            steps_begun: 0,
            idle: 0,
            keys_end: 0,
            evidence: Evidence::new(Some(kvs_recording::promise(
                &plan.architecture,
                plan.lattice,
            ))),
            rows: Columns::with_capacity(plan.steps as usize),
            lanes: lanes.map(lane).collect(),
        }
    }

    pub(super) const fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// When the oldest request that is under way is overdue.
    pub(super) fn deadline_ns(&mut self) -> Option<u64> {
        while let Some(&(at_ns, lane, generation)) = self.deadlines.front() {
            if self.is_in_flight(lane, generation) {
                return Some(at_ns);
            }
            self.deadlines.pop_front();
        }
        None
    }

    pub(super) fn is_in_flight(&self, lane: u32, generation: u32) -> bool {
        let lane = &self.lanes[lane as usize];
        lane.task.is_some() && lane.generation == generation
    }

    /// The lanes that wait for an answer of this node, with their requests.
    pub(super) fn waiting_for(&self, node: usize) -> Vec<(u32, u32, u16)> {
        let waits = |(number, lane): (u32, &Lane)| {
            let task = lane.task?;
            let same = usize::from(task.operation.node.0) == node;
            same.then_some((number, lane.generation, lane.client))
        };
        (0..).zip(&self.lanes).filter_map(waits).collect()
    }

    pub(super) fn task(&self, lane: u32) -> Task {
        self.lanes[lane as usize]
            .task
            .expect("the lane has an operation under way")
    }

    pub(super) fn next_step(&mut self) -> (Step, Phase) {
        match self.load.next() {
            Some(step) => (step, Phase::Load),
            None => (self.generator.next(), Phase::Run),
        }
    }

    /// A number for a session that begins.
    pub(super) const fn new_session(&mut self) -> u32 {
        let id = self.sessions_begun;
        self.sessions_begun += 1;
        id
    }

    /// Records an operation that is over.
    pub(super) fn record(
        &mut self,
        session: u32,
        operation: &InFlight,
        phase: Phase,
        (outcome, response): (Outcome, Option<&Response<'_>>),
        now_ns: u64,
        counters: &mut Counters,
    ) {
        let row = self
            .evidence
            .row(session, operation, phase, outcome, response, now_ns);
        count(counters, &row, outcome);
        self.rows.push(&row);
    }

    /// Tells the generator what became of an insert.
    pub(super) fn settle(&mut self, task: &Task, outcome: Outcome) {
        if task.step.kind == StepKind::Insert && task.phase == Phase::Run {
            match outcome {
                Outcome::Ok => self.generator.insert_acknowledged(task.step.key),
                Outcome::Fail(_) | Outcome::Info(_) => self.generator.insert_failed(task.step.key),
            }
        }
    }
}

fn count(counters: &mut Counters, row: &Row<'_>, outcome: Outcome) {
    counters.operations += 1;
    counters.sibling_reads += u64::from(row.read.len() > 1);
    let (Outcome::Fail(trouble) | Outcome::Info(trouble)) = outcome else {
        return;
    };
    match trouble {
        Trouble::Timeout => counters.timeouts += 1,
        Trouble::Disconnected => counters.disconnected += 1,
        Trouble::NoConnection => counters.unreached += 1,
        Trouble::Refused(Refusal::Unavailable) => counters.unavailable += 1,
        Trouble::Refused(Refusal::Overloaded) => counters.overloaded += 1,
        Trouble::Refused(Refusal::ContextLost) => counters.context_lost += 1,
        Trouble::Malformed | Trouble::Refused(Refusal::WrongShard) => {}
    }
}
