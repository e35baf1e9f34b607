//! The second engine's answer on histories of unique values: on the longest prefix that its budget
//! allows, compared with the direct engine's answer on the same prefix.

use std::time::Duration;

use super::index::Index;
use super::options::{Budget, Clock, Engine, Options};
use super::report::{Agreement, Report};
use super::search;
use super::searched::{Found, Search, Searchable};
use super::verdict::Verdict;
use super::wing_gong;
use super::{guarded, integrity, prefix};

/// Prefixes that the search tries, each a fraction of the one before, until one fits the budget.
pub(super) const PREFIXES_MAX: u32 = 5;
/// How much shorter each next prefix is.
pub(super) const PREFIX_SHRINK: usize = 8;

/// The direct engine's answer on the model alone, which is what the search judges too: `None` when
/// it has none.
pub(super) fn direct_on_model(index: &Index<'_>, model: Searchable) -> Option<bool> {
    match (model.direct)(index).verdict {
        Verdict::Valid => Some(!integrity::check(index).verdict.is_invalid()),
        Verdict::Invalid { .. } => Some(false),
        Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => None,
    }
}

/// The model of the search that the verdict is compared with, where it has one.
fn searchable(report: &Report, real_time: bool) -> Result<Searchable, String> {
    let model = report.model.or(report.promise);
    let model = model.ok_or("the history promises nothing")?;
    match model.row().searchable {
        Some(search) if search.needs_real_time && !real_time => {
            Err(wing_gong::NO_REAL_TIME.to_owned())
        }
        Some(search) => Ok(search),
        None => Err(format!("stateright has no specification of {model}")),
    }
}

/// Has stateright judge the longest prefix that its budget allows, and compares.
pub(super) fn second_opinion(index: &Index<'_>, options: &Options, report: &mut Report) {
    let answer = searchable(report, index.history.header.real_time).and_then(|model| {
        guarded(|| {
            let (search, direct) = search_prefixes(index, model, options);
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
    model: Searchable,
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
        let mut search = search::search(judged, model, budget.states, clock);
        search.of = of;
        search.limit = (search.operations < of).then(|| limit(budget, attempt));
        attempt += 1;
        if search.found != Found::Budget || attempt > PREFIXES_MAX {
            let direct = match options.engine {
                Engine::Stateright => None,
                Engine::Direct | Engine::Both => direct_on_model(judged, model),
            };
            return (search, direct);
        }
        operations = operations.min(index.history.len()) / PREFIX_SHRINK + 1;
    }
}

/// Why the search was not given the whole history, at its so many-th attempt.
pub(super) fn limit(budget: Budget, attempt: u32) -> String {
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

pub(super) fn compare(search: &Search, direct: Option<bool>) -> Agreement {
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
