//! What a node acknowledges, and where it runs.

use serde::{Deserialize, Serialize};

use kvs_place::network::{self, NetworkError};

/// What a node acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// What is in memory: a node that is killed comes back empty.
    #[default]
    Memory,
    /// What is synced to its disk: a node that is killed comes back with it.
    Disk,
}

impl Durability {
    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

/// Where the nodes run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// Processes of this machine that share its loopback interface.
    #[default]
    Process,
    /// Processes that each have a network namespace of their own: an address, a link and a
    /// firewall. Needs root.
    Netns,
}

impl HostKind {
    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Netns => "netns",
        }
    }

    /// Whether nodes can run here, with faults of their network if there are to be any.
    ///
    /// # Errors
    /// When this process may not have what the nodes need, or a program is missing.
    pub fn can_be_had(self, with_faults: bool) -> Result<(), NetworkError> {
        match self {
            Self::Process => Ok(()),
            Self::Netns => network::can_be_had(with_faults),
        }
    }
}
