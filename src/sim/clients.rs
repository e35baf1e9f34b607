//! The clients of a simulated world: lanes that each do one step of the workload at a time, with
//! the production sessions, as the load generator's do.

use std::collections::VecDeque;

use crate::evidence::{Evidence, InFlight};
use crate::history::{self, Columns, Phase, Row};
use crate::protocol::{Operation, Request, Response, Vector, request_bytes};
use crate::session::{Access, Next, Outcome, Session, Suspicion, Trouble, View};
use crate::workload::{Generator, LoadSteps, Step, StepKind, key_name, payload};

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::plan::Plan;
use super::queue::Event;
use super::world::World;

/// How long a lane pauses when no replica of a key can be reached, in ns.
const PAUSE_NS: u64 = 10_000_000;

/// A worker: it does one step after another, under one session until that ends.
#[derive(Debug)]
struct Lane {
    client: u16,
    session: Session,
    /// Which of its requests was the last, so that an answer to an earlier one is told apart.
    generation: u32,
    task: Option<Task>,
}

/// A step on its way.
#[derive(Clone, Copy, Debug)]
struct Task {
    step: Step,
    phase: Phase,
    operation: InFlight,
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
    lanes: Vec<Lane>,
    /// What each client suspects.
    suspicions: Vec<Suspicion>,
    /// The requests sent, oldest first: when they are overdue, by lane and generation.
    deadlines: VecDeque<(u64, u32, u32)>,
    load: LoadSteps,
    generator: Generator,
    draw: Draw,
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
            evidence: Evidence::default(),
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

