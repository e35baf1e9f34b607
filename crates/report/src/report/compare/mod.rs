//! Whether two sets of runs differ, and by how much. A difference that chance or the machine's
//! noise could have made is not called a change.
//!
//! Runs repeat one another when they differ in nothing but the seed. A comparison is between the
//! repetitions of one such [`Cell`] in A and those in B. One number of each run enters the tests,
//! never single operations, since those of one run are not independent.

mod alarms;
mod answer;
mod ci;
mod copies;
mod finding;
mod load;
mod machines;
mod markdown;
mod measures;
mod page;
mod statistics;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use kvs_measure::{RunRecord, VerdictWord};

pub use alarms::{FalseAlarms, TRIALS, false_alarms};
pub use answer::{Answer, Gap, json};
pub use ci::{CiFile, ci_files};
pub use finding::Finding;
pub use load::{RunSet, load_runs};
pub use markdown::markdown;
pub use measures::Unit;
pub use page::page;
pub use text::text;

use finding::judge;
use measures::{MEASURES, Measure, Number};
use statistics::{Estimate, estimate};

/// What counts as a change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// A change is large from this share of the old value on: 0.1 is 10 %.
    pub large: f64,
    /// A change is certain when its p-value, corrected for the number of questions asked, is below.
    pub certain: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            large: 0.10,
            certain: 0.01,
        }
    }
}

/// Two sets of runs, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What counts as a change.
    pub settings: Thresholds,
    /// What both sets have.
    pub cells: Vec<Cell>,
    /// What was not decided, and why: with any of it the answer is not green.
    pub gaps: Vec<Gap>,
    /// What a reader should know beside it.
    pub notes: Vec<String>,
    /// Runs of B that broke their promise.
    pub broken: Vec<RunVerdict>,
    /// Every verdict of B.
    pub verdicts: Vec<RunVerdict>,
}

/// The verdict of a run of B.
#[derive(Clone, Debug, Serialize)]
pub struct RunVerdict {
    /// What was run.
    pub cell: String,
    /// Where.
    pub directory: String,
    /// What it promised.
    pub promise: String,
    /// Whether the promise was kept.
    pub verdict: VerdictWord,
    /// Why not, or why nobody knows.
    pub reason: String,
}

/// Repetitions of one run in both sets.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// What was run.
    pub name: String,
    /// How many runs of A count.
    pub runs_a: usize,
    /// How many runs of B count.
    pub runs_b: usize,
    /// What was compared.
    pub metrics: Vec<Metric>,
    /// That the runs are of different machines, where they are.
    pub machines: Option<String>,
    /// The directory of the run of each set whose throughput is the median.
    #[serde(skip)]
    typical: [String; 2],
}

/// One number of each run, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// What it is.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Whether more of it is better.
    pub bigger_is_better: bool,
    /// The numbers of A, in the order of the runs.
    pub a: Vec<f64>,
    /// The numbers of B.
    pub b: Vec<f64>,
    /// How many numbers of A, and of B, are only known to be at least that, since arrivals never
    /// started.
    pub at_least: [usize; 2],
    /// What follows from them.
    pub estimate: Estimate,
    /// The p-value, corrected for how many questions the comparison asks (Holm 1979).
    pub p: Option<f64>,
    /// What may be said.
    pub finding: Finding,
}

/// Compares the runs of B with those of A.
#[must_use]
pub fn compare(a: &RunSet, b: &RunSet, settings: Thresholds) -> Comparison {
    let (mut gaps, mut notes) = (Vec::new(), Vec::new());
    gaps.extend(answer::partial_runs("A", a));
    gaps.extend(answer::partial_runs("B", b));
    gaps.extend(copies::gaps(a, b));
    let (a, b) = (by_cell(&a.runs), by_cell(&b.runs));
    let mut cells = Vec::new();
    for (key, runs_a) in &a {
        let name = cell_name(runs_a[0]);
        let Some(runs_b) = b.get(key) else {
            gaps.push(Gap::new(&name, "it is in A only"));
            continue;
        };
        let counted_a = counted(&name, "A", runs_a, &mut gaps);
        let counted_b = counted(&name, "B", runs_b, &mut gaps);
        if counted_a.is_empty() || counted_b.is_empty() {
            continue;
        }
        cells.push(cell(name, &counted_a, &counted_b, &mut gaps));
    }
    for (_, runs) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
        gaps.push(Gap::new(&cell_name(runs[0]), "it is in B only"));
    }
    judge(&mut cells, settings);
    gaps.extend(answer::undecided_measures(&cells, settings));
    let verdicts: Vec<RunVerdict> = b.values().flatten().map(|run| verdict(run)).collect();
    gaps.extend(answer::unknown_verdicts(&verdicts));
    for run in a.values().flatten() {
        if run.verdict.verdict == VerdictWord::Invalid {
            let name = cell_name(run);
            notes.push(format!(
                "{name}: a run of A broke its promise, {}",
                run.directory
            ));
        }
    }
    let broken = verdicts.iter();
    let broken = broken.filter(|verdict| verdict.verdict == VerdictWord::Invalid);
    Comparison {
        settings,
        broken: broken.cloned().collect(),
        cells,
        gaps,
        notes,
        verdicts,
    }
}

