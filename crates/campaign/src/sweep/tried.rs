//! What a run at one rate says.

use kvs_measure::{RunRecord, Summary};
use kvs_report::report::sweep::Try;

/// A rate is kept up with when this share of it is achieved.
const KEPT_UP: f64 = 0.95;

/// What the record of a run at this rate says of it.
#[must_use]
pub fn tried(record: &RunRecord, rate: f64) -> Try {
    let statistics = &record.statistics;
    let percentile = |of: fn(&Summary) -> Option<u64>| {
        let (at_least, at_most) = statistics.latency_bounds()?;
        of(at_most).or_else(|| of(at_least))
    };
    let achieved_per_s = statistics.throughput.achieved_per_s.unwrap_or(0.0);
    let void = !record.void.is_empty();
    let objectives = record.objectives.iter();
    // Missed when any is, and met when all are.
    let met = objectives.map(|objective| objective.met);
    let met = met.reduce(|one, other| match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    });
    Try {
        rate,
        achieved_per_s,
        p50_ns: percentile(|latency| latency.p50),
        p95_ns: percentile(|latency| latency.p95),
        p99_ns: percentile(|latency| latency.p99),
        p999_ns: percentile(|latency| latency.p999),
        kept_up: !void && achieved_per_s >= rate * KEPT_UP,
        void,
        void_reason: record.void.first().cloned(),
        overloaded: statistics.throughput.is_overloaded(),
        not_started_share: statistics.throughput.not_started_share(),
        met: met.flatten(),
        verdict: record.verdict.verdict,
        directory: record.directory.clone(),
    }
}
