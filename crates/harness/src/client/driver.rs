//! The load driver as a state machine: lanes that each do one step of the workload at a time,
//! over a [`Wire`] that somebody else owns.
//!
//! It reads no clock: every input brings the time. One reading serves as the end of one operation
//! and the start of the next on its lane, which is right for both: it is not before the answer
//! was there, and not after the next request leaves.

mod settle;

use std::collections::VecDeque;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use kvs_check::history::{self, Phase, RecordError, Recorder};
use kvs_core::protocol::{NodeId, Operation, Request, Response};
use kvs_core::server::ServerPorts;
use kvs_core::session::{Access, Attempt, Next, Outcome, Policy, Session, Suspicion, View};
use kvs_load::workload::{self, Generator, StepKind};
use kvs_measure as measure;
use kvs_recording::{Evidence, InFlight};

use super::lane::{Lane, RequestTag, TagLayout, Task};
use super::work::{Due, LATE_NS, Plan, Work};

/// How long a lane pauses when no replica of a key can be reached, in nanoseconds, so that a
/// closed loop does not spin on a dead cluster.
pub const PAUSE_NS: u64 = 10_000_000;

/// Where requests go.
pub trait Wire {
    /// Queues `request` for `node`; its answer will carry `id`.
    fn send(&mut self, node: NodeId, id: u32, request: &Request<'_>) -> Sent;
}

/// What became of a request that was given to a [`Wire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way to this incarnation of the node.
    To {
        /// The incarnation, 0 for the first.
        incarnation: u16,
    },
    /// There is no connection to the node, and nothing was sent.
    Nowhere,
}

/// What a driver is made of.
#[derive(Debug)]
pub struct Settings {
    /// Which nodes serve which key.
    pub ports: ServerPorts,
    /// How sessions behave.
    pub policy: Policy,
    /// How long an answer may take, in nanoseconds.
    pub timeout_ns: u64,
    /// How many operations are under way at most, up to [`super::LANES_MAX`].
    pub lanes: u32,
    /// Decides random routing.
    pub seed: u64,
}

/// How far a phase has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Operations that ended with `ok` in this phase.
    pub ok: u64,
    /// Operations that ended otherwise in this phase.
    pub errors: u64,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at_ns: u64,
    tag: RequestTag,
}

/// Drives the load. See the module's documentation.
#[derive(Debug)]
pub struct Driver {
    settings: Settings,
    suspicion: Suspicion,
    tags: TagLayout,
    lanes: Vec<Lane>,
    /// Lanes without work, last in first out.
    idle: Vec<u32>,
    /// Lanes that wait for a node to come back, by when they go on: at most one entry a lane.
    paused: VecDeque<(u64, u32)>,
    /// The requests sent, oldest first: the time-out is the same for all. Answered ones leave
    /// when they reach the front.
    deadlines: VecDeque<Deadline>,
    sessions_begun: u32,
    generator: Generator,
    routing: Pcg64,
    work: Work,
    phase: Phase,
    progress: Progress,
    /// When the last of the phase's measured steps that succeeded had ended.
    last_ok_ns: u64,
    lane_came_free: bool,
    /// Above every key that was put, whatever the outcome.
    keys_end: u64,
    recorder: Option<Recorder>,
    /// Where values are made, as large as the largest so far.
    value: Vec<u8>,
    evidence: Evidence,
    failure: Option<RecordError>,
}

impl Driver {
    /// A driver without work. Operations are recorded in `recorder`, if there is one.
    ///
    /// # Panics
    /// When there are no lanes or more than [`super::LANES_MAX`].
    #[must_use]
    pub fn new(settings: Settings, generator: Generator, recorder: Option<Recorder>) -> Self {
        assert!(
            (1..=super::LANES_MAX).contains(&settings.lanes),
            "a driver has lanes"
        );
        let nodes = settings.ports.nodes().count();
        let promise = recorder.as_ref().and_then(Recorder::promise);
        Self {
            suspicion: Suspicion::new(nodes),
            // The final reads have a lane for each node at least.
            tags: TagLayout::for_lanes(settings.lanes.max(nodes as u32)),
            lanes: Vec::new(),
            idle: Vec::new(),
            paused: VecDeque::new(),
            deadlines: VecDeque::new(),
            sessions_begun: 0,
            generator,
            routing: Pcg64::seed_from_u64(settings.seed),
            work: Work::Nothing,
            phase: Phase::Load,
            progress: Progress::default(),
            last_ok_ns: 0,
            lane_came_free: false,
            keys_end: 0,
            recorder,
            value: Vec::new(),
            evidence: Evidence::new(promise),
            failure: None,
            settings,
        }
    }

