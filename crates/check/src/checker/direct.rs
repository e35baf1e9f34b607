//! The direct engine: which checks a history gets, and in which order.
//!
//! The engine always checks what decides the verdict. It checks the rest of the ladder if that is
//! cheap, or if no stronger model has already settled it.
//!
//! The cheapest and most certain checks come first: integrity and the certificate, then the checks
//! that pass over the history, then those that search. Within each of these, the checks that the
//! verdict needs come before the rest. A certificate that verifies is a proof. The black box after
//! it only looks for mistakes of the checkers, for no longer than [`AFTER_PROOF`].

use std::time::Duration;

use super::index::Index;
use super::model::Model;
use super::ordering::Limits;
use super::property::Property;
use super::table::{Ask, Checker, Checkers, Cost};
use super::time::{OVER, Time};
use super::verdict::{Check, Verdict};
use super::{guarded, lookup};
use crate::history::{History, Kind};

/// Time for a dear check once the proof that it goes without has verified.
const AFTER_PROOF: Duration = Duration::from_secs(5);
/// An expensive check leaves one part in this many of its time to the checks that are needed when
/// it has no answer.
const LEFT_FOR_OTHERS: u32 = 4;
/// Operations from which on a second thread pays.
const SECOND_THREAD_MIN: usize = 20_000;

