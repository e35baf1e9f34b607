//! A comparison as a page: the tables, and the curves of both sets over one another.

use std::path::Path;

use serde::Serialize;

use super::text::{HEADER, method, row, title};
use super::{Answer, Cell, Comparison, Metric, Unit};
use crate::report::html::{
    Axis, Chart, Curve, PageError, Variant, overlaid_courses, overlaid_spectra, render,
};
use crate::report::tables::Table;

/// Cells that have charts; the tables have all.
const CELLS_DRAWN_MAX: usize = 12;

#[derive(Serialize)]
struct Facts<'a> {
    headline: String,
    word: &'static str,
    cells: Vec<CellFacts<'a>>,
    comparison: &'a Comparison,
    method: String,
}

#[derive(Serialize)]
struct CellFacts<'a> {
    title: String,
    table: Table,
    charts: Vec<&'a Chart>,
}

/// The comparison as a page.
///
/// # Errors
/// When a file of a run directory that is drawn cannot be read or is malformed.
pub fn page(comparison: &Comparison) -> Result<String, PageError> {
    let mut drawn: Vec<Vec<Chart>> = Vec::new();
    for (at, cell) in comparison.cells.iter().enumerate() {
        let mut charts = Vec::new();
        if at < CELLS_DRAWN_MAX {
            let [a, b] = &cell.typical;
            let sets = [("A", Path::new(a)), ("B", Path::new(b))];
            charts.extend(overlaid_courses(&format!("course-{at}"), &sets)?);
            charts.extend(overlaid_spectra(format!("spectrum-{at}"), &sets)?);
            if cell.runs_a + cell.runs_b > 2 {
                charts.push(runs(at, cell));
            }
        }
        drawn.push(charts);
    }
    let facts = Facts {
        headline: comparison.headline(),
        word: match comparison.answer() {
            Answer::Green => "valid",
            Answer::Refused => "invalid",
            Answer::Undecided => "unknown",
        },
        cells: { comparison.cells.iter().zip(&drawn) }
            .map(|(cell, charts)| CellFacts {
                title: title(cell),
                table: Table::new(HEADER, cell.metrics.iter().map(row).collect()),
                charts: charts.iter().collect(),
            })
            .collect(),
        comparison,
        method: method(comparison),
    };
    let charts: Vec<&Chart> = drawn.iter().flatten().collect();
    Ok(render(
        "compare.html",
        "Comparison (kvs-zoo)",
        &charts,
        &[],
        facts,
    ))
}

/// The number of every run, measure by measure.
fn runs(at: usize, cell: &Cell) -> Chart {
    let longest = cell.runs_a.max(cell.runs_b);
    let variant = |metric: &Metric| {
        let curve = |name: &str, values: &[f64]| Curve {
            name: name.to_owned(),
            values: (0..longest).map(|run| values.get(run).copied()).collect(),
        };
        Variant {
            name: metric.name.to_owned(),
            y: match metric.unit {
                Unit::PerSecond => Axis::Rate,
                Unit::Ns => Axis::Latency,
                Unit::Bytes => Axis::Bytes,
            },
            log: false,
            series: vec![curve("A", &metric.a), curve("B", &metric.b)],
        }
    };
    Chart {
        id: format!("runs-{at}"),
        title: "Run by run".to_owned(),
        note: "One number of each run, in the order in which they ran.".to_owned(),
        x: Axis::Count,
        x_label: "run",
        x_log: false,
        sync: None,
        shaded: false,
        points: true,
        xs: (1..=longest).map(|run| run as f64).collect(),
        variants: cell.metrics.iter().map(variant).collect(),
    }
}
