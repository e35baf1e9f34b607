//! What a replica of a quorum asks of its hosts: its part of the contract that all kinds share.

use serde::{Deserialize, Serialize};

use crate::replica::Buffer;

/// How many replicas an operation of a quorum waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuorumRule {
    /// How many answers a read needs, the coordinator's own among them.
    pub read: u16,
    /// How many copies a write needs, the coordinator's own among them.
    pub write: u16,
    /// Whether a get writes what it read back to `write` replicas before it answers.
    pub write_back: bool,
    /// Whether a put asks nobody for versions first, and spares may stand in for replicas that do
    /// not answer: they count towards `write`.
    pub sloppy: bool,
}

impl QuorumRule {
    /// Majorities that read, write, and write back: ABD.
    #[must_use]
    pub const fn majorities(replicas: u16) -> Self {
        let majority = replicas / 2 + 1;
        Self {
            read: majority,
            write: majority,
            write_back: true,
            sloppy: false,
        }
    }

    /// Whether each read meets each write in a replica.
    #[must_use]
    pub const fn meets(self, replicas: u16) -> bool {
        self.read as u32 + self.write as u32 > replicas as u32
    }

    /// The same rule among another number of replicas: majorities of `before` become majorities of
    /// `replicas`, and other numbers stay.
    #[must_use]
    pub const fn among(self, before: u16, replicas: u16) -> Self {
        let (usual, wanted) = (Self::majorities(before), Self::majorities(replicas));
        if self.read == usual.read && self.write == usual.write {
            return Self {
                write_back: self.write_back,
                sloppy: self.sloppy,
                ..wanted
            };
        }
        self
    }

    /// How many others must be whole for one that came back empty to answer again: so many as meet
    /// every write that it took part in, and each other.
    #[must_use]
    pub const fn recovers_from(self, replicas: u16) -> u16 {
        let meets_writes = replicas - self.write + 1;
        let meets_recoveries = (replicas - 1) / 2 + 1;
        if meets_writes > meets_recoveries {
            meets_writes
        } else {
            meets_recoveries
        }
    }
}

/// A timer of a replica of a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QuorumTimer {
    /// Asks again those who have not answered, and gives up what has taken too long.
    Retry,
    /// Compares with a peer, for ever.
    AntiEntropy,
    /// A spare's: hands over what it holds for another, for ever.
    HandOver,
}

impl QuorumTimer {
    pub(super) const fn delay_ms(self, settings: &QuorumSettings) -> u64 {
        match self {
            Self::Retry => settings.retry_ms,
            Self::AntiEntropy | Self::HandOver => settings.anti_entropy_ms,
        }
    }

    pub(in crate::replica) const fn peers_used(self) -> usize {
        match self {
            Self::Retry | Self::HandOver => 0,
            Self::AntiEntropy => 1,
        }
    }

    pub(in crate::replica) const fn recurs(self) -> bool {
        match self {
            // As long as anything is under way.
            Self::Retry | Self::AntiEntropy | Self::HandOver => true,
        }
    }

    pub(in crate::replica) const fn action(self) -> &'static str {
        match self {
            Self::Retry => "asks again",
            Self::AntiEntropy => "compares its digest",
            Self::HandOver => "hands over hints",
        }
    }
}

/// Intervals and bounds of a replica of a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuorumSettings {
    /// Time between two looks at the operations under way, in ms. Those who have not answered are
    /// asked again at the second look, the fourth, the eighth and so on; spares at the first, too.
    pub retry_ms: u64,
    /// After so many looks an operation is given up.
    pub looks_max: u16,
    /// Time between two comparisons of digests, and between two hand-overs of hints, in ms.
    pub anti_entropy_ms: u64,
    /// How many chunks of puts one comparison pulls. The rest is left to the next.
    pub chunks_max: u16,
    /// How many operations may be under way. At this bound and the next, requests are refused as
    /// overloaded.
    pub pending_max: u32,
    /// How many bytes of keys and values they may have.
    pub pending_bytes_max: u64,
    /// How many puts a spare may hold for others. At this bound and the next it takes no more, and
    /// does not answer.
    pub hints_max: u32,
    /// How many bytes of keys and values they may have.
    pub hint_bytes_max: u64,
}

impl Default for QuorumSettings {
    fn default() -> Self {
        Self {
            retry_ms: 25,
            looks_max: 40,
            anti_entropy_ms: 100,
            chunks_max: 8,
            pending_max: 65_536,
            pending_bytes_max: 64 << 20,
            hints_max: 1 << 20,
            hint_bytes_max: 256 << 20,
        }
    }
}

/// What a replica of a quorum holds, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumStatus {
    /// Operations that it coordinates and has not answered.
    pub pending: u64,
    /// Whether it came back empty, and has not heard enough of the others yet.
    pub recovering: bool,
    /// Puts that it holds for others.
    #[serde(default)]
    pub hints: u64,
}

impl QuorumStatus {
    pub(in crate::replica) const fn is_quiet(&self) -> bool {
        self.pending == 0 && !self.recovering && self.hints == 0
    }

    /// What it waits for, if anything.
    pub(in crate::replica) fn difference(&self) -> Option<String> {
        if self.recovering {
            return Some("it has not recovered what it lost".to_owned());
        }
        if self.hints > 0 {
            return Some(format!("it holds {} puts for others", self.hints));
        }
        (self.pending > 0).then(|| format!("{} operations are under way", self.pending))
    }

    pub(in crate::replica) fn buffers(&self, settings: &QuorumSettings) -> [Buffer; 2] {
        let pending = Buffer {
            name: "pending",
            used: self.pending,
            max: settings.pending_max.into(),
        };
        let hints = Buffer {
            name: "hints",
            used: self.hints,
            max: settings.hints_max.into(),
        };
        [pending, hints]
    }
}
