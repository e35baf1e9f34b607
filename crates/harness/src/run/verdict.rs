//! Judging a run's history, and putting the judgement into the words of the run record.

use std::path::Path;
use std::time::{Duration, Instant};

use kvs_check::checker::{
    self, Agreement, Anomaly, Budget, Clock, Engine, Found, JudgedBy, NOTHING_READ, Options,
    ProgressSink, Report, Search, Shown, Standing, Verdict,
};
use kvs_check::history::{self, History, ReadError, Staleness, staleness};
use kvs_measure::{
    AnomalyRecord, EngineRecord, Histogram, ModelRecord, OperationRecord, StalenessRecord,
    VerdictRecord, VerdictWord, write_hgrm,
};

use super::config::CheckBudget;

/// How many anomalies a run record keeps; `kvs-bench check` shows them all.
const ANOMALIES_MAX: usize = 20;

/// What the checkers say of a run.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: VerdictRecord,
    pub(super) staleness: Option<StalenessRecord>,
    /// The operations that show each anomaly, and how stale reads were, as files of their own.
    pub(super) attachments: Vec<Attachment>,
}

/// A file of the run directory.
#[derive(Debug)]
pub(super) struct Attachment {
    /// Its name within the directory.
    pub(super) name: String,
    pub(super) contents: Vec<u8>,
}

/// What a proof says whose reads lack values.
const SHORTENED: &str =
    "Below, reads leave out the values whose puts are not needed to show the anomaly.";

/// Where the operations go that prove an invalid verdict, a history an anomaly.
const ANOMALIES_DIRECTORY: &str = "anomalies";

/// How a history is judged.
#[derive(Clone, Debug, Default)]
pub struct Judging {
    /// What the verdict rests on.
    pub judged_by: JudgedBy,
    /// Which engines judge.
    pub engine: Engine,
    /// How long stateright may search.
    pub budget: Duration,
    /// How long the direct engine may check.
    pub check_budget: CheckBudget,
    /// The command that judges it again, for a verdict that is cut short.
    pub again: String,
    /// Where to say how far it has got.
    pub progress: Option<ProgressSink>,
}

/// Judges a history.
#[must_use]
pub fn check_history(history: &History, judging: &Judging) -> Report {
    let start = Instant::now();
    let options = Options {
        judged_by: judging.judged_by,
        engine: judging.engine,
        budget: Budget {
            time: judging.budget,
            ..Budget::default()
        },
        check_budget: judging.check_budget.of(history),
        again: Some(judging.again.clone()),
        progress: judging.progress.clone(),
        clock: Some(Clock::new(move || start.elapsed())),
        ..Options::default()
    };
    checker::check(history, &options)
}

/// Makes a gap of the remark that nothing was read: a run is to put its store to the test, and its
/// verdict must not stand for work that was not done.
pub(super) fn want_reads(report: &mut Report) {
    let is_it = |remark: &String| remark == NOTHING_READ;
    if let Some(at) = report.remarks.iter().position(is_it) {
        report.gaps.push(report.remarks.remove(at));
    }
}

/// Judges a run's history and measures how stale its reads were.
pub(super) fn judge(path: &Path, judging: &Judging) -> Result<Judged, ReadError> {
    let history = History::read(path)?;
    let mut report = check_history(&history, judging);
    want_reads(&mut report);
    let mut attachments = proofs(&history, &report);
    let staleness = staleness_record(&history, report.clock_inversions, &mut attachments);
    Ok(Judged {
        verdict: verdict_record(&report),
        staleness: Some(staleness),
        attachments,
    })
}

