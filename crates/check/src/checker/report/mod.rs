//! The whole judgement of a history: every check, both engines, and what they covered.

mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ladder::{Rung, Standing};
use super::model::Model;
use super::options::Engine;
use super::property::{AnomalyKind, Property};
use super::searched::{Found, Search};
use super::time::OVER;
use super::verdict::{Anomaly, Check, Verdict};
use crate::history::Dominance;

pub use text::Explained;

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

/// The verdict on a whole history, in a word. `run.json` has an enum of its own with this meaning
/// and this name, since `kvs-measure` does not know this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// The promise was kept.
    Valid,
    /// It could not be decided.
    Unknown,
    /// The promise was broken, or the engines disagree.
    Invalid,
}

impl VerdictWord {
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
    pub promise: Option<Model>,
    /// Which puts a put supersedes.
    #[serde(default, skip_serializing_if = "is_applied")]
    pub dominance: Dominance,
    /// The model that the verdict rests on, where it is not the promise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Which engines judged.
    #[serde(default)]
    pub engine: Engine,
    /// How many operations it has.
    pub totals: Totals,
    /// What keeps the history from being called valid, though nothing that was judged refutes it: a
    /// part that was not read or not judged. Each is a clause for the verdict's own line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// What the verdict's own line says after the word: how much of the history evidence covers,
    /// and what stayed unfinished. It changes no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Whether it has its end record.
    pub complete: bool,
    /// What was lost of a damaged file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The direct engine's checks, weakest property first.
    pub checks: Vec<Check>,
    /// How the history stands to every model, weakest first.
    #[serde(default)]
    pub ladder: Vec<Rung>,
    /// How long it took.
    pub elapsed: Elapsed,
    /// What stateright found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Whether the engines agree.
    pub agreement: Agreement,
    /// Why the anomalies are shown as the checks gave them, and not by the fewest operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexplained: Option<String>,
    /// Puts that lost to an earlier one because of clock skew (LWW only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_inversions: Option<u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_applied(dominance: &Dominance) -> bool {
    *dominance == Dominance::Applied
}

impl Report {
    /// The verdict on what the history is held to: the direct engine's, unless it did not run or
    /// the engines disagree; if it has none, stateright's on the whole history of a register. With
    /// gaps no history is valid.
    #[must_use]
    pub fn verdict(&self) -> VerdictWord {
        let judged = match (&self.agreement, self.engine) {
            (Agreement::Disagree { .. }, _) => VerdictWord::Invalid,
            (_, Engine::Stateright) => self.search_verdict(),
            (_, Engine::Direct) => self.direct_verdict(),
            (_, Engine::Both) => match self.direct_verdict() {
                VerdictWord::Unknown if self.is_searched_alone() => self.search_verdict(),
                direct @ (VerdictWord::Valid | VerdictWord::Invalid | VerdictWord::Unknown) => {
                    direct
                }
            },
        };
        if judged == VerdictWord::Valid && !self.gaps.is_empty() {
            return VerdictWord::Unknown;
        }
        judged
    }

    /// Whether both engines search (as when values repeat) and the verdict depends on one model
    /// only. Then an order of the whole history decides it, whichever engine found it.
    fn is_searched_alone(&self) -> bool {
        if self.check(Property::Integrity).is_some() {
            return false;
        }
        let mut models = self.judged().map(|rung| rung.model);
        let is_searched = |model: Model| model.row().repeats.is_some();
        models.next().is_some_and(is_searched) && models.next().is_none()
    }

    /// Stateright's verdict: an order of a part of the history proves nothing of the whole.
    fn search_verdict(&self) -> VerdictWord {
        match &self.search {
            Some(search) => match search.found {
                Found::NoOrder { .. } => VerdictWord::Invalid,
                Found::Order if search.operations == search.of && search.steps > 0 => {
                    VerdictWord::Valid
                }
                Found::Order | Found::Budget | Found::NotApplicable { .. } => VerdictWord::Unknown,
            },
            None => VerdictWord::Unknown,
        }
    }

    /// The direct engine's verdict: that on the model, or the worst on what is promised.
    #[must_use]
    pub fn direct_verdict(&self) -> VerdictWord {
        let worst = self.judged().map(|rung| match rung.standing {
            Standing::Held => VerdictWord::Valid,
            Standing::Broken => VerdictWord::Invalid,
            // What can be left out of a promise where it has no evidence; its namesake cannot.
            Standing::NotApplicable if !self.is_namesake(rung.model) => VerdictWord::Valid,
            Standing::NotApplicable | Standing::Unknown => VerdictWord::Unknown,
        });
        worst.max().unwrap_or(VerdictWord::Unknown)
    }

