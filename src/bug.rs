//! The planted bugs: one known mistake each, which a run must turn invalid.
//!
//! A check that no planted bug turns red is not evidence. A bug is part of a node's start-up data
//! (`ReplicaSpec`), absent unless `--bug NAME` asked for it, and never a compile-time setting.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::{Deserialize, Serialize};

/// One known mistake that a store can be built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bug {
    /// LWW: a replica takes whatever update arrives, older or not.
    OverwritingMerge,
    /// Causal: an update is applied before what its put had seen.
    DeliveryBeforeDependencies,
    /// Causal: a replica answers at once, whatever the session has seen.
    ForgottenContext,
    /// Unreplicated: some gets are answered from the value before the last put.
    StaleReads,
    /// Sharded: nodes accept any key, and some keys' puts are sent to another shard than their
    /// gets.
    ForeignKeys,
    /// Causal: a get leaves out one of several siblings.
    MissingSibling,
    /// Causal: a state transfer replaces the receiver's state instead of merging with it.
    LostUpdateOnTransfer,
    /// Causal: some puts get the dot of the put before them.
    ReusedDots,
}

struct Facts {
    name: &'static str,
    describe: &'static str,
    promise: &'static str,
    arch: &'static str,
    lattice: Option<&'static str>,
    command: &'static str,
}

impl Bug {
    /// Every planted bug.
    pub const ALL: [Self; 8] = [
        Self::OverwritingMerge,
        Self::DeliveryBeforeDependencies,
        Self::ForgottenContext,
        Self::StaleReads,
        Self::ForeignKeys,
        Self::MissingSibling,
        Self::LostUpdateOnTransfer,
        Self::ReusedDots,
    ];

    /// The bug of this name, as `--bug` takes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }

    /// Its name, the same as when serialised.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// What the store does wrong, as one sentence.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        self.facts().describe
    }

    /// The promise that it breaks.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        self.facts().promise
    }

    /// The simplest architecture that has it.
    #[must_use]
    pub const fn arch(self) -> &'static str {
        self.facts().arch
    }

    /// The lattice that has it; none when any does.
    #[must_use]
    pub const fn lattice(self) -> Option<&'static str> {
        self.facts().lattice
    }

    /// The one command that must find it, with exit status 1.
    #[must_use]
    pub const fn command(self) -> &'static str {
        self.facts().command
    }

    const fn facts(self) -> Facts {
        match self {
            Self::OverwritingMerge => Facts {
                name: "overwriting-merge",
                describe: "A replica takes whatever update arrives, even one that is older than \
                           what it has.",
                promise: "lww",
                arch: "replicated",
                lattice: Some("lww"),
                command: "kvs-bench --arch replicated --lattice lww --workload contended --bug \
                          overwriting-merge",
            },
            Self::DeliveryBeforeDependencies => Facts {
                name: "delivery-before-dependencies",
                describe: "A replica applies an update before the updates that its put had seen.",
                promise: "causal",
                arch: "replicated",
                lattice: Some("causal"),
                command: "kvs-bench --arch replicated --workload contended --bug \
                          delivery-before-dependencies",
            },
            Self::ForgottenContext => Facts {
                name: "forgotten-context",
                describe: "A replica that has not caught up with the session answers it at once.",
                promise: "causal",
                arch: "replicated",
                lattice: Some("causal"),
                command: "kvs-bench --arch replicated --workload contended --bug \
                          forgotten-context",
            },
            Self::StaleReads => Facts {
                name: "stale-reads",
                describe: "Some gets are answered with the value before the last put.",
                promise: "linearizable",
                arch: "local",
                lattice: None,
                command: "kvs-bench --arch local --workload contended --bug stale-reads",
            },
            Self::ForeignKeys => Facts {
                name: "foreign-keys",
                describe: "Shards accept keys that are not theirs, and some keys' puts and gets \
                           go to different shards.",
                promise: "linearizable",
                arch: "sharded",
                lattice: None,
                command: "kvs-bench --arch sharded --workload zipf --bug foreign-keys",
            },
            Self::MissingSibling => Facts {
                name: "missing-sibling",
                describe: "A get leaves out one of several concurrent values.",
                promise: "causal",
                arch: "replicated",
                lattice: Some("causal"),
                command: "kvs-bench --arch replicated --workload contended --bug missing-sibling",
            },
            Self::LostUpdateOnTransfer => Facts {
                name: "lost-update-on-transfer",
                describe: "A state transfer replaces what the receiver has instead of merging \
                           with it.",
                promise: "causal",
                arch: "replicated",
                lattice: Some("causal"),
                command: "kvs-bench --arch replicated --workload contended --routing sticky --bug \
                          lost-update-on-transfer",
            },
            Self::ReusedDots => Facts {
                name: "reused-dots",
                describe: "Some puts get the same dot as the put before them.",
                promise: "causal",
                arch: "replicated",
                lattice: Some("causal"),
                command: "kvs-bench --arch replicated --workload contended --bug reused-dots",
            },
        }
    }
}

impl std::fmt::Display for Bug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_is_found_by_its_name_and_serialised_under_it() {
        for bug in Bug::ALL {
            assert_eq!(Bug::from_name(bug.name()), Some(bug));
            let json = serde_json::to_string(&bug).expect("a bug is a string");
            assert_eq!(json, format!("\"{}\"", bug.name()));
            assert!(bug.command().ends_with(&format!("--bug {bug}")));
            assert!(bug.command().contains(&format!("--arch {} ", bug.arch())));
        }
        assert_eq!(Bug::from_name("none"), None);
    }
}
