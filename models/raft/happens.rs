//! What has to happen in models of Raft, or they are too tame.

use kvs_core::protocol::{Command, LogEntry};

use super::safety::rafts;
use crate::cluster::Cluster;
use crate::properties::Happens;

/// Two nodes lead as far as they know, in different terms.
pub(super) const TWO_BELIEVE_TO_LEAD: &Happens = &Happens {
    name: "two believe that they lead",
    happened: |_, state| rafts(state).filter(|raft| raft.leads()).count() > 1,
};
/// The entry of the first leader, which nobody else had, is committed in a later term.
pub(super) const THE_FIRST_IS_COMMITTED: &Happens = &Happens {
    name: "the first leader's entry is committed",
    happened: |_, state| begins_with(state, 1),
};
/// The entry of the second is.
pub(super) const THE_SECOND_IS_COMMITTED: &Happens = &Happens {
    name: "the second leader's entry is committed",
    happened: |_, state| begins_with(state, 2),
};
/// A session has sent a write again, and both are in a log.
pub(super) const A_WRITE_IS_THERE_TWICE: &Happens = &Happens {
    name: "a write is in a log twice",
    happened: |_, state| {
        rafts(state).any(|raft| {
            let mut calls: Vec<_> = raft.entries().filter_map(call_of).collect();
            calls.sort_unstable();
            calls.windows(2).any(|pair| pair[0] == pair[1])
        })
    },
};
/// A replica has taken a state in place of the entries before it. (Who makes its own keeps as many
/// entries as it has replaced.)
pub(super) const A_STATE_IS_TAKEN: &Happens = &Happens {
    name: "a state takes the place of entries",
    happened: |_, state| {
        rafts(state).any(|raft| raft.commit() > 0 && raft.entries().next().is_none())
    },
};
/// A node that came back empty is a member again.
pub(super) const A_LIFE_IS_A_MEMBER: &Happens = &Happens {
    name: "a node that came back empty is a member again",
    happened: |_, state| {
        rafts(state).any(|raft| {
            let mut entries = raft.entries();
            entries.any(|(index, entry)| {
                index <= raft.commit() && matches!(entry.command, Command::Life(_))
            })
        })
    },
};

/// Whether an entry of this term is committed at the first index.
fn begins_with(state: &Cluster, term: u64) -> bool {
    rafts(state).any(|raft| {
        let first = raft.entries().next();
        raft.commit() > 0 && first.is_some_and(|(index, entry)| index == 1 && entry.term == term)
    })
}

fn call_of((_, entry): (u64, &LogEntry)) -> Option<(u32, u32)> {
    match &entry.command {
        Command::Write { call, .. } => call.map(|call| (call.session, call.operation)),
        Command::Nothing | Command::Life(_) => None,
    }
}
