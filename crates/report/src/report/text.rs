//! The one screen that a run ends with.

use kvs_measure::{NodeRecord, RunRecord, Statistics, VerdictWord, shell};

use super::faults;
use super::glossary;
use super::html::RUN_PAGE;
use super::layout::{join, label, labelled, plural, table};
use super::number;
use super::proof::{anomalies, verdict};
use super::sentences;
use super::tables;

/// A screen is at most this many lines; anomalies are cut to fit.
pub const LINES_MAX: usize = 50;
/// A line is at most this many columns, unless a path or a command is longer.
pub const COLUMNS_MAX: usize = 100;

/// Nodes that are listed one by one: as many as there is room for, within these bounds.
const NODES_SHOWN_MIN: usize = 3;
const NODES_SHOWN_MAX: usize = 9;
/// Kinds of errors that are listed one by one.
const ERRORS_SHOWN_MAX: usize = 3;
/// Lines that anomalies have in any case.
const ANOMALY_LINES_MIN: usize = 8;
/// The report as text: at most [`LINES_MAX`] lines, unless warnings and troubled nodes are many.
#[must_use]
pub fn text(record: &RunRecord) -> String {
    let mut before = heading(record);
    before.extend(performance(record));
    before.extend(faults::lines(&record.faults));
    before.extend(staleness(record));
    let verdict = verdict(record);
    let ending = ending(record);
    let invalid = record.verdict.verdict == VerdictWord::Invalid;
    let proof = if invalid { ANOMALY_LINES_MIN } else { 0 };
    let taken = before.len() + verdict.len() + ending.len() + proof;
    let nodes = nodes(&record.nodes, LINES_MAX.saturating_sub(taken));
    let proof = if invalid {
        let room = LINES_MAX.saturating_sub(taken - proof + nodes.len());
        anomalies(&record.verdict.anomalies, room.max(ANOMALY_LINES_MIN))
    } else {
        Vec::new()
    };
    [before, nodes, verdict, proof, ending].concat().join("\n") + "\n"
}

fn heading(record: &RunRecord) -> Vec<String> {
    let configuration = &record.configuration;
    let lattice = configuration.lattice.as_ref();
    let lattice = lattice.map_or_else(String::new, |lattice| format!(", {lattice}"));
    let store = format!(
        "{}{lattice}; {}, {}; routing {}{}; {}; {}",
        configuration.architecture,
        sentences::nodes(configuration),
        plural(u64::from(configuration.groups), "group"),
        configuration.routing,
        sentences::with_context(configuration),
        sentences::stored(configuration),
        plural(u64::from(configuration.connections), "connection"),
    );
    let program = format!("kvs-zoo {}", record.versions.kvs_zoo);
    let mut lines = labelled("Store", &store);
    if let Some(foreign) = &configuration.store {
        lines.extend(labelled("", &sentences::foreign(foreign)));
        if let Some(pipe) = foreign.pipe {
            lines.extend(labelled("Pipe", &sentences::pipe(pipe)));
        }
    }
    if let Some(bug) = &configuration.bug {
        lines.extend(labelled(
            "Bug",
            &format!("{bug} (planted: the checks must find it)"),
        ));
    }
    lines.extend(labelled("Workload", &sentences::workload(configuration)));
    let machine = sentences::machine(record, Some(program));
    lines.extend(labelled("Machine", &machine));
    lines.extend(labelled("Phases", &sentences::phases(record)));
    lines
}

fn performance(record: &RunRecord) -> Vec<String> {
    let mut lines = vec![String::new()];
    if record.void.is_empty() {
        lines.extend(latencies(&record.statistics));
        lines.extend(labelled("Throughput", &sentences::throughput(record)));
    } else {
        for reason in &record.void {
            lines.extend(labelled(
                "VOID",
                &format!("no performance numbers: {reason}"),
            ));
        }
        lines.extend(labelled(
            "",
            "the verdict on the history stands all the same",
        ));
    }
    lines.extend(labelled("Errors", &errors(record)));
    if let Some(mismatches) = sentences::mismatches(&record.statistics) {
        lines.extend(labelled("Mismatches", &mismatches));
    }
    for objective in &record.objectives {
        let met = match objective.met {
            Some(true) => "met".to_owned(),
            Some(false) => "MISSED".to_owned(),
            None => {
                let reason = objective.reason.as_deref();
                format!(
                    "nobody can tell: {}",
                    reason.unwrap_or("the numbers are void")
                )
            }
        };
        let text = format!(
            "{}: {met} ({} measured)",
            objective.objective,
            tables::measured(objective)
        );
        lines.extend(labelled("Objective", &text));
    }
    lines
}

