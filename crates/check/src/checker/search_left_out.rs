//! Stands for the second engine in a build without it: it says so, and judges nothing.

use super::index::Index;
use super::searched::Deadline;
pub(super) use super::searched::{Found, Search, Searchable};
use crate::history::History;

/// Why nothing was searched.
pub(super) const LEFT_OUT: &str =
    "stateright did not run: kvs-check was built without its feature `stateright`";

fn without_a_look(history: &History, reason: String) -> Search {
    Search {
        of: history.len() as u64,
        ..Search::of(Found::NotApplicable { reason })
    }
}

/// Says why nothing is searched.
pub(super) fn search(
    index: &Index<'_>,
    model: Searchable,
    states: usize,
    deadline: Deadline,
) -> Search {
    let found = (model.search)(index, states, deadline);
    found.unwrap_or_else(|reason| without_a_look(index.history, reason))
}

/// Searches nothing, whatever is asked.
pub(super) fn nothing(
    _index: &Index<'_>,
    _states: usize,
    _deadline: Deadline,
) -> Result<Search, String> {
    Err(LEFT_OUT.to_owned())
}

pub(super) use nothing as causal;
pub(super) use nothing as linearizable;
pub(super) use nothing as lww;
pub(super) use nothing as regular;

/// The same where values repeat.
pub(super) mod values {
    use super::{Deadline, History, LEFT_OUT, Search, without_a_look};

    /// Searches nothing, whatever is asked.
    pub(in crate::checker) fn nothing(
        history: &History,
        _states: usize,
        _deadline: Deadline,
    ) -> Search {
        without_a_look(history, LEFT_OUT.to_owned())
    }

    pub(in crate::checker) use nothing as linearizable;
    pub(in crate::checker) use nothing as regular;
    pub(in crate::checker) use nothing as sequential;
}
