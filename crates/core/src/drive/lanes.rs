//! The lanes as a state machine. An operation begins and is sent. It is answered, or it moves to
//! another replica. It ends, and the other half of its step may follow.

use std::collections::VecDeque;

use super::tags::{LANES_MAX, RequestTag, TagLayout};
use super::{
    Due, EndedOperation, EndedStep, Hands, InFlight, NewValue, Order, Record, Sent, StepKind,
    Steps, Wire, key_name,
};
use crate::protocol::{NodeId, Response};
use crate::server::ServerPorts;
use crate::session::{Access, Attempt, Next, Outcome, Policy, Session, Suspicion, View};

/// What lanes are made of.
#[derive(Debug)]
pub struct Settings {
    /// Which nodes serve which key.
    pub ports: ServerPorts,
    /// How sessions behave.
    pub policy: Policy,
    /// How long an answer may take, in nanoseconds.
    pub timeout_ns: u64,
    /// How many lanes there are at most, up to [`LANES_MAX`].
    pub lanes_max: u32,
    /// How many clients share the lanes. Each has suspicions of its own.
    pub clients: u16,
}

/// A lane has ended its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Free {
    /// Which lane.
    pub lane: u32,
    /// Whether no replica of its key could be reached: the lane is to pause for
    /// [`super::PAUSE_NS`].
    pub pauses: bool,
}

/// A worker.
#[derive(Debug)]
struct Lane<T> {
    client: u16,
    session: Session,
    /// Which of its requests was the last, so that an answer to an earlier one is told apart.
    generation: u32,
    task: Option<Task<T>>,
}

/// A step of the workload on its way: one operation, or the two of a read-modify-write.
#[derive(Clone, Copy, Debug)]
struct Task<T> {
    due: Due<T>,
    /// When the step did start.
    started_ns: u64,
    operation: InFlight,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at_ns: u64,
    tag: RequestTag,
}

/// Every lane. See the module's documentation.
#[derive(Debug)]
pub struct Lanes<T> {
    settings: Settings,
    /// What each client suspects.
    suspicions: Vec<Suspicion>,
    tags: TagLayout,
    lanes: Vec<Lane<T>>,
    /// The requests sent, oldest first: the time-out is the same for all. Answered ones leave
    /// when they reach the front.
    deadlines: VecDeque<Deadline>,
    sessions_begun: u32,
    /// The node that takes writes, as it was last asked for.
    primary: Option<NodeId>,
}

impl<T> Task<T> {
    /// Whether a put has yet to follow the get that is under way.
    const fn goes_on(&self) -> bool {
        matches!(self.due.step.kind, StepKind::ReadModifyWrite) && !self.operation.put
    }
}

