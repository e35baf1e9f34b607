//! The part of a history up to an instant, as an observer would have known it then.

use crate::history::{End, History, Kind, NEVER, Outcome, Row, Witness};

/// The longest prefix by return time in which at most `operations` operations have returned.
/// Puts that were under way at its end are of unknown outcome, gets that were are left out.
/// `None` when that is the whole history.
pub(super) fn prefix(history: &History, operations: usize) -> Option<History> {
    let columns = &history.columns;
    if columns.len() <= operations {
        return None;
    }
    let mut returns: Vec<u64> = columns
        .returned
        .iter()
        .copied()
        .filter(|t| *t != NEVER)
        .collect();
    if returns.len() <= operations {
        return None;
    }
    let (_, first_left_out, _) = returns.select_nth_unstable(operations);
    let end = *first_left_out;
    let mut prefix = History {
        header: history.header.clone(),
        ..History::default()
    };
    for i in 0..columns.len() {
        let row = history.row(i);
        if row.returned.is_some_and(|returned| returned < end) {
            prefix.columns.push(&row);
            prefix.places.push(history.places.at(i).as_ref());
        } else if row.invoke < end && row.kind != Kind::Get && row.outcome != Outcome::Fail {
            prefix.columns.push(&Row {
                returned: None,
                outcome: Outcome::Info,
                witness: Witness::None,
                ..row
            });
            prefix.places.push(history.places.at(i).as_ref());
        }
    }
    prefix.end = Some(End::of(prefix.columns.len() as u64));
    Some(prefix)
}
