//! Operations that a replica coordinates and has not answered.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::registers::version_of;
use crate::protocol::{Dot, NodeId, Record, Update};
use crate::replica::RequestId;

/// What one replica answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Vote {
    pub(super) node: NodeId,
    /// For which replica: itself, unless it is a spare. A spare and the one that it stands in for
    /// come to be one copy.
    pub(super) home: NodeId,
    /// Which of its lives.
    pub(super) incarnation: u16,
    /// The version that it has.
    pub(super) version: Dot,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// It asks what there is.
    Query {
        /// The coordinator's own version when it began: answers bring the put where they have a
        /// later one.
        above: Dot,
        /// A get: the latest put that anybody has told.
        best: Option<Update>,
    },
    /// It has this put written.
    Write(Update),
}

/// An operation under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Operation {
    pub(super) request: RequestId,
    /// Whether it is a put.
    pub(super) is_put: bool,
    /// Its key, and what it puts.
    pub(super) record: Record,
    pub(super) phase: Phase,
    /// Who has answered in this phase: at most one vote a node.
    pub(super) votes: SmallVec<[Vote; 4]>,
    /// How often it was looked at since it began or entered this phase.
    pub(super) looks: u16,
    /// The same since it began.
    pub(super) age: u16,
}

impl Operation {
    pub(super) fn has_vote_of(&self, node: NodeId) -> bool {
        self.votes.iter().any(|vote| vote.node == node)
    }

    /// Whether a node has answered for this replica.
    pub(super) fn has_vote_for(&self, home: NodeId) -> bool {
        self.votes.iter().any(|vote| vote.home == home)
    }

    /// What it has written, if it is so far.
    pub(super) const fn written(&self) -> Option<&Update> {
        match &self.phase {
            Phase::Write(update) => Some(update),
            Phase::Query { .. } => None,
        }
    }

    /// The largest version that was told.
    pub(super) fn largest(&self) -> Dot {
        let versions = self.votes.iter().map(|vote| vote.version);
        versions
            .max_by_key(|version| version_of(*version))
            .unwrap_or_default()
    }
}

/// Operations under way, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    operations: BTreeMap<u64, Operation>,
    /// Bytes of their records.
    bytes: u64,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn insert(&mut self, name: u64, operation: Operation) {
        self.bytes += operation.record.packed_len() as u64;
        let before = self.operations.insert(name, operation);
        assert!(before.is_none(), "no name is given twice");
    }

    pub(super) fn remove(&mut self, name: u64) -> Operation {
        let removed = self.operations.remove(&name);
        let operation = removed.expect("it is under way");
        self.bytes -= operation.record.packed_len() as u64;
        operation
    }

    pub(super) fn get(&self, name: u64) -> Option<&Operation> {
        self.operations.get(&name)
    }

    pub(super) fn get_mut(&mut self, name: u64) -> Option<&mut Operation> {
        self.operations.get_mut(&name)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Operation)> {
        self.operations
            .iter_mut()
            .map(|(name, operation)| (*name, operation))
    }

    /// Takes back what earlier lives of `node` have answered.
    pub(super) fn forget_earlier_lives(&mut self, node: NodeId, incarnation: u16) {
        for operation in self.operations.values_mut() {
            let stays = |vote: &mut Vote| vote.node != node || vote.incarnation >= incarnation;
            operation.votes.retain(stays);
        }
    }
}
