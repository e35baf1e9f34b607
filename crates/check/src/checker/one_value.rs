//! Histories of registers: what returned is one value, or none.

use super::index::Index;

/// Why the history is not one of registers, if so.
pub(super) fn siblings(index: &Index<'_>) -> Option<String> {
    (0..index.history.len())
        .find(|row| index.is_known_get(*row) && index.columns.read.at(*row).len() > 1)
        .map(|row| {
            let name = index.name(row);
            format!("{name} returned several values, a register holds one")
        })
}
