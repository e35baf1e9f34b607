//! The direct engine: which checks a history gets, and in which order.
//!
//! What decides the verdict is always checked. The rest of the ladder is checked where that is
//! cheap, or where no stronger model has already settled it.

use super::index::Index;
use super::model::Model;
use super::property::Property;
use super::verdict::{Check, Verdict};
use super::{
    causal, convergence, dominance, guarded, integrity, linearizable, lookup, lww, lww_black_box,
    sequential, session, single_value, wing_gong,
};
use crate::history::{Dominance, Evidence, History, Kind};
use convergence::Final;

/// Operations up to which the ladder runs checks that cost more than a pass over the history,
/// though the verdict does not ask for them.
const UNASKED_MAX: usize = 2_000_000;
/// The same for the causal black box, which saturates.
const UNASKED_ROUNDS_MAX: usize = 200_000;

/// The same for the search for one order of all sessions.
const UNASKED_SEARCH_MAX: usize = 10_000;
/// Operations from which on a second thread pays.
const SECOND_THREAD_MIN: usize = 20_000;
/// The models whose checks are worth a thread, where the verdict asks for them.
const DEAR: [Model; 3] = [
    Model::CausalConsistency,
    Model::CausalConvergence,
    Model::Causal,
];
const REGISTERS: [Property; 2] = [Property::CausalConsistency, Property::CausalConvergence];
const REGISTER_MODELS: [Model; 2] = [Model::CausalConsistency, Model::CausalConvergence];
/// States and bytes that a search may take that the verdict does not ask for.
const UNASKED_LIMITS: wing_gong::Limits = wing_gong::Limits {
    states: 100_000,
    bytes: 64 << 20,
};

fn sequential_order(history: &History, asked: bool) -> Check {
    let limits = if asked {
        wing_gong::Limits::default()
    } else {
        UNASKED_LIMITS
    };
    one(Property::Sequential, || sequential::check(history, limits))
}

/// The checks of a history that the direct algorithms refuse for `reason`: they rest on values
/// that are unique. Where that is all that is wrong, searches judge it, which take reads of values
/// that nobody wrote into account themselves.
pub(super) fn searches(history: &History, asked: &[Model], reason: &str) -> Vec<Check> {
    let columns = &history.columns;
    let other = |kind: &Kind| matches!(kind, Kind::Cas | Kind::Append);
    if !columns.kind.iter().any(other) && lookup::puts_by_id(columns).is_ok() {
        return vec![unknown(Property::Integrity, reason)];
    }
    let asks = |model| asked.contains(&model);
    let mut checks: Vec<Check> = Property::ALL
        .iter()
        .filter(|property| !matches!(property, Property::Integrity))
        .map(|property| unknown(*property, reason))
        .collect();
    for check in &mut checks {
        let small = history.len() <= UNASKED_SEARCH_MAX;
        if check.property == Property::Linearizable && asks(Model::Linearizable) {
            *check = one(Property::Linearizable, || {
                wing_gong::check(history, wing_gong::Limits::default())
            });
        } else if check.property == Property::Sequential && (asks(Model::Sequential) || small) {
            *check = sequential_order(history, asks(Model::Sequential));
        }
    }
    checks
}

/// What a check that the ladder left out answers.
fn left_out(property: Property, model: Model) -> Check {
    Check {
        property,
        checked: 0,
        verdict: Verdict::unknown(format!("too long to judge unasked: --model {model} does")),
    }
}

/// A check that panics answers unknown.
fn one(property: Property, check: impl FnOnce() -> Check) -> Check {
    guarded(check).unwrap_or_else(|reason| unknown(property, reason))
}

fn unknown(property: Property, reason: impl Into<String>) -> Check {
    Check {
        property,
        checked: 0,
        verdict: Verdict::unknown(reason),
    }
}

