//! The one screen that a run ends with.

use crate::measure::{Configuration, KindRecord, NodeRecord, RunRecord, Summary, VerdictWord};

use super::faults;
use super::layout::{join, label, labelled, plural, quoted, table};
use super::number::{self, Unit, optional};
use super::proof::{anomalies, verdict};

/// A screen is at most this many lines; anomalies are cut to fit.
pub const LINES_MAX: usize = 45;
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
        "{}{lattice}; {}, {}; routing {}, context {}; {}; {}",
        configuration.architecture,
        plural(u64::from(configuration.nodes), "node"),
        plural(u64::from(configuration.groups), "group"),
        configuration.routing,
        if configuration.context { "on" } else { "off" },
        stored(configuration),
        plural(u64::from(configuration.connections), "connection"),
    );
    let workload = &configuration.workload;
    let machine = &record.machine;
    let known = [
        Some(plural(u64::from(machine.cores), "core")),
        machine.cpu.clone(),
        machine.memory_bytes.map(number::bytes),
        machine.kernel.clone(),
        Some(format!("kvs-zoo {}", record.versions.kvs_zoo)),
    ];
    let phases: Vec<_> = record
        .phases
        .iter()
        .map(|phase| format!("{} {}", phase.name, number::seconds(phase.seconds)))
        .collect();
    let mut lines = labelled("Store", &store);
    if let Some(bug) = &configuration.bug {
        lines.extend(labelled("Bug", &format!("{bug} (planted: must be caught)")));
    }
    lines.extend(labelled(
        "Workload",
        &format!("{}: {}", workload.name, workload.summary),
    ));
    lines.extend(labelled("Machine", &join(known.into_iter().flatten())));
    lines.extend(labelled("Phases", &join(phases)));
    lines
}

/// Where values are, and what a kill would lose of them.
fn stored(configuration: &Configuration) -> String {
    let host = match configuration.host.as_str() {
        "process" => String::new(),
        host => format!(", host {host}"),
    };
    match (configuration.durability.as_str(), &configuration.lattice) {
        ("memory", None) => format!("stored in memory (a killed node loses all it has){host}"),
        ("memory", Some(_)) => {
            format!("stored in memory (a killed node loses what it alone has){host}")
        }
        (durability, _) => format!("stored on {durability}, acknowledged when synced{host}"),
    }
}

fn performance(record: &RunRecord) -> Vec<String> {
    let mut lines = vec![String::new()];
    if record.void.is_empty() {
        lines.extend(latencies(&record.statistics.kinds));
        lines.extend(labelled("Throughput", &throughput(record)));
    } else {
        for reason in &record.void {
            lines.extend(labelled(
                "VOID",
                &format!("no performance numbers: {reason}"),
            ));
        }
    }
    lines.extend(labelled("Errors", &errors(record)));
    lines
}

/// The latency table, in the one unit that suits the fastest median.
fn latencies(kinds: &[KindRecord]) -> Vec<String> {
    let Some(fastest) = kinds.iter().filter_map(|kind| kind.service.p50).min() else {
        return labelled("Latency", "no operation succeeded in the measured part");
    };
    let unit = Unit::fitting(fastest);
    let open_loop = kinds.iter().any(|kind| kind.response.is_some());
    let title = if open_loop {
        "open loop: response time is from the intended start, service time from the actual one"
    } else {
        "closed loop: a session sends when its answer is in, so response time is service time"
    };
    let header = [
        "operation".to_owned(),
        "count".to_owned(),
        "ops/s".to_owned(),
        format!("p50 {}", unit.name()),
        "p90".to_owned(),
        "p99".to_owned(),
        "p99.9".to_owned(),
        "p99.99".to_owned(),
        "max".to_owned(),
    ];
    let row = |name: String, kind: &KindRecord, summary: &Summary| {
        let rate = optional(kind.per_s, number::rate);
        let mut row = vec![name, number::count(summary.count), rate];
        row.extend(quantiles(summary).map(|ns| optional(ns, |ns| unit.of(ns))));
        row
    };
    let mut rows = Vec::new();
    for kind in kinds {
        if let Some(response) = &kind.response {
            rows.push(row(format!("{} response", kind.kind), kind, response));
            rows.push(row(format!("{} service", kind.kind), kind, &kind.service));
        } else {
            rows.push(row(kind.kind.to_string(), kind, &kind.service));
        }
    }
    let mut lines = labelled("Latency", title);
    lines.extend(table(&header, rows));
    lines
}

