//! The page of a run: `report.html`.

use std::path::Path;

use serde::Serialize;

use crate::report::tables::{self, Table};
use crate::report::text::check_again;
use crate::report::{faults, proof, sentences};
use kvs_measure::{RunRecord, fault_colour};

use super::anomaly::{Picture, picture};
use super::facts::{self, Tile};
use super::series::time_charts;
use super::topology::{self, Topology};
use super::usage::usage;
use super::{Chart, PageError, Shade, render, script_json, spectrum};

/// The page's name within a run directory.
pub const RUN_PAGE: &str = "report.html";

/// Files of a run directory that the page points to, if they are there.
const FILES: [&str; 12] = [
    "run.json",
    "report.txt",
    "latency.hlog",
    "timeseries.csv",
    "nodes.csv",
    "usage.csv",
    "history.arrows",
    "nemesis.jsonl",
    "staleness.hgrm",
    "visibility-lag.hgrm",
    "anomalies",
    "nodes",
];

#[derive(Serialize)]
struct Facts<'a> {
    heading: String,
    started: &'a str,
    record: &'a RunRecord,
    tiles: Vec<Tile>,
    facts: Vec<(&'static str, String)>,
    latencies: Table,
    latency_note: String,
    no_numbers: String,
    fault_kinds: Vec<FaultKind>,
    time_charts: &'a [Chart],
    notices: Vec<String>,
    spectrum: Option<&'a Chart>,
    staleness: Table,
    staleness_sentence: String,
    staleness_chart: Option<&'a Chart>,
    faults: Table,
    fault_notes: Vec<String>,
    errors: Table,
    verdict_sentence: String,
    engines: Table,
    ladder: Table,
    anomalies: Vec<Picture>,
    check_again: String,
    topology: Topology,
    nodes: Table,
    troubles: Vec<String>,
    files: Vec<&'static str>,
    record_json: String,
}

/// What the latencies are, and what they count that was not done.
fn latency_note(record: &RunRecord) -> String {
    let kind = tables::loop_kind(&record.statistics);
    match sentences::mismatches(&record.statistics) {
        Some(mismatches) => format!("{kind}. {mismatches}"),
        None => kind,
    }
}

/// A kind of fault in the legend.
#[derive(Serialize)]
struct FaultKind {
    name: String,
    colour: &'static str,
}

/// The page of a run, from its record and the files of its directory.
///
/// # Errors
/// When a file of the directory cannot be read or is malformed; one that is missing leaves its
/// part of the page out.
pub fn run_page(record: &RunRecord, directory: &Path) -> Result<String, PageError> {
    let (mut time_charts, mut notices) = time_charts(directory)?;
    time_charts.extend(usage(directory)?);
    let not_started = record.statistics.throughput.not_started_share();
    if not_started > 0.0 {
        notices.push(format!(
            "The latencies in the charts are of the arrivals that started: {:.1} % never did.",
            not_started * 100.0
        ));
    }
    let spectrum = spectrum::latency(directory)?;
    let staleness_chart = spectrum::staleness(directory)?;
    let configuration = &record.configuration;
    let lattice = configuration.lattice.as_ref();
    let lattice = lattice.map_or_else(String::new, |lattice| format!(", {lattice}"));
    let heading = format!(
        "{}{lattice}: {}",
        configuration.architecture, configuration.workload.name
    );
    let shades: Vec<Shade> = { &record.faults.windows }
        .iter()
        .map(|window| Shade {
            from: window.from_ns as f64 / 1e9,
            to: window.to_ns as f64 / 1e9,
            colour: fault_colour(&window.kind),
        })
        .collect();
    let charts: Vec<&Chart> = { time_charts.iter() }
        .chain(&spectrum)
        .chain(&staleness_chart)
        .collect();
    let is_void = !record.void.is_empty();
    let latencies = tables::latencies(&record.statistics).filter(|_| !is_void);
    let staleness = record.staleness.as_ref();
    let facts = Facts {
        started: &record.started_at,
        record,
        tiles: facts::tiles(record),
        facts: facts::facts(record),
        latencies: latencies.unwrap_or_default(),
        latency_note: latency_note(record),
        no_numbers: if is_void {
            format!("No performance numbers: {}.", record.void.join("; "))
        } else {
            "No operation succeeded in the measured part.".to_owned()
        },
        fault_kinds: fault_kinds(record),
        time_charts: &time_charts,
        notices,
        spectrum: spectrum.as_ref(),
        staleness: staleness.map(tables::staleness).unwrap_or_default(),
        staleness_sentence: staleness.map(tables::stale_sentence).unwrap_or_default(),
        staleness_chart: staleness_chart.as_ref(),
        faults: facts::faults(&record.faults.windows),
        fault_notes: faults::notes(&record.faults.windows),
        errors: facts::errors(record),
        verdict_sentence: proof::sentence(&record.verdict),
        engines: facts::engines(record),
        ladder: facts::ladder(record),
        anomalies: record.verdict.anomalies.iter().map(picture).collect(),
        check_again: check_again(record),
        topology: topology::topology(record),
        nodes: tables::nodes(&record.nodes),
        troubles: tables::troubles(&record.nodes),
        files: { FILES.iter().copied() }
            .filter(|file| directory.join(file).exists())
            .collect(),
        record_json: script_json(record),
        heading: heading.clone(),
    };
    let verdict = proof::word(record.verdict.verdict);
    let title = format!("{verdict}: {heading} (kvs-zoo)");
    Ok(render("run.html", &title, &charts, &shades, facts))
}

/// The kinds of fault that there were, in the order of their first.
fn fault_kinds(record: &RunRecord) -> Vec<FaultKind> {
    let mut kinds: Vec<FaultKind> = Vec::new();
    for window in &record.faults.windows {
        if !kinds.iter().any(|kind| kind.name == window.kind) {
            kinds.push(FaultKind {
                name: window.kind.clone(),
                colour: fault_colour(&window.kind),
            });
        }
    }
    kinds
}
