//! Service level objectives: what the measurements must be, `p99<5ms` say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::workload::humane;

use super::histogram::Summary;
use super::kind::OperationKind;
use super::statistics::Statistics;

/// Objectives, all of which must be met: `p99<5ms`, `read:p99.9<20ms,errors<0.1%`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo(Vec<Objective>);

/// One thing that must hold of the measured part.
#[derive(Clone, Debug, PartialEq)]
struct Objective {
    /// As it was written.
    text: String,
    measure: Measure,
    bound: f64,
}

/// What is measured, with the side on which it must lie.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    /// A latency in ns, of one kind of operation or of all together; below.
    Latency(Option<OperationKind>, Quantity),
    /// The share of operations that did not succeed; below.
    Errors,
    /// Operations a second that succeeded; above.
    Throughput,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantity {
    Mean,
    P50,
    P90,
    P99,
    P999,
    P9999,
    Max,
}

const QUANTITIES: [(&str, Quantity); 7] = [
    ("mean", Quantity::Mean),
    ("p50", Quantity::P50),
    ("p90", Quantity::P90),
    ("p99", Quantity::P99),
    ("p99.9", Quantity::P999),
    ("p99.99", Quantity::P9999),
    ("max", Quantity::Max),
];

/// What came of an objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveRecord {
    /// The objective as it was written.
    pub objective: String,
    /// What was measured; absent when there is no such number.
    pub measured: Option<f64>,
    /// Its unit.
    pub unit: ObjectiveUnit,
    /// Whether it was met; absent when the numbers are void. What was not measured is not met.
    pub met: Option<bool>,
}

/// What the measurement of an objective counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveUnit {
    /// Nanoseconds.
    Nanoseconds,
    /// A share, from 0 to 1.
    Share,
    /// Operations a second.
    PerSecond,
}

