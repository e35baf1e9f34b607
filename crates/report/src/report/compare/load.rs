//! Reading the runs that are to be compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kvs_measure::{Measured, RunRecord, RunRecordError};

/// Runs that are read of one set.
const RUNS_MAX: usize = 10_000;

/// What a run leaves in its directory before its record: a directory with one of these and without
/// a record is of a run that has no result.
const TRACES_OF_A_RUN: [&str; 4] = [
    "nodes",
    "history.arrows",
    "run.json.partial",
    Measured::LOG_FILE_NAME,
];

/// One side of a comparison.
#[derive(Clone, Debug, Default)]
pub struct RunSet {
    /// The runs, in the order of their start.
    pub runs: Vec<RunRecord>,
    /// Directories of runs that have no record: they crashed, or were killed.
    pub partial: Vec<PathBuf>,
}

impl From<Vec<RunRecord>> for RunSet {
    fn from(runs: Vec<RunRecord>) -> Self {
        Self {
            runs,
            partial: Vec::new(),
        }
    }
}

/// The runs of a run directory, or of a directory of run directories, in the order of their start.
///
/// # Errors
/// When there is no record at all, or one cannot be read.
pub fn load_runs(path: &Path) -> Result<RunSet, RunRecordError> {
    if path.is_file() || path.join(RunRecord::FILE_NAME).exists() {
        return Ok(vec![super::super::load(path)?].into());
    }
    let unreadable = |source| RunRecordError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Links count as what they lead to, each once: `latest` leads to one of the others.
    let mut below = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() {
            below.insert(entry.canonicalize().map_err(unreadable)?);
        }
    }
    let (mut directories, mut partial) = (Vec::new(), Vec::new());
    for directory in below {
        if directory.join(RunRecord::FILE_NAME).exists() {
            directories.push(directory);
        } else if is_partial(&directory).map_err(unreadable)? {
            partial.push(directory);
        }
    }
    if directories.is_empty() {
        let reason = match partial.len() {
            0 => "it has no run, nor have the directories in it".to_owned(),
            count => format!("none of the {count} runs in it has a result (run.json)"),
        };
        return Err(unreadable(std::io::Error::other(reason)));
    }
    if directories.len() + partial.len() > RUNS_MAX {
        let reason = format!("it has more than {RUNS_MAX} runs");
        return Err(unreadable(std::io::Error::other(reason)));
    }
    let runs: Result<Vec<_>, _> = { directories.iter() }
        .map(|directory| super::super::load(directory))
        .collect();
    let mut runs = runs?;
    runs.sort_by(|one, other| one.started_at.cmp(&other.started_at));
    Ok(RunSet { runs, partial })
}

/// Whether a directory without a record is of a run: it is empty, or a run has left something
/// there.
fn is_partial(directory: &Path) -> std::io::Result<bool> {
    let is_empty = fs::read_dir(directory)?.next().is_none();
    let has_trace = { TRACES_OF_A_RUN.iter() }.any(|name| directory.join(name).exists());
    Ok(is_empty || has_trace)
}
