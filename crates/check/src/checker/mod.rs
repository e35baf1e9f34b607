//! Judges histories: was what clients saw allowed by what the store promises?
//!
//! | property | definition | source | file |
//! |---|---|---|---|
//! | integrity | every value read was put to that key, and before | Jepsen | `integrity.rs` |
//! | convergence | replicas answer alike in the end | Jepsen's set tests | `convergence.rs` |
//! | lost writes | no acknowledged put is gone in the end | Jepsen's set tests | `lost_writes/` |
//! | last write wins | version order explains every replica and origin | Kulkarni et al. 2014 | `lww/` |
//! | last write wins, black box | replicas' orders of a key's values fit into one | Burckhardt et al. 2014 | `lww_black_box.rs` |
//! | session guarantees | a session sees its past | Terry et al. 1994 | `session/` |
//! | causal, by witness | the vectors are a visibility order of a multi-value register | Burckhardt et al. 2014 | `causal.rs` |
//! | causal, black box | happens-before refutes no read | Bouajjani et al. 2017, for multi-value registers | `black_box/` |
//! | causal, by contexts | the same where a put supersedes its context only | Almeida et al. 2012 | `dominance/` |
//! | cc, ccv | bad patterns of registers | Bouajjani et al. 2017 | `bad_patterns.rs` |
//! | linearizable | zones of a key do not conflict | Gibbons and Korach 1997 | `linearizable.rs` |
//! | linearizable, values that repeat, compare-and-set, append | zones of what was written once, and a search for an order of a key | Wing and Gong 1993, Lowe 2017 | `wing_gong/` |
//! | sequential | a search for one order of all | Lamport 1979 | `sequential.rs` |
//! | linearizable and sequential again, values that repeat | a search for an order | stateright | `search/values/` |
//! | all models, again | a search for an order | stateright | `search/` |
//!
//! `happens_before/` is what several of them ask what an operation had seen.
//! `explain/` reduces each anomaly to the smallest set of operations that shows it.
//!
//! A checker uses only the history: the oracle shares no code with the store. It never answers
//! `valid` for work it did not do, and one that panics answers `unknown`. It reads no clock and
//! no random numbers.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod bad_patterns;
mod black_box;
mod causal;
mod certificate;
mod convergence;
mod coverage;
mod cut;
mod direct;
mod dominance;
mod explain;
mod happens_before;
mod index;
mod instants;
mod integrity;
mod ladder;
mod linearizable;
mod lookup;
mod lost_writes;
mod lww;
mod lww_black_box;
mod minimise;
mod model;
mod one_value;
mod open_puts;
mod options;
mod prefix;
mod property;
mod repeated;
mod report;
#[cfg(feature = "stateright")]
mod search;
#[cfg(not(feature = "stateright"))]
#[path = "search_left_out.rs"]
mod search;
mod searched;
mod sequential;
mod session;
mod shown;
mod table;
#[cfg(feature = "stateright")]
mod tester;
#[cfg(test)]
#[cfg_attr(
    not(feature = "stateright"),
    expect(
        dead_code,
        unused_imports,
        reason = "what only contests with stateright use"
    )
)]
mod tests;
mod time;
mod verdict;
mod wing_gong;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub use explain::proofs;
pub use ladder::{Rung, Standing};
pub use model::Model;
pub use options::{Budget, Clock, Engine, JudgedBy, Options};
pub use property::{AnomalyKind, Property};
pub use report::{Agreement, Elapsed, Explained, Outcome, Report, Totals};
pub use searched::{Found, Search};
pub use shown::Shown;
#[cfg(feature = "stateright")]
pub use tester::{
    CausalReturn, CausalSibling, CausalStore, CausalTester, LwwReturn, LwwStore, LwwTester, Reply,
    StoreOp, StoreTester,
};
pub use time::{Progress, ProgressSink};
pub use verdict::{ANOMALIES_KEPT, Anomaly, Check, Verdict};

use crate::history::{self, History, Promise};
use index::Index;
use open_puts::with_open_puts;
use repeated::Refused;
use table::{CHECKERS, Checker, Checkers};
use time::{OVER, Time};

/// Prefixes that the search tries, each a fraction of the one before, until one fits the budget.
const PREFIXES_MAX: u32 = 5;
/// Time in which anomalies are made small, though judging took less.
const EXPLAINED_FOR_MIN: Duration = Duration::from_secs(1);
/// How much shorter each next prefix is.
const PREFIX_SHRINK: usize = 8;

