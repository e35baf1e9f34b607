//! Every store under every fault, with what theory says must come of it beside what came.

mod cell;
mod table;

pub use cell::{Cell, Expected, Faults};
pub use table::{Row, Standing, markdown, text};

/// How the whole matrix stands: as its worst row, a nemesis that failed before a red row, and that
/// before one that nobody can tell.
#[must_use]
pub fn standing(rows: &[Row]) -> Standing {
    let any = |wanted: &Standing| rows.iter().any(|row| row.standing() == *wanted);
    let by_weight = [Standing::Failed, Standing::Red, Standing::Unknown];
    { by_weight.into_iter() }.find(any).unwrap_or(Standing::Ok)
}
