//! Whether two sets of runs differ, and by how much: nothing is called a change that chance or the
//! machine's noise could have made.
//!
//! Runs are repetitions of one another when all that was asked of them but the seed is the same; a
//! comparison is of the repetitions of one such [`Cell`] in A with those in B. One number of each run
//! enters the tests, never single operations: those of one run are not independent.

mod alarms;
mod ci;
mod load;
mod markdown;
mod page;
mod statistics;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::measure::{RunRecord, VerdictWord};

pub use alarms::{FalseAlarms, TRIALS, false_alarms};
pub use ci::{CiFile, ci_files};
pub use load::load_runs;
pub use markdown::markdown;
pub use page::page;
pub use text::text;

use statistics::{Estimate, estimate, holm};

/// What counts as a change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// A change is large from this share of the old value on: 0.1 is 10 %.
    pub large: f64,
    /// A change is certain when its p-value, corrected for the number of questions asked, is below.
    pub certain: f64,
}

impl Default for Settings {
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
    pub settings: Settings,
    /// What both sets have.
    pub cells: Vec<Cell>,
    /// What could not be compared, and why.
    pub notes: Vec<String>,
    /// Runs of B that broke their promise.
    pub broken: Vec<Verdict>,
    /// Every verdict of B.
    pub verdicts: Vec<Verdict>,
}

/// The verdict of a run of B.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
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
    /// What follows from them.
    pub estimate: Estimate,
    /// The p-value, corrected for how many questions the comparison asks (Holm 1979).
    pub p: Option<f64>,
    /// What may be said.
    pub finding: Finding,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Operations a second.
    PerSecond,
    /// Nanoseconds.
    Ns,
    /// Bytes.
    Bytes,
}

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Certain and large, and for the better.
    Better,
    /// Certain and large, and for the worse.
    Worse,
    /// Certain, not large, for the better.
    SlightlyBetter,
    /// Certain, not large, for the worse.
    SlightlyWorse,
    /// Chance or noise could have made it.
    NoChange,
    /// So few runs that no difference could be certain.
    TooFewRuns,
}

impl Finding {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "BETTER",
            Self::Worse => "WORSE",
            Self::SlightlyBetter => "slightly better",
            Self::SlightlyWorse => "slightly worse",
            Self::NoChange => "no change shown",
            Self::TooFewRuns => "too few runs",
        }
    }
}

impl Comparison {
    /// Whether B must not be taken: something is certainly and largely worse, or a promise broke.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.broken.is_empty() || self.has(Finding::Worse)
    }

    /// Whether there were enough runs for any change to be certain.
    #[must_use]
    pub fn can_tell(&self) -> bool {
        self.metrics()
            .any(|metric| metric.finding != Finding::TooFewRuns)
    }

    fn has(&self, finding: Finding) -> bool {
        self.metrics().any(|metric| metric.finding == finding)
    }

    fn metrics(&self) -> impl Iterator<Item = &Metric> {
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
        if !self.broken.is_empty() {
            let runs = self.broken.len();
            return format!("A PROMISE BROKE: {runs} of the runs of B are invalid");
        }
        if worse > 0 {
            return format!("WORSE: {worse} of {asked} measures are certainly and largely worse");
        }
        if better > 0 {
            return format!("BETTER: {better} of {asked} measures, and none is worse");
        }
        if asked == 0 {
            return "NOTHING WAS COMPARED".to_owned();
        }
        if !self.can_tell() {
            return "TOO FEW RUNS: no difference between these could be certain".to_owned();
        }
        format!("NO LARGE CHANGE SHOWN in {asked} measures")
    }
}

/// Compares the runs of B with those of A.
#[must_use]
pub fn compare(a: &[RunRecord], b: &[RunRecord], settings: Settings) -> Comparison {
    let mut notes = Vec::new();
    let (a, b) = (by_cell(a), by_cell(b));
    let mut cells = Vec::new();
    for (key, runs_a) in &a {
        let name = cell_name(runs_a[0]);
        let Some(runs_b) = b.get(key) else {
            notes.push(format!("{name} is in A only"));
            continue;
        };
        let counted_a = counted(&name, "A", runs_a, &mut notes);
        let counted_b = counted(&name, "B", runs_b, &mut notes);
        if counted_a.is_empty() || counted_b.is_empty() {
            continue;
        }
        cells.push(cell(name, &counted_a, &counted_b));
    }
    for (_, runs) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
        notes.push(format!("{} is in B only", cell_name(runs[0])));
    }
    judge(&mut cells, settings);
    let verdicts: Vec<Verdict> = b.values().flatten().map(|run| verdict(run)).collect();
    let broken = verdicts.iter();
    let broken = broken.filter(|verdict| verdict.verdict == VerdictWord::Invalid);
    Comparison {
        settings,
        broken: broken.cloned().collect(),
        cells,
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
    notes: &mut Vec<String>,
) -> Vec<&'a RunRecord> {
    for run in runs.iter().filter(|run| !run.void.is_empty()) {
        let reason = run.void.join("; ");
        notes.push(format!(
            "{name}: a run of {set} does not count, {}: {reason}",
            run.directory
        ));
    }
    let counted = runs.iter().filter(|run| run.void.is_empty());
    counted.copied().collect()
}

