//! What the nodes used of the machine over time, from `usage.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use kvs_measure::Measured;

use super::series::{CURVES_MAX, PLACES_MAX, chart, curve, read};
use super::{Axis, Chart, Curve, PageError, Variant};

/// A row of `usage.csv`.
#[derive(Clone, Copy, Deserialize)]
struct Line {
    start_s: f64,
    end_s: f64,
    node: u32,
    cpu_cores: f64,
    resident_bytes: f64,
}

/// CPU and memory by node; nothing for a run that was too short, or older than the file.
pub(super) fn usage(directory: &Path) -> Result<Option<Chart>, PageError> {
    let lines = read::<Line>(&directory.join(Measured::USAGE_FILE_NAME))?;
    Ok(lines
        .filter(|lines| !lines.is_empty())
        .map(|lines| drawn(&lines)))
}

fn drawn(lines: &[Line]) -> Chart {
    let nodes: BTreeSet<u32> = lines.iter().map(|line| line.node).collect();
    // One look at all processes has one time.
    let mut looks: BTreeMap<u64, (f64, BTreeMap<u32, Line>)> = BTreeMap::new();
    for line in lines {
        let middle = f64::midpoint(line.start_s, line.end_s);
        let look = looks.entry((line.end_s * 1e3) as u64);
        let (_, of_nodes) = look.or_insert_with(|| (middle, BTreeMap::new()));
        of_nodes.insert(line.node, *line);
    }
    let looks: Vec<_> = looks.into_values().collect();
    let step = looks.len().div_ceil(PLACES_MAX).max(1);
    let places: Vec<_> = looks.chunks(step).collect();
    let curves = |value: fn(&Line) -> f64| -> Vec<Curve> {
        let of_node = |node: &u32| {
            curve(&format!("n{node}"), &places, |looks| {
                most(looks.iter().filter_map(|(_, of)| of.get(node)).map(value))
            })
        };
        nodes.iter().take(CURVES_MAX).map(of_node).collect()
    };
    let variant = |name: &str, y, series| Variant {
        name: name.to_owned(),
        y,
        log: false,
        series,
    };
    let left_out = nodes.len().saturating_sub(CURVES_MAX);
    let more = if left_out > 0 {
        format!(" The first {CURVES_MAX} nodes are drawn, {left_out} are not.")
    } else {
        String::new()
    };
    let note = format!(
        "By process, once a second: processors kept busy, and memory that is resident. A node \
         that was down has none.{more}"
    );
    let xs = places.iter().map(|looks| looks[0].0).collect();
    let variants = vec![
        variant("CPU", Axis::Count, curves(|line| line.cpu_cores)),
        variant("memory", Axis::Bytes, curves(|line| line.resident_bytes)),
    ];
    chart("usage", "CPU and memory of the nodes", note, xs, variants)
}

/// The largest of several; a node that was down has no number.
fn most(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_was_down_has_a_gap() {
        let line = |end_s: f64, node: u32| Line {
            start_s: end_s - 1.0,
            end_s,
            node,
            cpu_cores: 0.5,
            resident_bytes: 1e6,
        };
        let chart = drawn(&[
            line(1.0, 0),
            line(1.0, 1),
            line(2.0, 0),
            line(3.0, 0),
            line(3.0, 1),
        ]);
        assert_eq!(chart.xs, [0.5, 1.5, 2.5]);
        let [cpu, memory] = &chart.variants[..] else {
            panic!("CPU and memory");
        };
        assert_eq!(cpu.series[0].values, [Some(0.5); 3]);
        assert_eq!(memory.series[1].values, [Some(1e6), None, Some(1e6)]);
    }

    #[test]
    fn an_hour_of_looks_is_thinned_out() {
        let lines: Vec<Line> = (1..=3600)
            .map(|second| Line {
                start_s: f64::from(second) - 1.0,
                end_s: f64::from(second),
                node: 0,
                cpu_cores: if second == 1800 { 1.0 } else { 0.1 },
                resident_bytes: 1e6,
            })
            .collect();
        let chart = drawn(&lines);
        assert_eq!(chart.xs.len(), PLACES_MAX);
        assert!(chart.variants[0].series[0].values.contains(&Some(1.0)));
    }
}
