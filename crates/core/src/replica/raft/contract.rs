//! What a replica of a Raft group asks of its hosts: its part of the contract that all kinds share.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::{LogEntry, NodeId, Position, StateItem};
use crate::replica::{Buffer, Write};

/// How gets are made linearizable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    /// The leader asks the others whether it still leads, and answers from its state.
    #[default]
    Index,
    /// Each get is an entry of the log.
    Log,
}

/// What a Raft group is told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaftRule {
    /// How gets are made linearizable.
    pub reads: Reads,
}

/// A timer of a replica of a Raft group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RaftTimer {
    /// A leader says that it leads; the others count how long they have not heard that. For ever.
    Tick,
}

impl RaftTimer {
    pub(super) const fn delay_ms(self, settings: &RaftSettings) -> u64 {
        match self {
            Self::Tick => settings.tick_ms,
        }
    }

    pub(in crate::replica) const fn recurs(self) -> bool {
        match self {
            Self::Tick => true,
        }
    }

    pub(in crate::replica) const fn action(self) -> &'static str {
        match self {
            Self::Tick => "ticks",
        }
    }
}

/// Intervals and bounds of a replica of a Raft group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaftSettings {
    /// Time between two ticks, in ms: a leader says that it leads at each.
    pub tick_ms: u64,
    /// After so many ticks without a leader, and up to twice as many, a replica asks for votes. A
    /// leader that so long has not heard from a majority leads no more.
    pub election_ticks: u16,
    /// Whether a replica asks whether it would get votes before it begins a term.
    pub asks_first: bool,
    /// How many messages with entries may be under way to one replica. Further entries wait, and go
    /// together.
    pub in_flight_max: u16,
    /// How many entries a message carries at most, and no more bytes than a message may.
    pub entries_max: u32,
    /// How many rounds of questions whether it still leads a leader may have under way. Further gets
    /// wait, and share the next.
    pub rounds_max: u16,
    /// After so many ticks a request that waits for a leader is refused.
    pub wait_ticks: u16,
    /// How many requests may wait. At this bound and the next, requests are refused as overloaded.
    pub pending_max: u32,
    /// How many bytes of entries may wait to be committed.
    pub pending_bytes_max: u64,
    /// After so many applied entries, or so many bytes of them, the state takes their place. As many
    /// more are kept for replicas that are behind.
    pub compact_entries: u64,
    /// The bytes of that.
    pub compact_bytes: u64,
    /// Of how many sessions the last call is remembered.
    pub sessions_max: u32,
}

impl Default for RaftSettings {
    fn default() -> Self {
        Self {
            tick_ms: 50,
            election_ticks: 6,
            asks_first: true,
            in_flight_max: 4,
            entries_max: 4_096,
            rounds_max: 2,
            wait_ticks: 40,
            pending_max: 65_536,
            pending_bytes_max: 64 << 20,
            compact_entries: 16_384,
            compact_bytes: 16 << 20,
            sessions_max: 65_536,
        }
    }
}

/// A change of a replica of a Raft group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftChange<'a> {
    /// It is in another term, has voted, or has begun to run.
    Term {
        /// The term.
        term: u64,
        /// Whom it voted for in that.
        voted_for: Option<NodeId>,
        /// How often it has begun to run.
        runs: u16,
        /// Whether its life is a member.
        is_member: bool,
    },
    /// Its log has these entries from an index on, and nothing after them.
    Append {
        /// The index of the first.
        index: u64,
        /// The entries.
        entries: Cow<'a, [LogEntry]>,
    },
    /// The state at a position takes the place of the entries up to it.
    State {
        /// The position.
        at: Position,
        /// The puts that changed since the last such change, and all that is no put.
        items: Cow<'a, [StateItem]>,
    },
}

/// A kind of [`RaftChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftChangeKind {
    /// [`RaftChange::Term`].
    Term,
    /// [`RaftChange::Append`].
    Append,
    /// [`RaftChange::State`].
    State,
}

impl RaftChange<'_> {
    pub(in crate::replica) const fn kind(&self) -> RaftChangeKind {
        match self {
            Self::Term { .. } => RaftChangeKind::Term,
            Self::Append { .. } => RaftChangeKind::Append,
            Self::State { .. } => RaftChangeKind::State,
        }
    }

    pub(in crate::replica) fn writes(&self, mut write: impl FnMut(Write<'_>)) {
        match self {
            Self::Term { .. } | Self::Append { .. } => {
                let line = postcard::to_stdvec(self).expect("plain data");
                write(Write::Line(line));
            }
            Self::State { items, .. } => {
                for item in items.iter() {
                    if let StateItem::Put { record, .. } = item {
                        write(Write::Key {
                            key: record.key(),
                            bytes: record.value().len(),
                        });
                    }
                }
                write(Write::Rewrite);
            }
        }
    }
}

/// What a replica of a Raft group holds, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftStatus {
    /// Requests that it has not answered.
    pub pending: u64,
    /// Whether it came back empty, and is no member again yet.
    pub recovering: bool,
    /// Whether it leads, as far as it knows.
    pub leads: bool,
    /// Its term.
    pub term: u64,
    /// The last index that it has applied.
    pub applied: u64,
    /// Entries of its log that are not committed, as far as it knows.
    pub uncommitted: u64,
    /// Sessions whose last call it remembers.
    pub sessions: u64,
}

impl RaftStatus {
    pub(in crate::replica) const fn is_quiet(&self) -> bool {
        self.pending == 0 && self.uncommitted == 0 && !self.recovering
    }

    /// What it waits for, if anything.
    pub(in crate::replica) fn difference(&self, first: &Self) -> Option<String> {
        if self.recovering {
            return Some("it came back empty and is no member again".to_owned());
        }
        if self.pending > 0 {
            return Some(format!("{} requests wait", self.pending));
        }
        if self.uncommitted > 0 {
            return Some(format!("{} entries are not committed", self.uncommitted));
        }
        (self.applied != first.applied).then(|| {
            format!(
                "it has applied {} entries, not {}",
                self.applied, first.applied
            )
        })
    }

    pub(in crate::replica) fn buffers(&self, settings: &RaftSettings) -> [Buffer; 2] {
        let pending = Buffer {
            name: "pending",
            used: self.pending,
            max: settings.pending_max.into(),
        };
        let sessions = Buffer {
            name: "sessions",
            used: self.sessions,
            max: settings.sessions_max.into(),
        };
        [pending, sessions]
    }
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "index",
            Self::Log => "log",
        })
    }
}
