//! Tables that both the screen and the page show.

use serde::Serialize;

use kvs_measure::{
    NodeRecord, ObjectiveRecord, ObjectiveUnit, StalenessRecord, Statistics, Summary,
};

use super::layout::{join, plural};
use super::number::{self, Unit, optional};

/// A table, whose first column is text and whose others are numbers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(header: [&str; N], rows: Vec<Vec<String>>) -> Self {
        Self {
            header: header.map(str::to_owned).to_vec(),
            rows,
        }
    }
}

/// Latencies by kind of operation, and of all together where there are several, in the one unit
/// that suits the fastest median; nothing when no operation succeeded.
pub(super) fn latencies(statistics: &Statistics) -> Option<Table> {
    let kinds = &statistics.kinds;
    let fastest = kinds.iter().filter_map(|kind| kind.service.p50).min()?;
    let unit = Unit::fitting(fastest);
    let mut rows = Vec::new();
    let mut push = |name: &str, per_s, response: Option<&Summary>, service: &Summary| {
        let mut push = |name: String, summary: &Summary| {
            let mut row = vec![name, number::count(summary.count)];
            row.push(optional(per_s, number::rate));
            row.extend(quantiles(summary).map(|ns| optional(ns, |ns| unit.of(ns))));
            rows.push(row);
        };
        if let Some(response) = response {
            push(format!("{name} response"), response);
            push(format!("{name} service"), service);
        } else {
            push(name.to_owned(), service);
        }
    };
    for kind in kinds {
        let name = kind.kind.name();
        push(name, kind.per_s, kind.response.as_ref(), &kind.service);
    }
    if let Some(service) = &statistics.service
        && kinds.len() > 1
    {
        let per_s = statistics.throughput.achieved_per_s;
        push("all", per_s, statistics.response.as_ref(), service);
    }
    let p50 = format!("p50 {}", unit.name());
    let header = [
        "operation",
        "count",
        "ops/s",
        &p50,
        "p90",
        "p95",
        "p99",
        "p99.9",
        "p99.99",
        "max",
    ];
    Some(Table::new(header, rows))
}

/// What the latencies count from, and whether they are of all arrivals.
pub(super) fn loop_kind(statistics: &Statistics) -> String {
    let Some(offered) = statistics.throughput.offered else {
        return "closed loop: a session waits for each answer, so response time is service time"
            .to_owned();
    };
    let mut text =
        "open loop: response time is from the intended start, service time from the actual one"
            .to_owned();
    let not_started = statistics.throughput.not_started;
    if not_started > 0 {
        let share = number::percent(not_started, offered);
        text += &format!("; of the arrivals that started: {share} never did");
    }
    text
}

fn quantiles(summary: &Summary) -> [Option<u64>; 7] {
    [
        summary.p50,
        summary.p90,
        summary.p95,
        summary.p99,
        summary.p999,
        summary.p9999,
        summary.max,
    ]
}

/// What was measured of an objective.
pub(super) fn measured(objective: &ObjectiveRecord) -> String {
    let Some(measured) = objective.measured else {
        return "nothing".to_owned();
    };
    let measured = match objective.unit {
        ObjectiveUnit::Nanoseconds => number::time(measured.round() as u64),
        ObjectiveUnit::Share => format!("{:.3} %", measured * 100.0),
        ObjectiveUnit::PerSecond => format!("{}/s", number::rate(measured)),
    };
    if objective.at_least {
        format!("at least {measured}")
    } else {
        measured
    }
}

/// How many reads were stale.
pub(super) fn stale_sentence(staleness: &StalenessRecord) -> String {
    let mut sentence = format!(
        "{} of {} reads missed an acknowledged put ({})",
        number::count(staleness.stale_reads),
        number::count(staleness.reads),
        number::percent(staleness.stale_reads, staleness.reads)
    );
    if let Some(inversions) = staleness.clock_inversions {
        sentence += &format!("; {} clock inversions", number::count(inversions));
    }
    sentence
}

/// How stale reads were; no rows when none was and nothing was seen elsewhere.
pub(super) fn staleness(staleness: &StalenessRecord) -> Table {
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
    let header = ["", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
    Table::new(header, rows)
}

/// What each node did.
pub(super) fn nodes(nodes: &[NodeRecord]) -> Table {
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
    ];
    Table::new(header, nodes.iter().map(node_row).collect())
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

/// A sentence for each node that did not end as asked or that received nonsense.
pub(super) fn troubles(nodes: &[NodeRecord]) -> Vec<String> {
    let mut sentences = Vec::new();
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
            sentences.push(format!("n{}: {}", node.node, join(troubles)));
        }
    }
    sentences
}
