//! Judges histories: was what clients saw allowed by what the store promises?
//!
//! | property | definition | source | file |
//! |---|---|---|---|
//! | integrity | every value read was put to that key, and before | Jepsen | `integrity.rs` |
//! | convergence, lost writes | replicas answer alike in the end, no acknowledged put is gone | Jepsen's set tests | `convergence.rs` |
//! | last write wins | version order explains every replica and origin | Kulkarni et al. 2014 | `lww.rs` |
//! | session guarantees | a session sees its past | Terry et al. 1994 | `session.rs` |
//! | causal, by witness | the vectors are a visibility order of a multi-value register | Burckhardt et al. 2014 | `causal.rs` |
//! | causal, black box | happens-before refutes no read | Bouajjani et al. 2017, for multi-value registers | `black_box.rs` |
//! | linearizable | zones of a key do not conflict | Gibbons and Korach 1997 | `linearizable.rs` |
//! | linearizable, values that repeat, compare-and-set, append | a search for an order of a key | Wing and Gong 1993, Lowe 2017 | `wing_gong/` |
//! | sequential | a search for one order of all | Lamport 1979 | `sequential.rs` |
//! | all models, again | a search for an order | stateright | `search/` |
//!
//! A checker uses only the history: the oracle shares no code with the store. It never answers
//! `valid` for work it did not do, and one that panics answers `unknown`. It reads no clock and
//! no random numbers.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod black_box;
mod causal;
mod certificate;
mod convergence;
mod index;
mod integrity;
mod linearizable;
mod lww;
mod options;
mod prefix;
mod report;
mod search;
mod sequential;
mod session;
mod tester;
#[cfg(test)]
mod tests;
mod verdict;
mod wing_gong;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub use options::{Budget, Clock, Engine, Options};
pub use report::{Agreement, Elapsed, Outcome, Report, Totals};
pub use search::{Found, Search};
pub use tester::{
    CausalReturn, CausalSibling, CausalStore, CausalTester, LwwReturn, LwwStore, LwwTester, StoreOp,
};
pub use verdict::{ANOMALIES_KEPT, Anomaly, AnomalyKind, Check, Property, Shown, Verdict};

use crate::history::{self, History, Kind, Promise};
use convergence::Final;
use index::{Index, with_open_puts};

/// Prefixes that the search tries, each a fraction of the one before, until one fits the budget.
const PREFIXES_MAX: u32 = 5;
/// How much shorter each next prefix is.
const PREFIX_SHRINK: usize = 8;

/// Judges a history.
#[must_use]
pub fn check(history: &History, options: &Options) -> Report {
    let now = || options.clock.as_ref().map_or(Duration::ZERO, Clock::now);
    let start = now();
    let open = with_open_puts(history);
    let promise = options.promise.or(history.header.promise);
    let mut report = Report {
        promise,
        totals: totals(history),
        complete: history.end.is_some(),
        damage: history.damage.clone(),
        checks: Vec::new(),
        elapsed: Elapsed::default(),
        search: None,
        agreement: Agreement::NotCompared {
            reason: "only one engine ran".to_owned(),
        },
        clock_inversions: None,
    };
    match guarded(|| Index::new(&open)) {
        Ok(Ok(index)) => {
            report.checks = direct(&index, promise);
            if promise == Some(Promise::Lww) {
                report.clock_inversions = Some(lww::clock_inversions(&index));
            }
            report.elapsed.direct = now() - start;
            let has_its_time = promise != Some(Promise::Linearizable) || open.header.real_time;
            if let (Some(promise), Engine::Both, true) = (promise, options.engine, has_its_time) {
                second_opinion(&index, promise, options, &mut report);
                report.elapsed.search = now() - start - report.elapsed.direct;
            }
        }
        Ok(Err(reason)) | Err(reason) => {
            report.checks.push(searched(&open, promise, reason));
            report.elapsed.direct = now() - start;
        }
    }
    report
}

/// Whether one order that keeps each session's order explains the whole history. A search, for
/// small histories.
#[must_use]
pub fn sequential(history: &History) -> Check {
    let open = with_open_puts(history);
    one(Property::Sequential, || {
        sequential::check(&open, wing_gong::Limits::default())
    })
}

/// Whether the direct algorithms cannot judge a history, and a search can: they rest on unique
/// values.
fn needs_search(history: &History) -> bool {
    let columns = &history.columns;
    let other = |kind: &Kind| matches!(kind, Kind::Cas | Kind::Append);
    columns.kind.iter().any(other) || index::puts_by_id(columns).is_err()
}

/// The check of a history that the direct algorithms refuse for `reason`.
fn searched(history: &History, promise: Option<Promise>, reason: String) -> Check {
    let property = match promise {
        Some(Promise::Linearizable) if needs_search(history) => {
            return one(Property::Linearizable, || {
                wing_gong::check(history, wing_gong::Limits::default())
            });
        }
        Some(Promise::Linearizable) => Property::Linearizable,
        Some(Promise::Lww) => Property::Lww,
        Some(Promise::Causal) => Property::Causal,
        None => Property::Integrity,
    };
    Check {
        property,
        checked: 0,
        verdict: Verdict::unknown(reason),
    }
}

