//! How often [`compare`] calls runs of the same configuration different: its false alarms on real
//! runs.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{Comparison, Finding, Thresholds, compare};
use kvs_measure::RunRecord;

/// Comparisons of runs with runs of the same.
pub const TRIALS: u32 = 1_000;
/// The same runs give the same answer.
const SEED: u64 = 1;

/// How many of [`TRIALS`] comparisons found a change where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FalseAlarms {
    /// Comparisons that called any measure better or worse, however little.
    pub certain: u32,
    /// Comparisons that the gate would have refused.
    pub refused: u32,
}

/// Takes `rounds` pairs of consecutive runs somewhere in `runs`, which all have one configuration.
/// Deals each pair out to A and B by chance, as interleaving does, and compares; again and again.
/// None when there are fewer than `rounds` pairs.
#[must_use]
pub fn false_alarms(
    runs: &[RunRecord],
    rounds: usize,
    settings: Thresholds,
) -> Option<FalseAlarms> {
    let last_start = runs.len().checked_sub(rounds * 2)?;
    let mut random = Pcg64Mcg::seed_from_u64(SEED);
    let mut alarms = FalseAlarms::default();
    for _ in 0..TRIALS {
        let start = random.random_range(0..=last_start);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for pair in runs[start..start + rounds * 2].chunks(2) {
            let first: bool = random.random();
            let (one, other) = if first { (0, 1) } else { (1, 0) };
            a.push(pair[one].clone());
            b.push(pair[other].clone());
        }
        let comparison = compare(&a.into(), &b.into(), settings);
        alarms.certain += u32::from(finds_a_change(&comparison));
        alarms.refused += u32::from(comparison.has(Finding::Worse));
    }
    Some(alarms)
}

fn finds_a_change(comparison: &Comparison) -> bool {
    [
        Finding::Better,
        Finding::Worse,
        Finding::SlightlyBetter,
        Finding::SlightlyWorse,
    ]
    .into_iter()
    .any(|finding| comparison.has(finding))
}
