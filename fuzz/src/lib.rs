//! What the fuzz targets do with bytes. The test `fuzz_corpus` includes this file too, so that the
//! seeds are replayed by exactly this code.

mod bytes;
mod judge;

use std::cell::OnceCell;
use std::path::Path;

use kvs_zoo::history::{Format, History, ImportOptions, ReadError, read_history, write_json_lines};

/// The longest input that is tried, in bytes: longer ones find nothing that short ones do not.
const INPUT_BYTES_MAX: usize = 1 << 16;

/// The formats of other tools; an import's first byte picks one.
const IMPORTED: [Format; 4] = [
    Format::JepsenEdn,
    Format::JepsenLog,
    Format::PorcupineKv,
    Format::Plume,
];

/// Reads bytes as JSON lines. What was read whole and is written is read again as it was.
pub fn jsonl(data: &[u8]) {
    read_and_write(data, Format::JsonLines, &ImportOptions::default());
}

/// Reads bytes as an Arrow stream.
pub fn arrow(data: &[u8]) {
    read_and_write(data, Format::Arrow, &ImportOptions::default());
}

/// Reads bytes as a history of another tool.
pub fn imports(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let options = ImportOptions {
        initial: (first & 4 != 0).then(|| "0".to_owned()),
        nil_reads_match_anything: first & 8 != 0,
        failed_cas: None,
    };
    read_and_write(rest, IMPORTED[usize::from(first & 3)], &options);
}

/// Makes a small history of bytes and judges it by every model.
pub fn checkers(data: &[u8]) {
    judge::by_every_model(&bytes::history(data));
}

fn read_and_write(data: &[u8], format: Format, options: &ImportOptions) {
    if data.len() > INPUT_BYTES_MAX {
        return;
    }
    let Ok(history) = read(data, Some(format), options) else {
        return;
    };
    // Names that a header gives to nothing are not written.
    let mut lines = Vec::new();
    write_json_lines(&history, &mut lines).expect("memory takes every line");
    let again = read(&lines, Some(Format::JsonLines), &ImportOptions::default());
    match again {
        Ok(again) => assert_eq!(again.len(), history.len(), "rows were lost in writing"),
        Err(ReadError::Empty { .. }) if history.is_empty() => {}
        Err(error) => panic!("what was written is not read: {error}"),
    }
}

/// Readers take files: each thread writes its own, again and again.
fn read(
    data: &[u8],
    format: Option<Format>,
    options: &ImportOptions,
) -> Result<History, ReadError> {
    thread_local! {
        static FILE: OnceCell<tempfile::TempPath> = const { OnceCell::new() };
    }
    FILE.with(|file| {
        let path: &Path = file.get_or_init(|| {
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            file.into_temp_path()
        });
        std::fs::write(path, data).expect("the temporary file is written");
        read_history(path, format, options)
    })
}
