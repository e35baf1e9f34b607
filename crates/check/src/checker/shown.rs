//! One operation as the evidence of an anomaly shows it, and its line of text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{
    ErrorKind, History, Kind, NEVER, Outcome, Phase, Place, Version, dot_text, origin_incarnation,
    origin_node,
};

/// Ids and dots that one operation shows in text; the rest is counted.
const SHOWN_MAX: usize = 8;

/// One operation in the evidence of an anomaly.
///
/// ```
/// use kvs_check::{Put, Recorder, checker::Shown};
///
/// let recorder = Recorder::new();
/// recorder.process("alice").invoke(Put("x", 7)).ok(());
/// let shown = Shown::new(&recorder.finish(), 0);
/// assert_eq!(shown.label(), "put \"x\" = 7");
/// assert!(shown.to_string().starts_with("process alice #0 put"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The row in the history.
    pub row: u64,
    /// Where it stands in another tool's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The session.
    pub session: u32,
    /// Its place in the session.
    pub index: u32,
    /// What it did.
    pub kind: Kind,
    /// The key's name.
    pub key: String,
    /// What it wrote: the id as `session:index`, or the value's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// What a get read, or what a compare-and-set expected.
    pub read: Vec<String>,
    /// Start, in ns since the run began.
    pub invoke: u64,
    /// End, absent while unknown.
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// The node.
    pub node: u16,
    /// Its incarnation.
    pub incarnation: u16,
    /// The replica group.
    pub group: u16,
    /// The part of the run.
    pub phase: Phase,
    /// The put's dot or the siblings' dots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dots: Vec<String>,
    /// The vector.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vector: Vec<String>,
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

impl Shown {
    /// The operation of row `row`.
    #[must_use]
    pub fn new(history: &History, row: usize) -> Self {
        let columns = &history.columns;
        let dots = match columns.kind[row] {
            Kind::Put if columns.dot[row] != 0 => vec![dot_text(columns.dot[row])],
            Kind::Put | Kind::Get | Kind::Cas | Kind::Append => texts(columns.sibling_dots.at(row)),
        };
        let returned = columns.returned[row];
        Self {
            row: row as u64,
            place: history.places.at(row),
            session: columns.session[row],
            index: columns.index[row],
            kind: columns.kind[row],
            key: history.key_name(columns.key[row]),
            written: (columns.kind[row] != Kind::Get)
                .then(|| history.value_name(columns.written[row])),
            read: columns
                .read
                .at(row)
                .iter()
                .map(|id| history.value_name(*id))
                .collect(),
            invoke: columns.invoke[row],
            returned: (returned != NEVER).then_some(returned),
            outcome: columns.outcome[row],
            error: columns.error[row],
            node: columns.node[row],
            incarnation: columns.incarnation[row],
            group: columns.group[row],
            phase: columns.phase[row],
            dots,
            vector: texts(columns.vector.at(row)),
            version: columns.version(row),
        }
    }
}

fn texts(dots: &[u64]) -> Vec<String> {
    dots.iter().map(|dot| dot_text(*dot)).collect()
}

/// Words, cut at [`SHOWN_MAX`].
fn shortened(words: &[String]) -> String {
    let shown = words[..words.len().min(SHOWN_MAX)].join(" ");
    if words.len() > SHOWN_MAX {
        format!("{shown} and {} more", words.len() - SHOWN_MAX)
    } else {
        shown
    }
}

/// Nanoseconds as milliseconds with all digits that matter.
fn milliseconds(ns: u64) -> String {
    format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000)
}

impl Shown {
    /// What it did and what came of it, as in `put user1 = 3:7` or `get user1 -> nothing`.
    #[must_use]
    pub fn label(&self) -> String {
        let (kind, key) = (self.kind, &self.key);
        let read = || match &self.read[..] {
            [] => "nothing".to_owned(),
            read => shortened(read),
        };
        match (&self.written, self.kind) {
            (Some(value), Kind::Cas) => format!("{kind} {key} {} -> {value}", read()),
            (Some(value), Kind::Append) => format!("{kind} {key} + {value}"),
            (Some(value), Kind::Put | Kind::Get) => format!("{kind} {key} = {value}"),
            (None, _) => format!("{kind} {key} -> {}", read()),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            // Other tools' files name no nodes.
            Some(place) if place.invoked.is_some() => {
                write!(f, "process {} {} on {place}", place.process, self.label())?;
            }
            Some(place) => write!(
                f,
                "process {} #{} {}",
                place.process,
                self.index,
                self.label()
            )?,
            None => {
                let (session, index) = (self.session, self.index);
                write!(f, "session {session} #{index} {}", self.label())?;
                write!(f, " at n{}", self.node)?;
            }
        }
        if self.incarnation > 0 {
            write!(f, ".{}", self.incarnation)?;
        }
        write!(f, " [{} .. ", milliseconds(self.invoke))?;
        match self.returned {
            Some(returned) => write!(f, "{} ms]", milliseconds(returned))?,
            None => f.write_str("unknown]")?,
        }
        if self.error == Some(ErrorKind::Mismatch) {
            f.write_str(" did not match")?;
        } else if self.outcome != Outcome::Ok {
            write!(f, " {}", self.outcome)?;
        }
        if !self.dots.is_empty() {
            write!(f, " dot {}", shortened(&self.dots))?;
        }
        if !self.vector.is_empty() {
            write!(f, " vector {}", shortened(&self.vector))?;
        }
        if let Some(version) = self.version {
            let (node, incarnation) = (
                origin_node(version.origin),
                origin_incarnation(version.origin),
            );
            write!(f, " version {}@n{node}.{incarnation}", version.time)?;
        }
        Ok(())
    }
}
