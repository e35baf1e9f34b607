//! Histories of other tools: one file a format.
//!
//! | format | who writes it | file |
//! |---|---|---|
//! | `jepsen-edn` | Jepsen, Knossos, Elle's tools | `jepsen_edn.rs` |
//! | `jepsen-json` | elle-cli, and tools that write as Jepsen does | `jepsen_json.rs` |
//! | `jepsen-log` | Jepsen's console, `jepsen.log`, `history.txt` | `jepsen_log.rs` |
//! | `porcupine-kv` | porcupine's key-value logs | `porcupine_kv.rs` |
//! | `plume` | Plume, AWDIT, PolySI | `plume.rs` |
//!
//! Where a format has a time of its own but its lines are in the order of time, the lines decide.

mod edn;
mod events;
mod guess;
mod jepsen;
mod jepsen_edn;
mod jepsen_json;
mod jepsen_log;
mod json;
mod log_line;
mod micro;
mod others;
mod plume;
mod porcupine_kv;
mod shape;
mod versions;

use std::path::Path;

use super::edn::Value;
use super::model::Model;
use super::read::{History, ReadError};
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
    /// The same operations as JSON objects.
    JepsenJson,
    /// The same operations as lines of Jepsen's logs.
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
///
/// ```
/// use kvs_check::history::{FailedCas, Format, ImportOptions};
///
/// let options = ImportOptions {
///     initial: Some("0".parse()?), // EDN: every register holds the number 0 at first
///     failed_cas: Some(FailedCas::Mismatch),
///     ..ImportOptions::default()
/// };
/// let nowhere = std::path::Path::new("no-such-history.edn");
/// assert!(kvs_check::read_history(nowhere, Some(Format::JepsenEdn), &options).is_err());
/// # Ok::<(), kvs_check::history::edn::EdnError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What every register holds at first, in place of nothing.
    pub initial: Option<Value<'static>>,
    /// A read of nil says nothing about the value.
    pub nil_reads_match_anything: bool,
    /// What a failed compare-and-set means; by default what it means in the format.
    pub failed_cas: Option<FailedCas>,
}

impl ImportOptions {
    /// The first option that does not apply to a history of this format, and what such a history
    /// is.
    fn idle(&self, format: Format) -> Option<(&'static str, &'static str)> {
        let given = [
            (self.initial.is_some(), "--initial"),
            (self.nil_reads_match_anything, "--nil-reads-match-anything"),
            (self.failed_cas.is_some(), "--failed-cas"),
        ];
        let (what, idle): (_, &[&str]) = match format {
            Format::Arrow | Format::JsonLines => (
                "a history of our own format, whose keys hold nothing at first, whose reads say what \
                 they found and whose failed operations say why",
                &["--initial", "--nil-reads-match-anything", "--failed-cas"],
            ),
            Format::Plume => (
                "a history of Plume, whose keys hold 0 at first and which has numbers only and no \
                 compare-and-set",
                &["--initial", "--nil-reads-match-anything", "--failed-cas"],
            ),
            Format::PorcupineKv => (
                "a key-value log of porcupine, which has no compare-and-set",
                &["--failed-cas"],
            ),
            Format::JepsenEdn | Format::JepsenJson | Format::JepsenLog => return None,
        };
        given
            .iter()
            .find(|(is_given, option)| *is_given && idle.contains(option))
            .map(|(_, option)| (*option, what))
    }
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

/// Reads a history of any format, by default the one that its first records and its name say.
///
/// ```
/// use kvs_check::{Model, history::ImportOptions, read_history};
///
/// let file = std::env::temp_dir().join(format!("history-{}.edn", std::process::id()));
/// std::fs::write(&file, r#"{:process 0, :type :invoke, :f :write, :value 1}
/// {:process 0, :type :ok, :f :write, :value 1}
/// {:process 1, :type :invoke, :f :read, :value nil}
/// {:process 1, :type :ok, :f :read, :value 1}"#)?;
/// let history = read_history(&file, None, &ImportOptions::default())?;
/// assert!(history.check(Model::Linearizable).is_valid());
/// # std::fs::remove_file(&file)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the file cannot be read, is not a history of that format, or of none that is recognised.
pub fn read_history(
    path: &Path,
    format: Option<Format>,
    options: &ImportOptions,
) -> Result<History, ReadError> {
    let source = Source::open(path)?;
    let format = match format {
        Some(format) => format,
        None => guess::guess(path, source.start())?,
    };
    if let Some((option, what)) = options.idle(format) {
        let path = path.to_owned();
        return Err(ReadError::Option { path, option, what });
    }
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
    if guess::is_empty(text) {
        return Err(ReadError::Empty {
            path: path.to_owned(),
        });
    }
    let history = match format {
        Format::JepsenEdn => jepsen_edn::import(text, options),
        Format::JepsenJson => jepsen_json::import(text, options),
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
        history.header.promise = Some(Model::Linearizable);
    }
    Ok(history)
}