    fn is_in_flight(&self, lane: u32, generation: u32) -> bool {
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

    fn task(&self, lane: u32) -> Task {
        self.lanes[lane as usize]
            .task
            .expect("the lane has an operation under way")
    }

    fn next_step(&mut self) -> (Step, Phase) {
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
    fn settle(&mut self, task: &Task, outcome: Outcome) {
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
    use crate::protocol::Refusal;
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

impl World<'_> {
    /// Has a lane begin its next step, or idle when there is none.
    pub(super) fn begin(&mut self, lane: u32) {
        if self.clients.steps_begun == self.plan.steps {
            self.clients.idle += 1;
            self.heal();
            return;
        }
        self.clients.steps_begun += 1;
        let (step, phase) = self.clients.next_step();
        self.clients.keys_end = self.clients.keys_end.max(step.key + 1);
        let put = matches!(step.kind, StepKind::Update | StepKind::Insert);
        self.begin_operation(lane, step, phase, put);
    }

    fn begin_operation(&mut self, lane: u32, step: Step, phase: Phase, put: bool) {
        let key = key_name(step.key);
        let draw = self.clients.draw.bits() as u32;
        let worker = &mut self.clients.lanes[lane as usize];
        let view = View {
            ports: &self.ports,
            policy: self.plan.policy,
            suspicion: &self.clients.suspicions[usize::from(worker.client)],
            now_ns: self.now_ns,
        };
        let index = worker.session.next_index();
        let access = if put { Access::Write } else { Access::Read };
        let attempt = worker.session.begin(view, &key, access, draw);
        let operation = InFlight {
            put,
            key: step.key,
            index,
            intended_ns: self.now_ns,
            invoke_ns: self.now_ns,
            node: attempt.node,
            incarnation: 0,
            group: attempt.group,
        };
        worker.task = Some(Task {
            step,
            phase,
            operation,
        });
        self.send(lane);
    }

    /// Sends the operation under way to the node it is meant for, or to the next one that can be
    /// reached; when none can, the step ends and its lane pauses.
    fn send(&mut self, lane: u32) {
        loop {
            let operation = self.clients.task(lane).operation;
            let node = usize::from(operation.node.0);
            if !self.nodes[node].refuses() {
                return self.send_to(lane, node);
            }
            let client = usize::from(self.clients.lanes[lane as usize].client);
            self.clients.suspicions[client].suspect(operation.node, self.now_ns);
            let next =
                self.ask_session(lane, |session, view, key| session.handle_unsent(view, key));
            match next {
                Next::Retry(attempt) => {
                    self.counters.retries += 1;
                    self.in_flight(lane).node = attempt.node;
                }
                Next::Done {
                    outcome,
                    ends_session,
                } => {
                    self.end_operation(lane, outcome, ends_session, None);
                    self.end_step(lane, outcome);
                    self.queue.push(self.now_ns + PAUSE_NS, Event::Begin(lane));
                    return;
                }
            }
        }
    }

    fn send_to(&mut self, lane: u32, node: usize) {
        let incarnation = self.nodes[node].spec.incarnation;
        self.in_flight(lane).incarnation = incarnation;
        let worker = &mut self.clients.lanes[lane as usize];
        worker.generation += 1;
        let task = worker.task.expect("the lane has an operation under way");
        let InFlight {
            put, index, group, ..
        } = task.operation;
        let id = history::value_id(worker.session.id(), index);
        let slot = self.requests.take();
        let sent = self.requests.at(slot);
        *sent = Sent {
            lane,
            generation: worker.generation,
            client: worker.client,
            node,
            life: self.nodes[node].life,
            waits: false,
            key: task.step.key,
            put: put.then_some((id, task.step.value_bytes)),
            context: worker.session.context(group).into(),
        };
        let (client, generation) = (worker.client, worker.generation);
        self.counters.requests += 1;
        self.counters.request_bytes += sent.with(&mut self.value, request_bytes) as u64;
        match self.links.client(client, node, self.now_ns) {
            Some(at_ns) => self.queue.push(at_ns, Event::Request(slot)),
            None => self.requests.release(slot),
        }
        let suspicion = &mut self.clients.suspicions[usize::from(client)];
        suspicion.test(task.operation.node, self.now_ns);
        let at_ns = self.now_ns + self.plan.timeout_ns;
        self.clients.deadlines.push_back((at_ns, lane, generation));
    }

    fn in_flight(&mut self, lane: u32) -> &mut InFlight {
        let task = self.clients.lanes[lane as usize].task.as_mut();
        &mut task.expect("the lane has an operation under way").operation
    }

    /// Tells a lane's session what happened, and hears what follows.
    fn ask_session(
        &mut self,
        lane: u32,
        tell: impl FnOnce(&mut Session, View<'_>, &[u8]) -> Next,
    ) -> Next {
        let key = key_name(self.clients.task(lane).step.key);
        let worker = &mut self.clients.lanes[lane as usize];
        let view = View {
            ports: &self.ports,
            policy: self.plan.policy,
            suspicion: &self.clients.suspicions[usize::from(worker.client)],
            now_ns: self.now_ns,
        };
        tell(&mut worker.session, view, &key)
    }

    /// A reply reaches its client. Replies to requests that were given up are ignored.
    pub(super) fn reply_arrives(&mut self, slot: u32) {
        let reply = std::mem::take(self.outbox.slots.at(slot));
        let (lane, generation) = (reply.lane, reply.generation);
        if self.clients.is_in_flight(lane, generation) {
            let client = usize::from(self.clients.lanes[lane as usize].client);
            let node = self.clients.task(lane).operation.node;
            self.clients.suspicions[client].trust(node);
            reply.with(|response| {
                let next = self.ask_session(lane, |session, view, key| {
                    session.handle_response(view, key, response)
                });
                self.follow(lane, next, Some(response));
            });
        }
        *self.outbox.slots.at(slot) = reply;
        self.outbox.slots.release(slot);
    }

    /// The oldest request under way is overdue.
    pub(super) fn time_out(&mut self) {
        let Some((_, lane, _)) = self.clients.deadlines.pop_front() else {
            return;
        };
        let node = self.clients.task(lane).operation.node;
        let worker = &mut self.clients.lanes[lane as usize];
        self.clients.suspicions[usize::from(worker.client)].suspect(node, self.now_ns);
        let next = worker.session.handle_timeout();
        self.follow(lane, next, None);
    }

    /// The connection broke that a lane sent this request on.
    pub(super) fn disconnect(&mut self, lane: u32, generation: u32) {
        if !self.clients.is_in_flight(lane, generation) {
            return;
        }
        let client = usize::from(self.clients.lanes[lane as usize].client);
        let node = self.clients.task(lane).operation.node;
        self.clients.suspicions[client].suspect(node, self.now_ns);
        let next = self.ask_session(lane, |session, view, key| {
            session.handle_disconnect(view, key)
        });
        self.follow(lane, next, None);
    }

    /// Whether the client still waits for the answer to a request.
    pub(super) fn is_awaited(&self, lane: u32, generation: u32) -> bool {
        self.clients.is_in_flight(lane, generation)
    }

    fn follow(&mut self, lane: u32, next: Next, response: Option<&Response<'_>>) {
        match next {
            Next::Retry(attempt) => {
                self.counters.retries += 1;
                self.in_flight(lane).node = attempt.node;
                self.send(lane);
            }
            Next::Done {
                outcome,
                ends_session,
            } => {
                let task = self.clients.task(lane);
                self.end_operation(lane, outcome, ends_session, response);
                let goes_on = task.step.kind == StepKind::ReadModifyWrite && !task.operation.put;
                if outcome == Outcome::Ok && goes_on {
                    self.begin_operation(lane, task.step, task.phase, true);
                } else {
                    self.end_step(lane, outcome);
                    self.proceed(lane);
                }
            }
        }
    }

    fn end_operation(
        &mut self,
        lane: u32,
        outcome: Outcome,
        ends_session: bool,
        response: Option<&Response<'_>>,
    ) {
        let task = self.clients.task(lane);
        let session = self.clients.lanes[lane as usize].session.id();
        self.clients.record(
            session,
            &task.operation,
            task.phase,
            (outcome, response),
            self.now_ns,
            &mut self.counters,
        );
        if self.trace.is_some() {
            let InFlight {
                put,
                key,
                index,
                node,
                ..
            } = task.operation;
            let kind = if put { "put" } else { "get" };
            self.note(format_args!(
                "s{session}:{index} {kind} of key {key} at {node}: {outcome:?} {response:?}"
            ));
        }
        if ends_session {
            let id = self.clients.new_session();
            let worker = &mut self.clients.lanes[lane as usize];
            worker.session = worker.session.successor(id);
        }
    }

    fn end_step(&mut self, lane: u32, outcome: Outcome) {
        let task = self.clients.task(lane);
        self.clients.settle(&task, outcome);
        self.clients.lanes[lane as usize].task = None;
    }

    fn proceed(&mut self, lane: u32) {
        let pause_ns = self.clients.draw.exponential(self.plan.think_ns);
        // Not at once even without a pause: an operation begins after the one before has ended.
        self.queue
            .push(self.now_ns + pause_ns.max(1), Event::Begin(lane));
    }
}
