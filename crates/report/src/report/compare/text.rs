//! A comparison on the screen.

use super::{Cell, Comparison, Metric, Unit};
use crate::report::layout::{labelled, table};
use crate::report::number;

/// The columns that every table of a comparison has.
pub(super) const HEADER: [&str; 8] = [
    "measure",
    "A",
    "B",
    "change",
    "95 % interval",
    "noise",
    "p",
    "finding",
];

/// The comparison as text.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let mut lines = labelled("Answer", &comparison.headline());
    for cell in &comparison.cells {
        lines.push(String::new());
        lines.extend(labelled("", &title(cell)));
        let header = HEADER.map(str::to_owned);
        lines.extend(table(&header, cell.metrics.iter().map(row).collect()));
    }
    lines.push(String::new());
    for broken in &comparison.broken {
        let text = format!("{} broke its promise, {}", broken.directory, broken.promise);
        lines.extend(labelled("Broken", &text));
    }
    for gap in &comparison.gaps {
        lines.extend(labelled("Missing", &gap.sentence()));
    }
    for note in &comparison.notes {
        lines.extend(labelled("Note", note));
    }
    lines.extend(labelled("Method", &method(comparison)));
    lines.join("\n") + "\n"
}

pub(super) fn title(cell: &Cell) -> String {
    format!(
        "{}: {} runs of A, {} of B",
        cell.name, cell.runs_a, cell.runs_b
    )
}

/// How the answer was found.
pub(super) fn method(comparison: &Comparison) -> String {
    format!(
        "medians of runs; a change is certain when p < {} (Mann-Whitney on runs, corrected for the \
         number of measures by Holm), its bootstrap interval excludes none and it exceeds the noise \
         (how much halves of one set differ); it is large from {:.0} % on",
        comparison.settings.certain,
        comparison.settings.large * 100.0
    )
}

/// A row of the table, for [`HEADER`].
pub(super) fn row(metric: &Metric) -> Vec<String> {
    let estimate = &metric.estimate;
    let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
    let none = || "-".to_owned();
    vec![
        metric.name.to_owned(),
        bounded(metric, 0, estimate.median_a),
        bounded(metric, 1, estimate.median_b),
        match estimate.ratio {
            Some(ratio) => percent(ratio),
            None => "from 0".to_owned(),
        },
        estimate.interval.map_or_else(none, |(low, high)| {
            format!("{} .. {}", percent(low), percent(high))
        }),
        estimate
            .noise
            .map_or_else(none, |noise| format!("±{:.1} %", noise * 100.0)),
        metric.p.map_or_else(none, |p| {
            if p < 0.0001 {
                "< 0.0001".to_owned()
            } else {
                format!("{p:.4}")
            }
        }),
        metric.finding.name().to_owned(),
    ]
}

/// The median of A (0) or B (1), which is marked where numbers are only known to be at least as
/// large.
fn bounded(metric: &Metric, set: usize, median: f64) -> String {
    let mark = if metric.at_least[set] > 0 { "≥ " } else { "" };
    mark.to_owned() + &value(metric.unit, median)
}

/// A number with its unit.
pub(super) fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::PerSecond => format!("{}/s", number::rate(value)),
        Unit::Ns => number::time(value.round() as u64),
        Unit::Bytes => number::bytes(value.round() as u64),
    }
}
