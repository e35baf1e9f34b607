//! The measurements of a run, interval by interval.

use std::io::{self, Write};

use super::histogram::Summary;
use super::kind::OperationKind;

/// Every interval of the measured part, in order; `timeseries.csv`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalSeries {
    /// The intervals, without gaps.
    pub rows: Vec<IntervalRow>,
}

/// One interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalRow {
    /// Its start, in ns since the run began.
    pub start_ns: u64,
    /// Its end. Longer than asked for when the collecting thread fell behind.
    pub end_ns: u64,
    /// Arrivals whose intended time lies in it, by the schedule: whether or not they started then,
    /// or ever. Absent in a closed loop.
    pub offered: Option<u64>,
    /// Arrivals that the generator started late though a session was free.
    pub late: u64,
    /// All kinds together.
    pub all: KindRow,
    /// Each kind, in the order of [`OperationKind::ALL`].
    pub kinds: [KindRow; OperationKind::COUNT],
    /// Each node, by id.
    pub nodes: Vec<PlaceRow>,
    /// Each replica group.
    pub groups: Vec<PlaceRow>,
}

/// One kind of operation in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KindRow {
    /// Response time, from the intended start; absent in a closed loop.
    pub response: Option<Summary>,
    /// Service time, from the actual start. Its count is the operations that succeeded.
    pub service: Summary,
    /// Operations that failed or whose outcome is unknown.
    pub errors: u64,
}

/// One node, or one replica group, in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlaceRow {
    /// Latency of the operations that succeeded there, to two digits: response time in an open
    /// loop, service time in a closed one.
    pub latency: Summary,
    /// Operations sent there that failed or whose outcome is unknown.
    pub errors: u64,
}

impl IntervalRow {
    /// Its length, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        (self.end_ns - self.start_ns) as f64 / 1e9
    }

    /// So many of its operations as a rate; none where it is shorter than a tenth of a second,
    /// since a rate would say nothing.
    #[must_use]
    pub fn per_second(&self, operations: u64) -> Option<f64> {
        let has_rate = self.end_ns - self.start_ns >= RATE_NS_MIN;
        has_rate.then(|| operations as f64 / self.seconds())
    }
}

/// The shortest interval that has a rate of its own, in ns. The last of a run may be shorter: the
/// answers to what was under way come some microseconds after the end.
const RATE_NS_MIN: u64 = 100_000_000;

const COLUMNS: &str = "start_s,end_s,kind,operations,operations_per_s,errors,offered,late,\
    response_p50_ns,response_p90_ns,response_p95_ns,response_p99_ns,response_p999_ns,response_max_ns,\
    service_p50_ns,service_p90_ns,service_p95_ns,service_p99_ns,service_p999_ns,service_max_ns,available";

const PLACE_COLUMNS: &str =
    "start_s,end_s,scope,id,operations,operations_per_s,errors,p50_ns,p99_ns,p999_ns,max_ns";

impl IntervalSeries {
    /// Writes what each node and each replica group did as CSV: one line for each in each interval.
    /// An absent number is an empty field.
    ///
    /// # Errors
    /// What `writer` returns.
    pub fn write_places_csv(&self, mut writer: impl Write) -> io::Result<()> {
        writeln!(writer, "{PLACE_COLUMNS}")?;
        for row in &self.rows {
            for (scope, places) in [("node", &row.nodes), ("group", &row.groups)] {
                for (id, place) in places.iter().enumerate() {
                    write_place(&mut writer, row, scope, id, place)?;
                }
            }
        }
        writer.flush()
    }

    /// Writes the series as CSV: one line for each interval and kind that did anything, and one
    /// for all kinds together. An absent number is an empty field.
    ///
    /// # Errors
    /// What `writer` returns.
    pub fn write_csv(&self, mut writer: impl Write) -> io::Result<()> {
        writeln!(writer, "{COLUMNS}")?;
        for row in &self.rows {
            let arrivals = format!("{},{}", field(row.offered), row.late);
            write_line(&mut writer, row, "all", &row.all, &arrivals)?;
            for (kind, cells) in OperationKind::ALL.iter().zip(&row.kinds) {
                if cells.service.count + cells.errors > 0 {
                    write_line(&mut writer, row, kind.name(), cells, ",")?;
                }
            }
        }
        writer.flush()
    }
}

fn write_place(
    writer: &mut impl Write,
    row: &IntervalRow,
    scope: &str,
    id: usize,
    place: &PlaceRow,
) -> io::Result<()> {
    let latency = &place.latency;
    writeln!(
        writer,
        "{:.3},{:.3},{scope},{id},{},{},{},{},{},{},{}",
        row.start_ns as f64 / 1e9,
        row.end_ns as f64 / 1e9,
        latency.count,
        rate(latency.count, row),
        place.errors,
        field(latency.p50),
        field(latency.p99),
        field(latency.p999),
        field(latency.max),
    )
}

/// Operations a second; nothing for a fragment of an interval.
fn rate(operations: u64, row: &IntervalRow) -> String {
    let rate = row.per_second(operations);
    rate.map_or_else(String::new, |rate| format!("{rate:.1}"))
}

fn write_line(
    writer: &mut impl Write,
    row: &IntervalRow,
    kind: &str,
    cells: &KindRow,
    arrivals: &str,
) -> io::Result<()> {
    let operations = cells.service.count;
    write!(
        writer,
        "{:.3},{:.3},{kind},{operations},{},{},{arrivals}",
        row.start_ns as f64 / 1e9,
        row.end_ns as f64 / 1e9,
        rate(operations, row),
        cells.errors,
    )?;
    for summary in [cells.response.unwrap_or_default(), cells.service] {
        for value in [
            summary.p50,
            summary.p90,
            summary.p95,
            summary.p99,
            summary.p999,
            summary.max,
        ] {
            write!(writer, ",{}", field(value))?;
        }
    }
    // The share of operations that succeeded; nothing where there were none.
    let all = operations + cells.errors;
    let available = (all > 0).then(|| format!("{:.6}", operations as f64 / all as f64));
    writeln!(writer, ",{}", available.unwrap_or_default())
}

fn field(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
