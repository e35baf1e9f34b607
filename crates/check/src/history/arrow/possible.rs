//! Whether the rows of a batch can have happened, as the reader of JSON lines checks line by line.

use super::decode::DecodeError;
use crate::history::column::Lists;
use crate::history::columns::{Columns, Evidence, NEVER};
use crate::history::operation::{ErrorKind, Kind, Outcome, dot_origin};

/// Checks what the readers of a history rely on, as the reader of JSON lines does for each line.
pub(super) fn rows_are_possible(columns: &Columns, from: usize) -> Result<(), DecodeError> {
    let impossible = |place: Option<usize>, reason| match place {
        Some(place) => Err(DecodeError::Row {
            row: place + 1,
            reason,
        }),
        None => Ok(()),
    };
    let times = || columns.returned[from..].iter().zip(&columns.invoke[from..]);
    impossible(
        times().position(|(returned, invoke)| returned < invoke),
        "the operation returned before it was invoked",
    )?;
    let outcomes = columns.outcome[from..].iter();
    impossible(
        outcomes
            .zip(&columns.returned[from..])
            .position(|(outcome, returned)| *outcome == Outcome::Ok && *returned == NEVER),
        "an ok operation needs a `return` time",
    )?;
    impossible(
        (from..columns.len()).position(|row| has_too_much(columns, row)),
        "it has fields that its kind has not: a put or append reads nothing, a cas at most one \
         value, only puts have a `context`, only they and gets evidence, only a failed cas the \
         error `mismatch`",
    )?;
    let ascends = |vector: &[u64]| {
        vector
            .windows(2)
            .all(|pair| dot_origin(pair[0]) < dot_origin(pair[1]))
    };
    let is_last = |lists: &Lists| lists.start(from) == lists.values().len();
    if is_last(&columns.vector) && is_last(&columns.sibling_dots) {
        return Ok(());
    }
    let siblings = |row: usize| {
        let first = columns.sibling_dots.start(row);
        first..first + columns.sibling_dots.at(row).len()
    };
    impossible(
        (from..columns.len()).position(|row| {
            !ascends(columns.vector.at(row))
                || !siblings(row).all(|i| ascends(columns.sibling_vectors.at(i)))
        }),
        "a vector has one dot an origin, in ascending order",
    )
}

/// Whether a row has what an operation of its kind cannot have.
fn has_too_much(columns: &Columns, row: usize) -> bool {
    let mismatch = columns.error[row] == Some(ErrorKind::Mismatch);
    match columns.kind[row] {
        Kind::Get => mismatch || columns.has_context[row] || columns.dot[row] != 0,
        Kind::Put => {
            mismatch
                || !columns.read.at(row).is_empty()
                || !columns.sibling_dots.at(row).is_empty()
                || (columns.evidence[row] == Evidence::Causal && columns.dot[row] == 0)
        }
        Kind::Cas | Kind::Append => {
            let is_cas = columns.kind[row] == Kind::Cas;
            columns.read.at(row).len() > usize::from(is_cas)
                || (mismatch && (!is_cas || columns.outcome[row] != Outcome::Fail))
                || columns.has_context[row]
                || columns.evidence[row] != Evidence::None
        }
    }
}
