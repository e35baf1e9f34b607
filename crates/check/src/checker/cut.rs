//! What a cut history lacks, and which parts of a judgement are certain all the same.
//!
//! A recording that was cut short holds every operation that had ended by then. What it lacks
//! cannot undo what two of its operations show about each other, with three exceptions. A later
//! final read may have found what an earlier one missed. A put that was read and not recorded
//! superseded what its context named. If values repeat, or operations other than puts change a
//! register, missing operations can explain anything.

use super::index::is_sampled;
use super::options::JudgedBy;
use super::property::Property;
use super::report::Report;
use super::searched::{Found, Search};
use super::verdict::{Check, Verdict};
use super::{Model, asked, session};
use crate::history::{Dominance, ErrorKind, History, Kind, Outcome};

/// What final reads decide.
const FINAL: [Property; 2] = [Property::Convergence, Property::LostWrites];
/// What contexts decide, beside the session guarantees.
const CONTEXTUAL: [Property; 2] = [Property::Causal, Property::CausalBlackBox];

const LATER_READS: &str = "the history was cut short: later final reads may be missing";
const LOST_CONTEXTS: &str =
    "the history was cut short: the contexts of puts that are missing are not known";
const MISSING: &str = "operations are missing, which may have written what was read";

/// The remark on a history in which nothing was read: `valid` says little then. Whoever put a store to
/// the test may find that too little.
pub const NOTHING_READ: &str = "nothing was read that could show a broken promise";

/// Says in the verdict's own line what is missing of the history.
pub(super) fn say(report: &mut Report, history: &History, judged_by: JudgedBy) {
    let Some(end) = history.end else {
        let damage = history.damage.as_deref();
        let damage = damage.unwrap_or("there is no end record");
        let gap = format!("the history was cut short: {damage}");
        return report.gaps.push(gap);
    };
    if end.left_out > 0 {
        report.remarks.push(format!(
            "{} of {} operations were recorded, beyond the limit those on a sample of the keys",
            end.operations,
            end.operations + end.left_out
        ));
    }
    if end.interrupted {
        let models = asked(report.promise, judged_by);
        let reads_back = |model: &Model| model.properties().contains(&Property::Convergence);
        // A history that promises nothing is held to convergence.
        if models.is_empty() || models.iter().any(reads_back) {
            report.gaps.push(
                "the run was interrupted: its replicas were not all read back in the end"
                    .to_owned(),
            );
        } else {
            report.remarks.push("the run was interrupted".to_owned());
        }
    }
}

/// Says that nothing was read: then no answer of the store could have broken a promise, and `valid`
/// would stand for work that nobody did.
pub(super) fn say_of_reads(report: &mut Report, history: &History) {
    let tells = |row: usize| {
        let row = history.row(row);
        match (row.kind, row.outcome) {
            (Kind::Get | Kind::Cas, Outcome::Ok) => true,
            (Kind::Cas, Outcome::Fail) => row.error == Some(ErrorKind::Mismatch),
            (Kind::Get | Kind::Put | Kind::Append | Kind::Cas, _) => false,
        }
    };
    if !history.is_empty() && !(0..history.len()).any(tells) {
        report.remarks.push(NOTHING_READ.to_owned());
    }
}

/// Says that rows carry contexts which nothing declares: neither the header nor whoever asks.
pub(super) fn say_of_contexts(report: &mut Report, history: &History, is_declared: bool) {
    if !is_declared && history.columns.has_context.iter().any(|has| *has) {
        report.gaps.push(
            "its puts carry contexts, and its header does not say whether they decide what a put \
             supersedes: `dominance` in the header, or --dominance, does"
                .to_owned(),
        );
    }
}

/// Takes back what checks refuted if the missing part may explain it. `has_open` says whether puts
/// were read that are not recorded. `dominance` is the rule that was judged by, and nothing if
/// searches judged.
pub(super) fn withdraw(
    checks: &mut [Check],
    history: &History,
    has_open: bool,
    dominance: Option<Dominance>,
) {
    for check in checks {
        let is_cut = history.end.is_none();
        let contexts_count = has_open && is_cut && dominance == Some(Dominance::Context);
        let is_contextual =
            CONTEXTUAL.contains(&check.property) || session::PROPERTIES.contains(&check.property);
        let may_repeat = dominance.is_none() || !history.header.values.is_empty();
        let reason = if may_repeat && (is_cut || is_sampled(history)) {
            MISSING
        } else if is_cut && FINAL.contains(&check.property) {
            LATER_READS
        } else if contexts_count && is_contextual {
            LOST_CONTEXTS
        } else {
            continue;
        };
        if check.verdict.is_invalid() {
            check.verdict = Verdict::unknown(reason);
        }
    }
}

/// The same for what stateright refuted.
pub(super) fn withdraw_search(
    search: &mut Option<Search>,
    history: &History,
    has_open: bool,
    dominance: Dominance,
) {
    let reason = if !history.header.values.is_empty() {
        MISSING
    } else if has_open && dominance == Dominance::Context {
        LOST_CONTEXTS
    } else {
        return;
    };
    if let Some(search) = search
        && history.end.is_none()
        && matches!(search.found, Found::NoOrder { .. })
    {
        search.found = Found::NotApplicable {
            reason: reason.to_owned(),
        };
    }
}

/// The same where values repeat, so that what is missing may have written anything.
pub(super) fn withdraw_searched(search: &mut Option<Search>, history: &History) {
    let is_partial = history.end.is_none() || is_sampled(history);
    if let Some(search) = search
        && is_partial
        && matches!(search.found, Found::NoOrder { .. })
    {
        search.found = Found::NotApplicable {
            reason: MISSING.to_owned(),
        };
    }
}
