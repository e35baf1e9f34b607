//! Percentile distributions as text, for HdrHistogram's plotter and everything that reads `.hgrm`.

use std::io::{self, Write};

use super::histogram::Histogram;

/// Lines for each halving of the distance to 100 %, as the Java tools write them.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
/// The plotter's unit is the millisecond.
const NS_PER_MS: f64 = 1e6;

/// Writes a histogram of nanoseconds as a percentile distribution in milliseconds, in the layout of
/// the Java `AbstractHistogram.outputPercentileDistribution`.
///
/// # Errors
/// What `writer` returns.
pub fn write_hgrm(histogram: &Histogram, mut writer: impl Write) -> io::Result<()> {
    let counts = histogram.inner();
    writeln!(
        writer,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for step in counts.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / NS_PER_MS;
        let quantile = step.quantile_iterated_to();
        if quantile < 1.0 {
            let odds = 1.0 / (1.0 - quantile);
            writeln!(
                writer,
                "{value:12.3} {quantile:14.12} {total:10} {odds:14.2}"
            )?;
        } else {
            // 1 / (1 - 1) is no number: Java leaves the column out as well.
            writeln!(writer, "{value:12.3} {quantile:14.12} {total:10}")?;
        }
    }
    let (mean, deviation) = if counts.is_empty() {
        (0.0, 0.0)
    } else {
        (counts.mean() / NS_PER_MS, counts.stdev() / NS_PER_MS)
    };
    writeln!(
        writer,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]"
    )?;
    writeln!(
        writer,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        counts.max() as f64 / NS_PER_MS,
        counts.len()
    )?;
    writeln!(
        writer,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        counts.buckets(),
        sub_buckets(counts.sigfig())
    )?;
    writer.flush()
}

/// The power of two that gives this many digits a bucket each.
fn sub_buckets(digits: u8) -> u32 {
    (2 * 10_u32.pow(u32::from(digits))).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_ends_at_one_hundred_percent_and_its_total() {
        let mut histogram = Histogram::new();
        for ms in 1..=1000 {
            histogram.record(ms * 1_000_000);
        }
        let mut text = Vec::new();
        write_hgrm(&histogram, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.lines().filter(|l| !l.starts_with('#')).collect();
        assert!(lines[0].ends_with("1/(1-Percentile)") && lines[1].is_empty());
        let last: Vec<_> = lines.last().unwrap().split_whitespace().collect();
        assert_eq!(last[1..], ["1.000000000000", "1000"]);
        let value: f64 = last[0].parse().unwrap();
        assert!((value - 1000.0).abs() <= 1.0);
        assert!(text.contains("SubBuckets     =         2048]"), "{text}");
        assert!(!text.contains("inf") && !text.contains("NaN"));
    }

    #[test]
    fn an_empty_distribution_has_no_nan() {
        let mut text = Vec::new();
        write_hgrm(&Histogram::new(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("Total count    =            0"), "{text}");
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
    }
}
