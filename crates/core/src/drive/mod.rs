//! Lanes: workers that each do one step of a workload at a time. A lane works under one session
//! until that ends, and then under a fresh one.
//!
//! The load generator and the simulator drive the same lanes, and the same [`Pacer`] says when a
//! lane goes on after a step. They hand in what differs: the [`Wire`] below, the [`Ledger`] of
//! ended operations, the [`Steps`], which also measure, and their [`Supply`].
//!
//! Nothing here reads a clock: every input brings the time.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod key;
mod lanes;
mod order;
mod pacer;
pub mod payload;
mod step;
mod tags;
#[cfg(test)]
mod tests;

pub use key::{KEY_COUNT_MAX, KEY_NAME_BYTES, key_name, key_number};
pub use lanes::{Free, LaneSettings, Lanes};
pub use order::{Ask, NewValue, Order};
pub use pacer::{Pacer, Wake};
pub use step::{Step, StepKind};
pub use tags::LANES_MAX;

use crate::protocol::{GroupId, NodeId, Response};
use crate::session::Outcome;

/// How long a lane pauses when no replica of a key can be reached, in nanoseconds, so that a
/// closed loop does not spin on a dead cluster.
pub const PAUSE_NS: u64 = 10_000_000;

/// Where requests go.
pub trait Wire {
    /// Queues what is ordered for `node`; its answer will carry `id`.
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> Sent;
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

/// Where operations are recorded. `T` is what the owner of the lanes attaches to each step.
pub trait Ledger<T> {
    /// An operation is over.
    fn operation(&mut self, ended: &EndedOperation<'_, T>);

    /// An operation is tried at another replica.
    fn retried(&mut self) {}
}

/// What steps are made of and measured by. `T` is what the owner of the lanes attaches to each
/// step.
pub trait Steps<T> {
    /// A random number, for sessions that choose among replicas at random.
    fn draw(&mut self) -> u32;

    /// The id of the value that the operation with this index in its session writes: no other
    /// operation of the run may have it.
    fn value_id(&self, session: u32, index: u32) -> u64;

    /// A step is over, and its lane is free.
    fn step(&mut self, ended: &EndedStep<T>);
}

/// Where steps come from.
pub trait Supply<T>: Steps<T> {
    /// The step that a lane is to begin at `now_ns`; none where none is due. The lane may be pinned
    /// to a node. If it or another lane was free before, a step that is due has not waited for the
    /// store.
    fn next(&mut self, pin: Option<NodeId>, lane_was_free: bool, now_ns: u64) -> Option<Due<T>>;

    /// How long a lane pauses between the end of a step and the beginning of the next, in
    /// nanoseconds.
    fn think_ns(&mut self) -> u64 {
        0
    }
}

/// What lanes act through.
#[derive(Debug)]
pub struct Hands<'a, W, R, S> {
    /// Where requests go.
    pub wire: &'a mut W,
    /// Where operations are recorded.
    pub record: &'a mut R,
    /// Where steps come from, and are measured.
    pub steps: &'a mut S,
}

/// A step whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<T> {
    /// What to do.
    pub step: Step,
    /// When it was meant to start.
    pub intended_ns: u64,
    /// What the owner of the lanes attaches to it.
    pub mark: T,
}

/// An operation that is under way.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// What is asked.
    pub ask: Ask,
    /// The key.
    pub key: u64,
    /// Its index in its session.
    pub index: u32,
    /// When it was meant to start, in ns since the run began.
    pub intended_ns: u64,
    /// When it started, in ns since the run began.
    pub invoke_ns: u64,
    /// The node that was asked last.
    pub node: NodeId,
    /// Which life of the node it was sent to.
    pub incarnation: u16,
    /// The replica group of the key.
    pub group: GroupId,
    /// Whether it was not sent, and is to be after a while.
    pub pauses: bool,
}

/// An operation that is over.
#[derive(Clone, Copy, Debug)]
pub struct EndedOperation<'a, T> {
    /// The session that did it.
    pub session: u32,
    /// What it was.
    pub operation: &'a InFlight,
    /// What was attached to its step.
    pub mark: T,
    /// How it ended.
    pub outcome: Outcome,
    /// The last answer, if it ended with one.
    pub response: Option<&'a Response<'a>>,
    /// When it ended, in ns since the run began.
    pub ended_ns: u64,
}

/// A step that is over.
#[derive(Clone, Copy, Debug)]
pub struct EndedStep<T> {
    /// What was to be done.
    pub due: Due<T>,
    /// When it did start, in ns since the run began.
    pub started_ns: u64,
    /// Its last operation.
    pub operation: InFlight,
    /// How that ended.
    pub outcome: Outcome,
    /// When it ended, in ns since the run began.
    pub ended_ns: u64,
}
