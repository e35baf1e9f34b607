//! Which model of Raft catches which bug.

use kvs_core::bug::Bug;

use super::safety::{COMMITTED_AGREE, COMMITTED_STAYS, ONE_LEADS};
use crate::catches::Catch;
use crate::properties::AN_ORDER_EXPLAINS_ALL;

pub(crate) const CATCHES: &[Catch] = &[
    Catch {
        bug: Bug::VoteNotSynced,
        model: "raft-disk-asks",
        property: ONE_LEADS.name,
        path: &[
            "n1 -> n0 vote",
            "n2 ticks",
            "n1 restarts with 1 changes",
            "n1 syncs a change",
            "n2 syncs a change",
            "n2 -> n1 ask for a vote",
            "n1 -> n2 vote",
        ],
    },
    Catch {
        bug: Bug::TwoVotes,
        model: "raft-elects",
        property: ONE_LEADS.name,
        path: &[
            "n0 ticks",
            "n0 -> n1 ask for a vote",
            "n1 -> n0 vote",
            "n2 ticks",
            "n2 -> n1 ask for a vote",
            "n1 -> n2 vote",
        ],
    },
    Catch {
        bug: Bug::CountsEarlierTerms,
        model: "raft-figure-8",
        property: COMMITTED_AGREE.name,
        path: &[
            "n0 ticks",
            "n0 -> n1 append",
            "n1 -> n0 missing",
            "n0 -> n1 append",
            "n1 -> n0 appended",
            "n2 ticks",
            "n2 -> n1 ask for a vote",
            "n1 -> n2 vote",
            "n2 -> n0 append",
            "n0 -> n2 missing",
            "n2 -> n0 append",
        ],
    },
    Catch {
        bug: Bug::ReadsBeforeOwnEntry,
        model: "raft-turns-after-put",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 1 asks",
            "n2 -> n1 vote",
            "n1 -> n0 append",
            "n0 -> n1 appended",
        ],
    },
    Catch {
        bug: Bug::OldHeartbeat,
        model: "raft-old-leader",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 0 asks",
            "n1 -> n2 append",
            "n2 -> n1 appended",
            "client 1 asks",
        ],
    },
    Catch {
        bug: Bug::WallClockLease,
        model: "raft-clock",
        property: AN_ORDER_EXPLAINS_ALL,
        path: &[
            "client 1 asks at 1",
            "n1 -> n2 append",
            "n2 -> n1 appended",
            "client 0 asks at 1",
        ],
    },
    Catch {
        bug: Bug::SnapshotForgetsCalls,
        model: "raft-transfers",
        property: COMMITTED_AGREE.name,
        path: &[
            "client 0 asks",
            "n0 -> n1 append",
            "n1 ticks",
            "n1 -> n2 ask for a vote",
            "n2 -> n1 vote",
            "n1 -> n0 append",
            "n0 -> n1 appended",
            "n1 -> n0 append",
            "n1 -> n2 append",
            "n2 -> n1 missing",
            "n0 -> n1 appended",
            "n1 -> n2 offer of a state",
            "n2 -> n1 pull of a state",
            "n1 -> n2 state",
            "n2 -> n1 appended",
            "n1 -> n2 append",
        ],
    },
    Catch {
        bug: Bug::TruncatesCommitted,
        model: "raft-repeats",
        property: COMMITTED_STAYS.name,
        path: &[
            "client 0 asks",
            "n0 -> n1 append",
            "n1 -> n0 appended",
            "client 0 asks",
            "n0 -> n1 append",
            "n1 -> n0 appended",
            "client 0 asks",
            "n0 -> n1 append",
            "n0 -> n1 append",
        ],
    },
];