/// Why a text is no objective.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no objective: try p99<5ms, read:p99.9<20ms, max<1s, errors<0.1% or throughput>20k, \
     with commas between several"
)]
pub struct SloError(String);

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        text.split(',')
            .map(|one| objective(one.trim()).ok_or_else(|| SloError(one.trim().to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn objective(text: &str) -> Option<Objective> {
    let (name, side, bound) = match text.split_once('<') {
        Some((name, bound)) => (name.trim(), '<', bound.trim()),
        None => {
            let (name, bound) = text.split_once('>')?;
            (name.trim(), '>', bound.trim())
        }
    };
    let (measure, bound) = match (name, side) {
        ("throughput", '>') => (Measure::Throughput, humane::parse_count(bound)?),
        ("errors", '<') => {
            let percent: f64 = bound.strip_suffix('%')?.trim().parse().ok()?;
            let is_share = (0.0..=100.0).contains(&percent);
            (Measure::Errors, is_share.then_some(percent / 100.0)?)
        }
        (name, '<') => {
            let (kind, quantity) = match name.split_once(':') {
                Some((kind, quantity)) => {
                    let known = |known: &&OperationKind| known.name() == kind.trim();
                    let kind = OperationKind::ALL.iter().find(known)?;
                    (Some(*kind), quantity.trim())
                }
                None => (None, name),
            };
            let (_, quantity) = QUANTITIES.iter().find(|(name, _)| *name == quantity)?;
            let bound = humane::parse_duration(bound)?;
            let ns = bound.as_nanos() as f64;
            (Measure::Latency(kind, *quantity), ns)
        }
        _ => return None,
    };
    Some(Objective {
        text: text.to_owned(),
        measure,
        bound,
    })
}

impl Slo {
    /// Holds the measured part to it. When its numbers are `void` nobody can tell.
    #[must_use]
    pub fn judge(&self, statistics: &Statistics, void: bool) -> Vec<ObjectiveRecord> {
        let record = |objective: &Objective| {
            let measured = objective.measure.of(statistics);
            let met = measured.is_some_and(|measured| match objective.measure {
                Measure::Throughput => measured > objective.bound,
                Measure::Latency(..) | Measure::Errors => measured < objective.bound,
            });
            ObjectiveRecord {
                objective: objective.text.clone(),
                measured,
                unit: objective.measure.unit(),
                met: (!void).then_some(met),
            }
        };
        self.0.iter().map(record).collect()
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|one| one.text.as_str()).collect();
        f.write_str(&texts.join(","))
    }
}

impl Measure {
    const fn unit(self) -> ObjectiveUnit {
        match self {
            Self::Latency(..) => ObjectiveUnit::Nanoseconds,
            Self::Errors => ObjectiveUnit::Share,
            Self::Throughput => ObjectiveUnit::PerSecond,
        }
    }

    fn of(self, statistics: &Statistics) -> Option<f64> {
        let throughput = &statistics.throughput;
        match self {
            Self::Throughput => throughput.achieved_per_s,
            Self::Errors => {
                let all = throughput.operations + throughput.errors;
                (all > 0).then(|| throughput.errors as f64 / all as f64)
            }
            Self::Latency(kind, quantity) => {
                let summary = match kind {
                    None => *statistics.latency()?,
                    Some(kind) => {
                        let of_kind = statistics.kinds.iter().find(|record| record.kind == kind)?;
                        of_kind.response.unwrap_or(of_kind.service)
                    }
                };
                quantity.of(&summary)
            }
        }
    }
}

impl Quantity {
    fn of(self, summary: &Summary) -> Option<f64> {
        let ns = match self {
            Self::Mean => return summary.mean,
            Self::P50 => summary.p50,
            Self::P90 => summary.p90,
            Self::P99 => summary.p99,
            Self::P999 => summary.p999,
            Self::P9999 => summary.p9999,
            Self::Max => summary.max,
        };
        ns.map(|ns| ns as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{KindRecord, Throughput};

    fn statistics() -> Statistics {
        let summary = |p99_ms: u64| Summary {
            count: 100,
            p50: Some(1_000_000),
            p99: Some(p99_ms * 1_000_000),
            ..Summary::default()
        };
        Statistics {
            throughput: Throughput {
                seconds: 1.0,
                operations: 99,
                errors: 1,
                achieved_per_s: Some(99.0),
                ..Throughput::default()
            },
            service: Some(summary(4)),
            kinds: vec![KindRecord {
                kind: OperationKind::Read,
                per_s: Some(99.0),
                response: Some(summary(7)),
                service: summary(4),
            }],
            ..Statistics::default()
        }
    }

    #[test]
    fn an_objective_is_met_on_its_side_of_the_bound_only() {
        for (text, met) in [
            ("p99<5ms", true),
            ("p99<4ms", false),
            ("p50<5ms", true),
            // The response time of a kind, where there is one.
            ("read:p99<5ms", false),
            ("read:p99<8ms", true),
            ("update:p99<1h", false),
            // There is no such number.
            ("max<1h", false),
            ("errors<2%", true),
            ("errors<1%", false),
            ("throughput>50", true),
            ("throughput>1k", false),
        ] {
            let slo: Slo = text.parse().expect(text);
            let [record] = &slo.judge(&statistics(), false)[..] else {
                panic!("{text}: one objective")
            };
            assert_eq!(record.met, Some(met), "{text}: {record:?}");
            assert_eq!(slo.judge(&statistics(), true)[0].met, None);
            assert_eq!(slo.to_string(), text);
        }
        let both: Slo = "p99<5ms, errors<1%".parse().expect("two");
        assert_eq!(both.judge(&statistics(), false).len(), 2);
    }

    #[test]
    fn what_is_no_objective_is_refused_with_examples() {
        for text in [
            "",
            "p99",
            "p99<5",
            "p98<5ms",
            "p99>5ms",
            "write:p99<5ms",
            "errors<1",
            "errors<101%",
            "throughput<5",
            "p99<5ms,",
        ] {
            let error = text.parse::<Slo>().expect_err(text).to_string();
            assert!(error.contains("try p99<5ms"), "{error}");
        }
    }
}
