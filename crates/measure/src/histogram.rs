//! Histograms of latencies (and of other whole numbers), and the numbers that reports take from
//! them.

use serde::{Deserialize, Serialize};

/// The longest latency told apart: one hour. What is longer counts as one hour.
pub const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// Digits kept of each value: an error of at most 0.1 %, well below what two runs differ by.
///
/// From 1 ns to one hour that makes 33,792 buckets, 264 KiB a histogram of totals. A coarser lowest
/// value would save a few buckets of the 33 powers of two and lose what a local call costs.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram of nanoseconds: HDR, from 1 ns to [`LATENCY_NS_MAX`], [`SIGNIFICANT_DIGITS`] digits.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let bounds =
            hdrhistogram::Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS);
        Self(bounds.expect("the bounds are valid constants"))
    }

    /// Counts one value; what lies beyond [`LATENCY_NS_MAX`] counts as that.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.0.saturating_record(value);
    }

    /// Counts everything that `other` counted.
    pub fn add(&mut self, other: &Self) {
        let same_bounds = self.0.add(&other.0);
        same_bounds.expect("all histograms have the same bounds");
    }

    /// Counts everything that a histogram of the same bounds counted; none when it has others.
    pub(super) fn add_all(&mut self, counts: &hdrhistogram::Histogram<u64>) -> Option<()> {
        self.0.add(counts).ok()
    }

    /// Counts everything that an interval counted.
    pub(super) fn add_counts(&mut self, counts: &hdrhistogram::Histogram<u32>) {
        for bucket in counts.iter_recorded() {
            let count = u64::from(bucket.count_at_value());
            self.0
                .saturating_record_n(bucket.value_iterated_to(), count);
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What is quoted of it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        summarise(&self.0)
    }

    /// What would be quoted of it with `beyond` more values, of which nothing is known but that
    /// each may be larger than all others: a quantile that falls among them is absent.
    #[must_use]
    pub(super) fn summary_below(&self, beyond: u64) -> Summary {
        let known = self.0.len();
        let count = known + beyond;
        let max = self.0.max();
        let quantile = |q: f64| {
            let rank = ((q * count as f64).ceil() as u64).max(1);
            // Half a rank lower, so that rounding does not lead to the next one.
            let within = (rank as f64 - 0.5) / known as f64;
            (rank <= known).then(|| self.0.value_at_quantile(within).min(max))
        };
        let all = beyond == 0 && known > 0;
        Summary {
            mean: all.then(|| self.0.mean()),
            max: all.then_some(max),
            ..quoted(count, quantile)
        }
    }

    pub(super) const fn inner(&self) -> &hdrhistogram::Histogram<u64> {
        &self.0
    }
}

/// What is quoted of a histogram, in the unit of its values (nanoseconds for latencies). All
/// fields but the count are absent when nothing was counted: there is no such number then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// How many values there were.
    pub count: u64,
    /// The mean.
    pub mean: Option<f64>,
    /// Half of the values are at most this.
    pub p50: Option<u64>,
    /// 90 % are at most this.
    pub p90: Option<u64>,
    /// 95 % are at most this; absent in records of programs that did not quote it.
    #[serde(default)]
    pub p95: Option<u64>,
    /// 99 % are at most this.
    pub p99: Option<u64>,
    /// 99.9 % are at most this.
    pub p999: Option<u64>,
    /// 99.99 % are at most this.
    pub p9999: Option<u64>,
    /// The largest.
    pub max: Option<u64>,
}

pub(super) fn summarise<T: hdrhistogram::Counter>(
    histogram: &hdrhistogram::Histogram<T>,
) -> Summary {
    if histogram.is_empty() {
        return Summary::default();
    }
    // A bucket's upper end can lie above the largest value that fell into it.
    let max = histogram.max();
    let quantile = |q| Some(histogram.value_at_quantile(q).min(max));
    Summary {
        mean: Some(histogram.mean()),
        max: Some(max),
        ..quoted(histogram.len(), quantile)
    }
}

/// The quantiles that are quoted, of `count` values.
fn quoted(count: u64, quantile: impl Fn(f64) -> Option<u64>) -> Summary {
    Summary {
        count,
        mean: None,
        p50: quantile(0.5),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        p999: quantile(0.999),
        p9999: quantile(0.9999),
        max: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_three_digits_of_the_exact_ones() {
        let mut histogram = Histogram::new();
        for value in 1..=100_000 {
            histogram.record(value * 1000);
        }
        let summary = histogram.summary();
        let near = |value: Option<u64>, exact: f64| {
            let error = (value.unwrap() as f64 - exact).abs() / exact;
            assert!(error <= 1e-3, "{value:?} for {exact}");
        };
        assert_eq!(summary.count, 100_000);
        near(summary.p50, 50_000_000.0);
        near(summary.p90, 90_000_000.0);
        near(summary.p95, 95_000_000.0);
        near(summary.p99, 99_000_000.0);
        near(summary.p999, 99_900_000.0);
        near(summary.p9999, 99_990_000.0);
        near(summary.max, 100_000_000.0);
        near(summary.mean.map(|mean| mean as u64), 50_000_500.0);
    }

    #[test]
    fn nothing_counted_has_no_numbers_and_no_nan() {
        let summary = Histogram::new().summary();
        assert_eq!(summary, Summary::default());
        let json = serde_json::to_string(&summary).unwrap();
        assert!(json.contains("\"mean\":null"), "{json}");
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    }

    #[test]
    fn a_quantile_among_values_of_which_nothing_is_known_is_absent() {
        let mut histogram = Histogram::new();
        for value in 1..=90 {
            histogram.record(value);
        }
        assert_eq!(histogram.summary_below(0), histogram.summary());
        let summary = histogram.summary_below(10);
        assert_eq!((summary.count, summary.p50), (100, Some(50)));
        assert_eq!(summary.p90, Some(90), "the largest that is known");
        assert_eq!((summary.p95, summary.max, summary.mean), (None, None, None));
        let nothing = Histogram::new().summary_below(3);
        assert_eq!((nothing.count, nothing.p50), (3, None));
    }

    #[test]
    fn a_value_beyond_an_hour_counts_as_an_hour() {
        let mut histogram = Histogram::new();
        histogram.record(u64::MAX);
        let max = histogram.summary().max.unwrap() as f64;
        assert!((max / LATENCY_NS_MAX as f64 - 1.0).abs() < 1e-3, "{max}");
    }

    #[test]
    fn adding_counts_of_another_width_loses_nothing() {
        let mut narrow =
            hdrhistogram::Histogram::<u32>::new_with_bounds(1, LATENCY_NS_MAX, 3).unwrap();
        let mut expected = Histogram::new();
        for value in [1, 5, 5, 1_000_000, 77_777_777_777] {
            narrow.record(value).unwrap();
            expected.record(value);
        }
        let mut sum = Histogram::new();
        sum.add_counts(&narrow);
        assert_eq!(sum.summary(), expected.summary());
        sum.add(&expected);
        assert_eq!(sum.count(), 10);
    }
}
