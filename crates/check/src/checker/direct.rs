//! The direct engine: which checks a history gets, and in which order.
//!
//! What decides the verdict is always checked. The rest of the ladder is checked where that is
//! cheap, or where no stronger model has already settled it.
//!
//! The most certain and cheapest comes first: integrity and the certificate, then the passes over
//! the history, then what has to search, and of that what the verdict asks for. A certificate that
//! verifies is the proof, so that the black box after it looks for mistakes of the checkers only,
//! and for no longer than [`AFTER_CERTIFICATE`].

use super::index::Index;
use super::model::Model;
use super::property::Property;
use super::time::{OVER, Time};
use super::verdict::{Check, Verdict};
use super::{
    causal, convergence, dominance, guarded, integrity, linearizable, lookup, lost_writes, lww,
    lww_black_box, sequential, session, single_value, wing_gong,
};
use crate::history::{Dominance, Evidence, History, Kind};
use convergence::Final;
use std::time::Duration;

/// Operations up to which the ladder runs checks that cost more than a pass over the history,
/// though the verdict does not ask for them.
const UNASKED_MAX: usize = 2_000_000;
/// The same for the causal black box, which saturates.
const UNASKED_ROUNDS_MAX: usize = 200_000;

/// The same for the search for one order of all sessions.
const UNASKED_SEARCH_MAX: usize = 10_000;
/// Time for the black box once the certificate has verified.
const AFTER_CERTIFICATE: Duration = Duration::from_secs(5);
/// One part in so many of its time the black box leaves to the session guarantees, which are judged
/// by what clients saw where it has no answer.
const LEFT_FOR_GUARANTEES: u32 = 4;
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
const UNASKED_STATES: usize = 100_000;
const UNASKED_BYTES: usize = 64 << 20;

fn sequential_order(history: &History, asked: bool, time: &Time) -> Check {
    let mut limits = wing_gong::Limits::within(time);
    if !asked {
        (limits.states, limits.bytes) = (UNASKED_STATES, UNASKED_BYTES);
    }
    one(Property::Sequential, time, || {
        sequential::check(history, limits)
    })
}

/// The checks of a history that the direct algorithms refuse for `reason`: they rest on values
/// that are unique. Where that is all that is wrong, searches judge it, which take reads of values
/// that nobody wrote into account themselves.
pub(super) fn searches(
    history: &History,
    asked: &[Model],
    reason: &str,
    time: &Time,
) -> Vec<Check> {
    if !is_searched(history) {
        return vec![unknown(Property::Integrity, reason)];
    }
    let asks = |model| asked.contains(&model);
    let mut checks: Vec<Check> = Property::ALL
        .iter()
        .filter(|property| !matches!(property, Property::Integrity))
        .map(|property| unknown(*property, reason))
        .collect();
    // Strongest first: linearizable is searched key by key, and what it holds the others do.
    for check in checks.iter_mut().rev() {
        let small = history.len() <= UNASKED_SEARCH_MAX;
        if check.property == Property::Linearizable && asks(Model::Linearizable) {
            *check = one(Property::Linearizable, time, || {
                wing_gong::check(history, wing_gong::Limits::within(time))
            });
        } else if check.property == Property::Sequential && (asks(Model::Sequential) || small) {
            *check = sequential_order(history, asks(Model::Sequential), time);
        }
    }
    checks
}

/// Whether all that is wrong with a history that was refused is that its values repeat, or that it
/// holds more than puts and gets.
pub(super) fn is_searched(history: &History) -> bool {
    let columns = &history.columns;
    let other = |kind: &Kind| matches!(kind, Kind::Cas | Kind::Append);
    columns.kind.iter().any(other) || lookup::puts_by_id(columns).is_err()
}

/// What a check that the ladder left out answers.
fn left_out(property: Property, model: Model) -> Check {
    unknown(
        property,
        format!("too long to judge unasked: --model {model} does"),
    )
}