impl<T: Copy> Lanes<T> {
    /// No lane yet: see [`Lanes::renew`].
    ///
    /// # Panics
    /// When there may be no lane, or more than [`LANES_MAX`], or there is no client.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        assert!(
            (1..=LANES_MAX).contains(&settings.lanes_max),
            "a driver has lanes"
        );
        assert!(settings.clients > 0, "lanes have a client");
        let nodes = settings.ports.nodes().count();
        Self {
            suspicions: vec![Suspicion::new(nodes); usize::from(settings.clients)],
            tags: TagLayout::for_lanes(settings.lanes_max),
            lanes: Vec::new(),
            deadlines: VecDeque::new(),
            sessions_begun: 0,
            primary: None,
            settings,
        }
    }

    /// Gives each of so many lanes a fresh session, which asks no other node where it is pinned to
    /// one. Lanes keep their generations, so that an answer to what was asked before is told apart.
    ///
    /// # Panics
    /// When a step is under way.
    pub fn renew(&mut self, pins: impl ExactSizeIterator<Item = Option<NodeId>>) {
        let busy = self.lanes.iter().any(|lane| lane.task.is_some());
        assert!(!busy, "a step under way needs its session");
        self.lanes.truncate(pins.len());
        for (place, pin) in pins.enumerate() {
            let id = self.new_session();
            let session = pin.map_or_else(|| Session::new(id), |node| Session::pinned(id, node));
            match self.lanes.get_mut(place) {
                Some(lane) => lane.session = session,
                None => self.lanes.push(Lane {
                    client: (place % usize::from(self.settings.clients)) as u16,
                    session,
                    generation: 0,
                    task: None,
                }),
            }
        }
    }

    /// How many lanes there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.lanes.len()
    }

    /// How many lanes there are at most.
    #[must_use]
    pub const fn count_max(&self) -> usize {
        self.settings.lanes_max as usize
    }

    /// How long an answer may take, in nanoseconds.
    #[must_use]
    pub const fn timeout_ns(&self) -> u64 {
        self.settings.timeout_ns
    }

    /// The node that all operations of a lane go to, if there is one.
    #[must_use]
    pub fn pin(&self, lane: u32) -> Option<NodeId> {
        self.lanes[lane as usize].session.pin()
    }

    /// A number for a session that begins, here or beside the lanes.
    pub const fn new_session(&mut self) -> u32 {
        let id = self.sessions_begun;
        self.sessions_begun += 1;
        id
    }

    /// Whether the answer to a request is still awaited.
    #[must_use]
    pub fn is_awaited(&self, id: u32) -> bool {
        self.is_in_flight(self.tags.unpack(id))
    }

    /// The request that a lane awaits an answer to from `node`, if it does.
    #[must_use]
    pub fn asked(&self, lane: u32, node: NodeId) -> Option<u32> {
        let worker = &self.lanes[lane as usize];
        let generation = worker.generation;
        let same = worker.task.as_ref()?.operation.node == node;
        same.then(|| self.tags.pack(RequestTag { lane, generation }))
    }

    /// The client that a lane belongs to.
    #[must_use]
    pub fn client(&self, lane: u32) -> u16 {
        self.lanes[lane as usize].client
    }

    /// When the oldest request that is under way is overdue.
    pub fn deadline_ns(&mut self) -> Option<u64> {
        while let Some(&Deadline { at_ns, tag }) = self.deadlines.front() {
            if self.is_in_flight(tag) {
                return Some(at_ns);
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// This node takes writes, or every node does. Sessions that have another primary stay with it
    /// until a write of theirs goes wrong.
    pub const fn set_primary(&mut self, primary: Option<NodeId>) {
        self.primary = primary;
    }

    /// No client trusts the node for a while.
    pub fn suspect(&mut self, node: NodeId, now_ns: u64) {
        for suspicion in &mut self.suspicions {
            suspicion.suspect(node, now_ns);
        }
    }

    /// Starts a step on a lane that is free.
    pub fn start<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        due: Due<T>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let put = due.step.kind.begins_with_put();
        self.begin(lane, due, put, None, now_ns, hands)
    }

    /// An answer has arrived. Answers to requests that were given up are ignored.
    pub fn handle_response<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        id: u32,
        response: &Response<'_>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let tag = self.tags.unpack(id);
        if !self.is_in_flight(tag) {
            return None;
        }
        let node = self.in_flight(tag.lane).node;
        self.suspicion(tag.lane).trust(node);
        let next = self.tell(tag.lane, now_ns, |session, view, key| {
            session.handle_response(view, key, response)
        });
        self.follow(tag.lane, next, Some(response), now_ns, hands)
    }

    /// The connection broke that a request was sent on: it will not be answered. Nothing happens
    /// if it is awaited no longer.
    pub fn handle_disconnect<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        id: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let tag = self.tags.unpack(id);
        if !self.is_in_flight(tag) {
            return None;
        }
        let node = self.in_flight(tag.lane).node;
        self.suspicion(tag.lane).suspect(node, now_ns);
        let next = self.tell(tag.lane, now_ns, |session, view, key| {
            session.handle_disconnect(view, key)
        });
        self.follow(tag.lane, next, None, now_ns, hands)
    }

    /// The store answered that it does not know whether the operation took effect. Nothing happens if
    /// the answer is awaited no longer.
    pub fn handle_indefinite<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        id: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let tag = self.tags.unpack(id);
        if !self.is_in_flight(tag) {
            return None;
        }
        let next = self.lanes[tag.lane as usize].session.handle_indefinite();
        self.follow(tag.lane, next, None, now_ns, hands)
    }

    /// The oldest request is overdue: see [`Lanes::deadline_ns`].
    pub fn time_out<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let Deadline { tag, .. } = self.deadlines.pop_front()?;
        if !self.is_in_flight(tag) {
            return None;
        }
        let node = self.in_flight(tag.lane).node;
        self.suspicion(tag.lane).suspect(node, now_ns);
        let next = self.lanes[tag.lane as usize].session.handle_timeout();
        self.follow(tag.lane, next, None, now_ns, hands)
    }

    fn is_in_flight(&self, tag: RequestTag) -> bool {
        self.lanes
            .get(tag.lane as usize)
            .is_some_and(|lane| lane.task.is_some() && lane.generation == tag.generation)
    }

    fn task(&self, lane: u32) -> Task<T> {
        self.lanes[lane as usize]
            .task
            .expect("the lane has an operation under way")
    }

    fn in_flight(&mut self, lane: u32) -> &mut InFlight {
        let task = self.lanes[lane as usize].task.as_mut();
        &mut task.expect("the lane has an operation under way").operation
    }

    fn suspicion(&mut self, lane: u32) -> &mut Suspicion {
        &mut self.suspicions[usize::from(self.lanes[lane as usize].client)]
    }

    /// Tells a lane's session what happened, and hears what follows.
    fn tell(
        &mut self,
        lane: u32,
        now_ns: u64,
        tell: impl FnOnce(&mut Session, View<'_>, &[u8]) -> Next,
    ) -> Next {
        let key = key_name(self.in_flight(lane).key);
        let worker = &mut self.lanes[lane as usize];
        let suspicion = &self.suspicions[usize::from(worker.client)];
        let view = view(&self.settings, suspicion, self.primary, now_ns);
        tell(&mut worker.session, view, &key)
    }

    /// Begins an operation of a step: its first, or the put of a read-modify-write whose get
    /// started at `started_ns`.
    fn begin<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        due: Due<T>,
        put: bool,
        started_ns: Option<u64>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let key = key_name(due.step.key);
        let draw = hands.steps.draw();
        let worker = &mut self.lanes[lane as usize];
        let suspicion = &self.suspicions[usize::from(worker.client)];
        let view = view(&self.settings, suspicion, self.primary, now_ns);
        let index = worker.session.next_index();
        let access = if put { Access::Write } else { Access::Read };
        let Attempt { node, group } = worker.session.begin(view, &key, access, draw);
        let operation = InFlight {
            put,
            key: due.step.key,
            index,
            intended_ns: started_ns.map_or(due.intended_ns, |_| now_ns),
            invoke_ns: now_ns,
            node,
            incarnation: 0,
            group,
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
    fn send<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        loop {
            let node = self.in_flight(lane).node;
            if self.was_sent(lane, now_ns, hands) {
                self.suspicion(lane).test(node, now_ns);
                return None;
            }
            self.suspicion(lane).suspect(node, now_ns);
            let next = self.tell(lane, now_ns, |session, view, key| {
                session.handle_unsent(view, key)
            });
            match next {
                Next::Retry(Attempt { node, .. }) => {
                    hands.record.retried();
                    self.in_flight(lane).node = node;
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
    fn was_sent<W: Wire, R: Record<T>, S: Steps<T>>(
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
        let value = || NewValue {
            id: hands.steps.value_id(worker.session.id(), operation.index),
            bytes: task.due.step.value_bytes,
        };
        let order = Order {
            client: worker.client,
            lane,
            key: operation.key,
            put: operation.put.then(value),
            context: worker.session.context(operation.group),
        };
        let sent = hands.wire.send(operation.node, self.tags.pack(tag), &order);
        let Sent::To { incarnation } = sent else {
            return false;
        };
        operation.incarnation = incarnation;
        let at_ns = now_ns + self.settings.timeout_ns;
        self.deadlines.push_back(Deadline { at_ns, tag });
        true
    }

    /// Does what the session says after an event.
    fn follow<W: Wire, R: Record<T>, S: Steps<T>>(
        &mut self,
        lane: u32,
        next: Next,
        response: Option<&Response<'_>>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> Option<Free> {
        let free = match next {
            Next::Retry(Attempt { node, .. }) => {
                hands.record.retried();
                self.in_flight(lane).node = node;
                self.send(lane, now_ns, hands)
            }
            Next::Done {
                outcome,
                ends_session,
            } => {
                let task = self.task(lane);
                self.end_operation(lane, outcome, ends_session, response, now_ns, hands);
                if outcome == Outcome::Ok && task.goes_on() {
                    let started_ns = Some(task.started_ns);
                    self.begin(lane, task.due, true, started_ns, now_ns, hands)
                } else {
                    self.end_step(lane, outcome, now_ns, hands);
                    let pauses = false;
                    Some(Free { lane, pauses })
                }
            }
        };
        // Answered requests must not pile up behind one that is slow to time out.
        self.deadline_ns();
        free
    }

    /// Has the operation under way, which is over, recorded.
    fn end_operation<W, R: Record<T>, S>(
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

fn view<'a>(
    settings: &'a Settings,
    suspicion: &'a Suspicion,
    primary: Option<NodeId>,
    now_ns: u64,
) -> View<'a> {
    View {
        ports: &settings.ports,
        policy: settings.policy,
        suspicion,
        primary,
        now_ns,
    }
}
