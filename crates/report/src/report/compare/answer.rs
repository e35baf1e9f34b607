//! The answer of a comparison: one for the screen, the page, Markdown, JUnit and the exit status.

use serde::Serialize;

use super::statistics::runs_needed;
use super::{Cell, Comparison, Finding, Metric, RunSet, RunVerdict, Thresholds};
use kvs_measure::VerdictWord;

/// Partial runs of a set that are named.
const PARTIAL_NAMED_MAX: usize = 20;

/// The answer of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Everything was compared, and nothing speaks against B.
    Green,
    /// B must not be taken: something is certainly and largely worse, or a promise broke.
    Refused,
    /// Nothing is known to be worse, but not everything was decided.
    Undecided,
}

/// A comparison with its answer, for other programs.
#[derive(Serialize)]
struct Answered<'a> {
    answer: Answer,
    headline: String,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// The comparison as JSON: everything, the answer first.
#[must_use]
pub fn json(comparison: &Comparison) -> String {
    let answered = Answered {
        answer: comparison.answer(),
        headline: comparison.headline(),
        comparison,
    };
    serde_json::to_string_pretty(&answered).expect("plain data with text keys")
}

/// Something that was not decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What it is about: what was run, or the set.
    pub about: String,
    /// What is missing.
    pub text: String,
}

impl Gap {
    pub(super) fn new(about: &str, text: impl Into<String>) -> Self {
        Self {
            about: about.to_owned(),
            text: text.into(),
        }
    }

    /// As a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.about, self.text)
    }
}

/// The runs of a set that have no result.
pub(super) fn partial_runs(set: &str, runs: &RunSet) -> Option<Gap> {
    let partial = runs.partial.len();
    let all = runs.runs.len() + partial;
    let names = { runs.partial.iter() }
        .take(PARTIAL_NAMED_MAX)
        .map(|directory| directory.display().to_string());
    let mut named: Vec<String> = names.collect();
    if partial > PARTIAL_NAMED_MAX {
        named.push(format!("and {} more", partial - PARTIAL_NAMED_MAX));
    }
    let text = format!(
        "{partial} of {all} runs have no result (no run.json: they crashed, or were killed): {}",
        named.join(", ")
    );
    (partial > 0).then(|| Gap::new(set, text))
}

/// The measures of each cell of which nothing can be certain.
pub(super) fn undecided_measures(cells: &[Cell], settings: Thresholds) -> Vec<Gap> {
    let asked = cells.iter().map(|cell| cell.metrics.len()).sum();
    let mut gaps = Vec::new();
    for cell in cells {
        let mut push = |text: String| gaps.push(Gap::new(&cell.name, text));
        if cell.metrics.is_empty() {
            push("it has no number that both sets have".to_owned());
        }
        if let Some(machines) = &cell.machines {
            push(machines.clone());
        }
        let has = |finding| cell.metrics.iter().any(|metric| metric.finding == finding);
        if has(Finding::TooFewRuns) {
            let (a, b) = (cell.runs_a, cell.runs_b);
            push(format!(
                "{a} of A and {b} of B are too few runs: {}",
                needed(asked, settings)
            ));
        }
        for metric in { cell.metrics.iter() }.filter(|one| one.finding == Finding::NotStarted) {
            let [a, b] = metric.at_least;
            push(format!(
                "nobody can tell of {}: arrivals never started in {a} runs of A and {b} of B",
                metric.name
            ));
        }
    }
    gaps
}

/// How many runs it takes.
fn needed(asked: usize, settings: Thresholds) -> String {
    let certain = settings.certain;
    match runs_needed(asked, certain) {
        Some(runs) => format!("{asked} measures at p < {certain} take {runs} of each"),
        None => format!("no number of runs is enough at p < {certain}"),
    }
}

/// The runs of B of which nobody can tell whether they kept their promise.
pub(super) fn unknown_verdicts(verdicts: &[RunVerdict]) -> impl Iterator<Item = Gap> {
    let unknown = { verdicts.iter() }.filter(|one| one.verdict == VerdictWord::Unknown);
    unknown.map(|verdict| {
        let reason = verdict.reason.lines().next().unwrap_or_default();
        let text = format!(
            "nobody can tell whether a run of B kept its promise, {}: {reason}",
            verdict.directory
        );
        Gap::new(&verdict.cell, text.trim_end_matches(": "))
    })
}

impl Comparison {
    /// The answer.
    #[must_use]
    pub fn answer(&self) -> Answer {
        if !self.broken.is_empty() || self.has(Finding::Worse) {
            Answer::Refused
        } else if self.gaps.is_empty() && self.metrics().next().is_some() {
            Answer::Green
        } else {
            Answer::Undecided
        }
    }

    pub(super) fn has(&self, finding: Finding) -> bool {
        self.metrics().any(|metric| metric.finding == finding)
    }

    pub(super) fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.cells.iter().flat_map(|cell| &cell.metrics)
    }

    /// The answer in one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let count = |finding| {
            let found = self.metrics().filter(|metric| metric.finding == finding);
            found.count()
        };
        let (worse, better) = (count(Finding::Worse), count(Finding::Better));
        let asked = self.metrics().count();
        match self.answer() {
            Answer::Refused if self.broken.is_empty() => {
                format!("WORSE: {worse} of {asked} measures are certainly and largely worse")
            }
            Answer::Refused => {
                let runs = self.broken.len();
                format!("A PROMISE BROKE: {runs} of the runs of B are invalid")
            }
            Answer::Green if better > 0 => {
                format!("BETTER: {better} of {asked} measures, and none is worse")
            }
            Answer::Green => format!("NO LARGE CHANGE SHOWN in {asked} measures"),
            Answer::Undecided if asked == 0 => format!("NOTHING WAS COMPARED{}", self.first_gap()),
            Answer::Undecided if count(Finding::TooFewRuns) == asked => {
                format!("TOO FEW RUNS{}", self.first_gap())
            }
            Answer::Undecided if count(Finding::OtherMachine) == asked => {
                format!("OTHER MACHINES{}", self.first_gap())
            }
            Answer::Undecided => format!("NOT DECIDED{}", self.first_gap()),
        }
    }

    /// The first gap, and how many others there are.
    fn first_gap(&self) -> String {
        match &self.gaps[..] {
            [] => String::new(),
            [only] => format!(": {}", only.sentence()),
            [first, others @ ..] => {
                format!(": {}; and {} more", first.sentence(), others.len())
            }
        }
    }
}