/// Runs of which all but the seed is the same.
fn by_cell(runs: &[RunRecord]) -> BTreeMap<String, Vec<&RunRecord>> {
    let mut cells: BTreeMap<String, Vec<&RunRecord>> = BTreeMap::new();
    for run in runs {
        let mut configuration = run.configuration.clone();
        configuration.seed = 0;
        let key = serde_json::to_string(&configuration).expect("a configuration is plain data");
        cells.entry(key).or_default().push(run);
    }
    cells
}

/// What was run, in a few words.
fn cell_name(run: &RunRecord) -> String {
    let configuration = &run.configuration;
    let mut name = configuration.architecture.clone();
    if let Some(lattice) = &configuration.lattice {
        name += &format!(" {lattice}");
    }
    name += &format!(" {}", configuration.workload.name);
    if configuration.durability != "memory" {
        name += &format!(" on {}", configuration.durability);
    }
    if let Some(rate) = configuration.rate {
        name += &format!(" at {}/s", super::number::rate(rate));
    }
    if let Some(bug) = &configuration.bug {
        name += &format!(" with the bug {bug}");
    }
    name
}

/// The runs whose numbers count.
fn counted<'a>(
    name: &str,
    set: &str,
    runs: &[&'a RunRecord],
    gaps: &mut Vec<Gap>,
) -> Vec<&'a RunRecord> {
    for run in runs.iter().filter(|run| !run.void.is_empty()) {
        let (directory, reason) = (&run.directory, run.void.join("; "));
        let text = format!("a run of {set} is void and does not count, {directory}: {reason}");
        gaps.push(Gap::new(name, text));
    }
    let counted = runs.iter().filter(|run| run.void.is_empty());
    counted.copied().collect()
}

fn cell(name: String, a: &[&RunRecord], b: &[&RunRecord], gaps: &mut Vec<Gap>) -> Cell {
    let metrics = MEASURES.iter().filter_map(|measure| {
        let numbers = |runs: &[&RunRecord]| -> Vec<Number> {
            runs.iter().filter_map(|run| (measure.of)(run)).collect()
        };
        let (of_a, of_b) = (numbers(a), numbers(b));
        if of_a.is_empty() && of_b.is_empty() {
            return None;
        }
        for (set, numbers, runs) in [("A", &of_a, a), ("B", &of_b, b)] {
            let missing = runs.len() - numbers.len();
            if missing > 0 {
                let all = runs.len();
                let text = format!("{missing} of {all} runs of {set} have no {}", measure.name);
                gaps.push(Gap::new(&name, text));
            }
        }
        let nothing = of_a.iter().chain(&of_b).all(|number| number.value == 0.0);
        // Where there is nothing on either side there is nothing to compare.
        let compared = !of_a.is_empty() && !of_b.is_empty() && !nothing;
        compared.then(|| metric(measure, &of_a, &of_b))
    });
    Cell {
        metrics: metrics.collect(),
        name,
        runs_a: a.len(),
        runs_b: b.len(),
        machines: machines::difference(a, b),
        typical: [typical(a), typical(b)],
    }
}

fn metric(measure: &Measure, a: &[Number], b: &[Number]) -> Metric {
    let values = |numbers: &[Number]| -> Vec<f64> {
        let values = numbers.iter().map(|number| number.value);
        values.collect()
    };
    let at_least = |numbers: &[Number]| numbers.iter().filter(|number| number.at_least).count();
    let at_least = [at_least(a), at_least(b)];
    let (a, b) = (values(a), values(b));
    Metric {
        name: measure.name,
        unit: measure.unit,
        bigger_is_better: measure.bigger_is_better,
        estimate: estimate(&a, &b),
        a,
        b,
        at_least,
        p: None,
        finding: Finding::NoChange,
    }
}

/// The directory of the run with the median throughput.
fn typical(runs: &[&RunRecord]) -> String {
    let mut sorted = runs.to_vec();
    sorted.sort_by(|one, other| {
        let rate = |run: &RunRecord| run.statistics.throughput.achieved_per_s.unwrap_or(0.0);
        rate(one).total_cmp(&rate(other))
    });
    sorted[sorted.len() / 2].directory.clone()
}

fn verdict(run: &RunRecord) -> RunVerdict {
    let verdict = &run.verdict;
    let anomaly = verdict.anomalies.first();
    let anomaly = anomaly.map(|anomaly| format!("{}: {}", anomaly.kind, anomaly.text));
    let gaps = (!verdict.gaps.is_empty()).then(|| verdict.gaps.join("; "));
    let reason = match verdict.disagreement {
        true => verdict.reason.clone(),
        false => anomaly.or(gaps).or_else(|| verdict.reason.clone()),
    };
    // A verdict that the harness itself spoiled is none.
    let spoiled = if verdict.disagreement {
        Some("the engines disagree: one of the checkers has a bug".to_owned())
    } else {
        let failure = run.faults.failures.first();
        failure.map(|failure| format!("the nemesis failed: {failure}"))
    };
    let is_spoiled = spoiled.is_some() && verdict.verdict == VerdictWord::Valid;
    RunVerdict {
        cell: cell_name(run),
        directory: run.directory.clone(),
        promise: verdict.promise.clone(),
        verdict: if is_spoiled {
            VerdictWord::Unknown
        } else {
            verdict.verdict
        },
        reason: { spoiled.filter(|_| is_spoiled) }
            .or(reason)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
