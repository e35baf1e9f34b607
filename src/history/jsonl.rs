//! JSON lines: the form of hand-written histories, one object a line.
//!
//! What a line leaves out has a default, so that a history written by hand shows what matters:
//! docs/history-schema.md has the table. Ids are `"session:index"` or numbers, dots are
//! `"n0:5"`, `"n0.1:5"` (second incarnation) or numbers.

use std::borrow::Cow;
use std::io::{BufRead, Write};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::header::{End, Header, SCHEMA_VERSION};
use super::operation::{
    CORRUPT, ErrorKind, Kind, Outcome, Phase, Row, Siblings, Version, Witness, dot, dot_counter,
    dot_origin, id_index, id_session, origin_incarnation, origin_node, value_id,
};
use super::read::History;

/// The longest line, in bytes: a history's longest row is far below it.
pub const LINE_BYTES_MAX: usize = 128 << 20;
/// The largest node or incarnation that a dot carries.
const ORIGIN_PART_MAX: u16 = (1 << 12) - 1;

/// Why JSON lines could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonError {
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A line is not a row.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// A number that a text may stand for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Token<'a> {
    Number(u64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionLine {
    time: u64,
    #[serde(default)]
    node: u16,
    #[serde(default)]
    incarnation: u16,
}

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    session: u32,
    index: Option<u32>,
    kind: Kind,
    #[serde(borrow)]
    key: Token<'a>,
    #[serde(borrow)]
    written: Option<Token<'a>>,
    #[serde(borrow, default)]
    read: Vec<Token<'a>>,
    intended: Option<u64>,
    invoke: u64,
    #[serde(rename = "return")]
    returned: Option<u64>,
    outcome: Option<Outcome>,
    error: Option<ErrorKind>,
    #[serde(default)]
    node: u16,
    #[serde(default)]
    incarnation: u16,
    #[serde(default)]
    group: u16,
    phase: Option<Phase>,
    #[serde(borrow)]
    dot: Option<Token<'a>>,
    #[serde(borrow)]
    vector: Option<Vec<Token<'a>>>,
    #[serde(borrow, default)]
    sibling_dots: Vec<Token<'a>>,
    #[serde(borrow, default)]
    sibling_vectors: Vec<Vec<Token<'a>>>,
    version: Option<VersionLine>,
    lww: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: End,
}

/// The end record, when `line` is one.
pub(super) fn end_record(line: &str) -> Option<End> {
    serde_json::from_str::<EndLine>(line)
        .ok()
        .map(|line| line.end)
}

/// Reads a whole history.
pub(super) fn read(mut input: impl BufRead) -> Result<History, JsonError> {
    let mut reader = Reader::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let bytes = std::io::Read::take(&mut input, limit).read_until(b'\n', &mut line)?;
        if bytes == 0 {
            break;
        }
        reader.number += 1;
        let whole = line.ends_with(b"\n");
        if line.len() > LINE_BYTES_MAX {
            return reader.fail(format!("the line is longer than {LINE_BYTES_MAX} bytes"));
        }
        match reader.line(&line) {
            Ok(()) => {}
            // A crash leaves half a line; what came before is whole.
            Err(reason) if !whole && reader.history.end.is_none() && !reader.history.is_empty() => {
                reader.history.damage = Some(format!("the last line is cut short: {reason}"));
                return Ok(reader.history);
            }
            Err(reason) => return reader.fail(reason),
        }
    }
    if let Some(end) = reader.history.end
        && end.operations != reader.history.len() as u64
    {
        let rows = reader.history.len();
        return reader.fail(format!(
            "the end record counts {} operations, the file holds {rows}",
            end.operations
        ));
    }
    Ok(reader.history)
}

#[derive(Default)]
struct Reader {
    history: History,
    number: usize,
    header_seen: bool,
    keys: HashMap<String, u64, foldhash::fast::FixedState>,
    numbered: bool,
    next_index: HashMap<u32, u32, foldhash::fast::FixedState>,
    scratch: Scratch,
}

