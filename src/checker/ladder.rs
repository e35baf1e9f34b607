//! The ladder: how a history stands to every model, from the weakest to the strongest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::property::Property;
use super::verdict::{Check, Verdict};
use crate::history::Dominance;

/// How a history stands to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It satisfies it.
    Held,
    /// It does not.
    Broken,
    /// It was not decided.
    Unknown,
    /// The question makes no sense for this history.
    NotApplicable,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// One model's place on the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The model.
    pub model: Model,
    /// How the history stands to it.
    pub standing: Standing,
    /// Why, where the checks of its own do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether it is what the architecture promises.
    pub promised: bool,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.promised { "*" } else { " " };
        write!(f, "{mark} {:<12} {}", self.model, self.standing.name())?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// Where the checks put each model, weakest first; `promised` is marked.
pub(super) fn ladder(checks: &[Check], promised: Option<Model>, dominance: Dominance) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = Model::ALL
        .iter()
        .map(|model| {
            let (standing, reason) = stands(*model, checks);
            Rung {
                model: *model,
                standing,
                reason,
                promised: promised == Some(*model),
            }
        })
        .collect();
    imply(&mut rungs, dominance);
    rungs
}

fn verdict(checks: &[Check], property: Property) -> Option<&Verdict> {
    checks
        .iter()
        .find(|check| check.property == property)
        .map(|check| &check.verdict)
}

/// What a model's own checks say.
fn stands(model: Model, checks: &[Check]) -> (Standing, Option<String>) {
    let verdicts = || {
        model
            .properties()
            .iter()
            .map(|property| verdict(checks, *property))
    };
    if verdicts().flatten().any(Verdict::is_invalid) {
        return (Standing::Broken, None);
    }
    // Integrity that could not be judged leaves nothing to stand on.
    if let Some(Some(Verdict::Unknown { reason })) = verdicts().next() {
        return (Standing::Unknown, Some(reason.clone()));
    }
    let mut own = verdicts().skip(1);
    let first = own.next().flatten();
    let second = own.next().flatten();
    match (first, second) {
        // A black box that could not decide takes nothing from evidence that verifies; replicas
        // that agree, on the other hand, say nothing of writes that may be lost.
        (Some(Verdict::Valid), Some(Verdict::Unknown { reason })) if model == Model::Eventual => {
            (Standing::Unknown, Some(reason.clone()))
        }
        (Some(Verdict::Valid), _) => (Standing::Held, None),
        (Some(Verdict::NotApplicable { .. }) | None, Some(second)) if model != Model::Eventual => {
            of(second)
        }
        (Some(first), _) => of(first),
        (None, _) => (Standing::Unknown, Some("not checked".to_owned())),
    }
}

fn of(verdict: &Verdict) -> (Standing, Option<String>) {
    match verdict {
        Verdict::Valid => (Standing::Held, None),
        Verdict::Invalid { .. } => (Standing::Broken, None),
        Verdict::Unknown { reason } => (Standing::Unknown, Some(reason.clone())),
        Verdict::NotApplicable { reason } => (Standing::NotApplicable, Some(reason.clone())),
    }
}

/// Decides by definition what no check has decided: what a stronger model implies holds, and
/// sequential consistency is broken where its weaker half is.
fn imply(rungs: &mut [Rung], dominance: Dominance) {
    let place = |model: Model| model as usize;
    for from in (0..rungs.len()).rev() {
        if rungs[from].standing != Standing::Held {
            continue;
        }
        for implied in rungs[from].model.implied(dominance) {
            let name = rungs[from].model.name();
            let rung = &mut rungs[place(*implied)];
            if rung.standing == Standing::Unknown {
                rung.standing = Standing::Held;
                rung.reason = Some(format!("{name} implies it"));
            }
        }
    }
    // Of the models that are judged by what clients saw alone the weaker refute the stronger.
    let weaker = [
        Model::CausalConsistency,
        Model::CausalConvergence,
        Model::Sequential,
    ];
    for weaker in weaker.windows(2) {
        let broken = rungs[place(weaker[0])].standing == Standing::Broken;
        let rung = &mut rungs[place(weaker[1])];
        if broken && rung.standing == Standing::Unknown {
            rung.standing = Standing::Broken;
            rung.reason = Some(format!("{}, which it implies, is broken", weaker[0]));
        }
    }
}
