//! The ladder: how a history stands to every model, from the weakest to the strongest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::property::Property;
use super::table::{Checker, Checkers};
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

/// The standing of each model by the checks, weakest first; `promised` is marked. `by_evidence` are
/// the properties that evidence may have refuted.
pub(super) fn ladder(
    checkers: Checkers,
    checks: &[Check],
    promised: Option<Model>,
    dominance: Dominance,
    by_evidence: &[Property],
) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = Model::ALL
        .iter()
        .map(|model| {
            let (standing, reason) = stands(checkers, *model, checks);
            Rung {
                model: *model,
                standing,
                reason,
                promised: promised == Some(*model),
            }
        })
        .collect();
    imply(&mut rungs, dominance, by_evidence);
    rungs
}

fn verdict(checks: &[Check], property: Property) -> Option<&Verdict> {
    checks
        .iter()
        .find(|check| check.property == property)
        .map(|check| &check.verdict)
}

/// What a model's own checks say.
fn stands(checkers: Checkers, model: Model, checks: &[Check]) -> (Standing, Option<String>) {
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
    let [first, second] = [(); 2].map(|()| own.next().flatten());
    if is_asked_twice(checkers, model) {
        stands_by_proof(first, second)
    } else {
        stands_by_all(first, second)
    }
}

/// Whether the last of a model's checks asks without evidence what another of them proves by it.
fn is_asked_twice(checkers: Checkers, model: Model) -> bool {
    let last = model.properties().last().copied();
    let last = last.and_then(|property| checkers.of(property));
    last.and_then(Checker::proved_by).is_some()
}

/// One question, answered with evidence and without. The proof decides, and without evidence the
/// other check.
fn stands_by_proof(
    proof: Option<&Verdict>,
    without: Option<&Verdict>,
) -> (Standing, Option<String>) {
    match (proof, without) {
        // A black box that could not decide takes nothing from evidence that verifies.
        (Some(Verdict::Valid), _) => (Standing::Held, None),
        (Some(Verdict::NotApplicable { .. }) | None, Some(without)) => of(without),
        // The check that goes without evidence was spared: what made it needless decides.
        (Some(Verdict::NotApplicable { .. }) | None, None) => not_checked(),
        (Some(proof), _) => of(proof),
    }
}

/// One question, or two that both need an answer: replicas that agree say nothing about lost
/// writes.
fn stands_by_all(first: Option<&Verdict>, second: Option<&Verdict>) -> (Standing, Option<String>) {
    match (first, second) {
        (Some(Verdict::Valid), Some(Verdict::Unknown { reason })) => {
            (Standing::Unknown, Some(reason.clone()))
        }
        (Some(first), _) => of(first),
        (None, _) => not_checked(),
    }
}

fn not_checked() -> (Standing, Option<String>) {
    (Standing::Unknown, Some("not checked".to_owned()))
}

fn of(verdict: &Verdict) -> (Standing, Option<String>) {
    match verdict {
        Verdict::Valid => (Standing::Held, None),
        Verdict::Invalid { .. } => (Standing::Broken, None),
        Verdict::Unknown { reason } => (Standing::Unknown, Some(reason.clone())),
        Verdict::NotApplicable { reason } => (Standing::NotApplicable, Some(reason.clone())),
    }
}

/// Decides by definition what no check has decided: what a stronger model implies holds, and what
/// implies a weaker one that is broken is broken too.
fn imply(rungs: &mut [Rung], dominance: Dominance, by_evidence: &[Property]) {
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
    // What evidence refutes says nothing of models that are judged by what clients saw.
    let by_evidence = |model: Model| {
        let mut properties = model.properties().iter();
        properties.any(|property| by_evidence.contains(property))
    };
    for at in 0..rungs.len() {
        if rungs[at].standing != Standing::Unknown {
            continue;
        }
        let mut implied = rungs[at].model.implied(dominance).iter();
        let broken = implied.find(|model| {
            !by_evidence(**model) && rungs[place(**model)].standing == Standing::Broken
        });
        if let Some(broken) = broken {
            rungs[at].standing = Standing::Broken;
            rungs[at].reason = Some(format!("{broken}, which it implies, is broken"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Index;
    use super::super::integrity;
    use super::super::session::{self, Judged};
    use super::super::table::CHECKERS;
    use super::super::tests::op;
    use super::*;
    use crate::history::{Header, History, Kind, value_id};

    /// A session that puts two values to a key and reads the first.
    fn went_back() -> History {
        let first = [value_id(0, 0)];
        let rows = [
            op(0, 0, 0, 0, Kind::Put, &[]),
            op(0, 1, 0, 10, Kind::Put, &[]),
            op(0, 2, 0, 20, Kind::Get, &first),
        ];
        History::from_rows(Header::default(), rows)
    }

    #[test]
    fn a_guarantee_that_clients_saw_broken_breaks_what_implies_it() {
        let history = went_back();
        let index = Index::new(&history).unwrap();
        let mut checks = session::check(&index, Judged::BlackBox).to_vec();
        checks.push(integrity::check(&index));
        checks.extend(
            [Property::CausalBlackBox, Property::Linearizable].map(|property| Check {
                property,
                checked: 3,
                verdict: Verdict::unknown("the budget ran out"),
            }),
        );
        let standings = |by_evidence: &[Property]| {
            let rungs = ladder(CHECKERS, &checks, None, Dominance::Applied, by_evidence);
            [Model::ReadYourWrites, Model::Causal, Model::Linearizable]
                .map(|model| rungs[model as usize].standing)
        };
        let (broken, unknown) = (Standing::Broken, Standing::Unknown);
        assert_eq!(standings(&[Property::Causal]), [broken, broken, broken]);
        assert_eq!(standings(&session::PROPERTIES), [broken, unknown, unknown]);
    }

    #[test]
    fn a_history_without_evidence_that_is_linearizable_is_causal_too() {
        let rows = [op(0, 0, 0, 0, Kind::Put, &[])];
        let history = History::from_rows(Header::default(), rows);
        let index = Index::new(&history).unwrap();
        let check = |property: Property, verdict: Verdict| Check {
            property,
            checked: 1,
            verdict,
        };
        let standing = |linearizable: Verdict, dominance: Dominance| {
            let checks = [
                integrity::check(&index),
                check(Property::Causal, Verdict::not_applicable("no vectors")),
                check(Property::Linearizable, linearizable),
            ];
            let rungs = ladder(CHECKERS, &checks, None, dominance, &[Property::Causal]);
            rungs[Model::Causal as usize].standing
        };
        let unknown = || Verdict::unknown("the budget ran out");
        assert_eq!(standing(Verdict::Valid, Dominance::Applied), Standing::Held);
        assert_eq!(
            standing(Verdict::Valid, Dominance::Context),
            Standing::Unknown
        );
        assert_eq!(standing(unknown(), Dominance::Applied), Standing::Unknown);
    }
}