fn totals(history: &History) -> Totals {
    let mut totals = Totals::default();
    for outcome in &history.columns.outcome {
        match outcome {
            history::Outcome::Ok => totals.ok += 1,
            history::Outcome::Fail => totals.fail += 1,
            history::Outcome::Info => totals.info += 1,
        }
    }
    totals
}

/// Runs a check; a panic becomes a reason.
fn guarded<T>(check: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(check)).map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        format!("the check has a bug: it panicked with `{message}`")
    })
}

fn one(property: Property, check: impl FnOnce() -> Check) -> Check {
    guarded(check).unwrap_or_else(|reason| Check {
        property,
        checked: 0,
        verdict: Verdict::unknown(reason),
    })
}

/// The direct checks that a promise calls for, weakest first.
fn direct(index: &Index<'_>, promise: Option<Promise>) -> Vec<Check> {
    let mut checks = vec![one(Property::Integrity, || integrity::check(index))];
    if promise != Some(Promise::Linearizable) {
        let last = Final::new(index);
        checks.push(one(Property::Convergence, || convergence::check(&last)));
        if promise.is_some() {
            checks.push(one(Property::LostWrites, || {
                convergence::check_lost_writes(&last)
            }));
        }
    }
    match promise {
        Some(Promise::Linearizable) => {
            checks.push(one(Property::Linearizable, || linearizable::check(index)));
        }
        Some(Promise::Lww) => checks.push(one(Property::Lww, || lww::check(index))),
        Some(Promise::Causal) => {
            checks.extend(guarded(|| session::check(index)).unwrap_or_else(|reason| {
                vec![Check {
                    property: Property::ReadYourWrites,
                    checked: 0,
                    verdict: Verdict::unknown(reason),
                }]
            }));
            checks.push(one(Property::CausalBlackBox, || black_box::check(index)));
            checks.push(one(Property::Causal, || causal::check(index)));
        }
        None => {}
    }
    checks
}

/// The direct engine's answer on the model alone, which is what the search judges too: `None` when
/// it has none.
fn direct_on_model(index: &Index<'_>, promise: Promise) -> Option<bool> {
    let model = match promise {
        Promise::Linearizable => linearizable::check(index),
        Promise::Lww => lww::check(index),
        Promise::Causal => causal::check(index),
    };
    match model.verdict {
        Verdict::Valid => Some(!integrity::check(index).verdict.is_invalid()),
        Verdict::Invalid { .. } => Some(false),
        Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => None,
    }
}

/// Lets stateright judge the longest prefix that its budget allows, and compares.
fn second_opinion(index: &Index<'_>, promise: Promise, options: &Options, report: &mut Report) {
    let answer = guarded(|| {
        let (search, direct) = search_prefixes(index, promise, options);
        let agreement = compare(&search, direct);
        (search, agreement)
    });
    match answer {
        Ok((search, agreement)) => {
            report.search = Some(search);
            report.agreement = agreement;
        }
        Err(reason) => report.agreement = Agreement::NotCompared { reason },
    }
}

/// The search on the longest prefix that fits, and what the direct engine says of that prefix.
fn search_prefixes(
    index: &Index<'_>,
    promise: Promise,
    options: &Options,
) -> (Search, Option<bool>) {
    let budget = options.budget;
    let of = index.history.len() as u64;
    let start = options.clock.as_ref().map(Clock::now);
    let mut operations = budget.operations.max(1);
    let mut attempt = 1;
    loop {
        let shortened = prefix::prefix(index.history, operations);
        let prefix_index = shortened
            .as_ref()
            .and_then(|history| Index::new(history).ok());
        let judged = prefix_index.as_ref().unwrap_or(index);
        // Each attempt may use half of what is left, so that a shorter one still has time.
        let share = budget.time - budget.time / 2u32.saturating_pow(attempt);
        let deadline = start.map(|start| start + share.max(Duration::from_millis(1)));
        let clock = options.clock.clone().zip(deadline);
        let mut search = search::search(judged, promise, budget.states, clock);
        search.of = of;
        attempt += 1;
        if search.found != Found::Budget || attempt > PREFIXES_MAX {
            let direct = direct_on_model(judged, promise);
            return (search, direct);
        }
        operations = operations.min(index.history.len()) / PREFIX_SHRINK + 1;
    }
}

fn compare(search: &Search, direct: Option<bool>) -> Agreement {
    let found = match &search.found {
        Found::Order => true,
        Found::NoOrder { .. } => false,
        Found::Budget => {
            return Agreement::NotCompared {
                reason: "stateright ran out of its budget".to_owned(),
            };
        }
        Found::NotApplicable { reason } => {
            return Agreement::NotCompared {
                reason: reason.clone(),
            };
        }
    };
    match direct {
        None => Agreement::NotCompared {
            reason: "the direct engine gave no verdict".to_owned(),
        },
        Some(direct) if direct == found => Agreement::Agree,
        Some(direct) => {
            let word = |valid| if valid { "valid" } else { "invalid" };
            Agreement::Disagree {
                detail: format!(
                    "on {} operations the direct engine says {}, stateright says {}: save the \
                     history and report it",
                    search.operations,
                    word(direct),
                    word(found)
                ),
            }
        }
    }
}
