//! A whole history in memory, read from an Arrow stream or from JSON lines.

use std::path::{Path, PathBuf};

#[cfg(feature = "arrow")]
use super::arrow;
use super::columns::{Columns, Evidence};
use super::edn::Value;
use super::header::{End, Header};
use super::jsonl;
use super::operation::{Kind, Row, Siblings, Witness};
use super::places::{Place, Places};
use super::source::Source;

/// The first bytes of an Arrow IPC stream: the marker of an encapsulated message.
pub(super) const ARROW_MAGIC: [u8; 4] = [0xff; 4];

/// Why a history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("cannot read the history {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is empty.
    #[error("the history {path} is empty: there is nothing to judge")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is a file of no format that is known.
    #[error(
        "{path} is not recognised as a history: it is no Arrow stream, and its first lines are no \
         JSON objects with a `session` (ours) or a `process` (Jepsen's), no EDN maps with a \
         :process, no lines of Jepsen's log and no r(…) or w(…) of Plume; if it is one of these, \
         name it with --format"
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
    },
    /// The file is compressed.
    #[error(
        "{path} is packed by {by}: unpack it first, as in `{by} -dc {path} | kvs-bench check -`"
    )]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The program that unpacks it.
        by: &'static str,
    },
    /// The file is something else.
    #[error("{path} is {what}, not a history to judge: {instead}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// An option is about something that histories of this format do not have.
    #[error("{path}: {option} does not apply to {what}: leave it out")]
    Option {
        /// The file.
        path: PathBuf,
        /// The option, as the command line has it.
        option: &'static str,
        /// What histories of the format are, and why the option is not about them.
        what: &'static str,
    },
    /// A line of JSON is not a row.
    #[error("{path}, line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An Arrow stream is not a history, is damaged before its first batch, or something follows
    /// it.
    #[error("{path} is not a history that this version reads: {reason}")]
    Arrow {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(feature = "arrow")]
fn read_arrow(source: Source) -> Result<History, ReadError> {
    let path = source.path().to_owned();
    let (reader, bytes) = source.bounded()?;
    arrow::read(reader, bytes).map_err(|reason| ReadError::Arrow { path, reason })
}

#[cfg(not(feature = "arrow"))]
fn read_arrow(source: Source) -> Result<History, ReadError> {
    Err(ReadError::Arrow {
        path: source.path().to_owned(),
        reason: "it is an Arrow stream, and kvs-check was built without its feature `arrow`"
            .to_owned(),
    })
}

/// A recorded history.
///
/// ```
/// use kvs_check::{Put, Recorder};
///
/// let recorder = Recorder::new();
/// recorder.process("alice").invoke(Put("x", 7)).ok(());
/// let history = recorder.finish();
/// for (i, row) in (0..history.len()).map(|i| (i, history.row(i))) {
///     assert_eq!(history.operation_name(i), "process alice #0");
///     assert_eq!(history.key_name(row.key), "\"x\"");
///     assert_eq!(history.value_name(row.written), "7");
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What the run said about itself.
    pub header: Header,
    /// The rows.
    pub columns: Columns,
    /// The end record, absent when the recording was cut short.
    pub end: Option<End>,
    /// What was lost at the end of a damaged file, for the reader to be told.
    pub damage: Option<String>,
    /// Where the rows stand in another tool's file; empty for histories of ours.
    pub places: Places,
}

