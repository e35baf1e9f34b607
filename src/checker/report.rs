//! The whole judgement of a history: every check, both engines, and what they covered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::search::{Found, Search};
use super::verdict::{Anomaly, Check, Property, Verdict};
use crate::history::Promise;

/// Whether the two engines said the same about what both looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "agreement", rename_all = "kebab-case")]
pub enum Agreement {
    /// They did.
    Agree,
    /// They did not: one of the two has a bug, and the run has failed.
    Disagree {
        /// What each said.
        detail: String,
    },
    /// There was nothing to compare.
    NotCompared {
        /// Why.
        reason: String,
    },
}

/// The verdict of a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The promise was kept.
    Valid,
    /// It could not be decided.
    Unknown,
    /// The promise was broken, or the engines disagree.
    Invalid,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        }
    }
}

/// Operations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Acknowledged.
    pub ok: u64,
    /// Certainly without effect.
    pub fail: u64,
    /// Unknown.
    pub info: u64,
}

/// How long each engine took, by the clock that the options lend; zero without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elapsed {
    /// The direct engine, on the whole history.
    pub direct: Duration,
    /// Stateright, with the direct engine on the same prefix.
    pub search: Duration,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the history was held to.
    pub promise: Option<Promise>,
    /// How many operations it has.
    pub totals: Totals,
    /// Whether it has its end record.
    pub complete: bool,
    /// What was lost of a damaged file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The direct engine's checks, weakest property first.
    pub checks: Vec<Check>,
    /// How long it took.
    pub elapsed: Elapsed,
    /// What stateright found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Whether the engines agree.
    pub agreement: Agreement,
    /// Puts that lost to an earlier one because of clock skew (LWW only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_inversions: Option<u64>,
}

impl Report {
    /// The verdict on the promise: the worst of the direct checks, and invalid when the engines
    /// disagree.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if matches!(self.agreement, Agreement::Disagree { .. }) {
            return Outcome::Invalid;
        }
        self.direct_outcome()
    }

    /// The direct engine's verdict on the promise.
    #[must_use]
    pub fn direct_outcome(&self) -> Outcome {
        let judged = self
            .checks
            .iter()
            .filter(|check| !self.is_beside_the_point(check));
        match judged.map(|check| self.badness(check)).max() {
            Some(1) => Outcome::Valid,
            Some(3..) => Outcome::Invalid,
            Some(_) | None => Outcome::Unknown,
        }
    }

    /// How much a check weighs: a model that cannot be judged leaves the promise undecided.
    fn badness(&self, check: &Check) -> u8 {
        let decides = match check.property {
            Property::Lww | Property::Linearizable | Property::Sequential => true,
            Property::Causal => self.promise == Some(Promise::Causal) && !self.black_box_decides(),
            Property::Integrity
            | Property::Convergence
            | Property::LostWrites
            | Property::ReadYourWrites
            | Property::MonotonicReads
            | Property::MonotonicWrites
            | Property::WritesFollowReads
            | Property::CausalBlackBox => false,
        };
        match check.verdict {
            Verdict::NotApplicable { .. } if decides => 2,
            Verdict::Valid
            | Verdict::Invalid { .. }
            | Verdict::Unknown { .. }
            | Verdict::NotApplicable { .. } => check.verdict.badness(),
        }
    }

    /// Whether there is no witness to judge, so that the black-box check is all there is.
    fn black_box_decides(&self) -> bool {
        self.check(Property::Causal)
            .is_some_and(|check| matches!(check.verdict, Verdict::NotApplicable { .. }))
            && self.check(Property::CausalBlackBox).is_some_and(|check| {
                matches!(check.verdict, Verdict::Valid | Verdict::Invalid { .. })
            })
    }

    /// A black-box check that could not decide takes nothing from a certificate that verifies.
    fn is_beside_the_point(&self, check: &Check) -> bool {
        check.property == Property::CausalBlackBox
            && matches!(check.verdict, Verdict::Unknown { .. })
            && self
                .check(Property::Causal)
                .is_some_and(|c| c.verdict.is_valid())
    }

    /// The check of a property.
    #[must_use]
    pub fn check(&self, property: Property) -> Option<&Check> {
        self.checks.iter().find(|check| check.property == property)
    }

    /// Every anomaly that was kept, weakest property first.
    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.checks
            .iter()
            .flat_map(|check| check.verdict.anomalies())
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let covered = if self.operations == self.of {
            format!("all {} operations", self.of)
        } else {
            format!("the first {} of {} operations", self.operations, self.of)
        };
        match &self.found {
            Found::Order => write!(
                f,
                "valid, an order of {covered} in {} steps and {} states",
                self.steps, self.states
            ),
            Found::NoOrder { row } => {
                write!(f, "invalid, no order of {covered} explains row {row}")
            }
            Found::Budget => write!(f, "unknown, the budget ran out on {covered}"),
            Found::NotApplicable { reason } => write!(f, "not applicable: {reason}"),
        }
    }
}

impl fmt::Display for Report {
    /// One line a check, then the anomalies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let promise = self.promise.map_or("none", Promise::name);
        let Totals { ok, fail, info } = self.totals;
        writeln!(f, "{}, held to: {promise}", self.outcome().name())?;
        writeln!(f, "  operations: {ok} ok, {fail} fail, {info} unknown")?;
        if let Some(damage) = &self.damage {
            writeln!(f, "  the file is incomplete: {damage}")?;
        }
        for check in &self.checks {
            writeln!(f, "  {check}")?;
        }
        if let Some(search) = &self.search {
            writeln!(f, "  {:<20} {search}", "stateright")?;
        }
        match &self.agreement {
            Agreement::Agree => writeln!(f, "  the engines agree")?,
            Agreement::Disagree { detail } => writeln!(f, "  THE ENGINES DISAGREE: {detail}")?,
            Agreement::NotCompared { .. } => {}
        }
        if let Some(inversions) = self.clock_inversions {
            writeln!(f, "  clock inversions: {inversions}")?;
        }
        for anomaly in self.anomalies() {
            writeln!(f, "  {anomaly}")?;
        }
        Ok(())
    }
}
