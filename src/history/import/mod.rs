//! Histories of other tools: one file a format.
//!
//! | format | who writes it | file |
//! |---|---|---|
//! | `jepsen-edn` | Jepsen, Knossos, Elle's tools | `jepsen_edn.rs` |
//! | `jepsen-log` | old Jepsen logs, as in porcupine's tests | `jepsen_log.rs` |
//! | `porcupine-kv` | porcupine's key-value logs | `porcupine_kv.rs` |
//! | `plume` | Plume, AWDIT, PolySI | `plume.rs` |
//!
//! Where a format has a time of its own but its lines are in the order of time, the lines decide.

mod edn;
mod events;
mod jepsen;
mod jepsen_edn;
mod jepsen_log;
mod plume;
mod porcupine_kv;
mod shape;
mod versions;

use std::path::Path;

use super::edn::Value;
use super::operation::Promise;
use super::read::{ARROW_MAGIC, History, ReadError};
use super::source::Source;

/// The form of a history in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An Arrow stream of ours.
    Arrow,
    /// JSON lines of ours.
    JsonLines,
    /// Jepsen's and Knossos' operations as EDN maps.
    JepsenEdn,
    /// Jepsen's log lines.
    JepsenLog,
    /// Porcupine's key-value logs.
    PorcupineKv,
    /// Plume's, AWDIT's and PolySI's text.
    Plume,
}

/// What a failed compare-and-set of a foreign history means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCas {
    /// It found another value.
    Mismatch,
    /// It had no effect, whatever the value was.
    NoEffect,
}

/// What a format leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What every register holds at first, in place of nothing.
    pub initial: Option<Value<'static>>,
    /// A read of nil says nothing about the value.
    pub nil_reads_match_anything: bool,
    /// What a failed compare-and-set means; by default what it means in the format.
    pub failed_cas: Option<FailedCas>,
}

/// A line that is not what the format says: the line from 1, and why.
struct BadLine {
    line: usize,
    reason: String,
}

impl BadLine {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
        }
    }
}

/// Reads a history of any format, by default the one that its first bytes look like.
///
/// # Errors
/// When the file cannot be read, or is not a history of that format.
pub fn read_history(
    path: &Path,
    format: Option<Format>,
    options: &ImportOptions,
) -> Result<History, ReadError> {
    let source = Source::open(path)?;
    let format = format.unwrap_or_else(|| guess(source.start()));
    if matches!(format, Format::Arrow | Format::JsonLines) {
        return History::read_from(source);
    }
    let bytes = source.whole()?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        ReadError::Line {
            path: path.to_owned(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            reason: "it is not UTF-8: convert the file first".to_owned(),
        }
    })?;
    if text.trim().is_empty() {
        return Err(ReadError::Empty {
            path: path.to_owned(),
        });
    }
    let history = match format {
        Format::JepsenEdn => jepsen_edn::import(text, options),
        Format::JepsenLog => jepsen_log::import(text, options),
        Format::PorcupineKv => porcupine_kv::import(text, options),
        Format::Plume | Format::Arrow | Format::JsonLines => plume::import(text),
    };
    let mut history = history.map_err(|bad| ReadError::Line {
        path: path.to_owned(),
        line: bad.line,
        reason: bad.reason,
    })?;
    if history.header.real_time {
        history.header.promise = Some(Promise::Linearizable);
    }
    Ok(history)
}

/// The format that a file's first bytes look like.
fn guess(start: &[u8]) -> Format {
    if start.starts_with(&ARROW_MAGIC) {
        Format::Arrow
    } else {
        guess_text(&String::from_utf8_lossy(start))
    }
}

fn guess_text(text: &str) -> Format {
    let comment = |line: &&str| line.is_empty() || line.starts_with(';');
    let first = text.lines().map(str::trim).find(|line| !comment(line));
    let first = first.unwrap_or_default();
    let looks_like_edn = first.starts_with("{:")
        || first.starts_with('#')
        || (first.starts_with(['[', '(', '{']) && text.contains(":process"));
    if looks_like_edn {
        let key_value = [":f :append", ":f :put", ":f :get"];
        if key_value.iter().any(|f| text.contains(f)) {
            Format::PorcupineKv
        } else {
            Format::JepsenEdn
        }
    } else if text.contains(jepsen_log::MARK) {
        Format::JepsenLog
    } else if first.starts_with("r(") || first.starts_with("w(") {
        Format::Plume
    } else {
        Format::JsonLines
    }
}
