//! An anomaly as a picture: its operations over time, by session and by replica.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::history::{History, ImportOptions, Kind, Row, read_history};
use crate::measure::AnomalyRecord;

/// Operations that are drawn of one anomaly; its text has them all.
const OPERATIONS_MAX: usize = 40;

/// What the page shows of an anomaly.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    kind: String,
    model: String,
    sentence: String,
    text: String,
    /// Both are empty when the operations are not there.
    sessions: Vec<Lane>,
    replicas: Vec<Lane>,
}

/// One line of the picture.
#[derive(Debug, Serialize)]
struct Lane {
    name: String,
    operations: Vec<Bar>,
}

/// One operation: where it begins and how long it is, in percent.
#[derive(Clone, Debug, Serialize)]
struct Bar {
    left: f64,
    width: f64,
    outcome: &'static str,
    text: String,
    title: String,
}

/// The pictures of a run's anomalies, in the order of the record.
pub(super) fn pictures(directory: &Path, anomalies: &[AnomalyRecord]) -> Vec<Picture> {
    let files = files(&directory.join("anomalies"));
    (1..)
        .zip(anomalies)
        .map(|(number, anomaly)| {
            let start = format!("{number:02}-");
            let file = files.iter().find(|file| {
                let name = file.file_name().unwrap_or_default();
                name.to_string_lossy().starts_with(&start)
            });
            // The picture is an extra: without it the text still says everything.
            let history =
                file.and_then(|file| read_history(file, None, &ImportOptions::default()).ok());
            picture(anomaly, history.as_ref())
        })
        .collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn picture(anomaly: &AnomalyRecord, history: Option<&History>) -> Picture {
    let (sentence, text) = anomaly
        .text
        .split_once('\n')
        .unwrap_or((&anomaly.text, &anomaly.text));
    let (sessions, replicas) = history.map_or_else(Default::default, lanes);
    Picture {
        kind: anomaly.kind.clone(),
        model: anomaly.model.clone(),
        sentence: sentence.to_owned(),
        text: text.to_owned(),
        sessions,
        replicas,
    }
}

/// The operations by session and by replica. Time is drawn by the order of beginnings and ends: a
/// microsecond and a second are as wide, so that all operations can be read.
fn lanes(history: &History) -> (Vec<Lane>, Vec<Lane>) {
    let rows = history.columns.kind.len().min(OPERATIONS_MAX);
    let rows: Vec<Row<'_>> = (0..rows).map(|at| history.row(at)).collect();
    let mut times: Vec<u64> = rows
        .iter()
        .flat_map(|row| [Some(row.invoke), row.returned])
        .flatten()
        .collect();
    times.sort_unstable();
    times.dedup();
    // One more, for what never returned.
    let step = 100.0 / times.len() as f64;
    let place = |time: u64| times.partition_point(|earlier| *earlier < time) as f64 * step;
    let (mut sessions, mut replicas) = (BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        let left = place(row.invoke);
        let right = row.returned.map_or(100.0, place);
        let bar = Bar {
            left: round(left),
            width: round((right - left).max(step / 2.0)),
            outcome: row.outcome.name(),
            text: text(history, row),
            title: title(history, row),
        };
        let of_session: &mut Vec<Bar> = sessions.entry(row.session).or_default();
        of_session.push(bar.clone());
        let of_node: &mut Vec<Bar> = replicas.entry(row.node).or_default();
        of_node.push(bar);
    }
    let lane = |name, operations| Lane { name, operations };
    (
        sessions
            .into_iter()
            .map(|(session, bars)| lane(format!("session {session}"), bars))
            .collect(),
        replicas
            .into_iter()
            .map(|(node, bars)| lane(format!("n{node}"), bars))
            .collect(),
    )
}

fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

fn text(history: &History, row: &Row<'_>) -> String {
    let key = history.key_name(row.key);
    let read = match row.read {
        [] => "nothing".to_owned(),
        ids => {
            let names: Vec<String> = ids.iter().map(|id| history.value_name(*id)).collect();
            names.join(", ")
        }
    };
    match row.kind {
        Kind::Put => format!("put {key} = {}", history.value_name(row.written)),
        Kind::Get => format!("get {key} → {read}"),
        Kind::Cas => format!("cas {key} {read} → {}", history.value_name(row.written)),
        Kind::Append => format!("append {key} {}", history.value_name(row.written)),
    }
}

fn title(history: &History, row: &Row<'_>) -> String {
    let ms = |ns: u64| format!("{:.6}", ns as f64 / 1e6);
    let error = row
        .error
        .map_or_else(String::new, |error| format!(" ({error})"));
    format!(
        "session {} #{}: {} at n{}, {}{error}, {} .. {} ms",
        row.session,
        row.index,
        text(history, row),
        row.node,
        row.outcome,
        ms(row.invoke),
        row.returned.map_or_else(|| "…".to_owned(), ms)
    )
}
