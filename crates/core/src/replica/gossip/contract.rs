//! What a replica that gossips asks of its hosts: its part of the contract that all kinds share.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::encoded;
use crate::protocol::{Dot, Update, Vector};
use crate::replica::{Buffer, Write};

/// A timer of a replica that gossips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GossipTimer {
    /// Pushes fresh updates: due as soon as the current batch of inputs was handled.
    Rumour,
    /// Exchanges digests with a peer, for ever.
    AntiEntropy,
    /// Looks for deferred requests that have waited long enough.
    Deferral,
}

impl GossipTimer {
    /// How long it takes, in ms.
    pub(super) const fn delay_ms(self, settings: &GossipSettings) -> u64 {
        match self {
            Self::Rumour => 0,
            Self::AntiEntropy => settings.anti_entropy_ms,
            // A request is refused at the second tick after it came, so it waits for one to two.
            Self::Deferral => settings.deferral_ms.div_ceil(2),
        }
    }

    pub(in crate::replica) const fn peers_used(self, settings: &GossipSettings) -> usize {
        match self {
            Self::Rumour => settings.fanout as usize,
            Self::AntiEntropy => 1,
            Self::Deferral => 0,
        }
    }

    pub(in crate::replica) const fn recurs(self) -> bool {
        match self {
            Self::AntiEntropy => true,
            Self::Rumour | Self::Deferral => false,
        }
    }

    pub(in crate::replica) const fn action(self) -> &'static str {
        match self {
            Self::Rumour => "pushes",
            Self::AntiEntropy => "sends its digest",
            Self::Deferral => "looks for overdue requests",
        }
    }
}

/// A change of a replica that gossips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GossipChange<'a> {
    /// An update was applied, its own or another replica's.
    Update(Cow<'a, Update>),
    /// A state was merged: these puts, and with them everything up to this vector.
    State {
        /// What its sender had applied.
        vector: Cow<'a, [Dot]>,
        /// The puts that were left of it.
        updates: Cow<'a, [Update]>,
    },
}

/// A kind of [`GossipChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GossipChangeKind {
    /// [`GossipChange::Update`], with its dot.
    Update(Dot),
    /// [`GossipChange::State`].
    State,
}

impl GossipChange<'_> {
    pub(in crate::replica) fn kind(&self) -> GossipChangeKind {
        match self {
            Self::Update(update) => GossipChangeKind::Update(update.dot),
            Self::State { .. } => GossipChangeKind::State,
        }
    }

    /// The log has the updates in the order in which they were applied, so that one that comes back
    /// can send its peers what they lack, and need not send them its whole state.
    pub(in crate::replica) fn writes(&self, mut write: impl FnMut(Write<'_>)) {
        match self {
            Self::Update(update) => {
                write(Write::Key {
                    key: update.record.key(),
                    bytes: 0,
                });
                write(Write::Append(encoded(update.as_ref())));
            }
            Self::State { updates, .. } => {
                for update in updates.iter() {
                    write(Write::Key {
                        key: update.record.key(),
                        bytes: update.record.value().len(),
                    });
                }
                write(Write::Restart);
            }
        }
    }

    pub(in crate::replica) fn applied(&self) -> Option<Dot> {
        match self {
            Self::Update(update) => Some(update.dot),
            Self::State { .. } => None,
        }
    }
}

/// Intervals and bounds of a replica that gossips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GossipSettings {
    /// How many peers a rumour is pushed to. Groups of up to `fanout + 1` push to everybody.
    pub fanout: u16,
    /// Time between two digests of one replica, in ms.
    pub anti_entropy_ms: u64,
    /// How long a request may wait for the replica to catch up with its session, in ms. It is
    /// refused after at least half of it.
    pub deferral_ms: u64,
    /// How many requests may wait. At this bound and the next, requests are refused as overloaded.
    pub deferred_max: u32,
    /// How many bytes of keys, values and contexts the waiting requests may have.
    pub deferred_bytes_max: u64,
    /// How many updates may wait for others that they depend on. At this bound and the next,
    /// updates are dropped: anti-entropy brings them again.
    pub held_back_max: u32,
    /// How many bytes the waiting updates may have.
    pub held_back_bytes_max: u64,
    /// How many updates the log keeps for peers that have not got them. A peer that needs more
    /// gets the state.
    pub log_updates_max: u32,
    /// How many bytes of records the log keeps.
    pub log_bytes_max: u64,
}

impl Default for GossipSettings {
    fn default() -> Self {
        Self {
            fanout: 3,
            anti_entropy_ms: 50,
            deferral_ms: 200,
            deferred_max: 65_536,
            deferred_bytes_max: 64 << 20,
            held_back_max: 65_536,
            held_back_bytes_max: 64 << 20,
            log_updates_max: 1 << 18,
            log_bytes_max: 128 << 20,
        }
    }
}

/// What a replica that gossips holds, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GossipStatus {
    /// Which updates it has applied.
    pub applied: Vector,
    /// Updates in its log, kept for peers.
    pub log_updates: u64,
    /// Bytes of records in its log.
    pub log_bytes: u64,
    /// Updates held back for others that they depend on.
    pub held_back: u64,
    /// Requests that wait for the replica to catch up.
    pub deferred: u64,
}

impl GossipStatus {
    pub(in crate::replica) const fn is_quiet(&self) -> bool {
        self.held_back == 0 && self.deferred == 0
    }

    pub(in crate::replica) fn agrees_with(&self, other: &Self) -> bool {
        self.applied == other.applied
    }

    /// What waits, or what it has applied that `first` has not, if anything.
    pub(in crate::replica) fn difference(&self, first: &Self) -> Option<String> {
        if self.deferred > 0 {
            return Some(format!("{} requests still wait", self.deferred));
        }
        if self.held_back > 0 {
            return Some(format!("{} updates are still held back", self.held_back));
        }
        let (ours, theirs) = (&first.applied, &self.applied);
        (ours != theirs).then(|| format!("applied are {ours:?} and {theirs:?}"))
    }

    pub(in crate::replica) fn buffers(&self, settings: &GossipSettings) -> [Buffer; 3] {
        let buffer = |name, used, max: u32| Buffer {
            name,
            used,
            max: max.into(),
        };
        [
            buffer("log", self.log_updates, settings.log_updates_max),
            buffer("held back", self.held_back, settings.held_back_max),
            buffer("deferred", self.deferred, settings.deferred_max),
        ]
    }
}