/// The numbers of one line, in buffers that are used again for the next.
#[derive(Default)]
struct Scratch {
    read: Vec<u64>,
    vector: Vec<u64>,
    dots: Vec<u64>,
    ends: Vec<u32>,
    vectors: Vec<u64>,
}

impl Reader {
    fn fail(&self, reason: String) -> Result<History, JsonError> {
        Err(JsonError::Line {
            line: self.number,
            reason,
        })
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = std::str::from_utf8(line)
            .map_err(|e| format!("not UTF-8: {e}"))?
            .trim();
        if line.is_empty() || line.starts_with("//") {
            return Ok(());
        }
        if self.history.end.is_some() {
            return Err("there is a line after the end record".to_owned());
        }
        if !self.header_seen && self.history.is_empty() && line.contains("\"schema\"") {
            return self.header(line);
        }
        if line.starts_with("{\"end\"") {
            let end = serde_json::from_str::<EndLine>(line).map_err(|e| e.to_string())?;
            self.history.end = Some(end.end);
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_str(line).map_err(|e| e.to_string())?;
        self.row(&line)
    }

    fn header(&mut self, line: &str) -> Result<(), String> {
        let header: Header = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if header.schema != SCHEMA_VERSION {
            return Err(format!(
                "the schema has version {}, this program reads {SCHEMA_VERSION}",
                header.schema
            ));
        }
        for (number, name) in (0..).zip(&header.keys) {
            self.keys.insert(name.clone(), number);
        }
        self.history.header = header;
        self.header_seen = true;
        Ok(())
    }

    fn key(&mut self, key: &Token<'_>) -> Result<u64, String> {
        match key {
            Token::Number(number) => {
                if !self.keys.is_empty() {
                    return Err("keys are either all numbers or all names".to_owned());
                }
                self.numbered = true;
                Ok(*number)
            }
            Token::Text(_) if self.numbered => {
                Err("keys are either all numbers or all names".to_owned())
            }
            Token::Text(name) => {
                if let Some(number) = self.keys.get(name.as_ref()) {
                    return Ok(*number);
                }
                let number = self.history.header.keys.len() as u64;
                self.history.header.keys.push(name.to_string());
                self.keys.insert(name.to_string(), number);
                Ok(number)
            }
        }
    }

    fn row(&mut self, line: &Line<'_>) -> Result<(), String> {
        let key = self.key(&line.key)?;
        let next = self.next_index.entry(line.session).or_insert(0);
        let index = line.index.unwrap_or(*next);
        *next = index.saturating_add(1);
        let written = match (&line.written, line.kind) {
            (None, Kind::Get) => 0,
            (Some(_), Kind::Get) => return Err("a get has no `written`".to_owned()),
            (Some(id), Kind::Put | Kind::Cas | Kind::Append) => parse_id(id)?,
            (None, Kind::Put | Kind::Cas | Kind::Append) => value_id(line.session, index),
        };
        check_reads(line)?;
        if line.returned.is_some_and(|returned| returned < line.invoke) {
            return Err("the operation returned before it was invoked".to_owned());
        }
        self.scratch.fill(line)?;
        let outcome = line.outcome.unwrap_or(Outcome::Ok);
        if line.error == Some(ErrorKind::Mismatch)
            && (line.kind, outcome) != (Kind::Cas, Outcome::Fail)
        {
            return Err("only a failed cas has the error `mismatch`".to_owned());
        }
        if outcome == Outcome::Ok && line.returned.is_none() {
            return Err("an ok operation needs a `return` time".to_owned());
        }
        let row = Row {
            session: line.session,
            index,
            kind: line.kind,
            key,
            written,
            read: &self.scratch.read,
            intended: line.intended.unwrap_or(line.invoke),
            invoke: line.invoke,
            returned: line.returned,
            outcome,
            error: line.error,
            node: line.node,
            incarnation: line.incarnation,
            group: line.group,
            phase: line.phase.unwrap_or(Phase::Run),
            witness: self.scratch.witness(line)?,
        };
        self.history.columns.push(&row);
        Ok(())
    }
}

/// Whether an operation of that kind can have read what the line says.
fn check_reads(line: &Line<'_>) -> Result<(), String> {
    match (line.kind, line.read.len()) {
        (Kind::Get, _) | (_, 0) | (Kind::Cas, 1) => Ok(()),
        (Kind::Cas, _) => Err("the `read` of a cas is the one value it expected".to_owned()),
        (Kind::Put | Kind::Append, _) => Err(format!("a {} has no `read`", line.kind)),
    }
}

impl Scratch {
    fn fill(&mut self, line: &Line<'_>) -> Result<(), String> {
        self.read.clear();
        for id in &line.read {
            self.read.push(parse_id(id)?);
        }
        self.vector.clear();
        for entry in line.vector.iter().flatten() {
            self.vector.push(parse_dot(entry)?);
        }
        self.dots.clear();
        for sibling in &line.sibling_dots {
            self.dots.push(parse_dot(sibling)?);
        }
        self.ends.clear();
        self.vectors.clear();
        for vector in &line.sibling_vectors {
            for entry in vector {
                self.vectors.push(parse_dot(entry)?);
            }
            self.ends.push(self.vectors.len() as u32);
        }
        let ascending = |vector: &[u64]| {
            vector
                .windows(2)
                .all(|pair| dot_origin(pair[0]) < dot_origin(pair[1]))
        };
        let siblings = self.siblings();
        if !ascending(&self.vector) || !(0..self.ends.len()).all(|i| ascending(siblings.vector(i)))
        {
            return Err("a vector has one dot an origin, in ascending order".to_owned());
        }
        Ok(())
    }