fn several<const N: usize>(
    properties: [Property; N],
    checks: impl FnOnce() -> [Check; N],
) -> [Check; N] {
    guarded(checks)
        .unwrap_or_else(|reason| properties.map(|property| unknown(property, reason.clone())))
}

/// All checks, weakest property first, or those of the `asked` models alone, which decide the
/// verdict.
pub(super) fn checks(index: &Index<'_>, asked: &[Model], only_asked: bool) -> Vec<Check> {
    checks_from(index, asked, only_asked, SECOND_THREAD_MIN)
}

/// The same with a second thread from so many operations on.
pub(super) fn checks_from(
    index: &Index<'_>,
    asked: &[Model],
    only_asked: bool,
    second_from: usize,
) -> Vec<Check> {
    let mut engine = Direct {
        index,
        asked,
        only_asked,
        second_from,
        checks: Vec::new(),
    };
    engine.run();
    engine.checks.sort_by_key(|check| check.property);
    engine.checks
}

/// The checks of [`DEAR`] models that are asked for.
fn dear_checks(index: &Index<'_>, asked: &[Model]) -> Vec<Check> {
    let mut checks = Vec::new();
    if REGISTER_MODELS.iter().any(|model| asked.contains(model)) {
        checks.extend(several(REGISTERS, || single_value::check(index)));
    }
    if asked.contains(&Model::Causal) {
        checks.push(one(Property::CausalBlackBox, || dominance::check(index)));
    }
    checks
}

struct Direct<'a, 'h> {
    index: &'a Index<'h>,
    asked: &'a [Model],
    only_asked: bool,
    second_from: usize,
    checks: Vec<Check>,
}

impl Direct<'_, '_> {
    /// Runs every check. The dearest are begun on a second thread where the history is long.
    fn run(&mut self) {
        let (index, asked) = (self.index, self.asked);
        let dear = |model: &Model| DEAR.contains(model);
        if index.history.len() < self.second_from || !asked.iter().any(dear) {
            self.light();
            self.rest(Vec::new);
            return;
        }
        std::thread::scope(|scope| {
            let second = std::thread::Builder::new()
                .name("kvs-checker".to_owned())
                .spawn_scoped(scope, || dear_checks(index, asked));
            self.light();
            self.rest(|| match second {
                Ok(second) => second.join().unwrap_or_default(),
                // No thread can be had: what is missing is checked here.
                Err(_) => Vec::new(),
            });
        });
    }

    /// The checks that need no other check's answer and are not dear.
    fn light(&mut self) {
        let index = self.index;
        self.checks
            .push(one(Property::Integrity, || integrity::check(index)));
        if self.wants(&[Model::Eventual]) {
            let last = Final::new(index);
            self.checks
                .push(one(Property::Convergence, || convergence::check(&last)));
            self.checks.push(one(Property::LostWrites, || {
                convergence::check_lost_writes(&last)
            }));
        }
        if self.wants(&[Model::Lww]) {
            self.checks.push(one(Property::Lww, || lww::check(index)));
            self.checks
                .push(one(Property::LwwBlackBox, || lww_black_box::check(index)));
        }
        if self.wants(&[Model::Linearizable]) {
            self.checks
                .push(one(Property::Linearizable, || linearizable::check(index)));
        }
        if self.wants(&[Model::Sequential]) {
            self.sequential();
        }
        if self.wants(&[Model::Causal]) {
            self.checks
                .push(one(Property::Causal, || causal::check(index)));
        }
        let black_box = session::Judged::of(index) == session::Judged::BlackBox;
        if self.wants(&session::MODELS) && !black_box {
            self.sessions();
        }
    }

    /// The other checks, but those that `done` brings.
    fn rest(&mut self, done: impl FnOnce() -> Vec<Check>) {
        self.checks.extend(done());
        if self.wants(&REGISTER_MODELS) && !self.has(Property::CausalConvergence) {
            self.registers();
        }
        if self.wants(&[Model::Causal]) && !self.has(Property::CausalBlackBox) {
            self.causal_black_box();
        }
        let black_box = session::Judged::of(self.index) == session::Judged::BlackBox;
        if self.wants(&session::MODELS) && black_box {
            self.sessions();
        }
    }