    fn is_namesake(&self, model: Model) -> bool {
        self.model == Some(model) || self.promise == Some(model)
    }

    /// The rungs that the verdict rests on. A history without a promise is held to the weakest
    /// model, which every store has to keep.
    fn judged(&self) -> impl Iterator<Item = &Rung> {
        let own = self.model.as_ref().map(std::slice::from_ref);
        let models =
            own.unwrap_or_else(|| self.promise.map_or(&[Model::Eventual], Model::of_promise));
        self.ladder
            .iter()
            .filter(move |rung| models.contains(&rung.model))
    }

    /// The models that the verdict rests on and that the check's budget left undecided.
    pub(super) fn out_of_budget(&self) -> Vec<&'static str> {
        let is_searched = self.is_searched_alone() && self.verdict() == VerdictWord::Valid;
        if is_searched || self.verdict() == VerdictWord::Invalid {
            return Vec::new();
        }
        let is_cut = |rung: &&Rung| {
            let reason = rung.reason.as_deref().unwrap_or_default();
            rung.standing == Standing::Unknown && reason.starts_with(OVER)
        };
        let cut = self.judged().filter(is_cut);
        cut.map(|rung| rung.model.name()).collect()
    }

    /// What broke a promise of several models, where it is not the one that gave it its name.
    #[must_use]
    pub fn broken_beside(&self) -> Option<String> {
        let broken = |rung: &&Rung| rung.standing == Standing::Broken;
        let broken: Vec<&Rung> = self.judged().filter(broken).collect();
        if broken.is_empty() || broken.iter().any(|rung| self.is_namesake(rung.model)) {
            return None;
        }
        let names: Vec<&str> = broken.iter().map(|rung| rung.model.name()).collect();
        let (promise, verb) = (self.held_to(), if names.len() == 1 { "is" } else { "are" });
        let names = names.join(" and ");
        Some(format!(
            "a {promise} store also promises {names}, which {verb} broken"
        ))
    }

    /// Whether the verdict rests on a property, so that what breaks it is shown. The same holds for
    /// what breaks the model, too, and says more plainly what happened.
    #[must_use]
    pub fn is_judged(&self, property: Property) -> bool {
        property == Property::Integrity
            || [self.model, self.promise]
                .into_iter()
                .flatten()
                .any(|model| model.row().shows_too.contains(&property))
            || self
                .judged()
                .any(|rung| rung.model.properties().contains(&property))
    }

    /// How many acknowledged puts the final reads show to be lost; none where they say nothing.
    #[must_use]
    pub fn lost_writes(&self) -> Option<u64> {
        let of_writes = |check: &&Check| check.property == Property::LostWrites;
        match &self.checks.iter().find(of_writes)?.verdict {
            Verdict::Valid => Some(0),
            Verdict::Invalid { found, .. } => found.get(&AnomalyKind::LostWrite).copied(),
            Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => None,
        }
    }

    /// What the history is held to, in a word.
    #[must_use]
    pub fn held_to(&self) -> &'static str {
        match (self.model, self.promise) {
            (Some(model), _) => model.name(),
            (None, promise) => promise.map_or("none", Model::name),
        }
    }

    /// The check of a property.
    #[must_use]
    pub fn check(&self, property: Property) -> Option<&Check> {
        self.checks.iter().find(|check| check.property == property)
    }

    /// The report with every kind of anomaly explained.
    ///
    /// ```
    /// use kvs_check::{Get, Model, Recorder};
    ///
    /// let recorder: Recorder<&str, u32> = Recorder::new();
    /// recorder.process("alice").invoke(Get("x")).ok(Some(7));
    /// let report = recorder.finish().check(Model::Linearizable);
    /// assert!(report.explained().to_string().contains("thin-air-read"));
    /// ```
    #[must_use]
    pub const fn explained(&self) -> Explained<'_> {
        Explained(self)
    }

    /// Every anomaly that was kept of what the verdict rests on, weakest property first.
    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.checks
            .iter()
            .filter(|check| self.is_judged(check.property))
            .flat_map(|check| check.verdict.anomalies())
    }
}
