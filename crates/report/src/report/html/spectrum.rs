//! Latency over percentiles, from the `.hgrm` files: on the log scale of HdrHistogram's plotter, on
//! which each further nine is as wide as the one before.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::{Axis, Chart, Curve, PageError, Variant};

/// Milliseconds are the unit of `.hgrm`.
const NS_PER_MS: f64 = 1e6;

/// A percentile distribution: 1 / (1 - quantile), and the value in ns.
type Distribution = Vec<(f64, f64)>;

const KINDS: [&str; 5] = [
    "read",
    "update",
    "insert",
    "read-modify-write",
    "compare-and-set",
];

/// The spectrum of every kind of operation; nothing when no file is there.
pub(super) fn latency(directory: &Path) -> Result<Option<Chart>, PageError> {
    let mut curves = Vec::new();
    for kind in KINDS {
        for time in ["response", "service"] {
            let path = directory.join(format!("{kind}.{time}.hgrm"));
            if let Some(distribution) = read(&path)? {
                curves.push((format!("{kind} {time}"), distribution));
            }
        }
    }
    let note = "Half of the operations took at most the time at 50 %, and so on; each further nine \
                is as wide as the one before. Response time is from the intended start of an \
                operation, service time from the actual one.";
    let id = "spectrum".to_owned();
    Ok(chart(id, "Latency by percentile", note, curves))
}

/// The spectra of several runs over one another; nothing when no file is there.
pub(in crate::report) fn overlaid_spectra(
    id: String,
    runs: &[(&str, &Path)],
) -> Result<Option<Chart>, PageError> {
    let mut curves = Vec::new();
    for kind in KINDS {
        for (name, directory) in runs {
            // Response time where there is one: it is what a client waited.
            let response = read(&directory.join(format!("{kind}.response.hgrm")))?;
            let distribution = match response {
                None => read(&directory.join(format!("{kind}.service.hgrm")))?,
                response => response,
            };
            curves.extend(distribution.map(|it| (format!("{name} {kind}"), it)));
        }
    }
    let note = "What clients waited in the run of each set whose throughput is the median.";
    Ok(chart(id, "Latency by percentile", note, curves))
}

/// The distributions of staleness and of visibility lag; nothing when neither file is there.
pub(super) fn staleness(directory: &Path) -> Result<Option<Chart>, PageError> {
    let mut curves = Vec::new();
    for (name, file) in [
        ("staleness of a read", "staleness.hgrm"),
        ("visibility lag of a put", "visibility-lag.hgrm"),
    ] {
        if let Some(distribution) = read(&directory.join(file))? {
            curves.push((name.to_owned(), distribution));
        }
    }
    let note = "Staleness: how long the oldest acknowledged put that a read missed had been \
                acknowledged; a read that missed none has none. Visibility lag: from the \
                acknowledgement of a put until it is seen at each other replica.";
    let title = "Staleness and visibility lag by percentile";
    Ok(chart("staleness".to_owned(), title, note, curves))
}

fn chart(
    id: String,
    title: &str,
    note: &str,
    curves: Vec<(String, Distribution)>,
) -> Option<Chart> {
    // A logarithm has no place for 0, and so none for a curve of nothing else: no read was stale.
    let is_drawn = |(_, values): &(String, Distribution)| values.iter().any(|(_, ns)| *ns > 0.0);
    let curves: Vec<(String, Distribution)> = curves.into_iter().filter(is_drawn).collect();
    if curves.is_empty() {
        return None;
    }
    // Every odds that any curve has; the others have gaps there, which are spanned. The order of
    // the bits of positive numbers is their own.
    let mut places: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
    for (at, (_, distribution)) in curves.iter().enumerate() {
        for (odds, value) in distribution {
            let values = places.entry(odds.to_bits());
            values.or_insert_with(|| vec![None; curves.len()])[at] = Some(*value);
        }
    }
    let series = curves.iter().enumerate().map(|(at, (name, _))| Curve {
        name: name.clone(),
        values: places
            .values()
            .map(|all| all[at].filter(|ns| *ns > 0.0))
            .collect(),
    });
    Some(Chart {
        id,
        title: title.to_owned(),
        note: note.to_owned(),
        x: Axis::Odds,
        x_label: "percentile",
        x_log: true,
        sync: None,
        shaded: false,
        points: false,
        xs: places.keys().map(|bits| f64::from_bits(*bits)).collect(),
        variants: vec![Variant {
            name: "latency".to_owned(),
            y: Axis::Latency,
            log: true,
            series: series.collect(),
        }],
    })
}

/// A `.hgrm` file; nothing when there is none or nothing was counted.
fn read(path: &Path) -> Result<Option<Distribution>, PageError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(PageError::Unreadable { path, source });
        }
    };
    let mut distribution = Distribution::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (odds, value) = point(line).ok_or_else(|| PageError::Malformed {
            path: path.to_owned(),
            reason: format!("line {} is no percentile: {line:?}", at + 1),
        })?;
        // At 100 % the odds are infinite: the largest value is where the last finite ones are.
        if odds.is_finite() {
            distribution.push((odds, value * NS_PER_MS));
        }
    }
    Ok((!distribution.is_empty()).then_some(distribution))
}

/// A line: value, quantile, count, and 1 / (1 - quantile) unless that is infinite.
fn point(line: &str) -> Option<(f64, f64)> {
    let mut fields = line.split_whitespace().map(str::parse::<f64>);
    let value = fields.next()?.ok()?;
    let quantile = fields.next()?.ok()?;
    let is_share = (0.0..=1.0).contains(&quantile);
    is_share.then_some((1.0 / (1.0 - quantile), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_measure::{Histogram, write_hgrm};

    #[test]
    fn a_distribution_that_we_wrote_is_read_back() {
        let mut histogram = Histogram::new();
        for ms in 1..=1000 {
            histogram.record(ms * 1_000_000);
        }
        let directory = tempfile::tempdir().expect("a directory");
        let mut text = Vec::new();
        write_hgrm(&histogram, &mut text).expect("memory takes all");
        let path = directory.path().join("read.service.hgrm");
        fs::write(&path, text).expect("written");
        let chart = latency(directory.path()).expect("read").expect("a chart");
        let curve = &chart.variants[0].series[0];
        let at = chart.xs.iter().position(|odds| (odds - 2.0).abs() < 1e-9);
        let median = curve.values[at.expect("the median")].expect("a value");
        assert!((median / 500e6 - 1.0).abs() < 2e-3, "{median}");

        let zeros = "Value Percentile\n\n0.000 0.5 3\n0.000 1.0 6\n";
        fs::write(directory.path().join("staleness.hgrm"), zeros).expect("written");
        let nothing = staleness(directory.path()).expect("read");
        assert!(nothing.is_none(), "no read was stale: nothing is drawn");

        fs::write(&path, "Value Percentile\n\n1.0 1.5 3\n").expect("written");
        let error = latency(directory.path()).expect_err("malformed");
        assert!(
            error.to_string().contains("line 3 is no percentile"),
            "{error}"
        );
    }
}
