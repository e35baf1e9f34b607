//! What two samples say about the difference between their populations.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use statrs::stats_tests::Alternative;
use statrs::stats_tests::mannwhitneyu::{MannWhitneyUMethod, mannwhitneyu};

/// Resamples of the bootstrap.
const RESAMPLES: usize = 4_000;
/// Of the interval that the bootstrap gives.
const CONFIDENCE: f64 = 0.95;
/// Splits of a set into halves, to see how much halves of the same differ.
const SPLITS: usize = 500;
/// From so many runs on halves can be compared.
const NOISE_RUNS_MIN: usize = 4;
/// Runs of each set that are looked at when asking how many are needed.
const RUNS_NEEDED_MAX: usize = 1_000;
/// Up to so many runs of both sets together p-values are exact.
const EXACT_RUNS_MAX: usize = 60;
/// The same numbers give the same answer.
const SEED: u64 = 1;

/// What two samples say of the difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The median of A.
    pub median_a: f64,
    /// The median of B.
    pub median_b: f64,
    /// The median of B by that of A; absent when that is 0.
    pub ratio: Option<f64>,
    /// 95 % confidence interval of the ratio, by the percentile bootstrap (Efron 1979).
    pub interval: Option<(f64, f64)>,
    /// Where the median of A is 0, so that there is no ratio: whether B differs all the same.
    pub from_zero: Option<FromZero>,
    /// Cliff's delta (1993), from -1 to 1: how much likelier it is that a run of B has more than a
    /// run of A than that it has less.
    pub effect: f64,
    /// The p-value of the test of Mann and Whitney (1947), both sides; absent with one run.
    pub p: Option<f64>,
    /// The least p-value that so few runs can have.
    pub least_p: f64,
    /// Noise: 95 % of the random halves of one set differ from its other half by less than this
    /// share. Absent with fewer than four runs in both sets.
    pub noise: Option<f64>,
}

/// The difference from a median of 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FromZero {
    /// 95 % confidence interval of the difference of the medians, by the percentile bootstrap.
    pub interval: (f64, f64),
    /// 95 % of the random halves of one set differ from its other half by less than this.
    pub noise: f64,
}

/// Estimates the difference of B from A; neither is empty.
pub(super) fn estimate(a: &[f64], b: &[f64]) -> Estimate {
    let mut random = Pcg64Mcg::seed_from_u64(SEED);
    let (median_a, median_b) = (median(a), median(b));
    let several = a.len() > 1 && b.len() > 1;
    let p = several.then(|| p_value(a, b)).flatten();
    let from_zero = (several && median_a == 0.0).then(|| {
        let noise = { [a, b].into_iter() }
            .filter_map(|set| noise(set, difference, &mut random))
            .reduce(f64::max)?;
        let interval = bootstrap(a, b, difference, &mut random)?;
        Some(FromZero { interval, noise })
    });
    Estimate {
        median_a,
        median_b,
        ratio: ratio(median_a, median_b),
        interval: { several.then(|| bootstrap(a, b, ratio, &mut random)) }.flatten(),
        from_zero: from_zero.flatten(),
        effect: effect(a, b),
        p,
        least_p: least_p(a.len(), b.len()),
        noise: [a, b]
            .into_iter()
            .filter_map(|set| noise(set, relative_change, &mut random))
            .reduce(f64::max),
    }
}

/// So many runs of each set are needed before any difference can be certain below `certain`, of
/// `asked` questions; none when no number is enough.
pub(super) fn runs_needed(asked: usize, certain: f64) -> Option<usize> {
    let is_enough = |runs: &usize| least_p(*runs, *runs) * (asked as f64) < certain;
    (NOISE_RUNS_MIN..=RUNS_NEEDED_MAX).find(is_enough)
}

fn ratio(a: f64, b: f64) -> Option<f64> {
    (a != 0.0).then_some(b / a)
}

/// How much `b` differs from `a`, as a share of it.
fn relative_change(a: f64, b: f64) -> Option<f64> {
    ratio(a, b).map(|ratio| ratio - 1.0)
}

#[expect(clippy::unnecessary_wraps, reason = "a change, as `ratio` is one")]
fn difference(a: f64, b: f64) -> Option<f64> {
    Some(b - a)
}