/// Judges a history.
///
/// ```
/// use kvs_check::{Engine, Get, JudgedBy, Model, Options, Put, Recorder, check};
///
/// let recorder = Recorder::new();
/// let alice = recorder.process("alice");
/// alice.invoke(Put("x", 1)).ok(());
/// alice.invoke(Get("x")).ok(Some(1));
/// let options = Options {
///     judged_by: JudgedBy::Model(Model::Linearizable),
///     engine: Engine::Direct,
///     ..Options::default()
/// };
/// assert!(check(&recorder.finish(), &options).is_valid());
/// ```
#[must_use]
pub fn check(history: &History, options: &Options) -> Report {
    check_by(CHECKERS, history, options)
}

/// The same by the checkers of a table.
fn check_by(checkers: Checkers, history: &History, options: &Options) -> Report {
    let time = Time::starting(
        options.clock.clone(),
        options.check_budget,
        options.progress.clone(),
    );
    let open = with_open_puts(history);
    let promise = options.promise.or(history.header.promise);
    let declared = history.header.dominance.unwrap_or_default();
    let dominance = options.dominance.unwrap_or(declared);
    let mut report = Report {
        promise,
        dominance,
        model: None,
        totals: totals(history),
        gaps: Vec::new(),
        remarks: Vec::new(),
        complete: history.end.is_some(),
        damage: history.damage.clone(),
        checks: Vec::new(),
        ladder: Vec::new(),
        elapsed: Elapsed::default(),
        search: None,
        agreement: Agreement::NotCompared {
            reason: "only one engine ran".to_owned(),
        },
        clock_inversions: None,
        unexplained: None,
        engine: options.engine,
    };
    cut::say(&mut report, history, options.judged_by);
    cut::say_of_reads(&mut report, history);
    let is_declared = options.dominance.or(history.header.dominance).is_some();
    cut::say_of_contexts(&mut report, history, is_declared);
    let has_open = matches!(open, Cow::Owned(_));
    match guarded(|| Index::under(&open, dominance)) {
        Ok(Ok(index)) => {
            let mut index = index.within(&time);
            index.promise = held_to(promise, options.judged_by);
            let asked = asked(promise, options.judged_by);
            if options.engine != Engine::Stateright {
                report.checks = direct::checks(checkers, &index, &asked, options.verdict_only);
                cut::withdraw(&mut report.checks, history, has_open, Some(dominance));
            }
            if promise == Some(Promise::Lww) && !time.is_over() {
                report.clock_inversions = Some(lww::clock_inversions(&index));
            }
            report.elapsed.direct = time.spent();
            let by_evidence = checkers.by_evidence(&index);
            judge(checkers, &mut report, options.judged_by, &by_evidence);
            let covered = covered(checkers, &index, &report);
            report.remarks.extend(covered);
            if options.engine != Engine::Direct {
                second_opinion(&index, options, &mut report);
                cut::withdraw_search(&mut report.search, history, has_open, dominance);
                report.elapsed.search = time.spent().saturating_sub(report.elapsed.direct);
            }
            if let Some(detail) = contradiction(checkers, &index, &report.checks) {
                report.agreement = Agreement::Disagree { detail };
            }
            // What stateright took is beside the budget.
            let explaining = report.elapsed.direct.max(EXPLAINED_FOR_MIN);
            let left = options.check_budget.map(|budget| {
                let left = budget.saturating_sub(report.elapsed.direct);
                left.min(explaining)
            });
            let time = time.anew(left.unwrap_or(explaining));
            report.unexplained = explained(&mut report.checks, |checks| {
                explain::explain(checkers, &index, checks, &time);
            });
        }
        Ok(Err(reason)) | Err(reason) => {
            let refused = Refused {
                checkers,
                history,
                open: &open,
                reason: &reason,
                options,
                time: &time,
            };
            refused.judge(&mut report, has_open);
        }
    }
    let left = left_undone(&report, options);
    report.remarks.extend(left);
    #[cfg(not(feature = "stateright"))]
    say_left_out(&mut report);
    report
}

/// Says in the verdict's own line that the engine that was asked for is not in this build.
#[cfg(not(feature = "stateright"))]
fn say_left_out(report: &mut Report) {
    let said = search::LEFT_OUT.to_owned();
    match report.engine {
        Engine::Direct => {}
        Engine::Both => report.remarks.push(said),
        Engine::Stateright => report.gaps.push(said),
    }
}

