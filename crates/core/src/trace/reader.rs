//! Reading a trace record by record, from input that is not trusted.

use std::io::{self, BufRead, Read};

use super::event::{Ending, Event};
use super::{Header, MAGIC, PREFIX_BYTES, RECORD_BYTES_MAX, SCHEMA_VERSION, checksum};
use crate::protocol::NodeId;

/// The longest first line, in bytes: the magic, the largest number and the end of the line.
const LINE_BYTES_MAX: u64 = 32;
/// Incarnations are below this.
const INCARNATIONS: u16 = 1 << 12;

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The system could not read it.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is not a trace: traces are nodes/<id>.trace of a run with --trace")]
    Foreign,
    /// It is of another version of the format.
    #[error(
        "it is a trace of version {0}, this program reads {SCHEMA_VERSION}: replay it with the \
         program that recorded it"
    )]
    Version(String),
    /// It was changed since it was recorded.
    #[error("it is damaged in record {record} ({reason}): record the run again")]
    Damaged {
        /// Which record, from 1; 0 is the header.
        record: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Reads a trace from its start to its end, one record in memory at a time.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    record: Vec<u8>,
    /// How many records were read.
    records: u64,
    ending: Option<Ending>,
}

/// One input and its effects.
#[derive(Clone, Copy, Debug)]
pub struct TraceRecord<'a> {
    /// Which one, from 1.
    pub number: u64,
    contents: &'a [u8],
}

impl<'a> TraceRecord<'a> {
    /// The input, and the effects in postcard's form.
    ///
    /// # Errors
    /// When this is no record.
    pub fn decode(&self) -> Result<(Event<'a>, &'a [u8]), TraceError> {
        postcard::take_from_bytes(self.contents).map_err(|_| TraceError::Damaged {
            record: self.number,
            reason: "its input does not decode",
        })
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When this is not the start of a trace of this version.
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let mut line = Vec::new();
        (&mut input)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        let version = line
            .strip_prefix(MAGIC.as_bytes())
            .and_then(|rest| rest.strip_suffix(b"\n"))
            .ok_or(TraceError::Foreign)?;
        if version != SCHEMA_VERSION.to_string().as_bytes() {
            let version = version.escape_ascii().to_string();
            return Err(TraceError::Version(version));
        }
        let damaged = |reason| TraceError::Damaged { record: 0, reason };
        let mut record = Vec::new();
        if !frame(&mut input, &mut record, 0)? {
            return Err(damaged("it ends in its header"));
        }
        let header: Header =
            serde_json::from_slice(&record).map_err(|_| damaged("its header does not decode"))?;
        let spec = &header.spec;
        if spec.node > NodeId::MAX || spec.incarnation >= INCARNATIONS {
            return Err(damaged("no node has this name"));
        }
        Ok(Self {
            input,
            header,
            record,
            records: 0,
            ending: None,
        })
    }

    /// What the trace says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How it ends, once [`Self::next`] has said that it does.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending.unwrap_or(Ending::Cut)
    }

    /// The next record; none at the end.
    ///
    /// # Errors When the trace cannot be read or is damaged. A trace that is cut short is no error.
    #[expect(clippy::should_implement_trait, reason = "records are borrowed")]
    pub fn next(&mut self) -> Result<Option<TraceRecord<'_>>, TraceError> {
        let number = self.records + 1;
        if self.ending.is_some() || !frame(&mut self.input, &mut self.record, number)? {
            return Ok(None);
        }
        let record = TraceRecord {
            number,
            contents: &self.record,
        };
        let (event, _) = record.decode()?;
        if let Event::End { events, ending } = event {
            let damaged = |reason| TraceError::Damaged {
                record: number,
                reason,
            };
            if events != self.records {
                return Err(damaged("records are missing before its end"));
            }
            if !self.input.fill_buf()?.is_empty() {
                return Err(damaged("it goes on after its end"));
            }
            self.ending = Some(ending);
            return Ok(None);
        }
        self.records = number;
        Ok(Some(record))
    }
}

/// Reads the contents of one record. False when the input ends before they do.
fn frame(input: &mut impl Read, contents: &mut Vec<u8>, record: u64) -> Result<bool, TraceError> {
    let damaged = |reason| TraceError::Damaged { record, reason };
    contents.clear();
    input.take(PREFIX_BYTES as u64).read_to_end(contents)?;
    let Some((prefix, _)) = contents.split_first_chunk::<PREFIX_BYTES>() else {
        return Ok(false);
    };
    let [a, b, c, d, e, f, g, h] = *prefix;
    let length = u32::from_le_bytes([a, b, c, d]);
    let expected = u32::from_le_bytes([e, f, g, h]);
    if length as usize > RECORD_BYTES_MAX {
        return Err(damaged("it is longer than a record may be"));
    }
    contents.clear();
    if input.take(u64::from(length)).read_to_end(contents)? < length as usize {
        return Ok(false);
    }
    if checksum(contents) != expected {
        return Err(damaged("its checksum is wrong"));
    }
    Ok(true)
}
