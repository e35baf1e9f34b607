//! What runs are compared by: one number a run and measure.

use serde::Serialize;

use kvs_measure::{RunRecord, Summary};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Operations a second.
    PerSecond,
    /// Nanoseconds.
    Ns,
    /// Bytes.
    Bytes,
}

/// The number of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) value: f64,
    /// It is more than that, and nobody knows how much: arrivals never started.
    pub(super) at_least: bool,
}

impl Number {
    const fn exactly(value: f64) -> Self {
        Self {
            value,
            at_least: false,
        }
    }
}

/// A number that runs are compared by.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) bigger_is_better: bool,
    /// The number of a run; none when it has not measured that.
    pub(super) of: fn(&RunRecord) -> Option<Number>,
}

pub(super) const MEASURES: [Measure; 6] = [
    Measure {
        name: "throughput",
        unit: Unit::PerSecond,
        bigger_is_better: true,
        of: throughput,
    },
    Measure {
        name: "latency p50",
        unit: Unit::Ns,
        bigger_is_better: false,
        of: |run| percentile(run, |latency| latency.p50),
    },
    Measure {
        name: "latency p99",
        unit: Unit::Ns,
        bigger_is_better: false,
        of: |run| percentile(run, |latency| latency.p99),
    },
    Measure {
        name: "node CPU per operation",
        unit: Unit::Ns,
        bigger_is_better: false,
        of: cpu,
    },
    Measure {
        name: "messages' bytes per operation",
        unit: Unit::Bytes,
        bigger_is_better: false,
        of: message_bytes,
    },
    Measure {
        name: "nodes' memory",
        unit: Unit::Bytes,
        bigger_is_better: false,
        of: memory,
    },
];

fn throughput(run: &RunRecord) -> Option<Number> {
    // An open loop does what it was told.
    let is_closed = run.configuration.rate.is_none();
    let achieved = run.statistics.throughput.achieved_per_s?;
    is_closed.then_some(Number::exactly(achieved))
}

/// A percentile of what clients waited. One that falls among arrivals that never started is known
/// to be as long as these had waited, and no more.
fn percentile(run: &RunRecord, of: fn(&Summary) -> Option<u64>) -> Option<Number> {
    let (at_least, at_most) = run.statistics.latency_bounds()?;
    match of(at_most) {
        Some(ns) => Some(Number::exactly(ns as f64)),
        None => of(at_least).map(|ns| Number {
            value: ns as f64,
            at_least: true,
        }),
    }
}

fn cpu(run: &RunRecord) -> Option<Number> {
    let seconds = run.nodes.iter().filter_map(|node| node.cpu_seconds);
    let seconds = seconds.reduce(|one, other| one + other)?;
    per_request(run, seconds * 1e9)
}

fn message_bytes(run: &RunRecord) -> Option<Number> {
    let bytes: u64 = run.nodes.iter().map(|node| node.message_bytes_sent).sum();
    per_request(run, bytes as f64)
}

fn memory(run: &RunRecord) -> Option<Number> {
    let bytes = run.nodes.iter().filter_map(|node| node.resident_bytes);
    let bytes = bytes.reduce(|one, other| one + other)?;
    Some(Number::exactly(bytes as f64))
}

fn per_request(run: &RunRecord, sum: f64) -> Option<Number> {
    let requests = run.nodes.iter().map(|node| node.requests).sum::<u64>();
    (requests > 0).then(|| Number::exactly(sum / requests as f64))
}