/// The latency table, in the one unit that suits the fastest median.
fn latencies(statistics: &Statistics) -> Vec<String> {
    let Some(tabled) = tables::latencies(statistics) else {
        return labelled("Latency", "no operation succeeded in the measured part");
    };
    let mut lines = labelled("Latency", &tables::loop_kind(statistics));
    lines.extend(table(&tabled.header, tabled.rows));
    lines
}

fn errors(record: &RunRecord) -> String {
    let statistics = &record.statistics;
    if statistics.errors.is_empty() {
        return "none".to_owned();
    }
    let mut by_count: Vec<_> = statistics.errors.iter().collect();
    by_count.sort_by_key(|error| std::cmp::Reverse(error.count));
    let mut shown: Vec<_> = by_count
        .iter()
        .take(ERRORS_SHOWN_MAX)
        .map(|error| {
            let count = number::count(error.count);
            format!("{count} {} {}", error.kind, error.error)
        })
        .collect();
    if by_count.len() > ERRORS_SHOWN_MAX {
        let rest: u64 = by_count[ERRORS_SHOWN_MAX..].iter().map(|e| e.count).sum();
        shown.push(format!("{} others", number::count(rest)));
    }
    let total = statistics.throughput.errors;
    let all = total + statistics.throughput.operations;
    format!(
        "{} ({} of all operations): {}",
        number::count(total),
        number::percent(total, all),
        join(shown)
    )
}

fn staleness(record: &RunRecord) -> Vec<String> {
    let Some(staleness) = &record.staleness else {
        return Vec::new();
    };
    let mut lines = labelled("Staleness", &tables::stale_sentence(staleness));
    let tabled = tables::staleness(staleness);
    if !tabled.rows.is_empty() {
        lines.extend(table(&tabled.header, tabled.rows));
        lines.extend(labelled("", glossary::STALENESS_LEGEND));
    }
    lines
}

/// What each node did, in about `room` lines.
fn nodes(nodes: &[NodeRecord], room: usize) -> Vec<String> {
    if nodes.is_empty() {
        return Vec::new();
    }
    let troubles = troubles(nodes);
    // A blank line, the header, and perhaps the line that counts the others.
    let room = room.saturating_sub(troubles.len() + 3);
    let shown = room
        .clamp(NODES_SHOWN_MIN, NODES_SHOWN_MAX)
        .min(nodes.len());
    let tabled = tables::nodes(&nodes[..shown]);
    let mut lines = vec![String::new()];
    lines.extend(table(&tabled.header, tabled.rows));
    if nodes.len() > shown {
        lines.push(format!("  + {} more in run.json", nodes.len() - shown));
    }
    lines.extend(troubles);
    lines
}

/// One line for each of the first nodes that did not end as asked or were sent nonsense.
fn troubles(nodes: &[NodeRecord]) -> Vec<String> {
    let mut lines = Vec::new();
    for trouble in tables::troubles(nodes) {
        lines.extend(labelled("", &trouble));
    }
    if lines.len() > NODES_SHOWN_MAX {
        lines.truncate(NODES_SHOWN_MAX);
        lines.extend(labelled("", "… and others in run.json"));
    }
    lines
}

/// The command that judges the history of a run again.
pub(super) fn check_again(record: &RunRecord) -> String {
    format!("kvs-bench check {}", shell::quoted(&record.directory))
}

fn ending(record: &RunRecord) -> Vec<String> {
    let mut lines = Vec::new();
    for warning in &record.warnings {
        lines.extend(labelled("Warning", warning));
    }
    lines.push(String::new());
    // Paths and commands are not wrapped: they are there to be copied.
    let directory = &record.directory;
    lines.push(label("Results") + directory);
    lines.push(label("Page") + &format!("{directory}/{RUN_PAGE}"));
    if record.history.recorded > 0 {
        lines.push(label("Check again") + &check_again(record));
    }
    lines.push(label("Run again") + &record.command);
    lines
}
