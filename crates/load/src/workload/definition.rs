//! The workload itself: what a TOML file says, and what makes it impossible.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrivals::ArrivalProcess;
use super::distribution::Distribution;
use super::error::WorkloadError;
use super::humane;
use super::value_size::ValueSize;
use crate::nemesis::{FaultKind, Step};
use kvs_core::drive::KEY_COUNT_MAX;
use kvs_core::protocol::NodeId;

/// The most sessions of a run.
pub const SESSIONS_MAX: u32 = 65_536;
/// The largest rate of an open loop, in operations a second.
pub const RATE_MAX: f64 = 1e9;
/// How long a run lasts that says neither `duration` nor `operations`.
const DURATION_DEFAULT: Duration = Duration::from_secs(5);
/// How far the proportions of a mix may sum away from 1: what rounding explains.
const MIX_TOLERANCE: f64 = 1e-6;

/// The load on a store: how many keys, which operations on which of them, by how many sessions, how
/// fast and how long. In YCSB's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// The name of the catalogue, or the file's; not part of the file.
    #[serde(skip)]
    pub name: String,
    /// Keys loaded before the run, 1 to [`KEY_COUNT_MAX`].
    #[serde(deserialize_with = "humane::deserialize_count")]
    pub records: u64,
    /// The proportions of the kinds of operation.
    pub mix: Mix,
    /// Which keys are popular.
    pub distribution: Distribution,
    /// How long values are.
    pub value_size: ValueSize,
    /// Sessions, each with one operation in flight at a time; 1 to [`SESSIONS_MAX`].
    pub sessions: u32,
    /// Arrivals a second, over all sessions: an open loop. Absent: a closed loop.
    #[serde(
        deserialize_with = "humane::deserialize_rate",
        skip_serializing_if = "Option::is_none"
    )]
    pub rate: Option<f64>,
    /// How arrivals of an open loop are spaced. Without a rate it has no effect.
    pub arrivals: ArrivalProcess,
    /// How long the load is applied before anything is measured.
    #[serde(with = "humane::duration")]
    pub warmup: Duration,
    /// How long the measured part lasts.
    #[serde(
        with = "humane::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration: Option<Duration>,
    /// After how many operations the measured part ends, if `duration` does not end it before.
    #[serde(
        deserialize_with = "humane::deserialize_optional_count",
        skip_serializing_if = "Option::is_none"
    )]
    pub operations: Option<u64>,
    /// Faults that come at given times of the measured part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nemesis: Vec<FaultStep>,
}

/// A fault that a workload asks for. What it does not say is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultStep {
    /// When it comes, from the start of the measured part.
    #[serde(with = "humane::duration")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(rename = "for", with = "humane::duration")]
    pub lasts: Duration,
    /// Its kind.
    pub fault: FaultKind,
    /// The shape of a partition, or what happens to packets, clocks or disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The nodes that it acts on, by their numbers; of a partition, those that are cut off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<u16>,
}

impl FaultStep {
    /// The same for the nemesis.
    #[must_use]
    pub fn step(&self) -> Step {
        Step {
            at_ns: self.at.as_nanos() as u64,
            lasts_ns: self.lasts.as_nanos() as u64,
            kind: self.fault,
            what: self.what.clone(),
            nodes: self.nodes.iter().copied().map(NodeId).collect(),
        }
    }
}

/// As a file has it.
impl fmt::Display for FaultStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [at, lasts] = [self.at, self.lasts].map(humane::format_duration);
        let fault = self.fault.name();
        write!(f, r#"{{ at = "{at}", for = "{lasts}", fault = "{fault}""#)?;
        if let Some(what) = &self.what {
            write!(f, ", what = {}", toml::Value::from(what.as_str()))?;
        }
        if !self.nodes.is_empty() {
            write!(f, ", nodes = {:?}", self.nodes)?;
        }
        f.write_str(" }")
    }
}

/// The proportions of the kinds of operation; they sum to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Gets of an existing key.
    pub read: f64,
    /// Puts of an existing key.
    pub update: f64,
    /// A get, then a put of the same key by the same session.
    pub read_modify_write: f64,
    /// A get, then a compare-and-set of what it found to a new value, by the same session.
    pub compare_and_set: f64,
    /// Puts of a key that did not exist.
    pub insert: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            records: 10_000,
            mix: Mix {
                read: 0.5,
                update: 0.5,
                ..Mix::default()
            },
            distribution: Distribution::default(),
            value_size: ValueSize::default(),
            sessions: 16,
            rate: None,
            arrivals: ArrivalProcess::Poisson,
            warmup: Duration::from_secs(1),
            duration: None,
            operations: None,
            nemesis: Vec::new(),
        }
    }
}

