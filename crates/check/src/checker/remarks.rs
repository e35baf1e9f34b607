//! What the verdict's own line says after the word.

use super::asked;
use super::index::Index;
use super::model::Model;
use super::options::{JudgedBy, Options};
use super::property::Property;
use super::report::Report;
use super::table::{Checker, Checkers};
use super::time::OVER;
use super::verdict::{Check, Verdict};

/// What stayed unfinished and stands in the verdict's own line: a black box that only looks for
/// mistakes of the checkers, and the checks that the verdict depends on and that the budget cut
/// short.
pub(super) fn left_undone(report: &Report, options: &Options) -> Vec<String> {
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

/// What to say when two checks of one model contradict each other. One of them has a bug, since
/// evidence that verifies proves what the other check asks.
pub(super) fn contradiction(
    checkers: Checkers,
    index: &Index<'_>,
    checks: &[Check],
) -> Option<String> {
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
pub(super) fn covered(checkers: Checkers, index: &Index<'_>, report: &Report) -> Option<String> {
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
