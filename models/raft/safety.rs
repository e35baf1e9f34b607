//! What Raft itself keeps, whatever clients see (Ongaro, Ousterhout, 2014, figure 3).

use std::collections::BTreeMap;

use kvs_core::protocol::{LogEntry, NodeId};
use kvs_core::replica::{KindStatus, Raft, Replica};

use crate::chronicle::Chronicle;
use crate::cluster::Cluster;
use crate::properties::Keeps;
use crate::shared::hash_of;

/// The node that leads in a term.
const LEADER: &str = "leader";
/// The entry that is committed at an index.
const ENTRY: &str = "entry";
/// The state that the entries up to an index lead to.
const STATE: &str = "state";

/// Election safety: no two nodes ever lead in one term.
pub(crate) const ONE_LEADS: &Keeps = &Keeps {
    name: "one leads in a term",
    holds: |_, state| !state.chronicle.contradicts(LEADER),
};
/// Log matching: where two logs have an entry of the same index and term, they have the same entries
/// up to there.
pub(crate) const LOGS_MATCH: &Keeps = &Keeps {
    name: "logs match",
    holds: |_, state| {
        let logs: Vec<Log<'_>> = rafts(state).map(|raft| raft.entries().collect()).collect();
        logs.iter().enumerate().all(|(at, one)| {
            let mut others = logs[at + 1..].iter();
            others.all(|other| matches(one, other))
        })
    },
};
/// State-machine safety: no two entries are ever committed at one index, and the entries up to an
/// index lead to the same state everywhere.
pub(crate) const COMMITTED_AGREE: &Keeps = &Keeps {
    name: "what is committed is the same everywhere",
    holds: |_, state| !state.chronicle.contradicts(ENTRY) && !state.chronicle.contradicts(STATE),
};
/// No log ends before what its replica knows to be committed.
pub(crate) const COMMITTED_STAYS: &Keeps = &Keeps {
    name: "what is committed stays",
    holds: |_, state| rafts(state).all(|raft| raft.last().index >= raft.commit()),
};

/// All of these.
pub(super) const SAFETY: &[&Keeps] = &[ONE_LEADS, LOGS_MATCH, COMMITTED_AGREE, COMMITTED_STAYS];

/// What a replica's state says that must be so for ever.
pub(super) fn tell(node: NodeId, replica: &Replica, chronicle: &mut Chronicle) {
    let Replica::Raft(raft) = replica else {
        return;
    };
    if raft.leads() {
        chronicle.tell(LEADER, raft.term(), node.0.into());
    }
    for (index, entry) in raft.entries() {
        if index <= raft.commit() {
            chronicle.tell(ENTRY, index, hash_of(entry));
        }
    }
    let status = replica.status();
    if let KindStatus::Raft(of_kind) = &status.kind {
        chronicle.tell(STATE, of_kind.applied, status.digest);
    }
}

/// The replicas.
pub(super) fn rafts(state: &Cluster) -> impl Iterator<Item = &Raft> {
    let replicas = state.nodes.replicas.iter();
    replicas.filter_map(|replica| {
        if let Replica::Raft(raft) = &**replica {
            Some(&**raft)
        } else {
            None
        }
    })
}

type Log<'a> = BTreeMap<u64, &'a LogEntry>;

fn matches(one: &Log<'_>, other: &Log<'_>) -> bool {
    let last_first = one.iter().rev();
    let both = last_first.filter_map(|(index, entry)| Some((entry, other.get(index)?)));
    let mut both = both.skip_while(|(entry, other)| entry.term != other.term);
    both.all(|(entry, other)| entry == other)
}