    /// Begins a phase, with fresh sessions. Call [`Driver::tick`] next.
    ///
    /// # Panics
    /// When a phase is under way.
    pub fn begin(&mut self, plan: Plan, now_ns: u64) {
        assert!(self.idle.len() == self.lanes.len(), "one phase at a time");
        let pins: Vec<Option<NodeId>> = match &plan {
            Plan::Load(_) | Plan::Run { .. } => vec![None; self.settings.lanes as usize],
            Plan::Final { reads } => {
                let lanes = (self.settings.lanes as usize).max(reads.len());
                reads
                    .iter()
                    .map(|(node, _)| Some(*node))
                    .cycle()
                    .take(lanes)
                    .collect()
            }
        };
        self.phase = plan.phase();
        self.progress = Progress::default();
        self.last_ok_ns = 0;
        self.work = Work::begin(plan, now_ns, self.settings.timeout_ns);
        // Lanes keep their generations, so that an answer to an earlier phase is told apart.
        self.lanes.truncate(pins.len());
        self.idle = (0..pins.len() as u32).collect();
        for (lane, pin) in pins.into_iter().enumerate() {
            let session = self.new_session(pin);
            match self.lanes.get_mut(lane) {
                Some(lane) => lane.session = session,
                None => self.lanes.push(Lane::new(session)),
            }
        }
    }

    /// Whether the phase is over: no step is left, and none is under way.
    #[must_use]
    pub fn is_done(&self, now_ns: u64) -> bool {
        self.failure.is_some() || self.idle.len() == self.lanes.len() && self.work.is_done(now_ns)
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_nanos(self.settings.timeout_ns)
    }

    /// How far the phase has got.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// When the last measured step that succeeded had ended, in nanoseconds since the run began; 0
    /// while there is none. It can lie beyond the end of the phase's plan.
    #[must_use]
    pub const fn last_ok_ns(&self) -> u64 {
        self.last_ok_ns
    }

