//! Finds the history of a run, or says why there is none.

use std::fs;
use std::path::{Path, PathBuf};

use kvs_measure::RunRecord;

use super::directory::{HISTORY_FILE, LATEST_LINK, NODES_DIRECTORY};

/// Why no history was found.
#[derive(Debug, thiserror::Error)]
pub enum NoHistory {
    /// There is nothing of this name.
    #[error("there is no {}: name a run directory or a history", .0.display())]
    Nothing(PathBuf),
    /// No run has left its directory yet.
    #[error("there is no {} yet: run the benchmark first, or name a run directory or a history", .0.display())]
    NoRunYet(PathBuf),
    /// The run recorded nothing.
    #[error(
        "the run in {} was made with --no-history, so there is nothing to judge or export: run it \
         again without",
        .0.display()
    )]
    NotRecorded(PathBuf),
    /// The file is gone.
    #[error(
        "the run in {} recorded {operations} operations, but its {HISTORY_FILE} is gone",
        directory.display()
    )]
    Gone {
        /// The run's directory.
        directory: PathBuf,
        /// How many operations there were.
        operations: u64,
    },
    /// The directory holds runs.
    #[error(
        "{} is not a run's directory but has several: name one, such as {}",
        directory.display(),
        run.display()
    )]
    Several {
        /// What was given.
        directory: PathBuf,
        /// One of the runs in it.
        run: PathBuf,
    },
    /// The directory has nothing of a run.
    #[error(
        "{} is not a run's directory: neither {HISTORY_FILE} nor {} is in it",
        .0.display(),
        RunRecord::FILE_NAME
    )]
    NotARun(PathBuf),
    /// The run ended before it recorded anything.
    #[error("the run in {} ended before it recorded anything: run it again", .0.display())]
    Partial(PathBuf),
}

/// Where the history of `path` is: the file itself, or the one in a run directory, which the run
/// record in it stands for too.
///
/// # Errors
/// When there is none.
pub fn find_history(path: &Path) -> Result<PathBuf, NoHistory> {
    if path == Path::new("-") {
        return Ok(path.to_owned());
    }
    let is_record = path
        .file_name()
        .is_some_and(|it| it == RunRecord::FILE_NAME);
    let directory = match path.parent() {
        Some(parent) if is_record && parent.join(HISTORY_FILE).exists() => parent,
        Some(_) | None if path.is_dir() => path,
        Some(_) | None if path.exists() => return Ok(path.to_owned()),
        Some(_) | None if path.file_name().is_some_and(|it| it == LATEST_LINK) => {
            return Err(NoHistory::NoRunYet(path.to_owned()));
        }
        Some(_) | None => return Err(NoHistory::Nothing(path.to_owned())),
    };
    let history = directory.join(HISTORY_FILE);
    if history.exists() {
        Ok(history)
    } else {
        Err(why_none(directory))
    }
}

/// Why a directory has no history.
fn why_none(directory: &Path) -> NoHistory {
    let owned = directory.to_owned();
    if let Ok(record) = RunRecord::load(directory) {
        return match record.history.recorded {
            0 => NoHistory::NotRecorded(owned),
            operations => NoHistory::Gone {
                directory: owned,
                operations,
            },
        };
    }
    if let Some(run) = newest_run(directory) {
        return NoHistory::Several {
            directory: owned,
            run,
        };
    }
    if directory.join(NODES_DIRECTORY).is_dir() {
        return NoHistory::Partial(owned);
    }
    NoHistory::NotARun(owned)
}

/// The last by name of the run directories in `directory`, which begin with their time.
fn newest_run(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?;
    let runs = entries.flatten().map(|entry| entry.path());
    runs.filter(|run| run.join(HISTORY_FILE).exists() && !run.is_symlink())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &Path) -> String {
        match find_history(path) {
            Ok(found) => format!("found {}", found.display()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_no_run_directory_is_told_from_one() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        assert!(said(&at("nothing")).contains("there is no"));
        assert!(said(&at("latest")).contains("yet: run the benchmark first"));
        fs::create_dir_all(at("results/one/nodes")).expect("made");
        assert!(said(&at("results")).contains("is not a run's directory: neither"));
        assert!(said(&at("results/one")).contains("ended before it recorded anything"));

        let history = at("results/one").join(HISTORY_FILE);
        fs::write(&history, "").expect("written");
        let found = format!("found {}", history.display());
        assert_eq!(said(&at("results/one")), found);
        assert_eq!(said(&history), found);
        let record = at("results/one").join(RunRecord::FILE_NAME);
        fs::write(&record, "{}").expect("written");
        assert_eq!(said(&record), found, "the record stands for its run");
        let several = said(&at("results"));
        assert!(several.ends_with("results/one"), "{several}");
    }
}
