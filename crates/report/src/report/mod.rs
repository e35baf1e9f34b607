//! Reports of a run, made from its saved record and nothing else.
//!
//! [`text()`] is the one screen that a run ends with, [`html`] the page of it, [`compare`] says
//! whether runs differ; [`load`] reads the record of any run directory again, so that every report
//! can be made later. Nothing here measures or judges.

pub mod compare;
mod faults;
mod glossary;
pub mod html;
mod layout;
mod list;
mod number;
mod proof;
mod sentences;
pub mod sweep;
mod tables;
mod text;

use std::path::Path;

use kvs_measure::{RunRecord, RunRecordError};

pub use glossary::meanings;
pub use layout::table;
pub use list::{Cells, cells};
pub use number::{rate as rate_text, time as time_text};
pub use text::{COLUMNS_MAX, LINES_MAX, text};

/// Reads the record of a run directory; its `directory` then is where it was found.
///
/// # Errors
/// When there is no `run.json`, or it is malformed, or of a version that this program cannot read.
pub fn load(directory: &Path) -> Result<RunRecord, RunRecordError> {
    let record = RunRecord::load(directory)?;
    let found = if directory.is_file() {
        directory.parent().unwrap_or(directory)
    } else {
        directory
    };
    Ok(RunRecord {
        directory: found.display().to_string(),
        ..record
    })
}
