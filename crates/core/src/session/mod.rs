//! The client's side of the promise, as a deterministic state machine: what a session has seen,
//! where its next operation goes, which nodes it distrusts, and when it fails over.
//!
//! A session owns no socket, clock or random source. The driver tells it what happened and when,
//! and it answers with what to do next. So the load generator, the simulator and the models use the
//! same sessions. A session knows servers only as [`ServerPorts`].
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod fate;
mod suspicion;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::protocol::{Call, Dot, GroupId, NodeId, Operation, PutWitness, Refusal, Response};
use crate::server::{Group, ServerPorts};
use crate::values::VectorClock;

pub use fate::{Fate, ViewMut};
pub use suspicion::{SUSPICION_NS_FIRST, SUSPICION_NS_MAX, Suspicion};

/// How long an answer may take, in nanoseconds, before an operation is asked of another replica, where
/// it may be asked again; and how long it pauses when it has asked all.
pub const PATIENCE_NS: u64 = 200_000_000;

/// How a session chooses among the replicas of a key's group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// Each operation goes to the next replica: what tests session guarantees.
    #[default]
    RoundRobin,
    /// Every operation goes to one replica, as long as it answers.
    Sticky,
    /// Each operation goes to a replica drawn at random.
    Random,
}

impl Routing {
    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Sticky => "sticky",
            Self::Random => "random",
        }
    }
}

/// How sessions behave; the same for all sessions of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How a replica is chosen.
    pub routing: Routing,
    /// Whether requests carry what the session has seen. Without it a causal store cannot keep
    /// the session guarantees.
    pub context: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            routing: Routing::default(),
            context: true,
        }
    }
}

/// Why an operation did not end with `ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// No answer within the time-out.
    Timeout,
    /// The connection broke while the operation was under way.
    Disconnected,
    /// No replica of the group could be reached, so nothing was sent.
    NoConnection,
    /// The answer does not fit the request.
    Malformed,
    /// The store answered that the operation may have taken effect, or not.
    Indefinite,
    /// The last replica that was asked refused.
    Refused(Refusal),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer came in time",
            Self::Disconnected => "the connection broke",
            Self::NoConnection => "no replica of the key can be reached",
            Self::Malformed => "the answer does not fit the request",
            Self::Indefinite => "the store does not know whether it took effect",
            Self::Refused(Refusal::Unavailable) => "no replica has caught up with the session",
            Self::Refused(Refusal::WrongShard) => "the key belongs to another shard",
            Self::Refused(Refusal::ContextLost) => "the session has seen a put that is lost",
            Self::Refused(Refusal::Overloaded) => "every replica is overloaded",
            Self::Refused(Refusal::NotPrimary) => "the node is not the primary",
            Self::Refused(Refusal::NotReady) => "no node of the key serves yet",
            Self::Refused(Refusal::TooFewReplicas) => "too few replicas would take the write",
            Self::Refused(Refusal::Rejected) => "the store refused",
        })
    }
}

/// How an operation ended, in Jepsen's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect and the answer was seen.
    Ok,
    /// It certainly had no effect.
    Fail(Trouble),
    /// It may have taken effect, may yet, or never.
    Info(Trouble),
}

/// Where to send the operation that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The replica to ask.
    pub node: NodeId,
    /// The key's replica group.
    pub group: GroupId,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// Send the operation again, to this replica.
    Retry(Attempt),
    /// Send it again to this replica after a while: every other was asked, and none leads.
    Pause(Attempt),
    /// The operation is over.
    Done {
        /// How it ended.
        outcome: Outcome,
        /// Whether the session is over too, so that its worker must go on under a new one: what
        /// it has done is unknown (a put without an answer), or what it has seen is lost.
        ends_session: bool,
    },
}

/// What kind of operation a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A get: it may be asked again elsewhere.
    Read,
    /// A put: once it was sent, it may have taken effect.
    Write,
    /// A compare-and-set, which is a write that may be answered with a mismatch.
    CompareAndSet,
}