/// The checks of a history that the direct algorithms refuse for `reason`: they need unique values.
/// If that is the only reason, searches judge the history, and find reads of values that nobody
/// wrote themselves.
pub(super) fn searches(
    checkers: Checkers,
    history: &History,
    asked: &[Model],
    reason: &str,
    time: &Time,
) -> Vec<Check> {
    if !is_searched(history) {
        return vec![unknown(Property::Integrity, reason)];
    }
    let mut checks: Vec<Check> = Property::ALL
        .iter()
        .filter(|property| !matches!(property, Property::Integrity))
        .map(|property| unknown(*property, reason))
        .collect();
    // Strongest first: linearizable is searched key by key, and what it holds the others do.
    for check in checks.iter_mut().rev() {
        let checker = checkers.of(check.property);
        let Some(search) = checker.and_then(Checker::search) else {
            continue;
        };
        let is_asked = asks(asked, check.property);
        if is_asked || history.len() <= search.unasked_max {
            let limits = Limits::for_ladder(time, is_asked);
            let properties = [check.property];
            let mut found = judged(&properties, time, || vec![(search.run)(history, limits)]);
            *check = found.remove(0);
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

/// Whether a property belongs to one of the models.
fn asks(asked: &[Model], property: Property) -> bool {
    asked
        .iter()
        .any(|model| model.properties().contains(&property))
}

/// What a check that the ladder left out answers.
fn left_out(property: Property) -> Check {
    let model = Model::of(property);
    unknown(
        property,
        format!("too long to judge unasked: --model {model} does"),
    )
}

fn unknown(property: Property, reason: impl Into<String>) -> Check {
    Check::without_a_look(property, Verdict::unknown(reason))
}

/// A check that panics answers unknown, and so does one that there is no time to begin.
fn judged(properties: &[Property], time: &Time, run: impl FnOnce() -> Vec<Check>) -> Vec<Check> {
    let open = |reason: &str| properties.iter().map(|own| unknown(*own, reason)).collect();
    if time.is_over() {
        return open(OVER);
    }
    guarded(run).unwrap_or_else(|reason| open(&reason))
}

/// All checks, weakest property first, or those of the `asked` models alone, which decide the
/// verdict.
pub(super) fn checks(
    checkers: Checkers,
    index: &Index<'_>,
    asked: &[Model],
    only_asked: bool,
) -> Vec<Check> {
    let engine = Direct {
        checkers,
        index,
        asked,
        only_asked,
        second_from: SECOND_THREAD_MIN,
        checks: Vec::new(),
    };
    engine.judge()
}

/// When a check has its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Basis,
    Pass,
    Search,
}

impl Stage {
    const fn of(cost: Cost) -> Self {
        match cost {
            Cost::Basis => Self::Basis,
            Cost::Pass => Self::Pass,
            Cost::Search { .. } => Self::Search,
        }
    }
}

/// The engine at work on one history.
pub(super) struct Direct<'a, 'h> {
    pub(super) checkers: Checkers,
    pub(super) index: &'a Index<'h>,
    /// The models that the verdict rests on.
    pub(super) asked: &'a [Model],
    /// Whether the others are left out.
    pub(super) only_asked: bool,
    /// Operations from which on there is a second thread.
    pub(super) second_from: usize,
    pub(super) checks: Vec<Check>,
}

impl<'h> Direct<'_, 'h> {
    /// Makes every check. The dearest are begun on a second thread where the history is long.
    pub(super) fn judge(mut self) -> Vec<Check> {
        self.make(Stage::Basis);
        let dear = self.dear();
        if dear.is_empty() {
            self.make(Stage::Pass);
        } else {
            self.make_beside(&dear, Stage::Pass);
        }
        self.make(Stage::Search);
        self.checks.sort_by_key(|check| check.property);
        self.checks
    }

    /// The checks that are worth a thread of their own, each with its time.
    fn dear(&self) -> Vec<(&'static dyn Checker, Time)> {
        if self.index.history.len() < self.second_from {
            return Vec::new();
        }
        self.checkers
            .iter()
            .filter(|checker| self.is_dear(*checker) && self.is_asked(*checker))
            .map(|checker| (checker, self.time_of(checker)))
            .collect()
    }

    /// Makes the checks of a stage, and the dear ones at the same time.
    fn make_beside(&mut self, dear: &[(&'static dyn Checker, Time)], stage: Stage) {
        let index = self.index;
        std::thread::scope(|scope| {
            let make_dear = move || {
                let checks = dear
                    .iter()
                    .flat_map(|(checker, time)| run(*checker, index, true, time));
                checks.collect::<Vec<Check>>()
            };
            let second = std::thread::Builder::new()
                .name("kvs-checker".to_owned())
                .spawn_scoped(scope, make_dear);
            self.make(stage);
            // Where no thread can be had, what is missing is checked later.
            if let Ok(second) = second {
                self.checks.extend(second.join().unwrap_or_default());
            }
        });
    }

    /// Makes the checks of a stage: first what the verdict asks for.
    fn make(&mut self, stage: Stage) {
        for is_asked in [true, false] {
            for checker in self.checkers.iter() {
                let is_due = Stage::of(checker.cost(self.index)) == stage
                    && self.is_asked(checker) == is_asked
                    && self.wants(checker)
                    && !self.has(checker);
                if is_due {
                    self.decide(checker, is_asked);
                }
            }
        }
    }

    /// Makes a check, unless it is settled, makes no sense or takes too long.
    fn decide(&mut self, checker: &'static dyn Checker, is_asked: bool) {
        let (index, properties) = (self.index, checker.properties());
        let ask = Ask {
            index,
            is_asked,
            time: &index.time,
        };
        let checks = if checker.settled_by(&ask).iter().any(|own| self.holds(*own)) {
            match checker.once_settled(&ask) {
                Some(rest) => judged(properties, ask.time, || rest(&ask)),
                None => Vec::new(),
            }
        } else if let Some(reason) = checker.obstacle(&ask) {
            let not_applicable = |property: &Property| {
                Check::without_a_look(*property, Verdict::not_applicable(reason.clone()))
            };
            properties.iter().map(not_applicable).collect()
        } else if !is_asked && self.is_too_long(checker) {
            properties.iter().map(|own| left_out(*own)).collect()
        } else {
            run(checker, index, is_asked, &self.time_of(checker))
        };
        self.checks.extend(checks);
    }

    fn is_dear(&self, checker: &dyn Checker) -> bool {
        match checker.cost(self.index) {
            Cost::Search { is_dear, .. } => is_dear,
            Cost::Basis | Cost::Pass => false,
        }
    }

    /// Whether the ladder leaves the check out.
    fn is_too_long(&self, checker: &dyn Checker) -> bool {
        match checker.cost(self.index) {
            Cost::Search { unasked_max, .. } => self.index.history.len() > unasked_max,
            Cost::Basis | Cost::Pass => false,
        }
    }

    /// Whether the check is made at all.
    fn wants(&self, checker: &dyn Checker) -> bool {
        !self.only_asked || self.asked.is_empty() || self.is_asked(checker)
    }

    /// Whether the verdict rests on the check.
    fn is_asked(&self, checker: &dyn Checker) -> bool {
        let mut properties = checker.properties().iter();
        properties.any(|property| asks(self.asked, *property))
    }

    fn check(&self, property: Property) -> Option<&Check> {
        self.checks.iter().find(|check| check.property == property)
    }

    fn has(&self, checker: &dyn Checker) -> bool {
        let mut properties = checker.properties().iter();
        properties.any(|property| self.check(*property).is_some())
    }

    fn holds(&self, property: Property) -> bool {
        [Property::Integrity, property].iter().all(|property| {
            self.check(*property)
                .is_some_and(|check| check.verdict.is_valid())
        })
    }

    /// How long a check may take.
    fn time_of(&self, checker: &dyn Checker) -> Time {
        let time = &self.index.time;
        if !self.is_dear(checker) {
            time.clone()
        } else if checker.proved_by().is_some_and(|proof| self.holds(proof)) {
            time.at_most(AFTER_PROOF)
        } else if self.is_waited_for(checker) {
            time.leaving(LEFT_FOR_OTHERS)
        } else {
            time.clone()
        }
    }

    /// Whether another check is needless if this one holds, and has to be made if it does not.
    fn is_waited_for(&self, checker: &dyn Checker) -> bool {
        let ask = Ask {
            index: self.index,
            is_asked: true,
            time: &self.index.time,
        };
        let waits = |other: &'static dyn Checker| {
            let settled_by = other.settled_by(&ask);
            self.wants(other) && checker.properties().iter().any(|p| settled_by.contains(p))
        };
        self.checkers.iter().any(waits)
    }
}

fn run(checker: &dyn Checker, index: &Index<'_>, is_asked: bool, time: &Time) -> Vec<Check> {
    let ask = Ask {
        index,
        is_asked,
        time,
    };
    judged(checker.properties(), time, || checker.run(&ask))
}