    /// When the next step is due that a lane is free for, in an open loop. A step that has to
    /// wait for a lane starts when one is free, without being asked.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<u64> {
        if self.idle.is_empty() {
            None
        } else {
            self.work.next_due_ns()
        }
    }

    /// Whether a lane has come free, where there was none, since this was last asked: then
    /// [`Driver::next_due_ns`] has an answer that it did not have before.
    pub const fn take_lane_came_free(&mut self) -> bool {
        std::mem::replace(&mut self.lane_came_free, false)
    }

    /// Begins no further step; those under way still end. What the store could not take is
    /// counted.
    pub fn stop(&mut self, now_ns: u64) {
        self.work.stop(now_ns, &mut self.generator);
    }

    /// Ends the phase, which must be done, and hands over what it measured.
    pub fn end(&mut self, now_ns: u64) -> Option<measure::Recorder> {
        self.stop(now_ns);
        std::mem::replace(&mut self.work, Work::Nothing).end()
    }

    /// A fault begins or ends now, in a run phase: what it measures is told apart from here on.
    /// Returns how many steps are under way.
    pub fn mark(&mut self, now_ns: u64) -> u64 {
        if let Some(measured) = self.work.measured() {
            measured.mark(now_ns);
        }
        (self.lanes.len() - self.idle.len()) as u64
    }

    /// Why the history cannot be recorded any further, once that has happened.
    pub const fn take_failure(&mut self) -> Option<RecordError> {
        self.failure.take()
    }

    /// Inserts that became updates, since too many were unanswered.
    #[must_use]
    pub const fn inserts_withheld(&self) -> u64 {
        self.generator.inserts_withheld()
    }

    /// A number above every key that was put, whatever the outcome.
    #[must_use]
    pub const fn keys_end(&self) -> u64 {
        self.keys_end
    }

    /// What was recorded, once every phase is over.
    #[must_use]
    pub fn finish(self) -> Option<Recorder> {
        self.recorder
    }

    /// Time has passed: begins steps that are due, ends those whose answer is overdue. Call it
    /// when [`Driver::next_due_ns`] says, and every few milliseconds at least.
    pub fn tick(&mut self, now_ns: u64, wire: &mut impl Wire) {
        let planned_ns = self.work.within_plan(now_ns);
        if let Some(measured) = self.work.measured() {
            measured.advance(planned_ns);
        }
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.tick(now_ns)
        {
            self.failure = Some(error);
        }
        while let Some(&Deadline { at_ns, tag }) = self.deadlines.front()
            && at_ns <= now_ns
        {
            self.deadlines.pop_front();
            if self.is_in_flight(tag) {
                let node = self.in_flight(tag.lane).node;
                self.suspicion.suspect(node, now_ns);
                let next = self.lanes[tag.lane as usize].session.handle_timeout();
                self.follow(tag.lane, next, None, now_ns, wire);
            }
        }
        while let Some(&(at_ns, lane)) = self.paused.front()
            && at_ns <= now_ns
        {
            self.paused.pop_front();
            self.proceed(lane, now_ns, wire);
        }
        while let Some(lane) = self.idle.pop() {
            match self.next_step(lane, now_ns) {
                Some(due) => self.start(lane, due, true, now_ns, wire),
                None => {
                    self.idle.push(lane);
                    break;
                }
            }
        }
    }

    /// An answer has arrived. Answers to requests that were given up are ignored.
    pub fn handle_response(
        &mut self,
        id: u32,
        response: &Response<'_>,
        now_ns: u64,
        wire: &mut impl Wire,
    ) {
        let tag = self.tags.unpack(id);
        if !self.is_in_flight(tag) {
            return;
        }
        let task = self.task(tag.lane);
        self.suspicion.trust(task.operation.node);
        let key = workload::key_name(task.due.step.key);
        let view = view(&self.settings, &self.suspicion, now_ns);
        let session = &mut self.lanes[tag.lane as usize].session;
        let next = session.handle_response(view, &key, response);
        self.follow(tag.lane, next, Some(response), now_ns, wire);
    }

    /// The connection to `node` broke: what was sent over it will not be answered.
    pub fn handle_disconnect(&mut self, node: NodeId, now_ns: u64, wire: &mut impl Wire) {
        self.suspicion.suspect(node, now_ns);
        for lane in 0..self.lanes.len() as u32 {
            let Some(task) = self.lanes[lane as usize].task else {
                continue;
            };
            if task.operation.node == node {
                let key = workload::key_name(task.due.step.key);
                let view = view(&self.settings, &self.suspicion, now_ns);
                let next = self.lanes[lane as usize]
                    .session
                    .handle_disconnect(view, &key);
                self.follow(lane, next, None, now_ns, wire);
            }
        }
    }

    fn is_in_flight(&self, tag: RequestTag) -> bool {
        self.lanes
            .get(tag.lane as usize)
            .is_some_and(|lane| lane.task.is_some() && lane.generation == tag.generation)
    }

    fn task(&self, lane: u32) -> Task {
        self.lanes[lane as usize]
            .task
            .expect("the lane has an operation under way")
    }

    fn in_flight(&self, lane: u32) -> InFlight {
        self.task(lane).operation
    }

    fn new_session(&mut self, pin: Option<NodeId>) -> Session {
        let id = self.sessions_begun;
        self.sessions_begun += 1;
        pin.map_or_else(|| Session::new(id), |node| Session::pinned(id, node))
    }

    fn next_step(&mut self, lane: u32, now_ns: u64) -> Option<Due> {
        let pin = self.lanes[lane as usize].session.pin();
        self.work.next(pin, now_ns, &mut self.generator)
    }

    /// Gives a lane that has ended a step the next one, or lets it idle.
    fn proceed(&mut self, lane: u32, now_ns: u64, wire: &mut impl Wire) {
        match self.next_step(lane, now_ns) {
            Some(due) => {
                // With another lane free, this step did not wait for the store.
                self.start(lane, due, !self.idle.is_empty(), now_ns, wire);
            }
            None => {
                self.lane_came_free |= self.idle.is_empty();
                self.idle.push(lane);
            }
        }
    }

    /// Starts a step. It may be late, which is the generator's fault if `lane_was_free` for it.
    fn start(
        &mut self,
        lane: u32,
        due: Due,
        lane_was_free: bool,
        now_ns: u64,
        wire: &mut impl Wire,
    ) {
        if let Some(measured) = self.work.measured()
            && due.measured
            && lane_was_free
            && now_ns - due.intended_ns > LATE_NS
        {
            measured.late();
        }
        let put = matches!(due.step.kind, StepKind::Update | StepKind::Insert);
        self.begin_operation(lane, due, put, None, now_ns, wire);
    }

    /// Begins an operation of a step: its first, or the put of a read-modify-write whose get
    /// started at `started_ns`.
    fn begin_operation(
        &mut self,
        lane: u32,
        due: Due,
        put: bool,
        started_ns: Option<u64>,
        now_ns: u64,
        wire: &mut impl Wire,
    ) {
        let intended_ns = started_ns.map_or(due.intended_ns, |_| now_ns);
        let started_ns = started_ns.unwrap_or(now_ns);
        let key = workload::key_name(due.step.key);
        let view = view(&self.settings, &self.suspicion, now_ns);
        let draw = self.routing.random();
        let worker = &mut self.lanes[lane as usize];
        let index = worker.session.next_index();
        let access = if put { Access::Write } else { Access::Read };
        let Attempt { node, group } = worker.session.begin(view, &key, access, draw);
        let invoke_ns = now_ns;
        let operation = InFlight {
            put,
            key: due.step.key,
            index,
            intended_ns,
            invoke_ns,
            node,
            incarnation: 0,
            group,
        };
        worker.task = Some(Task {
            due,
            started_ns,
            operation,
        });
        self.send(lane, now_ns, wire);
    }

    /// Sends the operation under way to the node it is meant for, or to the next one that can be
    /// reached; when none can, the step ends and its lane pauses.
    fn send(&mut self, lane: u32, now_ns: u64, wire: &mut impl Wire) {
        loop {
            let worker = &mut self.lanes[lane as usize];
            let task = worker
                .task
                .as_mut()
                .expect("the lane has an operation under way");
            worker.generation = self.tags.following(worker.generation);
            let tag = RequestTag {
                lane,
                generation: worker.generation,
            };
            let key = workload::key_name(task.due.step.key);
            let InFlight {
                put,
                index,
                node,
                group,
                ..
            } = task.operation;
            let operation = if put {
                let id = history::value_id(worker.session.id(), index);
                self.value.resize(task.due.step.value_bytes as usize, 0);
                workload::payload::fill(id, &mut self.value);
                Operation::Put { value: &self.value }
            } else {
                Operation::Get
            };
            let request = Request {
                key: &key,
                operation,
                context: worker.session.context(group),
            };
            let id = self.tags.pack(tag);
            if let Sent::To { incarnation } = wire.send(node, id, &request) {
                task.operation.incarnation = incarnation;
                self.suspicion.test(node, now_ns);
                let at_ns = now_ns + self.settings.timeout_ns;
                self.deadlines.push_back(Deadline { at_ns, tag });
                return;
            }
            self.suspicion.suspect(node, now_ns);
            let view = view(&self.settings, &self.suspicion, now_ns);
            match worker.session.handle_unsent(view, &key) {
                Next::Retry(Attempt { node, .. }) => task.operation.node = node,
                Next::Done {
                    outcome,
                    ends_session,
                } => {
                    self.end_operation(lane, outcome, ends_session, None, now_ns);
                    self.end_step(lane, outcome, now_ns);
                    self.paused.push_back((now_ns + PAUSE_NS, lane));
                    return;
                }
            }
        }
    }

    /// Does what the session says after an event.
    fn follow(
        &mut self,
        lane: u32,
        next: Next,
        response: Option<&Response<'_>>,
        now_ns: u64,
        wire: &mut impl Wire,
    ) {
        match next {
            Next::Retry(Attempt { node, .. }) => {
                let task = self.lanes[lane as usize].task.as_mut();
                task.expect("the lane has an operation under way")
                    .operation
                    .node = node;
                self.send(lane, now_ns, wire);
            }
            Next::Done {
                outcome,
                ends_session,
            } => {
                let task = self.task(lane);
                self.end_operation(lane, outcome, ends_session, response, now_ns);
                if outcome == Outcome::Ok && task.goes_on() {
                    let started_ns = Some(task.started_ns);
                    self.begin_operation(lane, task.due, true, started_ns, now_ns, wire);
                } else {
                    self.end_step(lane, outcome, now_ns);
                    self.proceed(lane, now_ns, wire);
                }
            }
        }
        // Answered requests must not pile up behind one that is slow to time out.
        while let Some(&Deadline { tag, .. }) = self.deadlines.front()
            && !self.is_in_flight(tag)
        {
            self.deadlines.pop_front();
        }
    }
}

fn view<'a>(settings: &'a Settings, suspicion: &'a Suspicion, now_ns: u64) -> View<'a> {
    View {
        ports: &settings.ports,
        policy: settings.policy,
        suspicion,
        now_ns,
    }
}