impl Access {
    /// Whether it may change what the key holds.
    #[must_use]
    pub const fn is_write(self) -> bool {
        match self {
            Self::Read => false,
            Self::Write | Self::CompareAndSet => true,
        }
    }
}

/// What all sessions of one client share.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Which nodes serve which key.
    pub ports: &'a ServerPorts,
    /// How sessions behave.
    pub policy: Policy,
    /// Which nodes are distrusted.
    pub suspicion: &'a Suspicion,
    /// The node that takes writes, as it was last asked for; none where every node takes them.
    pub primary: Option<NodeId>,
    /// Whether it answers reads, too, and no other node does.
    pub reads_from_primary: bool,
    /// The time, in nanoseconds since the run began.
    pub now_ns: u64,
}

impl<'a> View<'a> {
    /// Whether an operation goes to the primary, where there is one.
    const fn goes_to_primary(self, access: Access) -> bool {
        access.is_write() || self.reads_from_primary
    }

    fn route(self, key: &[u8], access: Access) -> &'a Group {
        let operation = match access {
            Access::Read => Operation::Get,
            Access::Write | Access::CompareAndSet => Operation::Put { value: &[] },
        };
        self.ports.route_operation(key, &operation)
    }
}

/// One single-threaded client and what it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    id: u32,
    /// How many operations it has begun, which is also the index of the next.
    operations: u32,
    /// Where round-robin and sticky routing stand.
    cursor: u32,
    /// The node that every operation goes to, whatever the routing (final reads).
    pinned: Option<NodeId>,
    /// The node that its writes go to, as it has last learnt it: it asks again only after an error.
    primary: Option<NodeId>,
    /// What it has seen, one entry a replica group, ascending by group.
    seen: Vec<(GroupId, VectorClock)>,
    /// Where it stands in groups that are led, ascending by group.
    led: Vec<(GroupId, Led)>,
    pending: Option<Pending>,
}

/// Where a session stands in a group that is led.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Led {
    /// Who leads, as it was last told.
    leader: Option<NodeId>,
    /// Where the store put its last write.
    logged: u64,
}

/// The operation under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending {
    access: Access,
    attempt: Attempt,
    /// The nodes that were asked before, so that none is asked twice.
    tried: SmallVec<[NodeId; 4]>,
    /// Whether its group is led.
    led: bool,
    /// Whether it is a write that was sent before and may have taken effect.
    again: bool,
}

