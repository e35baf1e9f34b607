//! Stands for the second engine in a build without it: it says so, and judges nothing.

use std::time::Duration;

use super::index::Index;
use super::options::Clock;
pub(super) use super::searched::{Found, Search, Searchable};
use crate::history::History;

/// Why nothing was searched.
pub(super) const LEFT_OUT: &str =
    "stateright did not run: kvs-check was built without its feature `stateright`";

fn left_out(history: &History) -> Search {
    let reason = LEFT_OUT.to_owned();
    Search {
        of: history.len() as u64,
        ..Search::of(Found::NotApplicable { reason })
    }
}

/// Searches nothing.
pub(super) fn search(
    index: &Index<'_>,
    _model: Searchable,
    _states: usize,
    _clock: Option<(Clock, Duration)>,
) -> Search {
    left_out(index.history)
}

/// The same where values repeat.
pub(super) mod values {
    use super::{Clock, Duration, History, Search, left_out};
    use crate::checker::Model;

    /// Searches nothing.
    pub(in crate::checker) fn search(
        history: &History,
        _model: Model,
        _states: usize,
        _clock: Option<(Clock, Duration)>,
    ) -> Search {
        left_out(history)
    }
}
