//! Reads JSON lines.

use std::io::BufRead;

use hashbrown::HashMap;
use serde::Deserialize;
use smallvec::SmallVec;

use super::lines::{LEAST_HEADER, OtherLine, breaks_off, said, whole_end_record};
use super::text::{Dot, Id, Token};
use crate::history::header::Header;
use crate::history::operation::{
    ErrorKind, Kind, Outcome, Phase, Row, Siblings, Version, Witness, dot_origin, value_id,
};
use crate::history::read::History;

/// The longest line, in bytes: a history's longest row is far below it.
pub const LINE_BYTES_MAX: usize = 128 << 20;

/// Why JSON lines could not be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::history) enum JsonError {
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// There is no line but comments.
    #[error("there is nothing to judge")]
    Empty,
    /// A line is not a row.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
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

/// Values of a key that a line has room for without memory of their own: most have one.
const SIBLINGS: usize = 2;
/// Entries of a vector, likewise: one for each replica.
type Vector = SmallVec<[Dot; 4]>;

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    session: u32,
    index: Option<u32>,
    kind: Kind,
    #[serde(borrow)]
    key: Token<'a>,
    written: Option<Id>,
    #[serde(default)]
    read: SmallVec<[Id; SIBLINGS]>,
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
    context: Option<SmallVec<[Id; SIBLINGS]>>,
    dot: Option<Dot>,
    vector: Option<Vector>,
    #[serde(default)]
    sibling_dots: SmallVec<[Dot; SIBLINGS]>,
    #[serde(default)]
    sibling_vectors: SmallVec<[Vector; SIBLINGS]>,
    version: Option<VersionLine>,
    lww: Option<bool>,
}

/// Reads a whole history.
pub(in crate::history) fn read(mut input: impl BufRead) -> Result<History, JsonError> {
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
            Err(reason)
                if !whole
                    && reader.header_seen
                    && reader.history.end.is_none()
                    && breaks_off(&line) =>
            {
                reader.history.damage = Some(format!("the last line is cut short: {reason}"));
                return Ok(reader.history);
            }
            Err(reason) => return reader.fail(reason),
        }
    }
    if !reader.header_seen {
        return Err(JsonError::Empty);
    }
    let rows = reader.history.len();
    match reader.history.end {
        Some(end) => match reader.history.header.ends_with(end, rows) {
            Ok(()) => {}
            Err(reason) => return reader.fail(reason),
        },
        None => reader.history.damage = Some("there is no end record".to_owned()),
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
    context: Vec<u64>,
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
        if !self.header_seen {
            return self.header(line);
        }
        if line.starts_with("{\"end\"") {
            self.history.end = Some(whole_end_record(line)?);
            return Ok(());
        }
        match serde_json::from_str::<Line<'_>>(line) {
            Ok(line) => self.row(&line),
            Err(error) => match OtherLine::of(line) {
                OtherLine::End => {
                    self.history.end = Some(whole_end_record(line)?);
                    Ok(())
                }
                OtherLine::Header => Err("a second header: each history is a file of its own, \
                                          check them one by one"
                    .to_owned()),
                OtherLine::Row | OtherLine::Unknown => Err(said(&error)),
            },
        }
    }

    fn header(&mut self, line: &str) -> Result<(), String> {
        let header = match OtherLine::of(line) {
            OtherLine::Header => Header::parse(line)?,
            OtherLine::Row | OtherLine::End => {
                return Err(format!(
                    "there is no header before it, so nothing says what it promises and how it \
                     is to be judged: begin the file with a line such as {LEAST_HEADER}"
                ));
            }
            OtherLine::Unknown => {
                return Err(format!(
                    "it is not the header that a history in JSON lines begins with, such as \
                     {LEAST_HEADER}: is this a history? --format names the form of others"
                ));
            }
        };
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
        let written = match (line.written, line.kind) {
            (None, Kind::Get) => 0,
            (Some(_), Kind::Get) => return Err("a get has no `written`".to_owned()),
            (Some(id), Kind::Put | Kind::Cas | Kind::Append) => id.0,
            (None, Kind::Put | Kind::Cas | Kind::Append) => value_id(line.session, index),
        };
        check_reads(line)?;
        if line.context.is_some() && line.kind != Kind::Put {
            return Err(format!("a {} has no `context`, a put has", line.kind));
        }
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
            context: line.context.as_ref().map(|_| &self.scratch.context[..]),
            witness: self.scratch.witness(line)?,
        };
        let before = self.history.len();
        let header = &self.history.header;
        header.takes(before, row.kind, row.key, row.written, row.read)?;
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
        self.read.extend(line.read.iter().map(|id| id.0));
        self.context.clear();
        let context = line.context.iter().flatten();
        self.context.extend(context.map(|id| id.0));
        self.vector.clear();
        let vector = line.vector.iter().flatten();
        self.vector.extend(vector.map(|entry| entry.0));
        self.dots.clear();
        self.dots.extend(line.sibling_dots.iter().map(|dot| dot.0));
        self.ends.clear();
        self.vectors.clear();
        for vector in &line.sibling_vectors {
            self.vectors.extend(vector.iter().map(|entry| entry.0));
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
        if causal && line.vector.is_none() {
            return Err("a row with a `dot` or `sibling_dots` needs its `vector`".to_owned());
        }
        match (causal, lww, line.kind) {
            (true, true, _) => Err("a row has vectors or a version, not both".to_owned()),
            (false, false, _) => Ok(Witness::None),
            (false, true, _) => Ok(Witness::Version(line.version.as_ref().map(|v| Version {
                time: v.time,
                origin: crate::history::operation::origin(v.node, v.incarnation),
            }))),
            (true, false, Kind::Put) => match line.dot {
                Some(dot) => Ok(Witness::Put {
                    dot: dot.0,
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