    fn siblings(&self) -> Siblings<'_> {
        Siblings {
            dots: &self.dots,
            ends: &self.ends,
            vectors: &self.vectors,
            base: 0,
        }
    }

    fn witness(&self, line: &Line<'_>) -> Result<Witness<'_>, String> {
        let causal = line.vector.is_some() || line.dot.is_some() || !self.dots.is_empty();
        let lww = line.version.is_some() || line.lww.unwrap_or(false);
        match (causal, lww, line.kind) {
            (true, true, _) => Err("a row has vectors or a version, not both".to_owned()),
            (false, false, _) => Ok(Witness::None),
            (false, true, _) => Ok(Witness::Version(line.version.as_ref().map(|v| Version {
                time: v.time,
                origin: super::operation::origin(v.node, v.incarnation),
            }))),
            (true, false, Kind::Put) => match &line.dot {
                Some(token) => Ok(Witness::Put {
                    dot: parse_dot(token)?,
                    vector: &self.vector,
                }),
                None => Err("a put with a vector needs its `dot`".to_owned()),
            },
            (true, false, Kind::Get) => {
                if self.dots.len() != self.read.len() || self.ends.len() != self.dots.len() {
                    return Err(
                        "`read`, `sibling_dots` and `sibling_vectors` have the same length"
                            .to_owned(),
                    );
                }
                Ok(Witness::Get {
                    vector: &self.vector,
                    siblings: self.siblings(),
                })
            }
            (true, false, Kind::Cas | Kind::Append) => {
                Err(format!("a {} has no evidence", line.kind))
            }
        }
    }
}

fn parse_id(token: &Token<'_>) -> Result<u64, String> {
    match token {
        Token::Number(id) => Ok(*id),
        Token::Text(text) if text == "corrupt" => Ok(CORRUPT),
        Token::Text(text) => text
            .split_once(':')
            .and_then(|(session, index)| Some(value_id(session.parse().ok()?, index.parse().ok()?)))
            .ok_or_else(|| format!("`{text}` is no id: write \"session:index\" or a number")),
    }
}

fn parse_dot(token: &Token<'_>) -> Result<u64, String> {
    match token {
        Token::Number(dot) => Ok(*dot),
        Token::Text(text) => dot_from_text(text)
            .ok_or_else(|| format!("`{text}` is no dot: write \"n0:5\", \"n0.1:5\" or a number")),
    }
}

fn dot_from_text(text: &str) -> Option<u64> {
    let (origin, counter) = text.strip_prefix('n')?.split_once(':')?;
    let (node, incarnation) = origin.split_once('.').unwrap_or((origin, "0"));
    let (node, incarnation) = (node.parse().ok()?, incarnation.parse().ok()?);
    let counter = counter.parse().ok().filter(|c| dot_counter(*c) == *c)?;
    (node <= ORIGIN_PART_MAX && incarnation <= ORIGIN_PART_MAX)
        .then(|| dot(node, incarnation, counter))
}

/// A dot as `n0:5`, or `n0.1:5` in a later incarnation.
#[must_use]
pub fn dot_text(dot: u64) -> String {
    let origin = dot_origin(dot);
    let (node, incarnation) = (origin_node(origin), origin_incarnation(origin));
    if incarnation == 0 {
        format!("n{node}:{}", dot_counter(dot))
    } else {
        format!("n{node}.{incarnation}:{}", dot_counter(dot))
    }
}

/// A value id as `session:index`.
#[must_use]
pub fn id_text(id: u64) -> String {
    if id == CORRUPT {
        "corrupt".to_owned()
    } else {
        format!("{}:{}", id_session(id), id_index(id))
    }
}

/// A row to be written. Absent fields are left out; nothing else is defaulted.
#[derive(Serialize)]
struct OutLine {
    session: u32,
    index: u32,
    kind: Kind,
    key: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<Vec<String>>,
    intended: u64,
    invoke: u64,
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    returned: Option<u64>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorKind>,
    node: u16,
    incarnation: u16,
    group: u16,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    dot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sibling_dots: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sibling_vectors: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lww: Option<bool>,
}

fn texts(dots: &[u64]) -> Vec<String> {
    dots.iter().map(|dot| dot_text(*dot)).collect()
}

impl OutLine {
    fn new(history: &History, row: &Row<'_>) -> Self {
        let named = usize::try_from(row.key)
            .ok()
            .and_then(|i| history.header.keys.get(i));
        let mut line = Self {
            session: row.session,
            index: row.index,
            kind: row.kind,
            key: named.map_or_else(|| row.key.into(), |name| name.as_str().into()),
            written: (row.kind != Kind::Get).then(|| id_text(row.written)),
            read: matches!(row.kind, Kind::Get | Kind::Cas)
                .then(|| row.read.iter().map(|id| id_text(*id)).collect()),
            intended: row.intended,
            invoke: row.invoke,
            returned: row.returned,
            outcome: row.outcome,
            error: row.error,
            node: row.node,
            incarnation: row.incarnation,
            group: row.group,
            phase: row.phase,
            dot: None,
            vector: None,
            sibling_dots: Vec::new(),
            sibling_vectors: Vec::new(),
            version: None,
            lww: None,
        };
        line.set_witness(&row.witness);
        line
    }