impl History {
    /// Reads a file, or the standard input for `-`; whether it is Arrow or JSON lines is seen from
    /// its first bytes.
    ///
    /// A file that was cut short gives the rows up to there, and no end record.
    ///
    /// ```
    /// use kvs_check::{History, Model};
    ///
    /// let file = std::env::temp_dir().join(format!("history-{}.jsonl", std::process::id()));
    /// std::fs::write(&file, r#"{"schema": 1}
    /// {"session": 0, "kind": "put", "key": 7, "invoke": 1, "return": 2}
    /// {"session": 1, "kind": "get", "key": 7, "read": ["0:0"], "invoke": 3, "return": 4}
    /// {"end": {"operations": 2}}"#)?;
    /// assert!(History::read(&file)?.check(Model::Linearizable).is_valid());
    /// # std::fs::remove_file(&file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, or is not a history.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::read_from(Source::open(path)?)
    }

    pub(super) fn read_from(source: Source) -> Result<Self, ReadError> {
        let path = source.path().to_owned();
        if source.start().starts_with(&ARROW_MAGIC) {
            return read_arrow(source);
        }
        jsonl::read(source.reader()).map_err(|error| match error {
            jsonl::JsonError::Io(source) => ReadError::Io { path, source },
            jsonl::JsonError::Empty => ReadError::Empty { path },
            jsonl::JsonError::Line { line, reason } => ReadError::Line { path, line, reason },
        })
    }

    /// A history of these rows, whole.
    ///
    /// ```
    /// use kvs_check::{History, Model, Row, history::{Header, Kind, value_id}};
    ///
    /// let written = value_id(0, 0);
    /// let put = Row { kind: Kind::Put, written, invoke: 1, returned: Some(2), ..Row::EMPTY };
    /// let get = Row { session: 1, read: &[written], invoke: 3, returned: Some(4), ..Row::EMPTY };
    /// let history = History::from_rows(Header::default(), [put, get]);
    /// assert!(history.check(Model::Linearizable).is_valid());
    /// ```
    #[must_use]
    pub fn from_rows<'a>(header: Header, rows: impl IntoIterator<Item = Row<'a>>) -> Self {
        let mut columns = Columns::default();
        for row in rows {
            columns.push(&row);
        }
        let end = End::of(columns.len() as u64);
        Self {
            header,
            columns,
            end: Some(end),
            ..Self::default()
        }
    }

    /// How many operations there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no operation.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, i: usize) -> Row<'_> {
        let columns = &self.columns;
        let returned = columns.returned[i];
        Row {
            session: columns.session[i],
            index: columns.index[i],
            kind: columns.kind[i],
            key: columns.key[i],
            written: columns.written[i],
            read: columns.read.at(i),
            intended: columns.intended[i],
            invoke: columns.invoke[i],
            returned: (returned != super::columns::NEVER).then_some(returned),
            outcome: columns.outcome[i],
            error: columns.error[i],
            node: columns.node[i],
            incarnation: columns.incarnation[i],
            group: columns.group[i],
            phase: columns.phase[i],
            context: columns.context(i),
            witness: self.witness(i),
        }
    }

    /// The name of the operation of row `i` in reports: as its session counts it or, in the history
    /// of another tool, as its file does. A recorder counts the operations of each process.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn operation_name(&self, i: usize) -> String {
        match self.places.at(i) {
            Some(Place {
                process,
                invoked: Some(invoked),
                ..
            }) => format!("process {process}'s operation on {invoked}"),
            Some(Place { process, .. }) => format!("process {process} #{}", self.columns.index[i]),
            None => {
                let (session, index) = (self.columns.session[i], self.columns.index[i]);
                format!("session {session} #{index}")
            }
        }
    }

    /// The same history as its clients saw it: no operation carries the server's evidence.
    ///
    /// ```
    /// use kvs_check::{Model, Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// recorder.process("alice").invoke(Put("x", 7)).ok(());
    /// assert!(recorder.finish().without_evidence().check(Model::Linearizable).is_valid());
    /// ```
    #[must_use]
    pub fn without_evidence(self) -> Self {
        let mut columns = Columns::with_capacity(self.len());
        for row in 0..self.len() {
            columns.push(&Row {
                witness: Witness::None,
                ..self.row(row)
            });
        }
        Self { columns, ..self }
    }

    fn witness(&self, i: usize) -> Witness<'_> {
        let columns = &self.columns;
        match (columns.evidence[i], columns.kind[i]) {
            (Evidence::None, _) => Witness::None,
            (Evidence::Versions, _) => Witness::Version(columns.version(i)),
            (Evidence::Causal, Kind::Put) => Witness::Put {
                dot: columns.dot[i],
                vector: columns.vector.at(i),
            },
            (Evidence::Causal, Kind::Get) => Witness::Get {
                vector: columns.vector.at(i),
                siblings: self.siblings(i),
            },
            (Evidence::Causal, Kind::Cas | Kind::Append) => Witness::None,
        }
    }

    fn siblings(&self, i: usize) -> Siblings<'_> {
        let dots = &self.columns.sibling_dots;
        let vectors = &self.columns.sibling_vectors;
        let first = dots.start(i);
        let count = dots.at(i).len();
        if count == 0 {
            return Siblings::default();
        }
        // Ends count from the column's first entry; a row's own vectors start at its first.
        Siblings {
            dots: dots.at(i),
            ends: vectors.ends_between(first, first + count),
            vectors: vectors.values(),
            base: vectors.start(first) as u32,
        }
    }

    /// What a value is called: its text, or its id.
    #[must_use]
    pub fn value_name(&self, id: u64) -> String {
        let text = usize::try_from(id)
            .ok()
            .and_then(|i| self.header.values.get(i));
        text.cloned().unwrap_or_else(|| jsonl::id_text(id))
    }

    /// The text that a value is to an append: the content of an EDN string, else the value's name.
    #[must_use]
    pub fn value_text(&self, id: u64) -> String {
        let name = self.value_name(id);
        if !self.header.edn {
            return name;
        }
        match name.parse() {
            Ok(Value::Text(content)) => content.into_owned(),
            Ok(_) | Err(_) => name,
        }
    }

    /// A key's name: as the header gives it, or its number.
    #[must_use]
    pub fn key_name(&self, key: u64) -> String {
        let named = usize::try_from(key)
            .ok()
            .and_then(|i| self.header.keys.get(i));
        named.cloned().unwrap_or_else(|| key.to_string())
    }
}