/// What was left undone that the verdict's own line says: a black box that would only have looked
/// for mistakes of the checkers, and what the budget cut short of what the verdict rests on.
fn left_undone(report: &Report, options: &Options) -> Vec<String> {
    let verdict = |property| report.check(property).map(|check| &check.verdict);
    let mut left = Vec::new();
    if let (Some(Verdict::Valid), Some(Verdict::Unknown { reason })) =
        (verdict(Property::Causal), verdict(Property::CausalBlackBox))
    {
        left.push(match reason.strip_prefix(OVER) {
            Some(how_far) => format!("black box unfinished{how_far}"),
            None => format!("black box unfinished: {reason}"),
        });
    }
    let cut = report.out_of_budget();
    if let (Some(budget), false) = (options.check_budget, cut.is_empty()) {
        let again = options.again.as_deref().unwrap_or("kvs-bench check PATH");
        left.push(format!(
            "the check's budget of {} s ended before {} {} decided: `{again} --check-budget none` \
             judges without one",
            budget.as_secs_f64(),
            cut.join(", "),
            if cut.len() == 1 { "was" } else { "were" },
        ));
    }
    left
}

/// What store the history is taken for: that whose model was asked, or that of the promise.
const fn held_to(promise: Option<Promise>, judged_by: JudgedBy) -> Option<Promise> {
    match judged_by {
        JudgedBy::Model(Model::Causal) => Some(Promise::Causal),
        JudgedBy::Model(Model::Lww) => Some(Promise::Lww),
        JudgedBy::Model(Model::Linearizable) => Some(Promise::Linearizable),
        JudgedBy::Model(_) | JudgedBy::Promise | JudgedBy::Ladder => promise,
    }
}

/// The models that the verdict rests on, so that no check of theirs is left out.
fn asked(promise: Option<Promise>, judged_by: JudgedBy) -> Vec<Model> {
    match (judged_by, promise) {
        (JudgedBy::Model(model), _) => vec![model],
        (JudgedBy::Promise | JudgedBy::Ladder, Some(promise)) => {
            Model::of_promise(promise).to_vec()
        }
        (JudgedBy::Ladder, None) => Model::ALL.to_vec(),
        (JudgedBy::Promise, None) => Vec::new(),
    }
}

/// What to say where two checks of one model contradict each other: one of them has a bug. Evidence
/// that verifies proves what the other check asks.
fn contradiction(checkers: Checkers, index: &Index<'_>, checks: &[Check]) -> Option<String> {
    let is = |property: Property, like: fn(&Verdict) -> bool| {
        let own = |check: &&Check| check.property == property;
        checks
            .iter()
            .find(own)
            .is_some_and(|check| like(&check.verdict))
    };
    let contradicts = |checker: &'static dyn Checker| {
        let mut properties = checker.properties().iter();
        checker
            .proved_by()
            .is_some_and(|proof| is(proof, Verdict::is_valid))
            && properties.any(|own| is(*own, Verdict::is_invalid))
            && checker.is_bound_by_proof(index)
    };
    let is_refuted = is(Property::Integrity, Verdict::is_valid) && checkers.iter().any(contradicts);
    is_refuted.then(|| {
        "the certificate of the store proves an order, and what was seen refutes every order: save \
         the history and report it"
            .to_owned()
    })
}

/// What the verdict's own line says of evidence that covers a part of the history only.
fn covered(checkers: Checkers, index: &Index<'_>, report: &Report) -> Option<String> {
    let asked = asked(report.promise, JudgedBy::Promise);
    let asked = report.model.map_or(asked, |own| vec![own]);
    let asks = |checker: &&'static dyn Checker| {
        let mut properties = checker.properties().iter();
        properties.any(|property| asked.contains(&Model::of(*property)))
    };
    let mut asked = checkers.iter().filter(asks);
    let (name, coverage) = asked.find_map(|checker| checker.coverage(index))?;
    coverage.is_partial().then(|| format!("{name}: {coverage}"))
}

