//! Registers whose values repeat, or that hold more than puts and gets: compare-and-set, append.
//!
//! The other specifications find the put of every get by its value, which here is not possible, so
//! that the order is searched for. `read.rs` reads a history anew, and shares nothing with the
//! direct engine's searches but the rows. `register.rs` and `steps.rs` are the model of one key
//! after another, `sessions.rs` that of one order of all sessions.

mod bits;
mod contents;
mod read;
mod register;
mod regular;
mod sessions;
mod steps;
mod taking;
mod timeline;

use super::super::regular::APPENDS;
use super::super::searched::Deadline;
use super::super::wing_gong::NO_REAL_TIME;
use super::{Found, Search};
use crate::history::{History, Kind};
use read::Read;

/// Searches for an order of each key that keeps real time.
pub(in super::super) fn linearizable(
    history: &History,
    states: usize,
    deadline: Deadline,
) -> Search {
    in_time(history, |read| register::search(read, states, deadline))
}

/// Searches for an order of each read with all writes of its key that keeps real time.
pub(in super::super) fn regular(history: &History, states: usize, deadline: Deadline) -> Search {
    if history.columns.kind.contains(&Kind::Append) {
        return searched(history, Err(APPENDS.to_owned()));
    }
    in_time(history, |read| regular::search(read, states, deadline))
}

/// Searches for one order of all that keeps sessions.
pub(in super::super) fn sequential(history: &History, states: usize, deadline: Deadline) -> Search {
    let read = Read::new(history);
    let found = read.map(|read| sessions::search(read, states, deadline));
    searched(history, found)
}

/// What is found of a history with real time.
fn in_time(history: &History, search: impl FnOnce(Read) -> Search) -> Search {
    let read = match history.header.real_time {
        true => Read::new(history),
        false => Err(NO_REAL_TIME.to_owned()),
    };
    searched(history, read.map(search))
}

/// What was found of the whole history, or why nothing could be.
fn searched(history: &History, found: Result<Search, String>) -> Search {
    let mut search = found.unwrap_or_else(|reason| Search::of(Found::NotApplicable { reason }));
    search.operations = history.len() as u64;
    search.of = search.operations;
    if let Found::NoOrder { row, operation } = &mut search.found {
        *operation = history.operation_name(*row as usize);
    }
    search
}
