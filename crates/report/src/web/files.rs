//! Finding runs and their files, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use kvs_measure::RunRecord;

/// Entries that are read of a directory.
const ENTRIES_MAX: usize = 100_000;

/// The names in a directory, sorted. What cannot be read is empty.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .take(ENTRIES_MAX)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The directory of this name in the results, if there is one: a run, a set of repeated runs, or,
/// as `SET/RUN`, a run of a set. Names are looked up, never joined.
pub(super) fn run(results: &Path, name: &str) -> Option<PathBuf> {
    match name.split_once('/') {
        Some((set, run)) => known(&known(results, set)?, run),
        None => known(results, name),
    }
}

fn known(directory: &Path, name: &str) -> Option<PathBuf> {
    let known = names(directory).into_iter().find(|known| known == name)?;
    let path = directory.join(known);
    let is_directory = fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir());
    is_directory.then_some(path)
}

/// Whether a directory is that of a whole run.
pub(super) fn is_run(directory: &Path) -> bool {
    directory.join(RunRecord::FILE_NAME).exists()
}

/// How many whole runs there are in a directory of repeated runs.
pub(super) fn runs_within(directory: &Path) -> usize {
    let children = names(directory).into_iter();
    let runs = children.filter_map(|name| known(directory, &name));
    runs.filter(|run| is_run(run)).count()
}

/// A file or directory within `directory`, whatever links are on the way.
pub(super) fn within(directory: &Path, file: &str) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    let path = directory.join(file).canonicalize().ok()?;
    (path.starts_with(&directory) && path != directory).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_results() {
        let outside = tempfile::tempdir().expect("a directory");
        let secret = outside.path().join("secret");
        fs::write(&secret, "secret").expect("written");
        let results = outside.path().join("results");
        let one = results.join("one");
        fs::create_dir_all(one.join("nodes")).expect("made");
        fs::write(one.join("run.json"), "{}").expect("written");
        std::os::unix::fs::symlink(&secret, one.join("link")).expect("linked");
        std::os::unix::fs::symlink(outside.path(), results.join("latest")).expect("linked");

        assert_eq!(run(&results, "one"), Some(one.clone()));
        for name in [
            "..",
            ".",
            "",
            "latest",
            "one/../..",
            "one/..",
            "latest/results",
            "/etc",
            "two",
            "one/two",
        ] {
            assert_eq!(run(&results, name), None, "{name}");
        }
        assert_eq!(run(&results, "one/nodes"), Some(one.join("nodes")));
        assert!(within(&one, "run.json").is_some());
        assert!(within(&one, "nodes").is_some());
        let absolute = secret.to_str().expect("a text");
        for file in [
            "../../secret",
            "nodes/../../../secret",
            absolute,
            "link",
            "..",
            ".",
            "missing",
        ] {
            assert_eq!(within(&one, file), None, "{file}");
        }
    }
}
