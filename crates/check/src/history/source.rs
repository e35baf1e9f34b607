//! Where a history's bytes come from: a file, a pipe, or, for `-`, the standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Error, Read};
use std::path::{Path, PathBuf};

use super::kinds::other_than_history;
use super::read::ReadError;

/// The path that stands for the standard input.
const STANDARD_INPUT: &str = "-";
/// Bytes at the start from which the format is guessed.
const START_BYTES: usize = 1 << 16;
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;
/// The most that is read whole, in bytes.
const WHOLE_BYTES_MAX: u64 = 2 << 30;
/// What some editors begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// What compressed files begin with, and what unpacks them.
const COMPRESSED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"BZh", "bzip2"),
];

/// A history's bytes, of which the first have been read.
pub(super) struct Source {
    path: PathBuf,
    /// How many bytes the file has; nothing is known of a pipe.
    #[cfg_attr(
        not(feature = "arrow"),
        expect(dead_code, reason = "only Arrow streams ask")
    )]
    length: Option<u64>,
    start: Vec<u8>,
    rest: Box<dyn Read>,
}

impl Source {
    /// Opens a file and reads its first bytes.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, is compressed or is known to be something else.
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let io = |source| io(path, source);
        let (length, mut rest): (_, Box<dyn Read>) = if path == Path::new(STANDARD_INPUT) {
            (None, Box::new(std::io::stdin().lock()))
        } else {
            let file = File::open(path).map_err(io)?;
            let about = file.metadata().map_err(io)?;
            (about.is_file().then_some(about.len()), Box::new(file))
        };
        let mut start = Vec::new();
        (&mut rest)
            .take(START_BYTES as u64)
            .read_to_end(&mut start)
            .map_err(io)?;
        if start.starts_with(BYTE_ORDER_MARK) {
            start.drain(..BYTE_ORDER_MARK.len());
        }
        if start.is_empty() {
            return Err(ReadError::Empty {
                path: path.to_owned(),
            });
        }
        let packed = |(magic, _): &&(&[u8], _)| start.starts_with(magic);
        if let Some((_, by)) = COMPRESSED.iter().find(packed) {
            return Err(ReadError::Compressed {
                path: path.to_owned(),
                by,
            });
        }
        if let Some((what, instead)) = other_than_history(&start) {
            return Err(ReadError::Other {
                path: path.to_owned(),
                what,
                instead,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            length,
            start,
            rest,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The first bytes, without a byte order mark.
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// A reader of all bytes.
    pub(super) fn reader(self) -> impl BufRead {
        let all = Cursor::new(self.start).chain(self.rest);
        BufReader::with_capacity(READ_BYTES, all)
    }

    /// A reader of all bytes, and how many there are at most.
    ///
    /// # Errors
    /// When a pipe cannot be read to its end, or has more bytes than fit.
    #[cfg(feature = "arrow")]
    pub(super) fn bounded(self) -> Result<(Box<dyn BufRead>, u64), ReadError> {
        if let Some(length) = self.length {
            return Ok((Box::new(self.reader()), length));
        }
        let bytes = self.whole()?;
        let length = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes)), length))
    }

    /// All bytes.
    ///
    /// # Errors
    /// When they cannot be read, or are more than fit.
    pub(super) fn whole(self) -> Result<Vec<u8>, ReadError> {
        let path = self.path.clone();
        let mut bytes = Vec::new();
        self.reader()
            .take(WHOLE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| io(&path, source))?;
        if bytes.len() as u64 > WHOLE_BYTES_MAX {
            return Err(io(
                &path,
                Error::other(format!(
                    "it is larger than {} MiB: split it by key",
                    WHOLE_BYTES_MAX >> 20
                )),
            ));
        }
        Ok(bytes)
    }
}

fn io(path: &Path, source: Error) -> ReadError {
    ReadError::Io {
        path: path.to_owned(),
        source,
    }
}
