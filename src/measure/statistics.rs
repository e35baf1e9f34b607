//! What is quoted of the measured part: throughput, latencies by kind, errors.

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, Summary};
use super::kind::OperationKind;
use super::recorder::{ErrorRecord, Measured};

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// How much was asked and done.
    pub throughput: Throughput,
    /// Response times of all kinds together; absent in a closed loop, or when nothing succeeded.
    #[serde(default)]
    pub response: Option<Summary>,
    /// Service times of all kinds together; absent when nothing succeeded.
    #[serde(default)]
    pub service: Option<Summary>,
    /// Latencies by kind of operation; a kind that did nothing is left out.
    pub kinds: Vec<KindRecord>,
    /// Errors by kind of operation and of error.
    pub errors: Vec<ErrorRecord>,
}

/// How much was asked and done in the measured part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// The length of the measured part.
    pub seconds: f64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that did not.
    pub errors: u64,
    /// Operations a second that succeeded; absent when no time passed.
    pub achieved_per_s: Option<f64>,
    /// Arrivals a second that were meant; absent in a closed loop.
    pub offered_per_s: Option<f64>,
    /// Arrivals that were meant; absent in a closed loop.
    pub offered: Option<u64>,
    /// Arrivals that the generator started late though a session was free.
    pub late: u64,
}

/// The latencies of one kind of operation, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindRecord {
    /// The kind.
    pub kind: OperationKind,
    /// Operations a second that succeeded.
    pub per_s: Option<f64>,
    /// From the intended start; absent in a closed loop, where it is the service time.
    pub response: Option<Summary>,
    /// From the actual start.
    pub service: Summary,
}

impl From<&Measured> for Statistics {
    fn from(measured: &Measured) -> Self {
        let seconds = (measured.end_ns - measured.start_ns) as f64 / 1e9;
        let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
        let offered_seconds = (measured.offered_until_ns - measured.start_ns) as f64 / 1e9;
        let offered_per_second =
            |count: u64| (offered_seconds > 0.0).then(|| count as f64 / offered_seconds);
        let operations = measured.service.iter().map(|h| h.count()).sum();
        let errors = measured.errors.iter().map(|e| e.count).sum();
        let kinds = OperationKind::ALL
            .iter()
            .zip(measured.service.iter().zip(&measured.response))
            .filter(|(_, (service, _))| service.count() > 0)
            .map(|(kind, (service, response))| KindRecord {
                kind: *kind,
                per_s: per_second(service.count()),
                response: measured.offered.map(|_| response.summary()),
                service: service.summary(),
            })
            .collect();
        let together = |all: &[Histogram; OperationKind::COUNT]| {
            let mut sum = Histogram::new();
            for histogram in all {
                sum.add(histogram);
            }
            (sum.count() > 0).then(|| sum.summary())
        };
        Self {
            response: together(&measured.response),
            service: together(&measured.service),
            throughput: Throughput {
                seconds,
                operations,
                errors,
                achieved_per_s: per_second(operations),
                offered_per_s: measured.offered.and_then(offered_per_second),
                offered: measured.offered,
                late: measured.late,
            },
            kinds,
            errors: measured.errors.clone(),
        }
    }
}

impl Statistics {
    /// What a client waited, all kinds together: response time in an open loop, service time in a
    /// closed one.
    #[must_use]
    pub fn latency(&self) -> Option<&Summary> {
        self.response.as_ref().or(self.service.as_ref())
    }
}

/// The share of late arrivals above which the performance numbers are void.
const LATE_SHARE_MAX: f64 = 0.01;

impl Throughput {
    /// Why the generator itself spoiled the numbers, if it did: more than one arrival in a hundred
    /// was started late though a session was free.
    #[must_use]
    pub fn void_reason(&self) -> Option<String> {
        let offered = self.offered.filter(|offered| *offered > 0)?;
        let share = self.late as f64 / offered as f64;
        (share > LATE_SHARE_MAX).then(|| {
            format!(
                "the load generator started {:.1} % of the arrivals late though a session was \
                 free (at most 1 % may be): lower --rate, or give it a processor of its own",
                share * 100.0
            )
        })
    }
}
