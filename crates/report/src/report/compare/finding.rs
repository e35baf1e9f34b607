//! What a report may say about each difference.

use serde::Serialize;

use super::statistics::{Estimate, FromZero, holm};
use super::{Cell, Metric, Thresholds};

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
    /// The runs are of different machines.
    OtherMachine,
    /// It depends on how late arrivals would have been answered that never started.
    NotStarted,
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
            Self::OtherMachine => "other machine",
            Self::NotStarted => "arrivals never started",
        }
    }

    /// Whether it answers the question.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        match self {
            Self::Better
            | Self::Worse
            | Self::SlightlyBetter
            | Self::SlightlyWorse
            | Self::NoChange => true,
            Self::TooFewRuns | Self::OtherMachine | Self::NotStarted => false,
        }
    }
}

/// Corrects the p-values of all questions together, and says what follows.
pub(super) fn judge(cells: &mut [Cell], settings: Thresholds) {
    let mut metrics: Vec<(&mut Metric, bool)> = Vec::new();
    for cell in cells {
        let one_machine = cell.machines.is_none();
        metrics.extend(cell.metrics.iter_mut().map(|metric| (metric, one_machine)));
    }
    let p: Vec<Option<f64>> = metrics
        .iter()
        .map(|(metric, _)| metric.estimate.p)
        .collect();
    let asked = p.len();
    for ((metric, one_machine), p) in metrics.into_iter().zip(holm(&p)) {
        metric.p = p;
        metric.finding = if one_machine {
            whatever_never_started(metric, finding(metric, asked, settings))
        } else {
            Finding::OtherMachine
        };
    }
}

/// What holds of a finding whatever the true numbers are of which only the least is known: more in
/// B makes a large increase larger, more in A a decrease.
fn whatever_never_started(metric: &Metric, finding: Finding) -> Finding {
    let [in_a, in_b] = metric.at_least.map(|count| count > 0);
    let is_more_certain = match finding {
        Finding::Worse => !in_a,
        Finding::Better => !in_b,
        Finding::TooFewRuns => true,
        Finding::SlightlyBetter
        | Finding::SlightlyWorse
        | Finding::NoChange
        | Finding::OtherMachine
        | Finding::NotStarted => false,
    };
    if !in_a && !in_b || is_more_certain {
        finding
    } else {
        Finding::NotStarted
    }
}

fn finding(metric: &Metric, asked: usize, settings: Thresholds) -> Finding {
    let enough = metric.estimate.least_p * (asked as f64) < settings.certain;
    let Some(change) = change(&metric.estimate).filter(|_| enough) else {
        return Finding::TooFewRuns;
    };
    let is_certain = metric.p.is_some_and(|p| p < settings.certain);
    if !is_certain || !change.stands_out {
        return Finding::NoChange;
    }
    let is_better = change.is_more == metric.bigger_is_better;
    match (is_better, change.share >= settings.large) {
        (true, true) => Finding::Better,
        (true, false) => Finding::SlightlyBetter,
        (false, true) => Finding::Worse,
        (false, false) => Finding::SlightlyWorse,
    }
}

/// How B differs from A.
struct Change {
    is_more: bool,
    /// The share of the old value, without sign; infinite from 0 on.
    share: f64,
    /// Whether its interval excludes none and it exceeds the noise.
    stands_out: bool,
}

/// None with too few runs to say.
fn change(estimate: &Estimate) -> Option<Change> {
    if let Some(FromZero { interval, noise }) = estimate.from_zero {
        let (low, high) = interval;
        return Some(Change {
            is_more: estimate.median_b > 0.0,
            share: f64::INFINITY,
            stands_out: (low > 0.0 || high < 0.0) && estimate.median_b.abs() > noise,
        });
    }
    let (low, high) = estimate.interval?;
    let (change, noise) = (estimate.ratio? - 1.0, estimate.noise?);
    Some(Change {
        is_more: change > 0.0,
        share: change.abs(),
        stands_out: (low > 1.0 || high < 1.0) && change.abs() > noise,
    })
}