/// The median.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The interval of what `change` makes of the two medians.
fn bootstrap(
    a: &[f64],
    b: &[f64],
    change: fn(f64, f64) -> Option<f64>,
    random: &mut Pcg64Mcg,
) -> Option<(f64, f64)> {
    let mut draw = |from: &[f64]| {
        let drawn: Vec<f64> = { 0..from.len() }
            .map(|_| from[random.random_range(0..from.len())])
            .collect();
        median(&drawn)
    };
    let mut changes: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| change(draw(a), draw(b)))
        .collect();
    changes.sort_by(f64::total_cmp);
    let at = |share: f64| changes.get((share * (changes.len() as f64 - 1.0)).round() as usize);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some((*at(tail)?, *at(1.0 - tail)?))
}

/// 95 % confidence interval of the median.
pub(super) fn median_interval(values: &[f64]) -> (f64, f64) {
    let mut random = Pcg64Mcg::seed_from_u64(SEED);
    bootstrap(&[1.0], values, ratio, &mut random)
        .unwrap_or_else(|| (median(values), median(values)))
}

fn effect(a: &[f64], b: &[f64]) -> f64 {
    let mut balance = 0_i64;
    for one in a {
        for other in b {
            balance += match other.total_cmp(one) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            };
        }
    }
    balance as f64 / (a.len() * b.len()) as f64
}

fn p_value(a: &[f64], b: &[f64]) -> Option<f64> {
    let all = [a, b].concat();
    if all.len() > EXACT_RUNS_MAX {
        let method = MannWhitneyUMethod::AsymptoticInclContinuityCorrection;
        let tested = mannwhitneyu(a, b, method, Alternative::TwoSided);
        return tested.ok().map(|(_, p)| p).filter(|p| !p.is_nan());
    }
    let ranks = doubled_ranks(&all);
    let of_a: usize = ranks[..a.len()].iter().sum();
    // The mean of what a set of that size has.
    let mean = a.len() * (all.len() + 1);
    let ways = ways_by_rank_sum(&ranks, a.len());
    let as_far = (0..)
        .zip(&ways)
        .filter(|(sum, _)| mean.abs_diff(*sum) >= mean.abs_diff(of_a));
    let tail: f64 = as_far.map(|(_, ways)| ways).sum();
    Some((tail / ways.iter().sum::<f64>()).min(1.0))
}

/// Twice the rank of each number, from 2 on; equal numbers share the mean of their ranks.
fn doubled_ranks(numbers: &[f64]) -> Vec<usize> {
    let rank = |one: &f64| {
        let count = |wanted| {
            let others = numbers.iter();
            others
                .filter(|other| other.total_cmp(one) == wanted)
                .count()
        };
        2 * count(std::cmp::Ordering::Less) + count(std::cmp::Ordering::Equal) + 1
    };
    numbers.iter().map(rank).collect()
}

