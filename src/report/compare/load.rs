//! Reading the runs that are to be compared.

use std::fs;
use std::path::{Path, PathBuf};

use crate::measure::{RecordError, RunRecord};

/// Runs that are read of one set.
const RUNS_MAX: usize = 10_000;

/// The runs of a run directory, or of a directory of run directories, in the order of their start.
/// Directories without a record are partial runs and left out.
///
/// # Errors
/// When there is no record at all, or one cannot be read.
pub fn load_runs(path: &Path) -> Result<Vec<RunRecord>, RecordError> {
    if path.is_file() || path.join(RunRecord::FILE_NAME).exists() {
        return Ok(vec![super::super::load(path)?]);
    }
    let unreadable = |source| RecordError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut directories: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // `latest` is a link to one of the others.
        let is_directory = entry.file_type().map_err(unreadable)?.is_dir();
        if is_directory && entry.path().join(RunRecord::FILE_NAME).exists() {
            directories.push(entry.path());
        }
    }
    if directories.is_empty() {
        let reason = "it has no run, nor have the directories in it";
        return Err(unreadable(std::io::Error::other(reason)));
    }
    if directories.len() > RUNS_MAX {
        let reason = format!("it has more than {RUNS_MAX} runs");
        return Err(unreadable(std::io::Error::other(reason)));
    }
    let runs: Result<Vec<_>, _> = { directories.iter() }
        .map(|directory| super::super::load(directory))
        .collect();
    let mut runs = runs?;
    runs.sort_by(|one, other| one.started_at.cmp(&other.started_at));
    Ok(runs)
}