    fn set_witness(&mut self, witness: &Witness<'_>) {
        match witness {
            Witness::None => {}
            Witness::Put { dot, vector } => {
                self.dot = Some(dot_text(*dot));
                self.vector = Some(texts(vector));
            }
            Witness::Get { vector, siblings } => {
                self.vector = Some(texts(vector));
                self.sibling_dots = texts(siblings.dots);
                self.sibling_vectors = (0..siblings.dots.len())
                    .map(|i| texts(siblings.vector(i)))
                    .collect();
            }
            Witness::Version(None) => self.lww = Some(true),
            Witness::Version(Some(version)) => {
                self.version = Some(serde_json::json!({
                    "time": version.time,
                    "node": origin_node(version.origin),
                    "incarnation": origin_incarnation(version.origin),
                }));
            }
        }
    }
}

/// Writes a history as JSON lines: header, rows, and the end record when there is one.
///
/// # Errors
/// When the output fails.
pub fn write(history: &History, output: &mut impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut *output, &history.header)?;
    writeln!(output)?;
    for i in 0..history.len() {
        serde_json::to_writer(&mut *output, &OutLine::new(history, &history.row(i)))?;
        writeln!(output)?;
    }
    if let Some(end) = history.end {
        writeln!(output, "{}", serde_json::json!({ "end": end }))?;
    }
    output.flush()
}