/// The anomalies of the run record, each as a history that `kvs-bench check` judges invalid again:
/// the anomaly in words as comments, then the operations as JSON lines.
fn proofs(history: &History, report: &Report) -> Vec<Attachment> {
    let anomalies: Vec<Anomaly> = report.anomalies().take(ANOMALIES_MAX).cloned().collect();
    let histories = checker::proofs(history, &anomalies);
    (1..)
        .zip(anomalies.iter().zip(&histories))
        .map(|(number, (anomaly, history))| {
            let title = format!("{}: {}", anomaly.kind, anomaly.kind.meaning());
            let text = anomaly_text(anomaly);
            let mut contents = Vec::new();
            let shortened = reads_are_shortened(anomaly, history).then_some(SHORTENED);
            let lines = std::iter::once(title.as_str()).chain(text.lines());
            for line in lines.chain(shortened) {
                contents.extend_from_slice(format!("// {line}\n").as_bytes());
            }
            history::write_json_lines(history, &mut contents).expect("memory takes all");
            Attachment {
                name: format!("{ANOMALIES_DIRECTORY}/{number:02}-{}.jsonl", anomaly.kind),
                contents,
            }
        })
        .collect()
}

/// Whether reads of an anomaly's history lack values whose puts are not needed to show it.
fn reads_are_shortened(anomaly: &Anomaly, history: &History) -> bool {
    let shown: usize = anomaly.operations.iter().map(|one| one.read.len()).sum();
    let kept: usize = (0..history.len())
        .map(|row| history.columns.read.at(row).len())
        .sum();
    kept < shown
}

fn verdict_record(report: &Report) -> VerdictRecord {
    let reason = match &report.agreement {
        Agreement::Disagree { detail } => Some(format!("the engines disagree: {detail}")),
        Agreement::Agree | Agreement::NotCompared { .. } => report.broken_beside(),
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
        verdict: word(report.verdict()),
        reason,
        gaps: report.gaps.clone(),
        remarks: report.remarks.clone(),
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
        lost_writes: report.lost_writes(),
        anomalies: report
            .anomalies()
            .take(ANOMALIES_MAX)
            .map(anomaly_record)
            .collect(),
    }
}

/// The word of a check, as a run's record writes it.
const fn word(of_check: checker::VerdictWord) -> VerdictWord {
    match of_check {
        checker::VerdictWord::Valid => VerdictWord::Valid,
        checker::VerdictWord::Invalid => VerdictWord::Invalid,
        checker::VerdictWord::Unknown => VerdictWord::Unknown,
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
        verdict: word(report.direct_verdict()),
        covered: total,
        total,
        seconds: report.elapsed.direct.as_secs_f64(),
        reason,
    }
}

fn search_record(report: &Report, search: &Search) -> EngineRecord {
    let (verdict, reason) = match &search.found {
        Found::Order => (VerdictWord::Valid, search.limit.clone()),
        Found::NoOrder { .. } => (VerdictWord::Invalid, search.limit.clone()),
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
        meaning: Some(anomaly.kind.meaning().to_owned()),
        model: anomaly.model.name().to_owned(),
        text: anomaly_text(anomaly),
        operations: anomaly.operations.iter().map(operation_record).collect(),
    }
}

/// What is drawn of an operation: what its text says, word for word.
fn operation_record(shown: &Shown) -> OperationRecord {
    OperationRecord {
        session: shown.session,
        node: shown.node,
        label: shown.label(),
        line: shown.to_string(),
        invoke_ns: shown.invoke,
        return_ns: shown.returned,
        outcome: shown.outcome.name().to_owned(),
    }
}

/// The sentence, the picture of the operations that show it, and a line for each.
fn anomaly_text(anomaly: &Anomaly) -> String {
    let lines: Vec<String> = std::iter::once(anomaly.sentence.clone())
        .chain(anomaly.proof())
        .collect();
    lines.join("\n  ")
}

/// How stale the reads of the run phase were; the distributions go to files.
fn staleness_record(
    history: &History,
    clock_inversions: Option<u64>,
    attachments: &mut Vec<Attachment>,
) -> StalenessRecord {
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
    for (name, histogram) in [("staleness", &delta), ("visibility-lag", &lag)] {
        if histogram.count() > 0 {
            let mut contents = Vec::new();
            write_hgrm(histogram, &mut contents).expect("memory takes all");
            attachments.push(Attachment {
                name: format!("{name}.hgrm"),
                contents,
            });
        }
    }
    StalenessRecord {
        stale_reads,
        reads: delta.count(),
        delta_ns: delta.summary(),
        k: k.summary(),
        visibility_lag_ns: lag.summary(),
        clock_inversions,
    }
}