fn quantiles(summary: &Summary) -> [Option<u64>; 6] {
    [
        summary.p50,
        summary.p90,
        summary.p99,
        summary.p999,
        summary.p9999,
        summary.max,
    ]
}

fn throughput(record: &RunRecord) -> String {
    let throughput = &record.statistics.throughput;
    let achieved = optional(throughput.achieved_per_s, number::rate);
    let done = format!(
        "{achieved} operations/s achieved ({} in {})",
        number::count(throughput.operations),
        number::seconds(throughput.seconds)
    );
    let Some(offered) = throughput.offered else {
        return done;
    };
    format!(
        "{} operations/s offered, {done}; {} of the arrivals late by the generator's fault",
        optional(throughput.offered_per_s, number::rate),
        number::percent(throughput.late, offered)
    )
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
    let mut summary = format!(
        "{} of {} reads missed an acknowledged put ({})",
        number::count(staleness.stale_reads),
        number::count(staleness.reads),
        number::percent(staleness.stale_reads, staleness.reads)
    );
    if let Some(inversions) = staleness.clock_inversions {
        summary += &format!("; {} clock inversions", number::count(inversions));
    }
    let mut lines = labelled("Staleness", &summary);
    let header = ["", "p50", "p90", "p99", "p99.9", "p99.99", "max"].map(str::to_owned);
    let times = |name: &str, summary: &Summary| {
        let cells = quantiles(summary).map(|ns| optional(ns, number::time));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    if staleness.stale_reads > 0 {
        rows.push(times("Δ, a read's age", &staleness.delta_ns));
        let missed = quantiles(&staleness.k).map(|k| optional(k, number::count));
        let name = std::iter::once("k, puts missed".to_owned());
        rows.push(name.chain(missed).collect());
    }
    if staleness.visibility_lag_ns.count > 0 {
        rows.push(times("visibility lag", &staleness.visibility_lag_ns));
    }
    if !rows.is_empty() {
        lines.extend(table(&header, rows));
    }
    lines
}

/// What each node did, in about `room` lines.
fn nodes(nodes: &[NodeRecord], room: usize) -> Vec<String> {
    if nodes.is_empty() {
        return Vec::new();
    }
    let header = [
        "node",
        "group",
        "requests",
        "messages",
        "sent",
        "CPU",
        "resident",
        "keys",
        "overhead B/key",
    ]
    .map(str::to_owned);
    let troubles = troubles(nodes);
    // A blank line, the header, and perhaps the line that counts the others.
    let room = room.saturating_sub(troubles.len() + 3);
    let shown = room
        .clamp(NODES_SHOWN_MIN, NODES_SHOWN_MAX)
        .min(nodes.len());
    let rows = nodes[..shown].iter().map(node_row).collect();
    let mut lines = vec![String::new()];
    lines.extend(table(&header, rows));
    if nodes.len() > shown {
        lines.push(format!("  + {} more in run.json", nodes.len() - shown));
    }
    lines.extend(troubles);
    lines
}

/// One line for each of the first nodes that did not end as asked or were sent nonsense.
fn troubles(nodes: &[NodeRecord]) -> Vec<String> {
    let mut lines = Vec::new();
    for node in nodes {
        let refused = (node.refused_frames > 0)
            .then(|| format!("refused {}", plural(node.refused_frames, "malformed frame")));
        let strangers = (node.refused_connections > 0)
            .then(|| format!("refused {}", plural(node.refused_connections, "connection")));
        let troubles: Vec<_> = { refused.into_iter() }
            .chain(strangers)
            .chain(node.fate.clone())
            .collect();
        if !troubles.is_empty() {
            lines.extend(labelled("", &format!("n{}: {}", node.node, join(troubles))));
        }
    }
    if lines.len() > NODES_SHOWN_MAX {
        lines.truncate(NODES_SHOWN_MAX);
        lines.extend(labelled("", "… and others in run.json"));
    }
    lines
}

fn node_row(node: &NodeRecord) -> Vec<String> {
    vec![
        format!("n{}", node.node),
        node.group.to_string(),
        number::count(node.requests),
        number::count(node.messages_sent),
        number::bytes(node.message_bytes_sent),
        optional(node.cpu_seconds, number::seconds),
        optional(node.resident_bytes, number::bytes),
        optional(node.keys, number::count),
        optional(node.overhead_bytes_per_key, |bytes| format!("{bytes:.0}")),
    ]
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
    if record.history.recorded > 0 {
        lines.push(label("Check again") + &format!("kvs-bench check {}", quoted(directory)));
    }
    lines.push(label("Run again") + &record.command);
    lines
}
