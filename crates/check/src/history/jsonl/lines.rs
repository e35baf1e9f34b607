//! The lines of a history that are no rows: its header, its end record, and what is neither.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::history::header::End;

/// The shortest header.
pub(super) const LEAST_HEADER: &str = r#"{"schema": 1}"#;
/// What the end record begins with, as recorders write it.
#[cfg(feature = "arrow")]
const END_START: &str = "{\"end\":";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: End,
}

/// What stands where an end record may.
#[cfg(feature = "arrow")]
pub(in crate::history) enum EndRecord {
    /// An end record.
    Whole(End),
    /// The first part of one.
    CutShort,
    /// Something else.
    Other,
}

/// Looks for an end record.
#[cfg(feature = "arrow")]
pub(in crate::history) fn end_record(line: &[u8]) -> EndRecord {
    let start = END_START.as_bytes();
    match serde_json::from_slice::<EndLine>(line) {
        Ok(line) => EndRecord::Whole(line.end),
        Err(error) if error.is_eof() && (line.starts_with(start) || start.starts_with(line)) => {
            EndRecord::CutShort
        }
        Err(_) => EndRecord::Other,
    }
}

/// The end record that `line` is.
///
/// # Errors
/// When it is none, what is wrong with it.
pub(super) fn whole_end_record(line: &str) -> Result<End, String> {
    let line = serde_json::from_str::<EndLine>(line);
    line.map(|line| line.end).map_err(|error| said(&error))
}

/// What is wrong with a line, by its column: the number of the line is the reader's to say.
pub(super) fn said(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

/// Whether a line that has no end breaks off within its JSON.
pub(super) fn breaks_off(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

/// What a line is meant to be, by the field that only such lines have.
pub(super) enum OtherLine {
    Header,
    Row,
    End,
    Unknown,
}

impl OtherLine {
    pub(super) fn of(line: &str) -> Self {
        #[derive(Deserialize)]
        struct Fields {
            schema: Option<IgnoredAny>,
            session: Option<IgnoredAny>,
            end: Option<IgnoredAny>,
        }
        match serde_json::from_str(line) {
            Ok(Fields {
                schema: Some(_), ..
            }) => Self::Header,
            Ok(Fields {
                session: Some(_), ..
            }) => Self::Row,
            Ok(Fields { end: Some(_), .. }) => Self::End,
            Ok(_) | Err(_) => Self::Unknown,
        }
    }
}
