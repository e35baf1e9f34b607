//! The numbers of the measured part: throughput, latencies by kind, errors.

use serde::{Deserialize, Serialize};

use super::histogram::{Histogram, Summary};
use super::kind::OperationKind;
use super::meter::{ErrorRecord, Measured};

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
    /// What arrivals that never started make of the response times of all kinds together; absent
    /// when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstarted: Option<Unstarted>,
    /// Latencies by kind of operation; a kind that did nothing is left out.
    pub kinds: Vec<KindRecord>,
    /// Errors by kind of operation and of error.
    pub errors: Vec<ErrorRecord>,
    /// Compare-and-sets that found another value than they expected, which are no errors; absent where
    /// nothing was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatches: Option<u64>,
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
    /// Arrivals that never started, since every session waited for the store until the run was
    /// over. They are among the errors.
    #[serde(default)]
    pub not_started: u64,
}

/// Arrivals that never started: nobody knows how late they would have been answered, but later than
/// when the run ended. The response times of *all* arrivals lie between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unstarted {
    /// How many there are.
    pub count: u64,
    /// The response times if each had been answered at the moment at which the run ended.
    pub at_least: Summary,
    /// The response times if none had ever been answered: a percentile that falls among them is
    /// absent, as are the mean and the largest.
    pub at_most: Summary,
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
    /// What arrivals of this kind that never started make of the response times; absent when there
    /// are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstarted: Option<Unstarted>,
}

impl From<&Measured> for Statistics {
    fn from(measured: &Measured) -> Self {
        let seconds = (measured.end_ns - measured.start_ns) as f64 / 1e9;
        let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
        let offered_ns = measured.offered_until_ns.saturating_sub(measured.start_ns);
        let offered_seconds = offered_ns as f64 / 1e9;
        let offered_per_second =
            |count: u64| (offered_seconds > 0.0).then(|| count as f64 / offered_seconds);
        let operations = measured.service.iter().map(|h| h.count()).sum();
        let errors = measured.errors.iter().map(|e| e.count).sum();
        let kinds = OperationKind::ALL
            .iter()
            .zip(measured.service.iter().zip(&measured.response))
            .filter(|(kind, (service, _))| {
                service.count() > 0 || measured.unstarted.contains_key(kind)
            })
            .map(|(kind, (service, response))| KindRecord {
                kind: *kind,
                per_s: per_second(service.count()),
                response: measured.offered.map(|_| response.summary()),
                service: service.summary(),
                unstarted: { measured.unstarted.get(kind) }
                    .map(|waited| Unstarted::beside(response, waited)),
            })
            .collect();
        let response = sum(&measured.response);
        let service = sum(&measured.service);
        let waited = sum(measured.unstarted.values());
        let some = |histogram: &Histogram| (histogram.count() > 0).then(|| histogram.summary());
        Self {
            response: some(&response),
            service: some(&service),
            unstarted: (waited.count() > 0).then(|| Unstarted::beside(&response, &waited)),
            throughput: Throughput {
                seconds,
                operations,
                errors,
                achieved_per_s: per_second(operations),
                offered_per_s: measured.offered.and_then(offered_per_second),
                offered: measured.offered,
                late: measured.late,
                not_started: waited.count(),
            },
            kinds,
            errors: measured.errors.clone(),
            mismatches: measured.compared().map(|_| measured.mismatches),
        }
    }
}

impl Measured {
    /// How many compare-and-sets were answered; none where nothing was compared.
    fn compared(&self) -> Option<u64> {
        let compared = self.service[OperationKind::CompareAndSet as usize].count();
        (compared > 0).then_some(compared)
    }
}

/// All of them together.
fn sum<'a>(all: impl IntoIterator<Item = &'a Histogram>) -> Histogram {
    let mut sum = Histogram::new();
    for histogram in all {
        sum.add(histogram);
    }
    sum
}

impl Unstarted {
    /// What arrivals that had `waited` in vain make of the response times of the others.
    fn beside(response: &Histogram, waited: &Histogram) -> Self {
        Self {
            count: waited.count(),
            at_least: sum([response, waited]).summary(),
            at_most: response.summary_below(waited.count()),
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

    /// The bounds of what a client waited, all kinds together: the same twice where every arrival
    /// started.
    #[must_use]
    pub fn latency_bounds(&self) -> Option<(&Summary, &Summary)> {
        match &self.unstarted {
            Some(unstarted) => Some((&unstarted.at_least, &unstarted.at_most)),
            None => self.latency().map(|latency| (latency, latency)),
        }
    }
}

impl Statistics {
    /// Why a verdict on what was measured rests on nothing, as a clause: operations were asked for, and
    /// none of them succeeded.
    #[must_use]
    pub fn gap(&self) -> Option<String> {
        let Throughput {
            operations, errors, ..
        } = self.throughput;
        (operations == 0 && errors > 0)
            .then(|| format!("none of the {errors} operations of the measured part succeeded"))
    }

    /// How many compare-and-sets found another value than they expected, and of how many; none where
    /// nothing was compared.
    #[must_use]
    pub fn mismatched(&self) -> Option<(u64, u64)> {
        let compared = |kind: &&KindRecord| kind.kind == OperationKind::CompareAndSet;
        let compared = self.kinds.iter().find(compared)?.service.count;
        Some((self.mismatches?, compared))
    }
}

impl KindRecord {
    /// The same of one kind.
    #[must_use]
    pub fn latency_bounds(&self) -> (&Summary, &Summary) {
        match &self.unstarted {
            Some(unstarted) => (&unstarted.at_least, &unstarted.at_most),
            None => {
                let latency = self.response.as_ref().unwrap_or(&self.service);
                (latency, latency)
            }
        }
    }
}

/// The share of late arrivals above which the performance numbers are void.
const LATE_SHARE_MAX: f64 = 0.01;
/// The share of arrivals that never started above which they are void.
const NOT_STARTED_SHARE_MAX: f64 = 0.5;

impl Throughput {
    /// Why the performance numbers must not be used: the generator itself spoiled them, the store
    /// took less than half of the load, or nothing was measured. Empty when they may be used.
    #[must_use]
    pub fn void_reasons(&self) -> Vec<String> {
        let overload = self.overload();
        let is_overloaded = overload.is_some();
        let nothing = || self.nothing_measured().filter(|_| !is_overloaded);
        { self.lateness().into_iter() }
            .chain(overload)
            .chain(nothing())
            .collect()
    }

    /// The share of the arrivals that never started, from 0 to 1; 0 in a closed loop.
    #[must_use]
    pub fn not_started_share(&self) -> f64 {
        let offered = self.offered.filter(|offered| *offered > 0);
        offered.map_or(0.0, |offered| self.not_started as f64 / offered as f64)
    }

    /// Whether more than half of the arrivals never started: the store is overloaded.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.not_started_share() > NOT_STARTED_SHARE_MAX
    }

    /// More than one arrival in a hundred was started late though a session was free.
    fn lateness(&self) -> Option<String> {
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

    fn overload(&self) -> Option<String> {
        self.is_overloaded().then(|| {
            format!(
                "{:.1} % of the arrivals never started (at most 50 % may be): every session waited \
                 for the store until the run was over; lower --rate, or raise --sessions",
                self.not_started_share() * 100.0
            )
        })
    }

    fn nothing_measured(&self) -> Option<String> {
        if self.operations > 0 {
            return None;
        }
        Some(if self.errors > 0 {
            format!(
                "nothing was measured: none of the {} operations of the measured part succeeded",
                self.errors
            )
        } else {
            "nothing was measured: no operation ended in the measured part; raise --duration"
                .to_owned()
        })
    }
}
