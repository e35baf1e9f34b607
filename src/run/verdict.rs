//! Judging a run's history, and putting the judgement into the words of the run record.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::checker::{
    Agreement, Anomaly, Budget, Clock, Engine, Found, JudgedBy, Options, Outcome, Report, Search,
    Standing, Verdict,
};
use crate::history::{History, ReadError, Staleness, staleness};
use crate::measure::{
    AnomalyRecord, EngineRecord, Histogram, ModelRecord, StalenessRecord, VerdictRecord,
    VerdictWord,
};

use super::directory::HISTORY_FILE;

/// How many anomalies a run record keeps; `kvs-bench check` shows them all.
const ANOMALIES_MAX: usize = 20;

/// What the checkers say of a run.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: VerdictRecord,
    pub(super) staleness: Option<StalenessRecord>,
}

/// Judges a history; stateright may take as long as `budget`.
#[must_use]
pub fn check_history(
    history: &History,
    judged_by: JudgedBy,
    engine: Engine,
    budget: Duration,
) -> Report {
    let start = Instant::now();
    let options = Options {
        judged_by,
        engine,
        budget: Budget {
            time: budget,
            ..Budget::default()
        },
        clock: Some(Clock::new(move || start.elapsed())),
        ..Options::default()
    };
    crate::checker::check(history, &options)
}

/// Where the history of `path` is: the file itself, or the one in a run directory.
#[must_use]
pub fn history_path(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(HISTORY_FILE)
    } else {
        path.to_owned()
    }
}

/// Judges a run's history and measures how stale its reads were.
pub(super) fn judge(path: &Path, engine: Engine, budget: Duration) -> Result<Judged, ReadError> {
    let history = History::read(path)?;
    let report = check_history(&history, JudgedBy::Promise, engine, budget);
    let staleness = staleness_record(&history, report.clock_inversions);
    Ok(Judged {
        verdict: verdict_record(&report),
        staleness: Some(staleness),
    })
}

fn verdict_record(report: &Report) -> VerdictRecord {
    let reason = match &report.agreement {
        Agreement::Disagree { detail } => Some(format!("the engines disagree: {detail}")),
        Agreement::Agree | Agreement::NotCompared { .. } => None,
    };
    let mut engines = Vec::new();
    if report.engine != Engine::Stateright {
        engines.push(direct_record(report));
    }
    engines.extend(
        report
            .search
            .as_ref()
            .map(|search| search_record(report, search)),
    );
    VerdictRecord {
        disagreement: matches!(report.agreement, Agreement::Disagree { .. }),
        promise: report.held_to().to_owned(),
        verdict: word(report.outcome()),
        reason,
        engines,
        models: report
            .ladder
            .iter()
            .map(|rung| ModelRecord {
                name: rung.model.name().to_owned(),
                verdict: standing_word(rung.standing),
                promised: rung.promised,
                reason: rung.reason.clone(),
            })
            .collect(),
        anomalies: report
            .anomalies()
            .take(ANOMALIES_MAX)
            .map(anomaly_record)
            .collect(),
    }
}

const fn word(outcome: Outcome) -> VerdictWord {
    match outcome {
        Outcome::Valid => VerdictWord::Valid,
        Outcome::Invalid => VerdictWord::Invalid,
        Outcome::Unknown => VerdictWord::Unknown,
    }
}

const fn standing_word(standing: Standing) -> Option<VerdictWord> {
    match standing {
        Standing::Held => Some(VerdictWord::Valid),
        Standing::Broken => Some(VerdictWord::Invalid),
        Standing::Unknown => Some(VerdictWord::Unknown),
        Standing::NotApplicable => None,
    }
}

/// The direct engine's verdict on the promise, whatever stateright says of it.
fn direct_record(report: &Report) -> EngineRecord {
    let total = report.totals.ok + report.totals.fail + report.totals.info;
    let judged = report
        .checks
        .iter()
        .filter(|check| report.is_judged(check.property));
    let reason = { judged }.find_map(|check| match &check.verdict {
        Verdict::Unknown { reason } => Some(format!("{}: {reason}", check.property)),
        Verdict::Valid | Verdict::Invalid { .. } | Verdict::NotApplicable { .. } => None,
    });
    EngineRecord {
        name: "direct".to_owned(),
        verdict: word(report.direct_outcome()),
        covered: total,
        total,
        seconds: report.elapsed.direct.as_secs_f64(),
        reason,
    }
}

fn search_record(report: &Report, search: &Search) -> EngineRecord {
    let (verdict, reason) = match &search.found {
        Found::Order => (VerdictWord::Valid, None),
        Found::NoOrder { .. } => (VerdictWord::Invalid, None),
        Found::Budget => (VerdictWord::Unknown, Some("the budget ran out".to_owned())),
        Found::NotApplicable { reason } => (VerdictWord::Unknown, Some(reason.clone())),
    };
    EngineRecord {
        name: "stateright".to_owned(),
        verdict,
        covered: search.operations,
        total: search.of,
        seconds: report.elapsed.search.as_secs_f64(),
        reason,
    }
}

fn anomaly_record(anomaly: &Anomaly) -> AnomalyRecord {
    AnomalyRecord {
        kind: anomaly.kind.name().to_owned(),
        model: anomaly.model.name().to_owned(),
        text: anomaly_text(anomaly),
    }
}

/// The sentence, and the operations that show it, a line each.
fn anomaly_text(anomaly: &Anomaly) -> String {
    let operations = anomaly.operations.iter().map(ToString::to_string);
    let lines: Vec<String> = std::iter::once(anomaly.sentence.clone())
        .chain(operations)
        .collect();
    lines.join("\n  ")
}

/// How stale the reads of the run phase were.
fn staleness_record(history: &History, clock_inversions: Option<u64>) -> StalenessRecord {
    let (mut delta, mut k, mut lag) = (Histogram::new(), Histogram::new(), Histogram::new());
    let mut stale_reads = 0;
    staleness(history, |what, value| match what {
        Staleness::Delta => {
            stale_reads += u64::from(value > 0);
            delta.record(value);
        }
        Staleness::Versions => k.record(value),
        Staleness::VisibilityLag => lag.record(value),
    });
    StalenessRecord {
        stale_reads,
        reads: delta.count(),
        delta_ns: delta.summary(),
        k: k.summary(),
        visibility_lag_ns: lag.summary(),
        clock_inversions,
    }
}
