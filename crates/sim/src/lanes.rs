//! How the lanes of clients do one step of the workload after another, with the production sessions,
//! as the load generator's do.

use kvs_check::history::{self, Phase};
use kvs_core::protocol::{Response, request_bytes};
use kvs_core::session::{Access, Next, Outcome, Session, View};
use kvs_load::workload::{Step, StepKind, key_name};
use kvs_recording::InFlight;

use super::clients::{Sent, Task};
use super::queue::Event;
use super::world::World;

/// How long a lane pauses when no replica of a key can be reached, in ns.
const PAUSE_NS: u64 = 10_000_000;

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
