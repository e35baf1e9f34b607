//! A comparison in the formats that CI services read.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use super::statistics::median_interval;
use super::text::row;
use super::{Comparison, Finding, Metric, RunVerdict, Unit};
use kvs_measure::VerdictWord;

/// A file for a CI service.
#[derive(Debug)]
pub struct CiFile {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub contents: String,
}

/// github-action-benchmark's JSON, one file a direction; Bencher's metric format; both of B. JUnit
/// for the whole answer: it has failures when B is refused, and errors when something was not
/// decided.
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
            contents: junit(comparison),
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
        for metric in
            { cell.metrics.iter() }.filter(|one| is_known(one) && one.bigger_is_better == bigger)
        {
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

/// Whether every number of B is known, and not only its least.
const fn is_known(metric: &Metric) -> bool {
    metric.at_least[1] == 0
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
                { cell.metrics.iter() }
                    .filter(|metric| is_known(metric))
                    .map(measure)
                    .collect(),
            )
        })
        .collect()
}

fn junit(comparison: &Comparison) -> String {
    let mut report = Report::new("kvs-bench");
    report.add_test_suite(verdicts(&comparison.verdicts));
    report.add_test_suite(measures(comparison));
    report.add_test_suite(completeness(comparison));
    report
        .to_string()
        .expect("texts are valid XML after escaping")
}

/// A case a run of B: whether it kept its promise.
fn verdicts(verdicts: &[RunVerdict]) -> TestSuite {
    let mut suite = TestSuite::new("kvs-bench verdicts");
    for verdict in verdicts {
        let status = match verdict.verdict {
            VerdictWord::Valid => TestCaseStatus::success(),
            VerdictWord::Invalid => refusal(
                NonSuccessKind::Failure,
                "the promise broke",
                &verdict.reason,
            ),
            VerdictWord::Unknown => {
                refusal(NonSuccessKind::Error, "nobody can tell", &verdict.reason)
            }
        };
        let directory = verdict.directory.rsplit('/').next().unwrap_or_default();
        let name = format!("keeps its promise, {} ({directory})", verdict.promise);
        let mut case = TestCase::new(name, status);
        case.set_classname(verdict.cell.clone());
        suite.add_test_case(case);
    }
    suite
}

/// A case a measure and cell: whether it is certainly and largely worse.
fn measures(comparison: &Comparison) -> TestSuite {
    let mut suite = TestSuite::new("kvs-bench measures");
    for cell in &comparison.cells {
        for metric in &cell.metrics {
            let text = row(metric).join(" | ");
            let status = match metric.finding {
                Finding::Worse => refusal(
                    NonSuccessKind::Failure,
                    "certainly and largely worse",
                    &text,
                ),
                Finding::TooFewRuns | Finding::OtherMachine | Finding::NotStarted => {
                    refusal(NonSuccessKind::Error, metric.finding.name(), &text)
                }
                Finding::Better
                | Finding::SlightlyBetter
                | Finding::SlightlyWorse
                | Finding::NoChange => TestCaseStatus::success(),
            };
            let mut case = TestCase::new(format!("{} is not worse", metric.name), status);
            case.set_classname(cell.name.clone());
            suite.add_test_case(case);
        }
    }
    suite
}

/// A case a thing that was not decided; one that succeeds when there is none.
fn completeness(comparison: &Comparison) -> TestSuite {
    let mut suite = TestSuite::new("kvs-bench completeness");
    for gap in &comparison.gaps {
        let status = refusal(NonSuccessKind::Error, "not decided", &gap.text);
        let mut case = TestCase::new("nothing is missing", status);
        case.set_classname(gap.about.clone());
        suite.add_test_case(case);
    }
    if comparison.gaps.is_empty() {
        let status = if comparison.metrics().next().is_some() {
            TestCaseStatus::success()
        } else {
            refusal(NonSuccessKind::Error, "not decided", "nothing was compared")
        };
        suite.add_test_case(TestCase::new("nothing is missing", status));
    }
    suite
}

fn refusal(kind: NonSuccessKind, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status.set_description(description.to_owned());
    status
}
