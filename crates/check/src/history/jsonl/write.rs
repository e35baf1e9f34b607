//! Writes JSON lines.

use std::io::Write;

use serde::Serialize;

use super::text::{dot_text, id_text};
use crate::history::operation::{
    ErrorKind, Kind, Outcome, Phase, Row, Witness, origin_incarnation, origin_node,
};
use crate::history::read::History;

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
    context: Option<Vec<String>>,
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

fn ids(ids: &[u64]) -> Vec<String> {
    ids.iter().map(|id| id_text(*id)).collect()
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
            read: matches!(row.kind, Kind::Get | Kind::Cas).then(|| ids(row.read)),
            intended: row.intended,
            invoke: row.invoke,
            returned: row.returned,
            outcome: row.outcome,
            error: row.error,
            node: row.node,
            incarnation: row.incarnation,
            group: row.group,
            phase: row.phase,
            context: row.context.map(ids),
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

/// Writes a history as JSON lines: header, rows, and the end record when there is one. This is how
/// a test keeps a history that failed; `kvs-bench check` and
/// [`History::read`](crate::History::read) read it.
///
/// ```
/// use kvs_check::{Put, Recorder, history::write_json_lines};
///
/// let recorder = Recorder::new();
/// recorder.process("alice").invoke(Put("x", 1)).ok(());
/// let mut lines = Vec::new();
/// write_json_lines(&recorder.finish(), &mut lines)?;
/// assert_eq!(lines.split(|byte| *byte == b'\n').count(), 4); // header, put, end, and what follows
/// # Ok::<(), std::io::Error>(())
/// ```
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
