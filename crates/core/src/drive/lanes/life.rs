//! The life of an operation. It begins and is sent. It is answered, or it moves to another replica.
//! It ends, and the other half of its step may follow.

use super::*;
use crate::drive::{EndedOperation, EndedStep, Hands, Ledger, Order, Sent, Steps, Wire, key_name};
use crate::session::{Attempt, Fate, Next, Outcome, PATIENCE_NS};

impl<T: Copy> Lanes<T> {
    /// Starts a step on a lane that is free.
    pub fn start<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        due: Due<T>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let first = if due.step.kind.begins_with_put() {
            Intent::Put
        } else {
            Intent::Get
        };
        self.begin(lane, due, first, None, now_ns, hands)
    }

    /// An answer has arrived. Answers to requests that were given up are ignored.
    pub fn handle_response<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        id: u32,
        response: &Response<'_>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let tag = self.tags.unpack(id);
        self.follow(tag, Fate::Answered(response), now_ns, hands)
    }

    /// The connection broke on which a request was sent: no answer will come. Does nothing if the
    /// lane no longer waits for one.
    pub fn handle_disconnect<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        id: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let tag = self.tags.unpack(id);
        self.follow(tag, Fate::Disconnected, now_ns, hands)
    }

    /// The store answered that it does not know whether the operation took effect. Does nothing if
    /// the lane no longer waits for the answer.
    pub fn handle_indefinite<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        id: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let tag = self.tags.unpack(id);
        self.follow(tag, Fate::Indefinite, now_ns, hands)
    }

    /// The oldest request is overdue: see [`Lanes::deadline_ns`].
    pub fn time_out<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let Deadline { tag, .. } = self.deadlines.pop_front()?;
        if !self.is_in_flight(tag) {
            return None;
        }
        let over_ns = self.in_flight(tag.lane).invoke_ns + self.settings.timeout_ns;
        let has_time = now_ns < over_ns;
        if has_time && std::mem::take(&mut self.in_flight(tag.lane).pauses) {
            return self.send(tag.lane, now_ns, hands);
        }
        let fate = if has_time && self.lanes[tag.lane as usize].session.may_ask_again() {
            Fate::Silent
        } else {
            Fate::TimedOut
        };
        self.follow(tag, fate, now_ns, hands)
    }

    fn in_flight(&mut self, lane: u32) -> &mut InFlight {
        let task = self.lanes[lane as usize].task.as_mut();
        &mut task.expect("the lane has an operation under way").operation
    }

    /// Tells a lane's client what has become of the lane's request, and hears what follows.
    fn tell(&mut self, lane: u32, fate: Fate<'_>, now_ns: u64) -> Next {
        let key = key_name(self.in_flight(lane).key);
        let (worker, mut client) = self.with_client(lane, now_ns);
        client.tell(&mut worker.session, &key, fate)
    }

    /// Begins an operation of a step: its first, or the write that follows a get which started at
    /// `started_ns`.
    fn begin<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        due: Due<T>,
        intent: Intent,
        started_ns: Option<u64>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let key = key_name(due.step.key);
        let draw = hands.steps.draw();
        let (worker, client) = self.with_client(lane, now_ns);
        let index = worker.session.next_index();
        let ask = intent.ask(|| NewValue {
            id: hands.steps.value_id(worker.session.id(), index),
            bytes: due.step.value_bytes,
        });
        let session = &mut worker.session;
        let Attempt { node, group } = session.begin(client.view(), &key, ask.access(), draw);
        let operation = InFlight {
            ask,
            key: due.step.key,
            index,
            intended_ns: started_ns.map_or(due.intended_ns, |_| now_ns),
            invoke_ns: now_ns,
            node,
            incarnation: 0,
            group,
            pauses: false,
        };
        worker.task = Some(Task {
            due,
            started_ns: started_ns.unwrap_or(now_ns),
            operation,
        });
        self.send(lane, now_ns, hands)
    }

    /// Sends the operation under way to the node it is meant for, or to the next one that can be
    /// reached; when none can, the step ends and its lane pauses.
    fn send<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        loop {
            if self.was_sent(lane, now_ns, hands) {
                let node = self.in_flight(lane).node;
                let (_, client) = self.with_client(lane, now_ns);
                client.suspicion.test(node, now_ns);
                return None;
            }
            match self.tell(lane, Fate::Unsent, now_ns) {
                Next::Retry(Attempt { node, .. }) => {
                    hands.record.retried();
                    self.in_flight(lane).node = node;
                }
                Next::Pause(attempt) => {
                    self.pause(lane, attempt, now_ns);
                    return None;
                }
                Next::Done {
                    outcome,
                    ends_session,
                } => {
                    self.end_operation(lane, outcome, ends_session, None, now_ns, hands);
                    self.end_step(lane, outcome, now_ns, hands);
                    return Some(Free { lane, pauses: true });
                }
            }
        }
    }

    /// Sends the operation under way, if the node that it is meant for can be reached.
    fn was_sent<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> bool {
        let worker = &mut self.lanes[lane as usize];
        let task = worker.task.as_mut();
        let task = task.expect("the lane has an operation under way");
        worker.generation = self.tags.following(worker.generation);
        let generation = worker.generation;
        let tag = RequestTag { lane, generation };
        let operation = &mut task.operation;
        let order = Order {
            client: worker.client,
            lane,
            key: operation.key,
            ask: operation.ask,
            context: worker.session.context(operation.group),
            call: worker.session.call(operation.group),
        };
        let sent = hands.wire.send(operation.node, self.tags.pack(tag), &order);
        let Sent::To { incarnation } = sent else {
            return false;
        };
        operation.incarnation = incarnation;
        let at_ns = if worker.session.may_ask_again() {
            let over_ns = operation.invoke_ns + self.settings.timeout_ns;
            over_ns.min(now_ns + PATIENCE_NS)
        } else {
            now_ns + self.settings.timeout_ns
        };
        self.await_until(at_ns, tag, now_ns);
        true
    }

    /// Has the operation under way sent to this replica after a while.
    fn pause(&mut self, lane: u32, attempt: Attempt, now_ns: u64) {
        let operation = self.in_flight(lane);
        operation.node = attempt.node;
        operation.pauses = true;
        let over_ns = operation.invoke_ns + self.settings.timeout_ns;
        let worker = &mut self.lanes[lane as usize];
        worker.generation = self.tags.following(worker.generation);
        let generation = worker.generation;
        let tag = RequestTag { lane, generation };
        let at_ns = over_ns.min(now_ns + PATIENCE_NS);
        self.await_until(at_ns, tag, now_ns);
    }

    /// Deadlines come in the order in which they were set.
    fn await_until(&mut self, at_ns: u64, tag: RequestTag, now_ns: u64) {
        let last_ns = self.deadlines.back().map_or(now_ns, |last| last.at_ns);
        let at_ns = at_ns.max(last_ns);
        self.deadlines.push_back(Deadline { at_ns, tag });
    }

    /// Does what follows from what has become of a request, if that was awaited.
    fn follow<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        tag: RequestTag,
        fate: Fate<'_>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        if !self.is_in_flight(tag) {
            return None;
        }
        let lane = tag.lane;
        let free = match self.tell(lane, fate, now_ns) {
            Next::Retry(Attempt { node, .. }) => {
                hands.record.retried();
                self.in_flight(lane).node = node;
                self.send(lane, now_ns, hands)
            }
            Next::Pause(attempt) => {
                hands.record.retried();
                self.pause(lane, attempt, now_ns);
                None
            }
            Next::Done {
                outcome,
                ends_session,
            } => {
                let answer = fate.answer();
                self.end_operation(lane, outcome, ends_session, answer, now_ns, hands);
                self.go_on(lane, outcome, answer, now_ns, hands)
            }
        };
        // Answered requests must not pile up behind one that is slow to time out.
        self.deadline_ns();
        free
    }

    /// Begins the other half of a step whose operation is over, or ends the step.
    fn go_on<W: Wire, R: Ledger<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        outcome: Outcome,
        answer: Option<&Response<'_>>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let task = self.lanes[lane as usize].task.as_ref();
        let task = task.expect("the lane has a step under way");
        let answer = answer.filter(|_| outcome == Outcome::Ok);
        if let Some(second) = answer.and_then(|answer| task.second(answer)) {
            let (due, started_ns) = (task.due, task.started_ns);
            return self.begin(lane, due, second, Some(started_ns), now_ns, hands);
        }
        self.end_step(lane, outcome, now_ns, hands);
        let pauses = false;
        Some(Free { lane, pauses })
    }

    /// Has the operation under way, which is over, recorded.
    fn end_operation<W, R: Ledger<T>, S>(
        &mut self,
        lane: u32,
        outcome: Outcome,
        ends_session: bool,
        response: Option<&Response<'_>>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let worker = &self.lanes[lane as usize];
        let task = worker.task.as_ref();
        let task = task.expect("the lane has an operation under way");
        hands.record.operation(&EndedOperation {
            session: worker.session.id(),
            operation: &task.operation,
            mark: task.due.mark,
            outcome,
            response,
            ended_ns: now_ns,
        });
        if ends_session {
            let id = self.new_session();
            let worker = &mut self.lanes[lane as usize];
            worker.session = worker.session.successor(id);
        }
    }

    /// Has the step under way, which is over, measured, and frees its lane.
    fn end_step<W, R, S: Steps<T>>(
        &mut self,
        lane: u32,
        outcome: Outcome,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let task = self.lanes[lane as usize].task.take();
        let task = task.expect("the lane has a step under way");
        hands.steps.step(&EndedStep {
            due: task.due,
            started_ns: task.started_ns,
            operation: task.operation,
            outcome,
            ended_ns: now_ns,
        });
    }
}