/// In how many ways `size` of the numbers with these ranks can be dealt to A so that their ranks
/// have each sum: the exact distribution of the test, equal numbers or not.
fn ways_by_rank_sum(ranks: &[usize], size: usize) -> Vec<f64> {
    let sums = ranks.iter().sum::<usize>() + 1;
    let mut ways = vec![vec![0.0; sums]; size + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for dealt in (1..=size).rev() {
            for sum in *rank..sums {
                ways[dealt][sum] += ways[dealt - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(size)
}

/// Two in the number of ways to deal the runs out: when all of one set lie on one side.
fn least_p(a: usize, b: usize) -> f64 {
    let ways: f64 = { 1..=a }.map(|at| (b + at) as f64 / at as f64).product();
    2.0 / ways
}

/// How much random halves of one set differ, by `change`.
fn noise(
    values: &[f64],
    change: fn(f64, f64) -> Option<f64>,
    random: &mut Pcg64Mcg,
) -> Option<f64> {
    if values.len() < NOISE_RUNS_MIN {
        return None;
    }
    let mut shuffled = values.to_vec();
    let mut changes: Vec<f64> = (0..SPLITS)
        .filter_map(|_| {
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, random.random_range(0..=at));
            }
            let (one, other) = shuffled.split_at(shuffled.len() / 2);
            // Halves differ more than wholes would, by the root of two.
            let change = change(median(one), median(other))?.abs();
            Some(change / std::f64::consts::SQRT_2)
        })
        .collect();
    changes.sort_by(f64::total_cmp);
    changes
        .get((CONFIDENCE * (changes.len() as f64 - 1.0)).round() as usize)
        .copied()
}

/// Corrects p-values for their number, so that the chance of any false alarm is what it says (Holm
/// 1979).
pub(super) fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p.len()).filter(|at| p[*at].is_some()).collect();
    order.sort_by(|one, other| p[*one].unwrap_or(1.0).total_cmp(&p[*other].unwrap_or(1.0)));
    let mut corrected = p.to_vec();
    let mut largest = 0.0_f64;
    for (rank, at) in order.iter().enumerate() {
        let times = (order.len() - rank) as f64;
        largest = largest.max((p[*at].unwrap_or(1.0) * times).min(1.0));
        corrected[*at] = Some(largest);
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_p_value_is_that_of_samples_that_do_not_overlap() {
        let low = [1.0, 2.0, 3.0, 4.0, 5.0];
        let high = [11.0, 12.0, 13.0, 14.0, 15.0];
        let p = p_value(&low, &high).expect("a p-value");
        assert!((p - 2.0 / 252.0).abs() < 1e-9, "{p}");
        assert!((least_p(5, 5) - p).abs() < 1e-12);
        // Of scipy's documentation: U is 17 of 20 pairs.
        let (male, female) = ([19.0, 22.0, 16.0, 29.0, 24.0], [20.0, 11.0, 17.0, 12.0]);
        for p in [p_value(&male, &female), p_value(&female, &male)] {
            assert!(
                (p.expect("a p-value") - 0.111_111_111).abs() < 1e-6,
                "{p:?}"
            );
        }
        assert!((effect(&low, &high) - 1.0).abs() < 1e-12);
        assert_eq!(p_value(&[1.0, 1.0], &[1.0, 1.0]), Some(1.0));
        // Equal numbers on either side: all zeros against anything else is as certain as it gets.
        let p = p_value(&[0.0; 5], &high).expect("a p-value");
        assert!((p - 2.0 / 252.0).abs() < 1e-9, "{p}");
        // Of the twenty ways to deal these out four are as far from the middle.
        let p = p_value(&[1.0, 1.0, 2.0], &[2.0, 3.0, 3.0]).expect("a p-value");
        assert!((p - 0.2).abs() < 1e-9, "{p}");
    }

    #[test]
    fn it_takes_seven_runs_of_each_for_six_questions_and_more_for_more() {
        assert_eq!(runs_needed(6, 0.01), Some(7));
        assert_eq!(runs_needed(18, 0.01), Some(8));
        assert_eq!(runs_needed(6, 0.0), None);
    }

    #[test]
    fn a_median_of_zero_has_a_difference_where_it_has_no_ratio() {
        let b: Vec<f64> = (0..10).map(|n| 500.0 + f64::from(n)).collect();
        let changed = estimate(&[0.0; 10], &b);
        assert_eq!(changed.ratio, None);
        let FromZero { interval, noise } = changed.from_zero.expect("ten runs a side");
        assert!(
            interval.0 > 500.0 && interval.1 < 510.0 && noise < 10.0,
            "{changed:?}"
        );
        assert!(changed.p.expect("a p-value") < 1e-4);
        let same = estimate(&[0.0; 10], &[0.0; 10]);
        assert_eq!(
            same.from_zero.expect("ten runs a side").interval,
            (0.0, 0.0)
        );
        assert_eq!(same.p, Some(1.0));
        assert_eq!(
            estimate(&b, &[0.0; 10]).ratio,
            Some(0.0),
            "the other way there is one"
        );
    }

    #[test]
    fn more_questions_make_each_answer_less_certain() {
        let corrected = holm(&[Some(0.01), None, Some(0.04), Some(0.03)]);
        let near = |value: Option<f64>, expected: f64| {
            (value.expect("a p-value") - expected).abs() < 1e-12
        };
        assert!(near(corrected[0], 0.03));
        assert!(near(corrected[3], 0.06));
        // Never smaller than one that was smaller before.
        assert!(near(corrected[2], 0.06));
        assert_eq!(corrected[1], None);
    }

    #[test]
    fn the_interval_of_the_ratio_holds_the_ratio() {
        let a: Vec<f64> = (0..10).map(|n| 100.0 + f64::from(n)).collect();
        let b: Vec<f64> = a.iter().map(|value| value * 1.2).collect();
        let estimate = estimate(&a, &b);
        let (low, high) = estimate.interval.expect("an interval");
        assert!(
            low < 1.2 && 1.2 < high && low > 1.1 && high < 1.3,
            "{low} {high}"
        );
        let noise = estimate.noise.expect("ten runs have halves");
        assert!(noise > 0.0 && noise < 0.09, "{noise}");
    }
}
