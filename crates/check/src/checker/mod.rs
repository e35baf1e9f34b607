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
//! | regular | no get returns what had certainly been overwritten | Lamport 1986, Shao et al. 2011 | `regular/` |
//! | linearizable | zones of a key do not conflict | Gibbons and Korach 1997 | `linearizable.rs` |
//! | linearizable, values that repeat, compare-and-set, append | zones of what was written once, and a search for an order of a key | Wing and Gong 1993, Lowe 2017 | `wing_gong/` |
//! | sequential | a search for one order of all | Lamport 1979 | `sequential.rs` |
//! | linearizable, regular and sequential again, values that repeat | a search for an order | stateright | `search/values/` |
//! | all models, again | a search for an order | stateright | `search/` |
//!
//! Each is a row of `table.rs`. `happens_before/` tells several of them what an operation had seen,
//! and `ordering/` is what the searches for an order share.
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
mod compare_and_set;
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
mod ordering;
mod prefix;
mod property;
#[cfg(feature = "stateright")]
mod protocol_testers;
mod regular;
mod remarks;
mod repeated;
mod report;
#[cfg(feature = "stateright")]
mod search;
#[cfg(not(feature = "stateright"))]
#[path = "search_left_out.rs"]
mod search;
mod searched;
mod second_opinion;
mod sequential;
mod session;
mod shown;
mod table;
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
#[cfg(test)]
mod toy;
mod verdict;
mod wing_gong;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub use cut::NOTHING_READ;
pub use explain::proofs;
pub use ladder::{Rung, Standing};
pub use model::Model;
pub use options::{Budget, Clock, Engine, JudgedBy, Options};
pub use property::{AnomalyKind, Property};
#[cfg(feature = "stateright")]
pub use protocol_testers::{
    CausalReturn, CausalSibling, CausalStore, CausalTester, LwwReturn, LwwStore, LwwTester, Reply,
    StoreOp, StoreTester,
};
pub use report::{Agreement, Elapsed, Explained, Report, Totals, VerdictWord};
pub use searched::{Found, Search};
pub use shown::Shown;
pub use time::{Progress, ProgressSink};
pub use verdict::{ANOMALIES_KEPT, Anomaly, Check, Verdict};

use crate::history::{self, History};
use index::{Index, orders_by_versions};
use open_puts::with_open_puts;
use remarks::{contradiction, covered, left_undone};
use repeated::Refused;
use second_opinion::second_opinion;
use table::{CHECKERS, Checkers};
use time::Time;

/// Time in which anomalies are made small, though judging took less.
const EXPLAINED_FOR_MIN: Duration = Duration::from_secs(1);

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
            index.is_ordered_by_versions = orders_by_versions(promise);
            let asked = asked(promise, options.judged_by);
            if options.engine != Engine::Stateright {
                report.checks = direct::checks(checkers, &index, &asked, options.verdict_only);
                cut::withdraw(&mut report.checks, history, has_open, Some(dominance));
            }
            let counts = promise.is_some_and(|promise| promise.row().counts_inversions);
            if counts && !time.is_over() {
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

/// What store the history is taken for: that whose model was asked, or that of the promise.
const fn held_to(promise: Option<Model>, judged_by: JudgedBy) -> Option<Model> {
    match judged_by {
        JudgedBy::Model(model) if model.row().stands_for_store => Some(model),
        JudgedBy::Model(_) | JudgedBy::Promise | JudgedBy::Ladder => promise,
    }
}

/// The models that the verdict rests on, so that no check of theirs is left out.
fn asked(promise: Option<Model>, judged_by: JudgedBy) -> Vec<Model> {
    match (judged_by, promise) {
        (JudgedBy::Model(model), _) => vec![model],
        (JudgedBy::Promise | JudgedBy::Ladder, Some(promise)) => {
            Model::of_promise(promise).to_vec()
        }
        (JudgedBy::Ladder, None) => Model::ALL.to_vec(),
        (JudgedBy::Promise, None) => Vec::new(),
    }
}

/// Puts the models on the ladder, and says which of them decides the verdict.
fn judge(checkers: Checkers, report: &mut Report, judged_by: JudgedBy, by_evidence: &[Property]) {
    report.ladder = ladder::ladder(
        checkers,
        &report.checks,
        report.promise,
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
