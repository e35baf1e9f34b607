//! Screens an Arrow stream before the Arrow reader sees it.
//!
//! The Arrow reader trusts the lengths in a message. A damaged length makes it ask for more memory
//! than there is, which ends the process. So each message is read here first, and passed on only
//! when its lengths fit the file and LZ4's largest ratio.

use std::io::{Error, ErrorKind, Read, Result};

use arrow_ipc::{RecordBatch, root_as_message};

/// The longest description of a message, in bytes.
const META_BYTES_MAX: usize = 16 << 20;
/// LZ4 shrinks nothing by more than this.
const LZ4_RATIO_MAX: i64 = 256;
/// The marker before each message.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// A stream whose messages are screened as they are read.
#[derive(Debug)]
pub(super) struct Screened<R> {
    inner: R,
    /// Bytes of the file not yet read.
    left: u64,
    message: Vec<u8>,
    served: usize,
}

impl<R: Read> Screened<R> {
    /// Screens `inner`, which has at most `bytes` bytes.
    pub(super) const fn new(inner: R, bytes: u64) -> Self {
        Self {
            inner,
            left: bytes,
            message: Vec::new(),
            served: 0,
        }
    }

    /// What follows the stream's end marker.
    pub(super) const fn rest(&mut self) -> &mut R {
        &mut self.inner
    }

    /// Reads the next message whole, or nothing at the end of the file.
    fn fetch(&mut self) -> Result<()> {
        self.message.clear();
        self.served = 0;
        if self.left == 0 {
            return Ok(());
        }
        self.take(8)?;
        if self.message[..4] != CONTINUATION {
            return Err(damaged("a message does not start with its marker"));
        }
        let meta = i32::from_le_bytes([
            self.message[4],
            self.message[5],
            self.message[6],
            self.message[7],
        ]);
        match usize::try_from(meta) {
            Ok(0) => Ok(()),
            Ok(meta) if meta <= META_BYTES_MAX => {
                self.take(meta)?;
                self.fetch_body()
            }
            Ok(_) | Err(_) => Err(damaged("a message's length is impossible")),
        }
    }

    fn fetch_body(&mut self) -> Result<()> {
        let start = self.message.len();
        let length = root_as_message(&self.message[8..])
            .map_err(|_| damaged("a message's description is not one"))?
            .bodyLength();
        let length = usize::try_from(length).map_err(|_| damaged("a body's length is negative"))?;
        self.take(length)?;
        let message = root_as_message(&self.message[8..start])
            .map_err(|_| damaged("a message's description is not one"))?;
        let batch = message
            .header_as_record_batch()
            .or_else(|| message.header_as_dictionary_batch().and_then(|d| d.data()));
        batch.map_or(Ok(()), |batch| {
            lengths_are_possible(&batch, &self.message[start..])
        })
    }

    /// Appends `bytes` bytes to the message. The file's length bounds the memory.
    fn take(&mut self, bytes: usize) -> Result<()> {
        if bytes as u64 > self.left {
            return Err(damaged("the file ends within a message"));
        }
        let start = self.message.len();
        self.message.resize(start + bytes, 0);
        self.inner.read_exact(&mut self.message[start..])?;
        self.left -= bytes as u64;
        Ok(())
    }
}

impl<R: Read> Read for Screened<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if self.served == self.message.len() {
            self.fetch()?;
        }
        let bytes = into.len().min(self.message.len() - self.served);
        into[..bytes].copy_from_slice(&self.message[self.served..self.served + bytes]);
        self.served += bytes;
        Ok(bytes)
    }
}

/// Whether every buffer lies within the body, and says it grows no more than LZ4 can shrink.
fn lengths_are_possible(batch: &RecordBatch<'_>, body: &[u8]) -> Result<()> {
    let compressed = batch.compression().is_some();
    for buffer in batch.buffers().iter().flatten() {
        let range = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(offset, length)| body.get(offset..)?.get(..length))
            .ok_or_else(|| damaged("a buffer lies outside of its message"))?;
        if let Some(prefix) = range.first_chunk::<8>().filter(|_| compressed) {
            // -1 stands for "not compressed".
            let length = i64::from_le_bytes(*prefix);
            if length < -1 || length > (range.len() as i64).saturating_mul(LZ4_RATIO_MAX) {
                return Err(damaged("a buffer claims an impossible length"));
            }
        }
    }
    Ok(())
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
