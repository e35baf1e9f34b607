//! Judges a history by every model, and holds the answers against each other.

use std::time::Duration;

use kvs_zoo::checker::{
    Agreement, Budget, JudgedBy, Model, Options, Report, Standing, VerdictWord, check,
};
use kvs_zoo::history::{Evidence, History, write_json_lines};

/// What stateright may cost; the direct checks are small because the history is.
const BUDGET: Budget = Budget {
    operations: 64,
    states: 2_000,
    time: Duration::MAX,
};
/// What a check that panicked answers.
const PANICKED: &str = "the check has a bug";

/// Judges by every model and by what the history promises.
///
/// # Panics
/// When a check panicked, engines or answers contradict each other, or nothing was called valid.
pub(crate) fn by_every_model(history: &History) {
    let mut standings = vec![Vec::new(); Model::ALL.len()];
    let models = Model::ALL.iter().map(|model| JudgedBy::Model(*model));
    for judged_by in models.chain([JudgedBy::Promise, JudgedBy::Ladder]) {
        let report = check(
            history,
            &Options {
                judged_by,
                budget: BUDGET,
                ..Options::default()
            },
        );
        if let Some(wrong) = wrong_with(history, &report) {
            fail(history, &report, &wrong);
        }
        for rung in &report.ladder {
            standings[rung.model as usize].push(rung.standing);
            let both = [Standing::Held, Standing::Broken];
            if both
                .iter()
                .all(|s| standings[rung.model as usize].contains(s))
            {
                fail(
                    history,
                    &report,
                    &format!("{} is held and broken", rung.model),
                );
            }
        }
    }
}

fn wrong_with(history: &History, report: &Report) -> Option<String> {
    let text = format!("{report}\n{}\n{:?}", report.explained(), report.agreement);
    if text.contains(PANICKED) {
        return Some("a check panicked".to_owned());
    }
    if matches!(report.agreement, Agreement::Disagree { .. }) {
        return Some("the engines disagree".to_owned());
    }
    if history.is_empty() && report.verdict() == VerdictWord::Valid {
        return Some("nothing is called valid".to_owned());
    }
    if history
        .columns
        .evidence
        .iter()
        .any(|e| *e != Evidence::None)
    {
        // Evidence may be false, which a model without evidence does not look at.
        return None;
    }
    let standing = |model: Model| report.ladder.get(model as usize).map(|rung| rung.standing);
    for model in Model::ALL {
        for implied in model.implied(report.dominance) {
            if standing(*model) == Some(Standing::Held)
                && standing(*implied) == Some(Standing::Broken)
            {
                return Some(format!(
                    "{model} is held and implies {implied}, which is broken"
                ));
            }
        }
    }
    None
}

fn fail(history: &History, report: &Report, wrong: &str) -> ! {
    let mut lines = Vec::new();
    write_json_lines(history, &mut lines).expect("memory takes every line");
    panic!("{wrong}\n{}\n{report}", String::from_utf8_lossy(&lines));
}
