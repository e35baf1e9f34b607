//! Service level objectives: bounds on the measurements, such as `p99<5ms`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use kvs_load::workload::humane;

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
    P95,
    P99,
    P999,
    P9999,
    Max,
}

const QUANTITIES: [(&str, Quantity); 8] = [
    ("mean", Quantity::Mean),
    ("p50", Quantity::P50),
    ("p90", Quantity::P90),
    ("p95", Quantity::P95),
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
    /// Whether it is more than what was measured, and nobody knows how much: arrivals never
    /// started.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_least: bool,
    /// Its unit.
    pub unit: ObjectiveUnit,
    /// Whether it was met; absent when nobody can tell.
    pub met: Option<bool>,
    /// Why nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
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
    "{0:?} is not an objective: try p99<5ms, read:p99.9<20ms, max<1s, errors<0.1% or throughput>20k, \
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

/// What is known of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    /// It is this at least.
    at_least: f64,
    /// It is this at most; absent when that is not known.
    at_most: Option<f64>,
}

impl Bounds {
    const fn exactly(value: f64) -> Self {
        Self {
            at_least: value,
            at_most: Some(value),
        }
    }
}

impl Slo {
    /// Holds the measured part to it. When its numbers are `void` nobody can tell.
    ///
    /// Arrivals that never started count twice: as if they had never been answered, and as if they
    /// had been answered when the run ended. An objective that is met either way is met, one that
    /// is missed either way is missed, and of any other nobody can tell.
    #[must_use]
    pub fn judge(&self, statistics: &Statistics, void: bool) -> Vec<ObjectiveRecord> {
        let objectives = self.0.iter();
        objectives
            .map(|objective| objective.judge(statistics, void))
            .collect()
    }
}

impl Objective {
    fn judge(&self, statistics: &Statistics, void: bool) -> ObjectiveRecord {
        let bounds = self.measure.of(statistics);
        let met = bounds.filter(|_| !void).and_then(|bounds| self.met(bounds));
        let reason = match (met, bounds) {
            (Some(_), _) => None,
            _ if void => Some("the numbers are void".to_owned()),
            (None, None) => Some("nothing of it was measured".to_owned()),
            (None, Some(_)) => Some(format!(
                "{:.1} % of the arrivals never started",
                statistics.throughput.not_started_share() * 100.0
            )),
        };
        ObjectiveRecord {
            objective: self.text.clone(),
            measured: bounds.map(|bounds| bounds.at_most.unwrap_or(bounds.at_least)),
            at_least: bounds.is_some_and(|bounds| bounds.at_most.is_none()),
            unit: self.measure.unit(),
            met,
            reason,
        }
    }

    /// Whether it was met, whatever lies between the bounds; none when that decides it.
    fn met(&self, bounds: Bounds) -> Option<bool> {
        match self.measure {
            // All that succeeded is known.
            Measure::Throughput => Some(bounds.at_least > self.bound),
            Measure::Latency(..) | Measure::Errors => {
                if bounds.at_most.is_some_and(|value| value < self.bound) {
                    Some(true)
                } else if bounds.at_least >= self.bound {
                    Some(false)
                } else {
                    None
                }
            }
        }
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

    /// None when nothing of it was measured.
    fn of(self, statistics: &Statistics) -> Option<Bounds> {
        let throughput = &statistics.throughput;
        match self {
            Self::Throughput => throughput.achieved_per_s.map(Bounds::exactly),
            Self::Errors => {
                // An operation that never started has failed: its user waited longer than an answer
                // may take.
                let all = throughput.operations + throughput.errors;
                (all > 0).then(|| Bounds::exactly(throughput.errors as f64 / all as f64))
            }
            Self::Latency(kind, quantity) => {
                let (at_least, at_most) = match kind {
                    None => statistics.latency_bounds()?,
                    Some(kind) => { statistics.kinds.iter() }
                        .find(|record| record.kind == kind)?
                        .latency_bounds(),
                };
                Some(Bounds {
                    at_least: quantity.of(at_least)?,
                    at_most: quantity.of(at_most),
                })
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
            Self::P95 => summary.p95,
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
    use crate::{KindRecord, Throughput, Unstarted};

    fn statistics() -> Statistics {
        let summary = |p99_ms: u64| Summary {
            count: 100,
            p50: Some(1_000_000),
            p95: Some(2_000_000),
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
                unstarted: None,
            }],
            ..Statistics::default()
        }
    }

    #[test]
    fn an_objective_is_met_on_its_side_of_the_bound_only() {
        for (text, met) in [
            ("p99<5ms", Some(true)),
            ("p99<4ms", Some(false)),
            ("p50<5ms", Some(true)),
            ("p95<3ms", Some(true)),
            ("p95<2ms", Some(false)),
            // The response time of a kind, where there is one.
            ("read:p99<5ms", Some(false)),
            ("read:p99<8ms", Some(true)),
            // There is no such number.
            ("update:p99<1h", None),
            ("max<1h", None),
            ("errors<2%", Some(true)),
            ("errors<1%", Some(false)),
            ("throughput>50", Some(true)),
            ("throughput>1k", Some(false)),
        ] {
            let slo: Slo = text.parse().expect(text);
            let [record] = &slo.judge(&statistics(), false)[..] else {
                panic!("{text}: one objective")
            };
            assert_eq!(record.met, met, "{text}: {record:?}");
            assert_eq!(record.reason.is_some(), met.is_none(), "{text}");
            assert_eq!(slo.judge(&statistics(), true)[0].met, None);
            assert_eq!(slo.to_string(), text);
        }
        let both: Slo = "p99<5ms, errors<1%".parse().expect("two");
        assert_eq!(both.judge(&statistics(), false).len(), 2);
    }

    #[test]
    fn arrivals_that_never_started_count_as_never_answered_and_as_answered_at_the_end() {
        let at = |p50_ms: Option<u64>, p99_ms: Option<u64>| Summary {
            count: 100,
            p50: p50_ms.map(|ms| ms * 1_000_000),
            p99: p99_ms.map(|ms| ms * 1_000_000),
            ..Summary::default()
        };
        let mut some_missing = statistics();
        some_missing.throughput.offered = Some(100);
        some_missing.throughput.not_started = 38;
        let unstarted = Unstarted {
            count: 38,
            at_least: at(Some(900), Some(2_300)),
            at_most: at(Some(1_000), None),
        };
        some_missing.unstarted = Some(unstarted);
        some_missing.kinds[0].unstarted = Some(unstarted);
        for (text, met, at_least) in [
            // Met though none of them had ever been answered.
            ("p50<1100ms", Some(true), false),
            // Missed though all of them had been answered at the end.
            ("p50<900ms", Some(false), false),
            ("p99<2300ms", Some(false), true),
            ("read:p99<1s", Some(false), true),
            // Between the two.
            ("p50<950ms", None, false),
            ("p99<2500ms", None, true),
            ("read:p99<2500ms", None, true),
        ] {
            let slo: Slo = text.parse().expect(text);
            let record = &slo.judge(&some_missing, false)[0];
            assert_eq!((record.met, record.at_least), (met, at_least), "{text}");
            let reason = record.reason.as_deref();
            let expected = met
                .is_none()
                .then_some("38.0 % of the arrivals never started");
            assert_eq!(reason, expected, "{text}");
        }
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