/// Puts the models on the ladder, and says which of them decides the verdict.
fn judge(checkers: Checkers, report: &mut Report, judged_by: JudgedBy, by_evidence: &[Property]) {
    let promised = report.promise.map(Model::promised);
    report.ladder = ladder::ladder(
        checkers,
        &report.checks,
        promised,
        report.dominance,
        by_evidence,
    );
    report.model = match (judged_by, report.promise) {
        (JudgedBy::Model(model), _) => Some(model),
        (JudgedBy::Ladder, None) => report
            .ladder
            .iter()
            .rev()
            .find(|rung| rung.standing != Standing::NotApplicable)
            .map(|rung| rung.model),
        (JudgedBy::Promise, _) | (JudgedBy::Ladder, Some(_)) => None,
    };
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

/// Reduces each anomaly to what shows it; a bug in that leaves them as the checks gave them, and
/// is what this returns.
fn explained(checks: &mut Vec<Check>, explain: impl FnOnce(&mut [Check])) -> Option<String> {
    let mut reduced = checks.clone();
    let bug = guarded(|| explain(&mut reduced)).err();
    if bug.is_none() {
        *checks = reduced;
    }
    bug
}

/// The direct engine's answer on the model alone, which is what the search judges too: `None` when
/// it has none.
fn direct_on_model(index: &Index<'_>, promise: Promise) -> Option<bool> {
    let model = match promise {
        Promise::Linearizable => linearizable::check(index),
        Promise::Lww => match (lww::check(index), lww_black_box::check(index)) {
            (by_versions, shown)
                if by_versions.verdict.is_valid() && shown.verdict.is_invalid() =>
            {
                // Versions of another node's say nothing of what this one showed.
                return lww::origins_acknowledge(index).then_some(false);
            }
            (by_versions, _) => by_versions,
        },
        Promise::Causal => match causal::check(index) {
            // The search goes without evidence too.
            check if matches!(check.verdict, Verdict::NotApplicable { .. }) => {
                dominance::check(index)
            }
            check => check,
        },
    };
    match model.verdict {
        Verdict::Valid => Some(!integrity::check(index).verdict.is_invalid()),
        Verdict::Invalid { .. } => Some(false),
        Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => None,
    }
}

/// The model of the search that the verdict is compared with, where it has one.
fn searchable(report: &Report, real_time: bool) -> Result<Promise, String> {
    let searched = match (report.model, report.promise) {
        (Some(Model::Linearizable), _) => Ok(Promise::Linearizable),
        (Some(Model::Causal), _) => Ok(Promise::Causal),
        (Some(Model::Lww), _) => Ok(Promise::Lww),
        (Some(model), _) => Err(format!("stateright has no specification of {model}")),
        (None, Some(promise)) => Ok(promise),
        (None, None) => Err("the history promises nothing".to_owned()),
    };
    match searched {
        Ok(Promise::Linearizable) if !real_time => Err(wing_gong::NO_REAL_TIME.to_owned()),
        Ok(_) | Err(_) => searched,
    }
}

/// Has stateright judge the longest prefix that its budget allows, and compares.
fn second_opinion(index: &Index<'_>, options: &Options, report: &mut Report) {
    let answer = searchable(report, index.history.header.real_time).and_then(|promise| {
        guarded(|| {
            let (search, direct) = search_prefixes(index, promise, options);
            let agreement = compare(&search, direct);
            (search, agreement)
        })
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
    // Alone it is the whole check; beside the direct engine its budget stands beside that one's.
    let alone = options
        .check_budget
        .filter(|_| options.engine == Engine::Stateright);
    let time = alone.map_or(budget.time, |own| own.min(budget.time));
    // The direct engine has as long for the same prefix.
    let comparing = index.time.anew(time.saturating_mul(2));
    let mut operations = budget.operations.max(1);
    let mut attempt = 1;
    if alone == Some(Duration::ZERO) {
        let search = Search::of(Found::Budget);
        return (Search { of, ..search }, None);
    }
    loop {
        let shortened = prefix::prefix(index.history, operations);
        let prefix_index = shortened
            .as_ref()
            .and_then(|history| Index::under(history, index.dominance).ok())
            .map(|index| index.within(&comparing));
        let judged = prefix_index.as_ref().unwrap_or(index);
        // Each attempt may use half of what is left, so that a shorter one still has time.
        let share = time - time / 2u32.saturating_pow(attempt);
        let deadline = start.map(|start| start + share.max(Duration::from_millis(1)));
        let clock = options.clock.clone().zip(deadline);
        let mut search = search::search(judged, promise, budget.states, clock);
        search.of = of;
        search.limit = (search.operations < of).then(|| limit(budget, attempt));
        attempt += 1;
        if search.found != Found::Budget || attempt > PREFIXES_MAX {
            let direct = match options.engine {
                Engine::Stateright => None,
                Engine::Direct | Engine::Both => direct_on_model(judged, promise),
            };
            return (search, direct);
        }
        operations = operations.min(index.history.len()) / PREFIX_SHRINK + 1;
    }
}

/// Why the search was not given the whole history, at its so many-th attempt.
fn limit(budget: Budget, attempt: u32) -> String {
    if attempt == 1 {
        format!("it searches at most {} operations", budget.operations)
    } else {
        format!(
            "a longer part did not fit its budget of {} states and {} s",
            budget.states,
            budget.time.as_secs_f64()
        )
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
