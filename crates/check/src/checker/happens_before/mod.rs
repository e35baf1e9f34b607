//! Happens-before of a whole history, for the checks that need to know what an operation had seen.
//!
//! An operation happens before another one when its session did it earlier, when the other one read
//! what it had put, or through any number of such steps. Where contexts decide what a put
//! supersedes, a put also comes after what its context names.
//!
//! | it offers | what it is |
//! |---|---|
//! | [`Graph`] | the operations with their causes: sessions, reads, contexts, and each key's puts in runs, one a session |
//! | [`order`] | causes before effects, and the circles that stand in the way, with [`Conflicts`] between puts as further causes |
//! | [`shortest_circle`] | the shortest proof that there is such a circle |
//! | [`Clocks`] | what each operation had seen, while one walks along that order: O(n·k) for k live sessions that wrote |
//! | [`LastSeen`] | the last put of a run that somebody had seen, asked again and again a little further on |
//!
//! Sessions that are over are folded (`lanes.rs`), so that k counts live ones; `live_runs.rs` knows
//! whose puts on a key are left. A store promises causality within a replica group only: see
//! [`spread`].
//!
//! It serves the bad patterns of registers (`bad_patterns.rs`), the session guarantees by what
//! clients saw (`session/`), siblings where contexts decide (`dominance/`) and writes that were
//! lost (`lost_writes/`). The black box, which adds to visibility as it goes, has clocks of its
//! own.

mod clocks;
mod graph;
mod lanes;
mod last_seen;
mod live_runs;
mod order;

pub(super) use clocks::{Clocks, Seen, TooMany, too_many};
pub(super) use graph::{Conflict, Conflicts, Graph, NONE};
pub(super) use lanes::PATIENCE;
pub(super) use last_seen::LastSeen;
pub(super) use order::{Order, order, shortest_circle};

use super::index::Index;

/// A key that two replica groups serve: causality is owed within a group only.
pub(super) fn spread(index: &Index<'_>) -> Option<String> {
    (0..index.by_key.len()).find_map(|key| {
        let rows = index.by_key.at(key);
        let group = |row: &u32| index.columns.group[*row as usize];
        let other = rows.iter().find(|row| group(row) != group(&rows[0]))?;
        Some(index.key_name(*other as usize))
    })
}
