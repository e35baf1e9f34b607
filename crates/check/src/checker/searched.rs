//! The second engine's answer, whether or not that engine is part of this build.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::index::Index;
use super::options::Clock;
use super::verdict::Check;
use crate::history::History;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "kebab-case")]
pub enum Found {
    /// An order that explains every operation.
    Order,
    /// That there is none.
    NoOrder {
        /// The row of the first operation to return that no order explains.
        row: u64,
        /// What that operation is called.
        #[serde(default)]
        operation: String,
    },
    /// Nothing: the budget ran out.
    Budget,
    /// The model does not apply to this history.
    NotApplicable {
        /// Why.
        reason: String,
    },
}

/// The search's answer, and what it covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// What it found.
    pub found: Found,
    /// Operations in the prefix that it was given.
    pub operations: u64,
    /// Operations in the whole history.
    pub of: u64,
    /// Steps along the longest order that it found.
    pub steps: u64,
    /// States that it generated.
    pub states: u64,
    /// Why it was not given the whole history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

impl Search {
    /// Found before anything was searched.
    pub(super) const fn of(found: Found) -> Self {
        Self {
            found,
            operations: 0,
            of: 0,
            steps: 0,
            states: 0,
            limit: None,
        }
    }
}

/// When a search has to end, by what clock.
pub(super) type Deadline = Option<(Clock, Duration)>;

/// What stateright searches for where values are unique.
#[derive(Clone, Copy)]
pub(super) struct Searchable {
    /// Searches within so many states for an order; says why if there can be none.
    pub(super) search: fn(&Index<'_>, usize, Deadline) -> Result<Search, String>,
    /// The direct engine's check of the same.
    pub(super) direct: fn(&Index<'_>) -> Check,
    /// Whether it says nothing of histories without real time.
    pub(super) needs_real_time: bool,
}

/// What stateright searches for where values repeat, or where there is more than puts and gets.
#[derive(Clone, Copy)]
pub(super) struct Repeats {
    /// Searches within so many states for an order of the whole history.
    pub(super) search: fn(&History, usize, Deadline) -> Search,
    /// Whether a part by time of what has an order has one too.
    pub(super) has_parts: bool,
}
