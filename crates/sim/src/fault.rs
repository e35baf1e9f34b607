//! What can go wrong in a simulated world.

use serde::{Deserialize, Serialize};

use kvs_core::server::Architecture;

/// Declares the kinds of fault together with their names and meanings, so that the three cannot
/// part.
macro_rules! faults {
    ($($variant:ident = $name:literal: $meaning:literal,)+) => {
        /// A kind of fault.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum SimFault {
            $(#[doc = $meaning] $variant,)+
        }

        impl SimFault {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name, as `--without` takes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What happens, as one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

faults! {
    Loss = "loss": "A message between replicas is lost.",
    Duplicate = "duplicate": "A message between replicas arrives twice.",
    Reorder = "reorder": "A message between replicas overtakes an earlier one.",
    Delay = "delay": "A message takes much longer than usual.",
    Partition = "partition": "Some replicas cannot talk to the others.",
    OneWay = "one-way": "Some replicas cannot be heard by the others, but hear them.",
    ClientCut = "client-cut": "A client cannot talk to some nodes.",
    Disconnect = "disconnect": "The connections of all clients to a node break.",
    Pause = "pause": "A node stops for a while; its inputs queue and its timers fire late.",
    Crash = "crash": "A node's process ends and comes back with its state.",
    Amnesia = "amnesia": "A node's process ends and comes back without its state.",
    Clock = "clock": "A node's wall clock is wrong, drifts and jumps.",
    Disk = "disk": "Syncs take time and fail; a crash loses or tears what is not synced.",
}

impl SimFault {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }

    /// Its place in [`SimFault::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a store of this architecture can have it: where no key has more than one replica,
    /// there is no message between replicas, and nothing else that keeps a node's state.
    #[must_use]
    pub fn can_meet(self, architecture: &Architecture) -> bool {
        match self {
            Self::Loss
            | Self::Duplicate
            | Self::Reorder
            | Self::Delay
            | Self::Partition
            | Self::OneWay
            | Self::Amnesia => architecture.groups().iter().any(|group| group.len() > 1),
            Self::ClientCut
            | Self::Disconnect
            | Self::Pause
            | Self::Crash
            | Self::Clock
            | Self::Disk => true,
        }
    }

    /// Whether it comes from time to time, as opposed to with a chance for each message or sync.
    pub(super) const fn is_an_event(self) -> bool {
        match self {
            Self::Loss | Self::Duplicate | Self::Reorder | Self::Delay | Self::Disk => false,
            Self::Partition
            | Self::OneWay
            | Self::ClientCut
            | Self::Disconnect
            | Self::Pause
            | Self::Crash
            | Self::Amnesia
            | Self::Clock => true,
        }
    }
}

impl std::fmt::Display for SimFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
