//! Runs every store under every fault, and compares the outcome with what theory says.

mod cell;
mod table;

use kvs_core::bug::Bug;
use kvs_harness::run::Config;

use crate::recorded::recorded;
use crate::{Error, Observer};

pub use cell::Cell;
pub use table::{Row, Standing, markdown, text};

/// A matrix, or a part of it.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Its cells.
    pub cells: Vec<Cell>,
    /// What their runs have in common.
    pub common: Config,
    /// A known mistake to build those stores with that can have it; the others are left out.
    pub bug: Option<Bug>,
}

/// What came of a matrix.
#[derive(Debug)]
pub struct Outcome {
    /// What came of each cell, in order.
    pub rows: Vec<Row>,
    /// Whether it was interrupted: then cells are missing.
    pub interrupted: bool,
}

impl Matrix {
    /// Runs every cell, one after the other.
    ///
    /// # Errors
    /// When a cell cannot be had, which is said before any is run, or when a run fails.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        let runs = self.runs();
        if runs.is_empty() {
            return Err(Error::NoStoreForBug);
        }
        for (_, config) in &runs {
            config.check()?;
        }
        let mut rows = Vec::new();
        for (cell, config) in runs {
            let Some(record) = recorded(&config, &cell.name(), observer)? else {
                let interrupted = true;
                return Ok(Outcome { rows, interrupted });
            };
            let row = Row::new(cell, &record);
            observer.found(&row.to_string());
            rows.push(row);
        }
        let interrupted = false;
        Ok(Outcome { rows, interrupted })
    }

    /// The cells whose stores can have the bug, each with its run.
    fn runs(&self) -> Vec<(Cell, Config)> {
        let can_have = |cell: &&Cell| self.bug.is_none_or(|bug| cell.can_have(bug));
        let run = |cell: &Cell| {
            let bug = self.bug;
            let config = cell.config(&self.common);
            (cell.clone(), Config { bug, ..config })
        };
        self.cells.iter().filter(can_have).map(run).collect()
    }
}

/// How the whole matrix stands: as its worst row, a nemesis that failed before a red row, and that
/// before one that nobody can tell.
#[must_use]
pub fn standing(rows: &[Row]) -> Standing {
    let any = |wanted: &Standing| rows.iter().any(|row| row.standing() == *wanted);
    let by_weight = [Standing::Failed, Standing::Red, Standing::Unknown];
    { by_weight.into_iter() }.find(any).unwrap_or(Standing::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_load::workload::Chosen;
    use std::time::Duration;

    fn matrix(seconds: u64, bug: Option<Bug>) -> Matrix {
        let load = Chosen::of_catalogue("contended");
        let load = load.lasting(Duration::from_secs(seconds)).at_rate(2_000.0);
        let common = Config {
            load,
            ..Config::default()
        };
        let cells = Cell::all();
        Matrix { cells, common, bug }
    }

    #[test]
    fn every_cell_has_room_for_its_faults() {
        for (cell, config) in matrix(20, None).runs() {
            let name = cell.name();
            config
                .check()
                .unwrap_or_else(|unfit| panic!("{name}: {unfit}"));
            let plan = config.plan().expect("it was checked");
            assert_eq!(plan.is_some(), cell.has_faults(), "{name}");
        }
    }

    #[test]
    fn a_bug_is_planted_where_it_can_be_and_other_stores_are_left_out() {
        let matrix = matrix(20, Some(Bug::StaleReads));
        let runs = matrix.runs();
        assert!(!runs.is_empty() && runs.len() < matrix.cells.len());
        for (cell, config) in runs {
            assert_eq!(cell.words()[0], "local");
            assert_eq!(config.bug, Some(Bug::StaleReads));
        }
    }
}