impl Workload {
    /// How long the measured part may last: `duration`, without limit when only `operations` is
    /// given, and five seconds when neither is.
    #[must_use]
    pub const fn time_limit(&self) -> Option<Duration> {
        match (self.duration, self.operations) {
            (Some(duration), _) => Some(duration),
            (None, Some(_)) => None,
            (None, None) => Some(DURATION_DEFAULT),
        }
    }

    /// Whether a run can be made of it. Call after the last [`Workload::set`].
    ///
    /// # Errors
    /// [`WorkloadError::Impossible`] with the first problem found and its remedy.
    pub fn validate(&self) -> Result<(), WorkloadError> {
        self.problem()
            .map_or(Ok(()), |problem| Err(WorkloadError::Impossible(problem)))
    }

    fn problem(&self) -> Option<String> {
        self.size_problem()
            .or_else(|| self.mix.problem())
            .or_else(|| self.distribution.problem())
            .or_else(|| self.value_size.problem())
            .or_else(|| self.time_problem())
    }

    fn size_problem(&self) -> Option<String> {
        if !(1..=KEY_COUNT_MAX).contains(&self.records) {
            return Some(format!(
                "records is {}: it must be from 1 to {KEY_COUNT_MAX}",
                self.records
            ));
        }
        (!(1..=SESSIONS_MAX).contains(&self.sessions)).then(|| {
            format!(
                "sessions is {}: it must be from 1 to {SESSIONS_MAX}",
                self.sessions
            )
        })
    }

    fn time_problem(&self) -> Option<String> {
        if let Some(rate) = self.rate
            && !(rate > 0.0 && rate <= RATE_MAX)
        {
            return Some(format!(
                "rate is {rate}: it must be above 0 and at most {RATE_MAX} operations a second \
                 (leave it out for a closed loop)"
            ));
        }
        if self.duration == Some(Duration::ZERO) {
            return Some("duration is 0: nothing would be measured; use 5s".to_owned());
        }
        (self.operations == Some(0))
            .then(|| "operations is 0: nothing would be measured; leave it out".to_owned())
    }

    /// The workload as a TOML file that loads to the same.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a workload is plain data that TOML can hold")
    }
}

/// One line: mix, records, distribution, value size, sessions and loop.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; {} records, {}, {} values; {} sessions, ",
            self.mix, self.records, self.distribution, self.value_size, self.sessions
        )?;
        match self.rate {
            None => f.write_str("closed loop"),
            Some(rate) => write!(f, "open loop, {rate} a second, {}", self.arrivals),
        }
    }
}

impl Mix {
    fn problem(&self) -> Option<String> {
        let parts = self.parts();
        if let Some((name, part)) = parts.iter().find(|(_, p)| !(0.0..=1.0).contains(p)) {
            return Some(format!("mix.{name} is {part}: it must lie from 0 to 1"));
        }
        let sum: f64 = parts.iter().map(|(_, part)| part).sum();
        ((sum - 1.0).abs() > MIX_TOLERANCE).then(|| {
            let given: Vec<_> = parts
                .iter()
                .filter(|(_, part)| *part > 0.0)
                .map(|(name, part)| format!("{name} {part}"))
                .collect();
            format!(
                "the mix sums to {} ({}): make read, update, read_modify_write, \
                 compare_and_set and insert sum to 1",
                (sum * 1e6).round() / 1e6,
                given.join(", ")
            )
        })
    }

    const fn parts(&self) -> [(&'static str, f64); 5] {
        [
            ("read", self.read),
            ("update", self.update),
            ("read_modify_write", self.read_modify_write),
            ("compare_and_set", self.compare_and_set),
            ("insert", self.insert),
        ]
    }
}

/// The parts that are not zero, in percent.
impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, part) in self.parts() {
            if part > 0.0 {
                let percent = (part * 1e4).round() / 1e2;
                write!(f, "{separator}{percent} % {}", name.replace('_', "-"))?;
                separator = ", ";
            }
        }
        Ok(())
    }
}
