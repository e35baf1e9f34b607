//! The files of a place.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::channel::FETCH_BYTES_MAX;

pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

/// The bytes of a file from there on, as far as one report brings them, and the file's length.
pub(super) fn fetch(path: &Path, offset: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(FETCH_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok((bytes, length))
}
