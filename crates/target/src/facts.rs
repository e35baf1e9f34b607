//! What is known of a store before it is started.

use kvs_check::history::{Evidence, Model};
use kvs_core::server::ServerPorts;
use kvs_load::nemesis::{FaultKind, Part};

/// What is known of a store before it is started.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its name, for screens and records: an architecture of the zoo, or a store of the catalogue.
    pub name: String,
    /// What the verdict holds it to.
    pub promise: Model,
    /// What its own documentation says of that, if anything is to be said beside the verdict.
    pub says: Option<String>,
    /// What its answers prove.
    pub evidence: Evidence,
    /// Its replica groups and nodes, and which group serves which key.
    pub ports: ServerPorts,
    /// What can be asked of it.
    pub operations: Operations,
    /// Where writes go.
    pub writes: Writes,
    /// Whether one of its nodes takes the writes, and somebody says which
    /// ([`Target::leadership`](crate::Target::leadership)).
    pub has_primary: bool,
    /// Whether one of the nodes of each group leads it, and says so
    /// ([`Target::leading`](crate::Target::leading)).
    pub has_leader: bool,
    /// Which node answers a read.
    pub reads: Reads,
    /// What shares a connection.
    pub sessions: Sessions,
    /// Each kind of fault, and why it cannot have it, if it cannot.
    pub faults: Vec<(FaultKind, FaultSupport)>,
}

impl Facts {
    /// Whether it can have a kind of fault.
    #[must_use]
    pub fn fault(&self, kind: FaultKind) -> FaultSupport {
        let known = self.faults.iter().find(|(known, _)| *known == kind);
        known.map_or_else(
            || FaultSupport::Needs("a target that knows this fault".to_owned()),
            |(_, support)| support.clone(),
        )
    }
}

/// What can be asked of a store, beside reads and updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Whether it knows compare-and-set.
    pub compare_and_set: bool,
    /// Whether it can delete keys.
    pub delete: bool,
}

/// Where the writes of a session go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// To the node that its reads go to.
    #[default]
    Any,
    /// To the primary, as the session has last learnt it.
    Primary,
}

/// Which node answers a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// The one that was asked.
    #[default]
    AsAsked,
    /// The primary.
    Primary,
    /// Whichever the store chooses: replicas cannot be compared by reads.
    Unknown,
}

/// What shares a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sessions {
    /// All sessions share one connection to each node.
    #[default]
    Shared,
    /// Each session has its own.
    Own,
}

/// Whether a target can have a kind of fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultSupport {
    /// It can.
    Yes,
    /// It could, with this.
    Needs(String),
}

impl FaultSupport {
    /// Whether a target can have a kind of fault, given whether it lets a nemesis at each part of a
    /// node.
    #[must_use]
    pub fn of(kind: FaultKind, part: impl Fn(Part) -> Self) -> Self {
        let mut parts = kind.row().acts_on.iter().map(|acts_on| part(*acts_on));
        parts.find(|part| *part != Self::Yes).unwrap_or(Self::Yes)
    }
}
