//! Histories as somebody hands them in: bytes in a file, read and judged.

use std::path::{Path, PathBuf};

use kvs_zoo::checker::{Engine, Options, Report, check};
use kvs_zoo::history::{ArrowFile, Header, History, Row};
use tempfile::TempDir;

/// A file of these bytes, which is there as long as its directory is kept.
pub(crate) fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

/// What is read of a file of these bytes, or how it is refused.
pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Result<History, String> {
    let (_directory, path) = file("history", bytes);
    History::read(&path).map_err(|error| error.to_string())
}

/// Records rows as an Arrow stream.
pub(crate) fn record(path: &Path, rows: &[Row<'_>]) {
    let mut recorder = ArrowFile::create(path, &Header::default()).unwrap();
    for row in rows {
        recorder.push(row).unwrap();
    }
    recorder.finish().unwrap();
}

/// Judges a history by the direct engine; a check that panicked fails the test.
#[track_caller]
pub(crate) fn judged(history: &History, options: Options) -> Report {
    let options = Options {
        engine: Engine::Direct,
        ..options
    };
    let report = check(history, &options);
    let text = report.to_string();
    assert!(!text.contains("has a bug"), "{text}");
    report
}