impl Session {
    /// A session that has seen nothing.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self {
            id,
            operations: 0,
            cursor: id,
            pinned: None,
            primary: None,
            seen: Vec::new(),
            led: Vec::new(),
            pending: None,
        }
    }

    /// A session all of whose operations go to `node`, which must serve every key it asks for.
    #[must_use]
    pub const fn pinned(id: u32, node: NodeId) -> Self {
        let mut session = Self::new(id);
        session.pinned = Some(node);
        session
    }

    /// The session under which its worker goes on when this one has ended: it has seen nothing,
    /// and talks to the same node if this one was pinned.
    #[must_use]
    pub const fn successor(&self, id: u32) -> Self {
        let mut session = Self::new(id);
        session.pinned = self.pinned;
        session
    }

    /// The node that all its operations go to, if there is one.
    #[must_use]
    pub const fn pin(&self) -> Option<NodeId> {
        self.pinned
    }

    /// Its id, unique in the run.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Whether an operation is under way.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// The index that the next operation gets.
    #[must_use]
    pub const fn next_index(&self) -> u32 {
        self.operations
    }

    /// What it has seen in `group`; empty while it has seen nothing there.
    #[must_use]
    pub fn context(&self, group: GroupId) -> &[Dot] {
        match self.seen.binary_search_by_key(&group, |(group, _)| *group) {
            Ok(at) => self.seen[at].1.as_slice(),
            Err(_) => &[],
        }
    }

    /// Which of its operations the one under way is, if it is a write to a group that is led.
    #[must_use]
    pub fn call(&self, group: GroupId) -> Option<Call> {
        let pending = self.pending.as_ref()?;
        (pending.led && pending.access.is_write()).then(|| Call {
            session: self.id,
            operation: self.operations - 1,
            previous: self.led(group).logged,
            again: pending.again,
        })
    }

    fn led(&self, group: GroupId) -> Led {
        match self.led.binary_search_by_key(&group, |(group, _)| *group) {
            Ok(at) => self.led[at].1,
            Err(_) => Led::default(),
        }
    }

    fn led_mut(&mut self, group: GroupId) -> &mut Led {
        let at = match self.led.binary_search_by_key(&group, |(group, _)| *group) {
            Ok(at) => at,
            Err(at) => {
                self.led.insert(at, (group, Led::default()));
                at
            }
        };
        &mut self.led[at].1
    }

    /// Begins an operation on `key` and says where to send it. `draw` is a random number of the
    /// host's, used by random routing only.
    ///
    /// # Panics
    /// When an operation is under way: a session has one in flight at a time.
    pub fn begin(&mut self, view: View<'_>, key: &[u8], access: Access, draw: u32) -> Attempt {
        assert!(
            self.pending.is_none(),
            "a session has one operation in flight at a time"
        );
        let group = view.route(key, access);
        let preferred = match view.policy.routing {
            Routing::RoundRobin => {
                self.cursor = self.cursor.wrapping_add(1);
                self.cursor
            }
            Routing::Sticky => self.cursor,
            Routing::Random => draw,
        };
        let node = match self.pinned_to(view, group, access) {
            Some(node) => node,
            None => choose(view, group, preferred, &[]).expect("a group has a node"),
        };
        let attempt = Attempt {
            node,
            group: group.id,
        };
        self.pending = Some(Pending {
            access,
            attempt,
            tried: SmallVec::new(),
            led: group.led,
            again: false,
        });
        self.operations += 1;
        attempt
    }

    /// The replica answered.
    pub fn handle_response(&mut self, view: View<'_>, key: &[u8], response: &Response<'_>) -> Next {
        let &Pending {
            access, attempt, ..
        } = self.pending();
        match (access, response) {
            (
                Access::Write | Access::CompareAndSet,
                Response::Put(PutWitness::Causal { vector, .. }),
            )
            | (Access::Read, Response::Get { vector, .. }) => {
                self.learn(view.policy, attempt.group, vector);
                self.finish(Outcome::Ok, false)
            }
            (
                Access::Write | Access::CompareAndSet,
                Response::Put(PutWitness::None | PutWitness::Lww { .. }),
            )
            | (Access::CompareAndSet, Response::Mismatch { .. }) => {
                self.learn_led(attempt, response);
                self.finish(Outcome::Ok, false)
            }
            (Access::Read, Response::Put(_) | Response::Mismatch { .. }) => {
                self.finish(Outcome::Fail(Trouble::Malformed), false)
            }
            (Access::Write, Response::Get { .. } | Response::Mismatch { .. })
            | (Access::CompareAndSet, Response::Get { .. }) => {
                self.finish(Outcome::Info(Trouble::Malformed), true)
            }
            (_, Response::Indefinite) => self.handle_indefinite(view, key),
            (_, Response::NotLeader { leader }) => self.ask_leader(view, key, *leader),
            (_, Response::Refused(refusal)) => {
                let trouble = Trouble::Refused(*refusal);
                match refusal {
                    Refusal::Unavailable | Refusal::Overloaded | Refusal::NotReady => {
                        self.elsewhere(view, key, trouble)
                    }
                    Refusal::WrongShard
                    | Refusal::NotPrimary
                    | Refusal::TooFewReplicas
                    | Refusal::Rejected => self.fail(trouble),
                    Refusal::ContextLost => self.finish(Outcome::Fail(trouble), true),
                }
            }
        }
    }

    /// There is no connection to the replica, so nothing was sent.
    pub fn handle_unsent(&mut self, view: View<'_>, key: &[u8]) -> Next {
        self.elsewhere(view, key, Trouble::NoConnection)
    }

    /// The connection broke after the request was sent. A get is asked again elsewhere; a put
    /// may have taken effect, and ends the session where it cannot be sent again.
    pub fn handle_disconnect(&mut self, view: View<'_>, key: &[u8]) -> Next {
        match self.pending().access {
            Access::Read => self.elsewhere(view, key, Trouble::Disconnected),
            Access::Write | Access::CompareAndSet => self.again(view, key, Trouble::Disconnected),
        }
    }

    /// The store answered that it does not know whether the operation took effect. A get has none;
    /// a put ends the session where it cannot be sent again.
    pub fn handle_indefinite(&mut self, view: View<'_>, key: &[u8]) -> Next {
        match self.pending().access {
            Access::Read => self.finish(Outcome::Fail(Trouble::Indefinite), false),
            Access::Write | Access::CompareAndSet => self.again(view, key, Trouble::Indefinite),
        }
    }

    /// The replica has not answered for a while, and the operation has time left. It is asked of
    /// another replica, where a write that is sent again happens once.
    pub fn handle_silence(&mut self, view: View<'_>, key: &[u8]) -> Next {
        match self.pending().access {
            Access::Read => self.elsewhere(view, key, Trouble::Timeout),
            Access::Write | Access::CompareAndSet => self.again(view, key, Trouble::Timeout),
        }
    }

    /// Whether the operation under way may be asked again before its time is spent.
    #[must_use]
    pub fn may_ask_again(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.led)
    }

    /// No answer came in time. The time is spent, so that not even a get is asked again.
    pub fn handle_timeout(&mut self) -> Next {
        match self.pending().access {
            Access::Read => self.finish(Outcome::Fail(Trouble::Timeout), false),
            Access::Write | Access::CompareAndSet => {
                self.finish(Outcome::Info(Trouble::Timeout), true)
            }
        }
    }

    /// The node that the operation goes to whatever the routing, if there is one.
    fn pinned_to(&mut self, view: View<'_>, group: &Group, access: Access) -> Option<NodeId> {
        if self.pinned.is_some() || !group.led {
            return self.pinned.or_else(|| self.primary_for(view, access));
        }
        let leader = self.led(group.id).leader;
        leader.filter(|leader| !view.suspicion.suspects(*leader, view.now_ns))
    }

    /// What a write to a group that is led has told.
    fn learn_led(&mut self, attempt: Attempt, response: &Response<'_>) {
        if !self.pending().led {
            return;
        }
        let led = self.led_mut(attempt.group);
        led.leader = Some(attempt.node);
        if let Response::Put(PutWitness::Lww { version }) = response {
            led.logged = version.time;
        }
    }

    /// Another node leads: the operation goes there, if it is known.
    fn ask_leader(&mut self, view: View<'_>, key: &[u8], leader: Option<NodeId>) -> Next {
        let trouble = Trouble::Refused(Refusal::NotPrimary);
        let attempt = self.pending().attempt;
        if self.pinned.is_some() {
            return self.fail(trouble);
        }
        self.led_mut(attempt.group).leader = leader;
        let group = view.route(key, self.pending().access);
        let pending = self.pending_mut();
        let may_lead = |leader: &NodeId| {
            *leader != attempt.node
                && group.nodes.contains(leader)
                && !pending.tried.contains(leader)
        };
        match leader.filter(may_lead) {
            Some(node) => {
                pending.tried.push(attempt.node);
                pending.attempt.node = node;
                Next::Retry(pending.attempt)
            }
            None => self.elsewhere(view, key, trouble),
        }
    }

    /// A write may have taken effect. Where that is safe it is sent again, elsewhere.
    fn again(&mut self, view: View<'_>, key: &[u8], trouble: Trouble) -> Next {
        let pending = self.pending_mut();
        if !pending.led {
            return self.finish(Outcome::Info(trouble), true);
        }
        pending.again = true;
        self.elsewhere(view, key, trouble)
    }

    /// Ends an operation that had no effect now. If it was sent before, it may have had one then. A
    /// group that is led and rejects a write has forgotten the session, and would reject the next.
    fn fail(&mut self, trouble: Trouble) -> Next {
        let pending = self.pending();
        let is_forgotten = pending.led && trouble == Trouble::Refused(Refusal::Rejected);
        if pending.again {
            self.finish(Outcome::Info(trouble), true)
        } else {
            self.finish(Outcome::Fail(trouble), is_forgotten)
        }
    }

    /// The node that takes this operation, where it goes to a primary.
    fn primary_for(&mut self, view: View<'_>, access: Access) -> Option<NodeId> {
        if !view.goes_to_primary(access) {
            return None;
        }
        self.primary = self.primary.or(view.primary);
        self.primary
    }

    fn pending(&self) -> &Pending {
        self.pending
            .as_ref()
            .expect("events concern the operation under way")
    }

    fn pending_mut(&mut self) -> &mut Pending {
        self.pending
            .as_mut()
            .expect("events concern the operation under way")
    }

    /// Moves the operation to a replica that was not asked yet, or ends it. In a group that is led
    /// they are asked once more, since one comes to lead; but not when none can be reached.
    fn elsewhere(&mut self, view: View<'_>, key: &[u8], trouble: Trouble) -> Next {
        let to_primary = self.primary.is_some() && view.goes_to_primary(self.pending().access);
        let pinned = self.pinned.is_some() || to_primary;
        let pending = self
            .pending
            .as_mut()
            .expect("events concern the operation under way");
        let group = view.route(key, pending.access);
        pending.tried.push(pending.attempt.node);
        let mut next = if pinned {
            None
        } else {
            choose(view, group, self.cursor, &pending.tried)
        };
        let pauses = next.is_none() && !pinned && pending.led && trouble != Trouble::NoConnection;
        if pauses {
            pending.tried.clear();
            next = choose(view, group, self.cursor, &[]);
        }
        match next {
            Some(node) => {
                if view.policy.routing == Routing::Sticky {
                    // Stay with the replica that answers.
                    let at = group.nodes.iter().position(|&other| other == node);
                    self.cursor = at.expect("the node was chosen from the group") as u32;
                }
                let attempt = Attempt {
                    node,
                    group: group.id,
                };
                pending.attempt = attempt;
                if view.ports.forgets_context_on_failover() {
                    self.seen.retain(|(seen, _)| *seen != group.id);
                }
                if pauses {
                    Next::Pause(attempt)
                } else {
                    Next::Retry(attempt)
                }
            }
            None => self.fail(trouble),
        }
    }

    fn finish(&mut self, outcome: Outcome, ends_session: bool) -> Next {
        let ended = self.pending.take();
        let at_primary = ended.is_some_and(|ended| Some(ended.attempt.node) == self.primary);
        if outcome != Outcome::Ok && at_primary {
            self.primary = None;
        }
        Next::Done {
            outcome,
            ends_session,
        }
    }

    fn learn(&mut self, policy: Policy, group: GroupId, vector: &[Dot]) {
        if !policy.context || vector.is_empty() {
            return;
        }
        match self.seen.binary_search_by_key(&group, |(group, _)| *group) {
            Ok(at) => self.seen[at].1.merge(vector),
            Err(at) => self.seen.insert(at, (group, VectorClock::from(vector))),
        }
    }
}

/// The first replica of `group` from place `preferred` on that is neither tried nor suspected;
/// failing that, the first that is not tried: suspicion is a guess, and never a reason to give up.
fn choose(view: View<'_>, group: &Group, preferred: u32, tried: &[NodeId]) -> Option<NodeId> {
    let start = preferred as usize % group.nodes.len();
    let (before, from) = group.nodes.split_at(start);
    let untried = || {
        from.iter()
            .chain(before)
            .copied()
            .filter(|node| !tried.contains(node))
    };
    untried()
        .find(|&node| !view.suspicion.suspects(node, view.now_ns))
        .or_else(|| untried().next())
}
