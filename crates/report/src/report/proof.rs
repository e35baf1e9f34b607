//! The verdict on the screen, and the operations that prove it.

use kvs_measure::{AnomalyRecord, EngineRecord, RunRecord, VerdictRecord, VerdictWord};

use super::glossary;
use super::layout::{join, labelled, wrap};
use super::number::{self, optional};
use super::sentences;
use super::text::COLUMNS_MAX;

/// How much farther in the rest of a line begins that had to be broken.
const CONTINUED_COLUMNS: usize = 4;

/// The verdict, what each engine covered, and which models the history satisfies.
pub(super) fn verdict(record: &RunRecord) -> Vec<String> {
    let verdict = &record.verdict;
    let sentence = sentence(verdict);
    let mut lines = vec![String::new()];
    lines.extend(labelled("Verdict", &sentence));
    if let Some(says) = sentences::says(&record.configuration) {
        lines.extend(labelled("", &says));
    }
    if let Some(reason) = &verdict.reason {
        lines.extend(labelled("", reason));
    }
    for engine in &verdict.engines {
        let (covered, total) = (number::count(engine.covered), number::count(engine.total));
        let took = number::seconds(engine.seconds);
        let found = match found(engine) {
            NO_VIOLATION => {
                format!("no violation in the {covered} of {total} operations it searched in {took}")
            }
            word => format!("{word:<7} {covered} of {total} operations in {took}"),
        };
        let mut text = format!("{:<10} {found}", engine.name);
        if let Some(reason) = &engine.reason {
            text += &format!(": {reason}");
        }
        lines.extend(labelled("", &text));
    }
    if verdict.disagreement {
        let text = "THE ENGINES DISAGREE: one of the checkers has a bug, and this run failed";
        lines.extend(labelled("", text));
    }
    if !verdict.models.is_empty() {
        let models = verdict.models.iter().map(|model| {
            let standing = standing(model.verdict);
            let promised = if model.promised { " (promised)" } else { "" };
            format!("{} {standing}{promised}", model.name)
        });
        let ladder = format!("weakest first: {}", join(models));
        lines.extend(labelled("Models", &ladder));
        lines.extend(labelled("", glossary::MODELS_LEGEND));
    }
    lines.extend(labelled("History", &history(record)));
    lines
}

/// What an engine found that searched a part.
const NO_VIOLATION: &str = "no violation in the part that was searched";

/// An engine's verdict; that a part is in order says nothing of the rest.
pub(super) fn found(engine: &EngineRecord) -> &'static str {
    if engine.verdict == VerdictWord::Valid && engine.covered < engine.total {
        NO_VIOLATION
    } else {
        word(engine.verdict)
    }
}

/// The verdict on the promise, with what it lacks and the remarks on it.
pub(super) fn sentence(verdict: &VerdictRecord) -> String {
    let promise = &verdict.promise;
    let mut sentence = match verdict.verdict {
        VerdictWord::Valid => format!("VALID: the store kept its promise, {promise}"),
        VerdictWord::Invalid => format!("INVALID: the store broke its promise, {promise}"),
        VerdictWord::Unknown => {
            format!("UNKNOWN: it is not known whether the store kept its promise, {promise}")
        }
    };
    for clause in clauses(verdict) {
        sentence += "; ";
        sentence += clause;
    }
    sentence
}

/// What the verdict's own line says beside the word.
pub(super) fn clauses(verdict: &VerdictRecord) -> impl Iterator<Item = &str> {
    let clauses = verdict.gaps.iter().chain(&verdict.remarks);
    clauses.map(String::as_str)
}

/// How a model fared.
pub(super) const fn standing(verdict: Option<VerdictWord>) -> &'static str {
    match verdict {
        Some(VerdictWord::Valid) => "held",
        Some(VerdictWord::Invalid) => "broken",
        Some(VerdictWord::Unknown) => "unknown",
        None => "not applicable",
    }
}

/// How much of what was done was recorded.
pub(super) fn history(record: &RunRecord) -> String {
    let history = &record.history;
    let recorded = number::count(history.recorded);
    let operations = number::count(history.operations);
    if history.recorded == 0 {
        return "not recorded: nothing can be checked".to_owned();
    }
    if history.complete {
        return format!("all {operations} operations, load and read-back included");
    }
    if history.recorded == history.operations {
        return format!(
            "all {operations} operations until the run was interrupted, not all read back"
        );
    }
    let limit = optional(history.limit, number::count);
    format!(
        "{recorded} of {operations} operations (limit {limit}): after the limit a sample of keys \
         goes on being recorded whole"
    )
}

pub(super) const fn word(verdict: VerdictWord) -> &'static str {
    match verdict {
        VerdictWord::Valid => "valid",
        VerdictWord::Invalid => "invalid",
        VerdictWord::Unknown => "unknown",
    }
}

/// What kind of anomaly it is, and what that means.
pub(super) fn title(anomaly: &AnomalyRecord) -> String {
    match &anomaly.meaning {
        Some(meaning) => format!("{}: {meaning}", anomaly.kind),
        None => format!("{} (breaks {})", anomaly.kind, anomaly.model),
    }
}

/// The first anomalies, in at most `room` lines.
pub(super) fn anomalies(anomalies: &[AnomalyRecord], room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, anomaly) in anomalies.iter().enumerate() {
        let title = title(anomaly);
        let mut block = labelled(if at == 0 { "Proof" } else { "" }, &title);
        if at == 0 {
            block.extend(labelled("", glossary::PROOF_LEGEND));
        }
        for line in anomaly.text.lines() {
            let mut lines = wrap(line, 2, COLUMNS_MAX - CONTINUED_COLUMNS).into_iter();
            block.extend(lines.next());
            let margin = " ".repeat(CONTINUED_COLUMNS);
            block.extend(lines.map(|line| margin.clone() + &line));
        }
        // The first one is shown, cut if need be; others only whole. One line is for the rest.
        let left = (room - 1).saturating_sub(lines.len());
        if block.len() > left {
            if at == 0 {
                lines.extend(block.into_iter().take(left));
                lines.extend(labelled("", "… the rest is in anomalies/"));
            } else {
                let more = number::count((anomalies.len() - at) as u64);
                lines.extend(labelled("", &format!("{more} more in anomalies/")));
            }
            return lines;
        }
        lines.extend(block);
    }
    lines
}