    /// Whether the checks of these models are made at all.
    fn wants(&self, models: &[Model]) -> bool {
        !self.only_asked || self.asked.is_empty() || models.iter().any(|model| self.asks(*model))
    }

    fn has(&self, property: Property) -> bool {
        self.checks.iter().any(|check| check.property == property)
    }

    fn asks(&self, model: Model) -> bool {
        self.asked.contains(&model)
    }

    fn holds(&self, property: Property) -> bool {
        let integrity = |check: &&Check| check.property == Property::Integrity;
        let own = |check: &&Check| check.property == property;
        let valid = |check: &Check| check.verdict.is_valid();
        self.checks.iter().find(integrity).is_some_and(valid)
            && self.checks.iter().find(own).is_some_and(valid)
    }

    /// Searches for one order of all sessions, for as long as its limits allow.
    fn sequential(&mut self) {
        let history = self.index.history;
        let check = match single_value::siblings(self.index) {
            Some(reason) => Check {
                property: Property::Sequential,
                checked: 0,
                verdict: Verdict::not_applicable(reason),
            },
            None if !self.asks(Model::Sequential) && self.holds(Property::Linearizable) => return,
            None if !self.asks(Model::Sequential) && history.len() > UNASKED_SEARCH_MAX => {
                left_out(Property::Sequential, Model::Sequential)
            }
            None => sequential_order(history, self.asks(Model::Sequential)),
        };
        self.checks.push(check);
    }

    fn registers(&mut self) {
        let index = self.index;
        let asked = REGISTER_MODELS.iter().any(|model| self.asks(*model));
        if !asked && self.holds(Property::Linearizable) {
            return;
        }
        if !asked && index.history.len() > UNASKED_MAX {
            let [cc, ccv] = REGISTER_MODELS;
            self.checks.push(left_out(REGISTERS[0], cc));
            self.checks.push(left_out(REGISTERS[1], ccv));
            return;
        }
        self.checks
            .extend(several(REGISTERS, || single_value::check(index)));
    }

    fn causal_black_box(&mut self) {
        let index = self.index;
        let asked = self.asks(Model::Causal);
        let property = Property::CausalBlackBox;
        // Where it implies that.
        let by_context = index.dominance == Dominance::Context;
        if !asked && !by_context && self.holds(Property::Linearizable) {
            return;
        }
        let black_box = if !asked && index.columns.evidence.contains(&Evidence::Lww) {
            Check {
                property,
                checked: 0,
                verdict: Verdict::not_applicable("the last write wins, siblings are not kept"),
            }
        } else if !asked && index.history.len() > UNASKED_ROUNDS_MAX {
            left_out(property, Model::Causal)
        } else {
            one(property, || dominance::check(index))
        };
        self.checks.push(black_box);
    }

    fn sessions(&mut self) {
        let index = self.index;
        let asked = session::MODELS.iter().any(|model| self.asks(*model));
        let by_context = index.dominance == Dominance::Context;
        let implied = [Property::Linearizable, Property::CausalConsistency]
            .iter()
            .any(|property| !by_context && self.holds(*property));
        let judged = session::Judged::of(index);
        if judged == session::Judged::BlackBox {
            // The ladder says that a model which holds implies them.
            if self.holds(Property::CausalBlackBox) || (!asked && implied) {
                return;
            }
            if !asked && index.history.len() > UNASKED_ROUNDS_MAX {
                let pairs = session::PROPERTIES.into_iter().zip(session::MODELS);
                self.checks
                    .extend(pairs.map(|(property, model)| left_out(property, model)));
                return;
            }
        }
        self.checks.extend(several(session::PROPERTIES, || {
            session::check(index, judged)
        }));
    }
}
