//! The faults, by Jepsen's names, and what each does.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::partition::{Deafness, PartitionShape};
use kvs_core::protocol::NodeId;

/// A kind of fault, as `--nemesis` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Some nodes, or the clients, cannot hear others.
    Partition,
    /// The process of a node is killed (SIGKILL), and started again after a while.
    Kill,
    /// The process of a node is stopped (SIGSTOP), and goes on after a while.
    Pause,
    /// What a node sends is delayed, lost, repeated, reordered, corrupted or throttled.
    Packet,
    /// The clock of a node is wrong: it jumps, strobes or drifts.
    Clock,
    /// The disk of a node is full, fails to sync, or tears what it wrote last.
    Disk,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Partition,
        Self::Kill,
        Self::Pause,
        Self::Packet,
        Self::Clock,
        Self::Disk,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Packet => "packet",
            Self::Clock => "clock",
            Self::Disk => "disk",
        }
    }

    /// The kind that somebody means by this word, in capitals or not.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let named = |kind: &Self| kind.name().eq_ignore_ascii_case(word);
        Self::ALL.into_iter().find(named)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What becomes of the datagrams that a node sends. The strengths are Jepsen's: a fifth of them,
/// 50 ms with a jitter of 10 ms, and a rate of 1 Mbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketFault {
    /// Each takes longer.
    Delay,
    /// Some are lost.
    Loss,
    /// Some arrive twice.
    Duplicate,
    /// Some are overtaken by later ones.
    Reorder,
    /// Some arrive with a bit flipped.
    Corrupt,
    /// No more than the rate get through.
    Rate,
}

impl PacketFault {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Delay,
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Corrupt,
        Self::Rate,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Corrupt => "corrupt",
            Self::Rate => "rate",
        }
    }
}

/// How the clock of a node is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "clock")]
pub enum ClockFault {
    /// It is off by so much.
    Bump {
        /// In ns, either way.
        offset_ns: i64,
    },
    /// It jumps to and fro.
    Strobe {
        /// How far, in ns.
        offset_ns: i64,
        /// How long it stays on each side, in ns.
        period_ns: u64,
    },
    /// It goes too fast or too slow.
    Drift {
        /// By so many millionths.
        ppm: i64,
    },
}

impl ClockFault {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bump { .. } => "bump",
            Self::Strobe { .. } => "strobe",
            Self::Drift { .. } => "drift",
        }
    }

    /// How much more than the machine's the clock reads, in ns, when it has been wrong for
    /// `since_ns`.
    #[must_use]
    pub fn offset_ns(self, since_ns: u64) -> i64 {
        match self {
            Self::Bump { offset_ns } => offset_ns,
            Self::Strobe {
                offset_ns,
                period_ns,
            } => {
                if (since_ns / period_ns).is_multiple_of(2) {
                    offset_ns
                } else {
                    0
                }
            }
            Self::Drift { ppm } => {
                let drift = i128::from(since_ns) * i128::from(ppm) / 1_000_000;
                i64::try_from(drift).unwrap_or(i64::MAX)
            }
        }
    }

    /// Whether the offset changes while the fault lasts.
    #[must_use]
    pub const fn moves(self) -> bool {
        match self {
            Self::Bump { .. } => false,
            Self::Strobe { .. } | Self::Drift { .. } => true,
        }
    }
}

/// What a disk does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFault {
    /// It takes no more bytes.
    Full,
    /// It fails to make durable what it took.
    SyncFails,
    /// The process ends in the middle of a write, which is left torn.
    TornWrite,
}

impl DiskFault {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Full, Self::SyncFails, Self::TornWrite];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::SyncFails => "sync-fails",
            Self::TornWrite => "torn-write",
        }
    }
}

/// A fault with all that decides what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nodes do not hear others.
    Partition {
        /// The shape, in a word.
        shape: PartitionShape,
        /// Who does not hear whom.
        deafness: Vec<Deafness>,
    },
    /// The processes of these nodes are killed.
    Kill(Vec<NodeId>),
    /// The processes of these nodes are stopped.
    Pause(Vec<NodeId>),
    /// What these nodes send suffers.
    Packet(PacketFault, Vec<NodeId>),
    /// The clocks of these nodes are wrong.
    Clock(ClockFault, Vec<NodeId>),
    /// The disks of these nodes fail.
    Disk(DiskFault, Vec<NodeId>),
}

impl Fault {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Partition { .. } => FaultKind::Partition,
            Self::Kill(_) => FaultKind::Kill,
            Self::Pause(_) => FaultKind::Pause,
            Self::Packet(..) => FaultKind::Packet,
            Self::Clock(..) => FaultKind::Clock,
            Self::Disk(..) => FaultKind::Disk,
        }
    }

    /// The nodes that it acts on, in ascending order.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Partition { deafness, .. } => {
                let mut nodes: Vec<NodeId> = deafness.iter().flat_map(Deafness::nodes).collect();
                nodes.sort_unstable();
                nodes.dedup();
                nodes
            }
            Self::Kill(nodes)
            | Self::Pause(nodes)
            | Self::Packet(_, nodes)
            | Self::Clock(_, nodes)
            | Self::Disk(_, nodes) => nodes.clone(),
        }
    }
}

/// A few words, such as `packet loss n0 n2`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        match self {
            Self::Partition { shape, deafness } => {
                write!(f, " {}:", shape.name())?;
                for (at, deafness) in deafness.iter().enumerate() {
                    write!(f, "{} {deafness}", if at > 0 { "," } else { "" })?;
                }
                return Ok(());
            }
            Self::Packet(packet, _) => write!(f, " {}", packet.name())?,
            Self::Clock(clock, _) => write!(f, " {}", clock.name())?,
            Self::Disk(disk, _) => write!(f, " {}", disk.name())?,
            Self::Kill(_) | Self::Pause(_) => {}
        }
        for node in self.nodes() {
            write!(f, " {node}")?;
        }
        Ok(())
    }
}
