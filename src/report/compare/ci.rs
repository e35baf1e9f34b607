//! A comparison in the formats that CI services read.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::statistics::median_interval;
use super::{Comparison, Metric, Unit, Verdict};
use crate::measure::VerdictWord;

/// A file for a CI service.
#[derive(Debug)]
pub struct CiFile {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub contents: String,
}

/// github-action-benchmark's JSON, one file a direction; Bencher's metric format; JUnit for the
/// verdicts; all of B.
#[must_use]
pub fn ci_files(comparison: &Comparison) -> Vec<CiFile> {
    vec![
        CiFile {
            name: "benchmark-bigger-is-better.json",
            contents: json(&action_benchmark(comparison, true)),
        },
        CiFile {
            name: "benchmark-smaller-is-better.json",
            contents: json(&action_benchmark(comparison, false)),
        },
        CiFile {
            name: "bencher.json",
            contents: json(&bencher(comparison)),
        },
        CiFile {
            name: "junit.xml",
            contents: junit(&comparison.verdicts),
        },
    ]
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data with text keys") + "\n"
}

/// An entry of github-action-benchmark.
#[derive(Serialize)]
struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    range: String,
    extra: String,
}

fn action_benchmark(comparison: &Comparison, bigger: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    for cell in &comparison.cells {
        for metric in { cell.metrics.iter() }.filter(|one| one.bigger_is_better == bigger) {
            let (low, high) = median_interval(&metric.b);
            entries.push(Entry {
                name: format!("{}: {}", cell.name, metric.name),
                unit: unit(metric.unit),
                value: metric.estimate.median_b,
                range: format!("{low:.0} .. {high:.0}"),
                extra: format!("median of {} runs, 95 % interval", metric.b.len()),
            });
        }
    }
    entries
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::PerSecond => "ops/s",
        Unit::Ns => "ns",
        Unit::Bytes => "B",
    }
}

/// A measure of Bencher's.
#[derive(Serialize)]
struct Bencher {
    value: f64,
    lower_value: f64,
    upper_value: f64,
}

fn bencher(comparison: &Comparison) -> BTreeMap<&str, BTreeMap<String, Bencher>> {
    let measure = |metric: &Metric| {
        let (lower_value, upper_value) = median_interval(&metric.b);
        // Latency in nanoseconds and throughput in operations a second are built in.
        let name = match metric.name {
            "latency p50" => "latency".to_owned(),
            name => name.replace(' ', "-").replace('\'', ""),
        };
        let value = metric.estimate.median_b;
        (
            name,
            Bencher {
                value,
                lower_value,
                upper_value,
            },
        )
    };
    { comparison.cells.iter() }
        .map(|cell| {
            (
                cell.name.as_str(),
                cell.metrics.iter().map(measure).collect(),
            )
        })
        .collect()
}

fn junit(verdicts: &[Verdict]) -> String {
    let mut suite = TestSuite::new("kvs-bench verdicts");
    for verdict in verdicts {
        let status = match verdict.verdict {
            VerdictWord::Valid => TestCaseStatus::success(),
            VerdictWord::Invalid => refusal(NonSuccessKind::Failure, "the promise broke", verdict),
            VerdictWord::Unknown => refusal(NonSuccessKind::Error, "nobody can tell", verdict),
        };
        let directory = verdict.directory.rsplit('/').next().unwrap_or_default();
        let name = format!("keeps its promise, {} ({directory})", verdict.promise);
        let mut case = TestCase::new(name, status);
        case.set_classname(verdict.cell.clone());
        suite.add_test_case(case);
    }
    let mut report = Report::new("kvs-bench");
    report.add_test_suite(suite);
    report
        .to_string()
        .expect("texts are valid XML after escaping")
}

fn refusal(kind: NonSuccessKind, message: &str, verdict: &Verdict) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status.set_description(verdict.reason.clone());
    status
}
