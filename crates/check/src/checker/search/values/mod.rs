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
mod sessions;
mod steps;
mod timeline;

use std::time::Duration;

use super::super::model::Model;
use super::super::options::Clock;
use super::{Found, Search};
use crate::history::History;
use read::Read;

/// Searches for an order of the whole history under a model of one register a key.
pub(in super::super) fn search(
    history: &History,
    model: Model,
    states: usize,
    clock: Option<(Clock, Duration)>,
) -> Search {
    let read = Read::new(history);
    let built = match (model, read) {
        (_, Err(reason)) => Err(reason),
        (Model::Linearizable, Ok(_)) if !history.header.real_time => {
            Err(super::super::wing_gong::NO_REAL_TIME.to_owned())
        }
        (Model::Linearizable, Ok(read)) => Ok(register::search(read, states, clock)),
        (Model::Sequential, Ok(read)) => Ok(sessions::search(read, states, clock)),
        (
            Model::Eventual
            | Model::ReadYourWrites
            | Model::MonotonicReads
            | Model::MonotonicWrites
            | Model::WritesFollowReads
            | Model::CausalConsistency
            | Model::CausalConvergence
            | Model::Causal
            | Model::Lww,
            Ok(_),
        ) => Err(format!(
            "stateright has no specification of {model} for values that repeat"
        )),
    };
    let mut search = built.unwrap_or_else(|reason| Search::of(Found::NotApplicable { reason }));
    search.operations = history.len() as u64;
    search.of = search.operations;
    if let Found::NoOrder { row, operation } = &mut search.found {
        *operation = history.operation_name(*row as usize);
    }
    search
}
