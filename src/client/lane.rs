//! One lane of the load: a worker that does one step after another, under one session until that
//! session ends and under a fresh one from then on.

use crate::protocol::{GroupId, NodeId};
use crate::session::Session;
use crate::workload::StepKind;

use super::work::Due;

/// A worker of the driver.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) session: Session,
    /// Which of its requests was the last, so that an answer to an earlier one is told apart.
    pub(super) generation: u32,
    /// The step under way.
    pub(super) task: Option<Task>,
}

/// A step of the workload on its way: one operation, or the two of a read-modify-write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) due: Due,
    /// When the step did start.
    pub(super) started_ns: u64,
    pub(super) operation: InFlight,
}

/// The operation of a step that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) put: bool,
    /// Its index in its session.
    pub(super) index: u32,
    pub(super) intended_ns: u64,
    pub(super) invoke_ns: u64,
    pub(super) node: NodeId,
    /// Which life of the node it was sent to.
    pub(super) incarnation: u16,
    pub(super) group: GroupId,
}

impl Lane {
    pub(super) const fn new(session: Session) -> Self {
        Self {
            session,
            generation: 0,
            task: None,
        }
    }
}

impl Task {
    /// Whether a put has yet to follow the get that is under way.
    pub(super) const fn goes_on(&self) -> bool {
        matches!(self.due.step.kind, StepKind::ReadModifyWrite) && !self.operation.put
    }
}

/// What the 32 bits of a request id carry: 16 bits of lane, 16 bits of the lane's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestTag {
    pub(super) lane: u32,
    pub(super) generation: u32,
}

/// The most lanes that a driver can have.
pub const LANES_MAX: u32 = 1 << RequestTag::LANE_BITS;

impl RequestTag {
    const LANE_BITS: u32 = 16;

    /// The generation after `generation`, wrapping.
    pub(super) const fn following(generation: u32) -> u32 {
        (generation + 1) % (1 << (u32::BITS - Self::LANE_BITS))
    }

    pub(super) const fn pack(self) -> u32 {
        (self.generation << Self::LANE_BITS) | self.lane
    }

    pub(super) const fn unpack(id: u32) -> Self {
        Self {
            lane: id & (LANES_MAX - 1),
            generation: id >> Self::LANE_BITS,
        }
    }
}
