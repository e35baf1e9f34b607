//! The planted bugs: one known mistake each, which a check must notice.
//!
//! A check that no planted bug turns red proves nothing. A bug is part of a node's start-up data
//! (`ReplicaSpec`). It is absent unless `--bug NAME` asked for it, and it is never a compile-time
//! setting.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod facts;

pub use facts::{Composition, Facts, Trigger};

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
    /// LWW: some puts are applied and acknowledged but never logged, so that no other replica
    /// gets them.
    UnloggedPut,
    /// Causal: a replica that comes back without its state lives on under its first
    /// incarnation.
    RestartReusesDots,
    /// Causal: a request that has waited too long for the replica to catch up is served, not
    /// refused.
    StaleAfterPause,
    /// Causal: an update that arrives again is merged again, and comes back beside what
    /// superseded it.
    ResurrectedSibling,
    /// LWW: an update of another replica gets its version when it arrives.
    ArrivalOrder,
    /// LWW: the clock is not carried forward by the versions that a replica sees.
    ClockNotCarried,
    /// Causal: a digest is answered with nothing.
    NoRepair,
    /// Causal: a session that turns to another replica forgets what it has seen.
    ForgottenContextOnFailover,
    /// What shows a change leaves before the change is durable.
    AckBeforeSync,
    /// Quorum: a get does not write back what it read.
    NoWriteBack,
    /// Quorum: two puts that are under way at once may get the same version.
    SharedVersion,
    /// Quorum: a coordinator that comes back gives out versions that it has given out before.
    ReusedVersion,
    /// Quorum: a replica that comes back without its state answers at once.
    EmptyReplicaVotes,
    /// Quorum: a get takes the first answer.
    FirstAnswer,
    /// Sloppy: a spare forgets a hint before it hands it over.
    HintExpires,
    /// Raft: a replica does not keep the term in which it votes.
    VoteNotSynced,
    /// Raft: a replica votes twice in a term.
    TwoVotes,
    /// Raft: a leader commits an entry of an earlier term once a majority has it.
    CountsEarlierTerms,
    /// Raft: a leader answers gets before it has committed an entry of its term.
    ReadsBeforeOwnEntry,
    /// Raft: a leader takes an answer from before a get for one to the question whether it leads.
    OldHeartbeat,
    /// Raft: a leader answers gets without a question while its wall clock says that nobody else can
    /// lead yet.
    WallClockLease,
    /// Raft: the state that takes the place of entries lacks the sessions' last calls.
    SnapshotForgetsCalls,
    /// Raft: a replica cuts its log off behind the entries of a message that comes late.
    TruncatesCommitted,
}

impl Bug {
    /// Every planted bug, in the order in which they are declared.
    pub const ALL: [Self; 31] = [
        Self::OverwritingMerge,
        Self::DeliveryBeforeDependencies,
        Self::ForgottenContext,
        Self::StaleReads,
        Self::ForeignKeys,
        Self::MissingSibling,
        Self::LostUpdateOnTransfer,
        Self::ReusedDots,
        Self::UnloggedPut,
        Self::RestartReusesDots,
        Self::StaleAfterPause,
        Self::ResurrectedSibling,
        Self::ArrivalOrder,
        Self::ClockNotCarried,
        Self::NoRepair,
        Self::ForgottenContextOnFailover,
        Self::AckBeforeSync,
        Self::NoWriteBack,
        Self::SharedVersion,
        Self::ReusedVersion,
        Self::EmptyReplicaVotes,
        Self::FirstAnswer,
        Self::HintExpires,
        Self::VoteNotSynced,
        Self::TwoVotes,
        Self::CountsEarlierTerms,
        Self::ReadsBeforeOwnEntry,
        Self::OldHeartbeat,
        Self::WallClockLease,
        Self::SnapshotForgetsCalls,
        Self::TruncatesCommitted,
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

    /// What is known of it.
    #[must_use]
    pub const fn facts(self) -> &'static Facts {
        &facts::TABLE[self as usize]
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
        for (at, bug) in Bug::ALL.into_iter().enumerate() {
            assert_eq!(bug as usize, at, "{bug} is listed out of order");
            assert_eq!(Bug::from_name(bug.name()), Some(bug));
            let json = serde_json::to_string(&bug).expect("a bug is a string");
            assert_eq!(
                json,
                format!("\"{}\"", bug.name()),
                "the rows are in another order"
            );
        }
        assert_eq!(Bug::from_name("none"), None);
    }

    #[test]
    fn every_bug_can_be_noticed_by_at_least_two_views() {
        for bug in Bug::ALL {
            let facts = bug.facts();
            let views = [facts.model, facts.sim, facts.real];
            assert!(views.into_iter().filter(|view| *view).count() >= 2, "{bug}");
        }
    }
}