/// A check that panics answers unknown, and so does one that there is no time to begin.
fn one(property: Property, time: &Time, check: impl FnOnce() -> Check) -> Check {
    if time.is_over() {
        return unknown(property, OVER);
    }
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
    time: &Time,
    checks: impl FnOnce() -> [Check; N],
) -> [Check; N] {
    if time.is_over() {
        return properties.map(|property| unknown(property, OVER));
    }
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
        self.certificate();
        let dear = |model: &Model| DEAR.contains(model);
        if self.index.history.len() < self.second_from || !self.asked.iter().any(dear) {
            self.light();
            self.rest(Vec::new);
            return;
        }
        let (index, black_box) = (self.index, self.black_box_time());
        let registers = REGISTER_MODELS.iter().any(|model| self.asks(*model));
        let causal = self.asks(Model::Causal);
        std::thread::scope(|scope| {
            let dear_checks = move || {
                let mut checks = Vec::new();
                if registers {
                    let registers = || single_value::check(index);
                    checks.extend(several(REGISTERS, &index.time, registers));
                }
                if causal {
                    checks.push(one(Property::CausalBlackBox, &black_box, || {
                        dominance::check_within(index, &black_box)
                    }));
                }
                checks
            };
            let second = std::thread::Builder::new()
                .name("kvs-checker".to_owned())
                .spawn_scoped(scope, dear_checks);
            self.light();
            self.rest(|| match second {
                Ok(second) => second.join().unwrap_or_default(),
                // No thread can be had: what is missing is checked here.
                Err(_) => Vec::new(),
            });
        });
    }

    fn add(&mut self, property: Property, check: impl FnOnce() -> Check) {
        let check = one(property, &self.index.time, check);
        self.checks.push(check);
    }

    /// What every read rests on, and the proof that the store gives itself.
    fn certificate(&mut self) {
        let index = self.index;
        self.add(Property::Integrity, || integrity::check(index));
        if self.wants(&[Model::Causal]) {
            self.add(Property::Causal, || causal::check(index));
        }
    }

    /// The checks that are a pass over the history.
    fn light(&mut self) {
        let index = self.index;
        if self.wants(&[Model::Eventual]) {
            let last = Final::new(index);
            self.add(Property::Convergence, || convergence::check(&last));
            self.add(Property::LostWrites, || lost_writes::check(&last));
        }
        if self.wants(&session::MODELS) && !self.guarantees_are_searched() {
            self.sessions();
        }
        if self.wants(&[Model::Lww]) {
            self.add(Property::Lww, || lww::check(index));
        }
        if self.wants(&[Model::Linearizable]) {
            self.add(Property::Linearizable, || linearizable::check(index));
        }
    }

    /// The other checks, but those that `done` brings: first what the verdict asks for.
    fn rest(&mut self, done: impl FnOnce() -> Vec<Check>) {
        type Step<'a, 'h> = (&'static [Model], Property, fn(&mut Direct<'a, 'h>));
        self.checks.extend(done());
        let steps: [Step<'_, '_>; 5] = [
            (&[Model::Lww], Property::LwwBlackBox, Self::lww_black_box),
            (&REGISTER_MODELS, REGISTERS[1], Self::registers),
            (&[Model::Causal], Property::CausalBlackBox, |direct| {
                direct.causal_black_box();
            }),
            (&session::MODELS, session::PROPERTIES[0], Self::sessions),
            (&[Model::Sequential], Property::Sequential, Self::sequential),
        ];
        for is_asked in [true, false] {
            for (models, property, step) in steps {
                let asks = models.iter().any(|model| self.asks(*model));
                if asks == is_asked && self.wants(models) && !self.has(property) {
                    step(self);
                }
            }
        }
    }

    /// Whether the session guarantees are judged by what clients saw.
    fn guarantees_are_searched(&self) -> bool {
        session::Judged::of(self.index).is_searched()
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

    fn lww_black_box(&mut self) {
        let index = self.index;
        self.add(Property::LwwBlackBox, || lww_black_box::check(index));
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
            None => sequential_order(history, self.asks(Model::Sequential), &self.index.time),
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
        self.checks.extend(several(REGISTERS, &index.time, || {
            single_value::check(index)
        }));
    }

    /// How long the black box may take.
    fn black_box_time(&self) -> Time {
        let time = &self.index.time;
        if self.holds(Property::Causal) {
            time.at_most(AFTER_CERTIFICATE)
        } else if self.wants(&session::MODELS) && self.guarantees_are_searched() {
            time.leaving(LEFT_FOR_GUARANTEES)
        } else {
            time.clone()
        }
    }

    fn causal_black_box(&mut self) {
        let index = self.index;
        let asked = self.asks(Model::Causal);
        let property = Property::CausalBlackBox;
        // Where it implies that.
        let by_context = index.dominance == Dominance::Context;
        let implied = !by_context && self.holds(Property::Linearizable);
        if !asked && (implied || self.holds(Property::Causal)) {
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
            let time = self.black_box_time();
            one(property, &time, || dominance::check_within(index, &time))
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
        if judged.is_searched() {
            // The ladder says that a model which holds implies them.
            if self.holds(Property::CausalBlackBox) || (!asked && implied) {
                if judged == session::Judged::PartlyByVectors {
                    let by_evidence = || session::by_evidence(index);
                    let checks = several(session::PROPERTIES, &index.time, by_evidence);
                    self.checks.extend(checks);
                }
                return;
            }
            if !asked && index.history.len() > UNASKED_ROUNDS_MAX {
                let pairs = session::PROPERTIES.into_iter().zip(session::MODELS);
                self.checks
                    .extend(pairs.map(|(property, model)| left_out(property, model)));
                return;
            }
        }
        let checks = several(session::PROPERTIES, &index.time, || {
            session::check(index, judged)
        });
        self.checks.extend(checks);
    }
}
