//! `run.json` on disk: written whole or not at all, and read with its version checked first.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::record::{RUN_RECORD_VERSION, RunRecord};

/// The largest `run.json` that is read, in bytes: far above what a run writes.
const RUN_RECORD_BYTES_MAX: u64 = 64 << 20;

/// A run record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RunRecordError {
    /// There is none.
    #[error("cannot read {}: {source} (is it a run directory?)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a run record.
    #[error("{} is not a run record: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It has another schema.
    #[error(
        "{} has schema version {found}, this program reads version {RUN_RECORD_VERSION}: use the \
         program that wrote it, or run again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
    },
}

impl RunRecord {
    /// The file's name within a run directory.
    pub const FILE_NAME: &'static str = "run.json";

    /// As JSON, for people to read as well.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a run record is plain data with text keys")
    }

    /// Writes `run.json` into `directory`, whole or not at all.
    ///
    /// # Errors
    /// When the directory is not writable or the disk is full; an older record stays as it was.
    pub fn save(&self, directory: &Path) -> io::Result<()> {
        // A name beside the final one, so that the renaming stays within one file system.
        let partial = directory.join("run.json.partial");
        let mut file = fs::File::create(&partial)?;
        writeln!(file, "{}", self.to_json())?;
        file.sync_all()?;
        fs::rename(&partial, directory.join(Self::FILE_NAME))
    }

    /// Reads `run.json` from a run directory, or the file itself.
    ///
    /// # Errors
    /// When it is missing, malformed, or of a schema that this program does not know.
    pub fn load(directory: &Path) -> Result<Self, RunRecordError> {
        let path = if directory.is_file() {
            directory.to_owned()
        } else {
            directory.join(Self::FILE_NAME)
        };
        let text = read_bounded(&path).map_err(|source| RunRecordError::Unreadable {
            path: path.clone(),
            source,
        })?;
        let malformed = |source| RunRecordError::Malformed {
            path: path.clone(),
            source,
        };
        let head: Head = serde_json::from_str(&text).map_err(malformed)?;
        if head.version != RUN_RECORD_VERSION {
            return Err(RunRecordError::Version {
                path,
                found: head.version,
            });
        }
        serde_json::from_str(&text).map_err(malformed)
    }
}

/// What every version of the schema has.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > RUN_RECORD_BYTES_MAX {
        let message = format!("it has {length} bytes, and at most {RUN_RECORD_BYTES_MAX} are read");
        return Err(io::Error::other(message));
    }
    fs::read_to_string(path)
}
