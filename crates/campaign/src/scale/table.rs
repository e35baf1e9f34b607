//! The points as a table: for the screen, and for spreadsheets.

use anyhow::Context;

use super::point::Point;
use kvs_report::report::table;

const HEADER: [&str; 16] = [
    "replicas",
    "shards",
    "fanout",
    "loss",
    "sessions",
    "every ms",
    "half ms",
    "last ms",
    "(theory)",
    "reached",
    "(theory)",
    "messages",
    "(theory)",
    "repeated",
    "B/update/replica",
    "digest B/node/s",
];

const LEGEND: &str = "\
half, last: until half, and all, of the other replicas of its group have an update, the median over updates
reached: the part of a group that has an update from rumours alone     messages: rumours for each update
repeated: updates that arrived again for each that arrived first       B/update/replica: rumours and repairs";

/// The table of the screen.
#[must_use]
pub fn text(points: &[Point]) -> String {
    let header = HEADER.map(str::to_owned);
    let rows = points.iter().map(|point| row(point).to_vec()).collect();
    let lines = table(&header, rows);
    let lost: usize = points.iter().map(|point| point.lost).sum();
    let mut text = format!("{}\n\n{LEGEND}\n", lines.join("\n"));
    if lost > 0 {
        text.push_str(&format!(
            "\n{lost} updates never reached every replica of their group\n"
        ));
    }
    text
}

fn row(point: &Point) -> [String; HEADER.len()] {
    let time = |ms: Option<f64>| ms.map_or_else(|| "never".to_owned(), short);
    [
        point.replicas.to_string(),
        point.shards.to_string(),
        point.fanout.to_string(),
        point.loss.to_string(),
        point.sessions.to_string(),
        short(point.every_ms),
        time(point.half_ms),
        time(point.last_ms),
        short(point.theory_last_ms),
        format!("{:.3}", point.reached),
        format!("{:.3}", point.theory_reached),
        short(point.rumour_messages),
        short(point.theory_rumour_messages),
        format!("{:.2}", point.repeated),
        short(point.update_bytes_per_replica),
        short(point.digest_bytes_per_node_s),
    ]
}

/// Three digits or so.
fn short(number: f64) -> String {
    match number {
        small if small < 1.0 => format!("{small:.2}"),
        medium if medium < 100.0 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Every field of every point as CSV.
///
/// # Errors
/// When a point cannot be written.
pub fn csv(points: &[Point]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for point in points {
        writer.serialize(point).context("cannot write CSV")?;
    }
    let bytes = writer.into_inner().context("cannot write CSV")?;
    String::from_utf8(bytes).context("CSV of numbers is text")
}
