//! The directory of one run: `<results>/<UTC time>-<arch>-<workload>/`, and `<results>/latest`.
//!
//! `run.json` is written last and whole, so that a directory without it is known to be partial.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use kvs_node::node::STORE_EXTENSIONS;

/// The history of every operation.
pub const HISTORY_FILE: &str = "history.arrows";
/// The link to the newest run.
pub const LATEST_LINK: &str = "latest";
/// Where the nodes' logs go: made with the directory.
pub(super) const NODES_DIRECTORY: &str = "nodes";
/// How many runs may start within one second before a name is found for one of them.
const SAME_SECOND_MAX: u32 = 1000;

/// The directory of one run.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes a directory of a new name for a run that starts at `start`.
    ///
    /// # Errors
    /// When `results` cannot be made or written to.
    pub fn create(
        results: &Path,
        start: Timestamp,
        architecture: &str,
        workload: &str,
    ) -> io::Result<Self> {
        fs::create_dir_all(results)?;
        let time = start.strftime("%Y%m%dT%H%M%SZ");
        let base = format!("{time}-{}-{}", file_name(architecture), file_name(workload));
        for attempt in 0..SAME_SECOND_MAX {
            let name = if attempt == 0 {
                base.clone()
            } else {
                format!("{base}-{attempt}")
            };
            let path = results.join(name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    fs::create_dir(path.join(NODES_DIRECTORY))?;
                    return Ok(Self { path });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!(
            "{SAME_SECOND_MAX} runs of this name started this second"
        )))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its own name, which no other run in the same results has.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Where the nodes' logs go.
    #[must_use]
    pub fn nodes(&self) -> PathBuf {
        self.path.join(NODES_DIRECTORY)
    }

    /// Removes what the nodes stored on disk; their logs stay.
    pub fn remove_stores(&self) {
        for entry in fs::read_dir(self.nodes()).into_iter().flatten().flatten() {
            let path = entry.path();
            // It only takes room.
            if path.is_dir() {
                let _ = fs::remove_dir_all(path);
            } else if STORE_EXTENSIONS
                .iter()
                .any(|it| path.extension() == Some(it.as_ref()))
            {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Writes a file, in a directory that is made when missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        let parent = path.parent().expect("a file lies in a directory");
        fs::create_dir_all(parent)?;
        fs::write(path, contents)
    }

    /// Points `<results>/latest` at this run.
    ///
    /// # Errors
    /// When the link cannot be replaced.
    pub fn link_latest(&self) -> io::Result<()> {
        let results = self
            .path
            .parent()
            .expect("a run directory lies in a results directory");
        let name = self.path.file_name().expect("a run directory has a name");
        // A new link is made aside and moved over the old one, so that there always is one.
        let aside = results.join(format!(".{LATEST_LINK}.{}", std::process::id()));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        std::os::unix::fs::symlink(name, &aside)?;
        fs::rename(aside, results.join(LATEST_LINK))
    }
}

/// `text` as a part of a file name: letters, digits and `_`, other characters become `-`.
fn file_name(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() || letter == '_' => name.push(letter),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_second_get_two_directories_and_latest_is_the_last_linked() {
        let results = tempfile::tempdir().expect("a temporary directory");
        let start = Timestamp::from_second(1_800_000_000).expect("a time");
        let make = || Directory::create(results.path(), start, "sharded(2, local)", "my/zipf.toml");
        let (first, second) = (make().expect("made"), make().expect("made"));
        assert_eq!(
            first.path().file_name().expect("a name"),
            "20270115T080000Z-sharded-2-local-my-zipf-toml"
        );
        assert_ne!(first.path(), second.path());
        first.link_latest().expect("linked");
        second.link_latest().expect("linked");
        let latest = fs::read_link(results.path().join(LATEST_LINK)).expect("a link");
        assert_eq!(Some(latest.as_os_str()), second.path().file_name());
    }

    #[test]
    fn a_results_path_that_is_a_file_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let start = Timestamp::UNIX_EPOCH;
        assert!(Directory::create(file.path(), start, "local", "zipf").is_err());
    }
}