/// What a run is compared by: its name, unit, whether more is better, and the number.
type Measure = (&'static str, Unit, bool, fn(&RunRecord) -> Option<f64>);

const MEASURES: [Measure; 6] = [
    ("throughput", Unit::PerSecond, true, |run| {
        // An open loop does what it was told.
        let throughput = &run.statistics.throughput;
        throughput
            .achieved_per_s
            .filter(|_| run.configuration.rate.is_none())
    }),
    ("latency p50", Unit::Ns, false, |run| {
        run.statistics.latency()?.p50.map(|ns| ns as f64)
    }),
    ("latency p99", Unit::Ns, false, |run| {
        run.statistics.latency()?.p99.map(|ns| ns as f64)
    }),
    ("node CPU per operation", Unit::Ns, false, |run| {
        let seconds = run.nodes.iter().filter_map(|node| node.cpu_seconds);
        per_request(run, seconds.sum::<f64>() * 1e9)
    }),
    ("messages' bytes per operation", Unit::Bytes, false, |run| {
        let bytes = run.nodes.iter().map(|node| node.message_bytes_sent);
        let bytes = bytes.sum::<u64>() as f64;
        per_request(run, bytes).filter(|bytes| *bytes > 0.0)
    }),
    ("nodes' memory", Unit::Bytes, false, |run| {
        let bytes = run.nodes.iter().filter_map(|node| node.resident_bytes);
        Some(bytes.sum::<u64>() as f64).filter(|bytes| *bytes > 0.0)
    }),
];

fn per_request(run: &RunRecord, sum: f64) -> Option<f64> {
    let requests = run.nodes.iter().map(|node| node.requests).sum::<u64>();
    (requests > 0).then(|| sum / requests as f64)
}

fn cell(name: String, a: &[&RunRecord], b: &[&RunRecord]) -> Cell {
    let metrics = MEASURES
        .iter()
        .filter_map(|(name, unit, bigger_is_better, of)| {
            let numbers = |runs: &[&RunRecord]| -> Vec<f64> {
                runs.iter().filter_map(|run| of(run)).collect()
            };
            let (a, b) = (numbers(a), numbers(b));
            if a.is_empty() || b.is_empty() {
                return None;
            }
            Some(Metric {
                name,
                unit: *unit,
                bigger_is_better: *bigger_is_better,
                estimate: estimate(&a, &b),
                a,
                b,
                p: None,
                finding: Finding::NoChange,
            })
        });
    Cell {
        name,
        runs_a: a.len(),
        runs_b: b.len(),
        metrics: metrics.collect(),
        typical: [typical(a), typical(b)],
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

/// Corrects the p-values of all questions together, and says what follows.
fn judge(cells: &mut [Cell], settings: Settings) {
    let mut metrics: Vec<&mut Metric> = { cells.iter_mut() }
        .flat_map(|cell| &mut cell.metrics)
        .collect();
    let p: Vec<Option<f64>> = metrics.iter().map(|metric| metric.estimate.p).collect();
    let asked = p.len();
    for (metric, p) in metrics.iter_mut().zip(holm(&p)) {
        metric.p = p;
        metric.finding = finding(metric, asked, settings);
    }
}

fn finding(metric: &Metric, asked: usize, settings: Settings) -> Finding {
    let Estimate {
        ratio: Some(ratio),
        interval: Some((low, high)),
        noise: Some(noise),
        least_p,
        ..
    } = metric.estimate
    else {
        return Finding::TooFewRuns;
    };
    if least_p * asked as f64 >= settings.certain {
        return Finding::TooFewRuns;
    }
    let change = (ratio - 1.0).abs();
    let is_certain = metric.p.is_some_and(|p| p < settings.certain);
    let excludes_none = low > 1.0 || high < 1.0;
    if !is_certain || !excludes_none || change <= noise {
        return Finding::NoChange;
    }
    match (
        (ratio > 1.0) == metric.bigger_is_better,
        change >= settings.large,
    ) {
        (true, true) => Finding::Better,
        (true, false) => Finding::SlightlyBetter,
        (false, true) => Finding::Worse,
        (false, false) => Finding::SlightlyWorse,
    }
}

fn verdict(run: &RunRecord) -> Verdict {
    let verdict = &run.verdict;
    let anomaly = verdict.anomalies.first();
    let anomaly = anomaly.map(|anomaly| format!("{}: {}", anomaly.kind, anomaly.text));
    let reason = match verdict.disagreement {
        true => verdict.reason.clone(),
        false => anomaly.or_else(|| verdict.reason.clone()),
    };
    Verdict {
        cell: cell_name(run),
        directory: run.directory.clone(),
        promise: verdict.promise.clone(),
        verdict: verdict.verdict,
        reason: reason.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
