//! What the replicas of a Raft group say to one another (`replica::raft`).

use serde::{Deserialize, Serialize};

use super::{Call, Origin, Record};

/// A place in the log: an index, from 1, and the term of the entry there. Index 0 is before the
/// first entry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// The term of the entry: it decides first which of two logs is more up to date.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogEntry {
    /// The term of the leader that appended it.
    pub term: u64,
    /// What it does.
    pub command: Command,
}

/// What an entry of the log does when it is applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Nothing: a leader begins its term with it, and a get through the log is one.
    Nothing,
    /// Writes a key.
    Write {
        /// Whose operation it is; none for a client that never sends one again.
        call: Option<Call>,
        /// What the key must hold.
        expected: Expected,
        /// The key and its value.
        record: Record,
    },
    /// A node that lost its state is a member again, in this life.
    Life(Origin),
}

/// What a key must hold for a write to take effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Expected {
    /// Anything: a put.
    Anything,
    /// Nothing: the key is not there.
    Nothing,
    /// This value.
    Value(Box<[u8]>),
}

/// A message of a replica of a Raft group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RaftBody {
    /// The sender's term; for a question whether it would get a vote, the term that it asks for.
    pub term: u64,
    /// Whether the life that says so is a member, as it knows: its votes and its log count.
    pub is_member: bool,
    /// What it says.
    pub words: RaftWords,
}

/// What a message of a replica of a Raft group says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RaftWords {
    /// Asks for a vote.
    AskVote {
        /// The last entry of the sender's log.
        last: Position,
        /// Whether it only wants to know if it would get one (Ongaro, 2014, section 9.6).
        would: bool,
    },
    /// The answer to it.
    Vote {
        /// Whether the sender votes for the receiver, or would.
        granted: bool,
        /// Whether it was only asked if it would.
        would: bool,
    },
    /// The leader's: entries for the receiver's log, or none.
    Append {
        /// The entry before the first.
        previous: Position,
        /// The entries.
        entries: Vec<LogEntry>,
        /// The last index that the sender knows to be committed.
        commit: u64,
        /// The last round of questions whether it still leads.
        round: u64,
    },
    /// The receiver's log is the sender's up to this index.
    Appended {
        /// The index.
        matched: u64,
        /// The last round that the sender has heard of in this term.
        round: u64,
    },
    /// The entry before those sent is not in the sender's log.
    Missing {
        /// The index of that entry.
        previous: u64,
        /// From which index on entries are wanted.
        next: u64,
        /// The last round that the sender has heard of in this term.
        round: u64,
    },
    /// The leader's: the entries that the receiver lacks are gone; it may pull the state at this
    /// position.
    Offer {
        /// The position.
        at: Position,
        /// The last round of questions whether it still leads.
        round: u64,
    },
    /// Asks for a part of the state at a position.
    PullState {
        /// The position.
        at: Position,
        /// How many items of it the sender has.
        from: u64,
    },
    /// A part of the state at a position.
    State {
        /// The position.
        at: Position,
        /// How many items come before these.
        from: u64,
        /// Some items.
        items: Vec<StateItem>,
        /// Whether there are more.
        more: bool,
    },
    /// Asks the leader for an index at which a get that begins now may be answered.
    AskIndex {
        /// Which of the sender's questions it is.
        question: u64,
    },
    /// The answer to it.
    Index {
        /// The question.
        question: u64,
        /// Once the receiver has applied the entry of this index.
        index: u64,
    },
}

/// A part of the state that a log leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StateItem {
    /// What a key holds.
    Put {
        /// The index of the entry that wrote it.
        index: u64,
        /// The key and its value.
        record: Record,
    },
    /// The last call of a session.
    Called {
        /// Which session.
        session: u32,
        /// Its last call.
        last: LastCall,
    },
    /// A node lives its later life.
    Life(Origin),
    /// Sessions were forgotten: what one has called that is not there is unknown.
    Forgets,
}

