//! What a sweep leaves, `sweep.json`: every try, and what follows from them.

use serde::{Deserialize, Serialize};

use super::FailOver;
use kvs_measure::{Machine, VerdictWord, Versions};

/// The version of the schema of `sweep.json`.
pub const SWEEP_VERSION: u32 = 1;
/// A sweep's record within its directory.
pub const SWEEP_FILE: &str = "sweep.json";
/// A sweep's page within its directory.
pub const SWEEP_PAGE: &str = "sweep.html";

/// A sweep, `sweep.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepRecord {
    /// [`SWEEP_VERSION`] of the program that wrote it.
    pub version: u32,
    /// The exact command that sweeps again.
    pub command: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// On what.
    pub machine: Machine,
    /// By which program.
    pub versions: Versions,
    /// The objectives, if there were any.
    pub slo: Option<String>,
    /// Every store that was swept.
    pub stores: Vec<StoreSweep>,
}

/// A store at every rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSweep {
    /// The architecture and the lattice.
    pub name: String,
    /// Every try, in the order in which they were made.
    pub tries: Vec<Try>,
    /// The knee: the largest rate that was tried and kept up with; absent when there was none.
    pub knee_per_s: Option<f64>,
    /// The least rate beyond the knee that was not kept up with; absent when all were.
    pub beyond_per_s: Option<f64>,
    /// The least rate whose every try was spoiled, so that nobody can tell whether it is kept up
    /// with; absent when there was none.
    #[serde(default)]
    pub void_from_per_s: Option<f64>,
    /// The largest rate that meets the objectives; absent without objectives or such a rate.
    pub best: Option<Best>,
    /// The model that its verdicts are about; empty in records of programs that did not say.
    #[serde(default)]
    pub promise: String,
    /// What clients noticed when a node went, way by way. Empty where no node was to go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fail_overs: Vec<FailOver>,
}

/// One run at one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// Arrivals a second that were offered.
    pub rate: f64,
    /// Operations a second that succeeded.
    pub achieved_per_s: f64,
    /// Response times, all kinds together, in ns. A percentile that falls among arrivals that never
    /// started is the least that it can be.
    pub p50_ns: Option<u64>,
    /// The 95th percentile.
    #[serde(default)]
    pub p95_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// Whether it did what was offered, and neither store nor load generator fell behind.
    pub kept_up: bool,
    /// Whether the numbers are void.
    pub void: bool,
    /// Why they are.
    #[serde(default)]
    pub void_reason: Option<String>,
    /// Whether they are void since more than half of the arrivals never started: that the store
    /// does not keep up is certain all the same.
    #[serde(default)]
    pub overloaded: bool,
    /// The share of the arrivals that never started, from 0 to 1.
    #[serde(default)]
    pub not_started_share: f64,
    /// Whether the objectives were met; absent when nobody can tell, and without any.
    pub met: Option<bool>,
    /// Whether the promise was kept.
    pub verdict: VerdictWord,
    /// The run.
    pub directory: String,
}

/// The largest rate that meets the objectives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Arrivals a second.
    pub rate: f64,
    /// Tries at this rate that met them.
    pub met: u32,
    /// Tries at this rate that met or missed them.
    pub tries: u32,
    /// Tries at this rate of which nobody can tell.
    #[serde(default)]
    pub undecided: u32,
    /// With 95 % confidence at least this share of such runs meets them (Clopper and Pearson 1934).
    pub share_at_least: f64,
}

/// What came of the search for the largest rate that meets the objectives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sought {
    /// This is it.
    Found(Best),
    /// They were missed at the lowest rate.
    Missed {
        /// Arrivals a second.
        lowest: f64,
    },
    /// At the lowest rate nobody can tell.
    Unknown,
}

impl Try {
    /// Whether the try says nothing of the store: the generator was late, or nothing was measured.
    #[must_use]
    pub const fn is_spoiled(&self) -> bool {
        self.void && !self.overloaded
    }
}

impl StoreSweep {
    /// Whether nothing is known of the store, since every try was spoiled.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.tries.iter().all(Try::is_spoiled)
    }

    /// What came of the search, where there were objectives.
    #[must_use]
    pub fn sought(&self) -> Sought {
        if let Some(best) = self.best {
            return Sought::Found(best);
        }
        let rates = self.tries.iter().map(|one| one.rate);
        let Some(lowest) = rates.reduce(f64::min) else {
            return Sought::Unknown;
        };
        let tries = || { self.tries.iter() }.filter(|one| one.rate.total_cmp(&lowest).is_eq());
        let met = tries().filter(|one| one.met == Some(true)).count();
        let missed = tries().filter(|one| one.met == Some(false)).count();
        if missed > 0 && missed >= met {
            Sought::Missed { lowest }
        } else {
            Sought::Unknown
        }
    }

    /// How many tries are void, and why; none when none is.
    pub(super) fn void_notice(&self) -> Option<String> {
        let spoiled = self.tries.iter().filter(|one| one.is_spoiled()).count();
        if spoiled == 0 {
            return None;
        }
        let reason = self.tries.iter().find_map(|one| one.void_reason.as_deref());
        let reason = reason.unwrap_or("the load generator was late");
        let name = &self.name;
        let all = self.tries.len();
        Some(if spoiled == all {
            format!("{name}: every try is void, so that nothing is known of it: {reason}")
        } else {
            format!(
                "{name}: {spoiled} of {all} tries are void and count for nothing; one since {reason}"
            )
        })
    }

    /// The median response time at the lowest rate that counts, in ns, and that rate.
    pub(super) fn at_rest(&self) -> Option<(f64, u64)> {
        let counted = self.tries.iter().filter(|one| !one.void);
        let lowest = counted.min_by(|one, other| one.rate.total_cmp(&other.rate))?;
        Some((lowest.rate, lowest.p50_ns?))
    }

    /// The verdict on all tries and on all runs in which a node went: the worst.
    #[must_use]
    pub fn verdict(&self) -> VerdictWord {
        let tries = self.tries.iter().map(|one| one.verdict);
        let fail_overs = self.fail_overs.iter().map(|one| one.verdict);
        let words: Vec<VerdictWord> = tries.chain(fail_overs).collect();
        let has = |word| words.contains(&word);
        if has(VerdictWord::Invalid) {
            VerdictWord::Invalid
        } else if has(VerdictWord::Unknown) || self.tries.is_empty() {
            VerdictWord::Unknown
        } else {
            VerdictWord::Valid
        }
    }
}
