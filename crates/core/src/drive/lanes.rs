//! The lanes: which there are, under which sessions, and what each has under way.

mod life;

use std::collections::VecDeque;

use super::order::expectation;
use super::tags::{LANES_MAX, RequestTag, TagLayout};
use super::{Ask, Due, InFlight, NewValue, StepKind};
use crate::protocol::{NodeId, Response};
use crate::server::ServerPorts;
use crate::session::{Policy, Session, Suspicion, ViewMut};

/// What lanes are made of.
#[derive(Debug)]
pub struct LaneSettings {
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
    /// The number of its last request, so that an answer to an earlier one is not taken for its
    /// answer.
    generation: u32,
    task: Option<Task<T>>,
}

/// A step of the workload on its way: one operation, or a get and the write that follows it.
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
    settings: LaneSettings,
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
    /// Whether it answers reads, too, and no other node does.
    reads_from_primary: bool,
}

/// What an operation is to do, before it has a value.
#[derive(Clone, Copy, Debug)]
enum Intent {
    Get,
    Put,
    Cas { expected: Option<NewValue> },
}

impl Intent {
    /// What is asked, once `value` has made the new value.
    fn ask(self, value: impl FnOnce() -> NewValue) -> Ask {
        match self {
            Self::Get => Ask::Get,
            Self::Put => Ask::Put(value()),
            Self::Cas { expected } => Ask::Cas {
                expected,
                new: value(),
            },
        }
    }
}

impl<T> Task<T> {
    /// What follows in this step when its operation has been answered so.
    fn second(&self, answer: &Response<'_>) -> Option<Intent> {
        match (self.due.step.kind, self.operation.ask) {
            (StepKind::ReadModifyWrite, Ask::Get) => Some(Intent::Put),
            (StepKind::CompareAndSet, Ask::Get) => {
                expectation(answer).map(|expected| Intent::Cas { expected })
            }
            (StepKind::Read | StepKind::Update | StepKind::Insert, _)
            | (_, Ask::Put(_) | Ask::Cas { .. }) => None,
        }
    }
}

impl<T: Copy> Lanes<T> {
    /// No lane yet: see [`Lanes::renew`].
    ///
    /// # Panics
    /// When there may be no lane, or more than [`LANES_MAX`], or there is no client.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
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
            reads_from_primary: false,
            settings,
        }
    }

    /// Gives each of so many lanes a fresh session, which asks no other node where it is pinned to
    /// one. Lanes keep their generations, so that an answer to an earlier request is not taken for
    /// one to a later request.
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

    /// Reads, too, go to the node that takes writes.
    pub const fn read_from_primary(&mut self) {
        self.reads_from_primary = true;
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

    /// Whether the answer to this request is still awaited.
    fn is_in_flight(&self, tag: RequestTag) -> bool {
        self.lanes
            .get(tag.lane as usize)
            .is_some_and(|lane| lane.task.is_some() && lane.generation == tag.generation)
    }

    /// A lane, and what its client knows.
    fn with_client(&mut self, lane: u32, now_ns: u64) -> (&mut Lane<T>, ViewMut<'_>) {
        let worker = &mut self.lanes[lane as usize];
        let view = ViewMut {
            ports: &self.settings.ports,
            policy: self.settings.policy,
            suspicion: &mut self.suspicions[usize::from(worker.client)],
            primary: self.primary,
            reads_from_primary: self.reads_from_primary,
            now_ns,
        };
        (worker, view)
    }
}