/// The last call of a session, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LastCall {
    /// Which of its operations it is.
    pub operation: u32,
    /// The index of the entry that did it.
    pub index: u64,
    /// Whether it took effect; otherwise it found something else than it expected.
    pub took_effect: bool,
}

/// A kind of [`RaftWords`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftBodyKind {
    /// [`RaftWords::AskVote`].
    AskVote,
    /// [`RaftWords::Vote`].
    Vote,
    /// [`RaftWords::Append`].
    Append,
    /// [`RaftWords::Appended`].
    Appended,
    /// [`RaftWords::Missing`].
    Missing,
    /// [`RaftWords::Offer`].
    Offer,
    /// [`RaftWords::PullState`].
    PullState,
    /// [`RaftWords::State`].
    State,
    /// [`RaftWords::AskIndex`].
    AskIndex,
    /// [`RaftWords::Index`].
    Index,
}

impl RaftBody {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> RaftBodyKind {
        match self.words {
            RaftWords::AskVote { .. } => RaftBodyKind::AskVote,
            RaftWords::Vote { .. } => RaftBodyKind::Vote,
            RaftWords::Append { .. } => RaftBodyKind::Append,
            RaftWords::Appended { .. } => RaftBodyKind::Appended,
            RaftWords::Missing { .. } => RaftBodyKind::Missing,
            RaftWords::Offer { .. } => RaftBodyKind::Offer,
            RaftWords::PullState { .. } => RaftBodyKind::PullState,
            RaftWords::State { .. } => RaftBodyKind::State,
            RaftWords::AskIndex { .. } => RaftBodyKind::AskIndex,
            RaftWords::Index { .. } => RaftBodyKind::Index,
        }
    }

    /// How many puts it carries.
    #[must_use]
    pub fn puts(&self) -> usize {
        match &self.words {
            RaftWords::Append { entries, .. } => {
                let writes = entries
                    .iter()
                    .filter(|entry| matches!(entry.command, Command::Write { .. }));
                writes.count()
            }
            RaftWords::State { items, .. } => {
                let puts = items
                    .iter()
                    .filter(|item| matches!(item, StateItem::Put { .. }));
                puts.count()
            }
            RaftWords::AskVote { .. }
            | RaftWords::Vote { .. }
            | RaftWords::Appended { .. }
            | RaftWords::Missing { .. }
            | RaftWords::Offer { .. }
            | RaftWords::PullState { .. }
            | RaftWords::AskIndex { .. }
            | RaftWords::Index { .. } => 0,
        }
    }
}

impl RaftBodyKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AskVote => "ask for a vote",
            Self::Vote => "vote",
            Self::Append => "append",
            Self::Appended => "appended",
            Self::Missing => "missing",
            Self::Offer => "offer of a state",
            Self::PullState => "pull of a state",
            Self::State => "state",
            Self::AskIndex => "ask for an index",
            Self::Index => "index",
        }
    }
}

impl LogEntry {
    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<u64>() + self.command.bytes()
    }
}

impl Command {
    /// Which operation of which session it is, if it is one.
    #[must_use]
    pub const fn call(&self) -> Option<Call> {
        match self {
            Self::Write { call, .. } => *call,
            Self::Nothing | Self::Life(_) => None,
        }
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let held = match self {
            Self::Nothing | Self::Life(_) => 0,
            Self::Write {
                expected, record, ..
            } => expected.bytes() + record.packed_len(),
        };
        size_of::<Self>() + held
    }
}

impl Expected {
    const fn bytes(&self) -> usize {
        match self {
            Self::Anything | Self::Nothing => 0,
            Self::Value(value) => value.len(),
        }
    }

    /// Whether a key that holds this may be written.
    #[must_use]
    pub fn is_met(&self, found: Option<&[u8]>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => found.is_none(),
            Self::Value(value) => found == Some(value),
        }
    }
}

impl StateItem {
    /// About how many bytes it takes in a message.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put { record, .. } => record.packed_len() + size_of::<u64>(),
            Self::Called { .. } | Self::Life(_) | Self::Forgets => size_of::<LastCall>(),
        }
    }
}
