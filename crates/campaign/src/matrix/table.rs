//! The outcomes of the cells, one line each, as text and as Markdown.

use std::fmt;

use kvs_check::checker::AnomalyKind;
use kvs_core::server::Losses;
use kvs_measure::{FaultWindow, RunRecord, VerdictWord};
use kvs_report::report::table;

use super::cell::Cell;

const HEADER: [&str; 13] = [
    "store",
    "lattice",
    "durability",
    "faults",
    "count",
    "operations",
    "available",
    "p99 ms",
    "recovery s",
    "lost",
    "verdict",
    "theory",
    "",
];

const LEGEND: &str = "\
count: faults that came         available: operations that succeeded, of all that were measured
p99: the worst of any second during a fault, of response times, or of all where there is no fault
recovery: the median and the longest time from the end of a fault until operations succeed as before it
lost: acknowledged puts that the final reads do not show, nor what supersedes them";

/// What came of a cell.
#[derive(Debug)]
pub struct Row {
    cell: Cell,
    faults: usize,
    failures: Vec<String>,
    operations: u64,
    errors: u64,
    p99_ns: Option<u64>,
    /// The median and the longest; none where there was no fault, or it was not seen.
    recovery_ns: Option<(u64, u64)>,
    unrecovered: usize,
    lost: Option<u64>,
    verdict: VerdictWord,
    /// The kind of the first anomaly, where this program knows it.
    anomaly: Option<AnomalyKind>,
    /// The first anomaly's kind in a word, or why there is no verdict.
    why: String,
    /// Faults that were to come and did not.
    gaps: Vec<String>,
}

/// How a row stands to theory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is what theory says.
    Ok,
    /// It is not.
    Red,
    /// Nobody can tell: there is no verdict, or a fault never came.
    Unknown,
    /// The nemesis could not do its work.
    Failed,
}

impl Row {
    /// What the record of its run says.
    #[must_use]
    pub fn new(cell: Cell, record: &RunRecord) -> Self {
        let windows = &record.faults.windows;
        let mut recoveries: Vec<u64> = windows
            .iter()
            .filter_map(|window| window.recovery_ns)
            .collect();
        recoveries.sort_unstable();
        let median = recoveries.get(recoveries.len() / 2).copied();
        let verdict = &record.verdict;
        let why = match verdict.verdict {
            VerdictWord::Valid => String::new(),
            VerdictWord::Invalid => { &verdict.anomalies }
                .first()
                .map_or_else(String::new, |anomaly| anomaly.kind.clone()),
            VerdictWord::Unknown => { &verdict.gaps }
                .first()
                .cloned()
                .or_else(|| {
                    { &verdict.engines }
                        .iter()
                        .find_map(|one| one.reason.clone())
                })
                .unwrap_or_default(),
        };
        let anomaly = verdict.anomalies.first();
        let throughput = &record.statistics.throughput;
        Self {
            cell,
            faults: windows.len(),
            failures: record.faults.failures.clone(),
            operations: throughput.operations,
            errors: throughput.errors,
            p99_ns: p99_during(windows).or_else(|| p99_of_all(record)),
            recovery_ns: median.zip(recoveries.last().copied()),
            unrecovered: windows.len() - recoveries.len(),
            lost: verdict.lost_writes,
            verdict: verdict.verdict,
            anomaly: anomaly.and_then(|anomaly| AnomalyKind::from_name(&anomaly.kind)),
            why,
            gaps: record.faults.gaps(),
        }
    }

    /// How it stands to what theory says.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let lost = self.lost.unwrap_or(0);
        let only_lost =
            self.verdict == VerdictWord::Invalid && self.anomaly == Some(AnomalyKind::LostWrite);
        let as_expected = match self.cell.expected() {
            Losses::Kept => self.verdict == VerdictWord::Valid && lost == 0,
            Losses::Loses => only_lost && lost > 0,
            Losses::MayLose => self.verdict == VerdictWord::Valid || only_lost,
        };
        // A violation is expected only if the faults that cause it came.
        let broken = self.verdict == VerdictWord::Invalid && !as_expected;
        let came = self.gaps.is_empty() && (self.faults > 0 || !self.cell.has_faults());
        if !self.failures.is_empty() {
            Standing::Failed
        } else if broken {
            Standing::Red
        } else if self.verdict == VerdictWord::Unknown || !came {
            Standing::Unknown
        } else if as_expected {
            Standing::Ok
        } else {
            Standing::Red
        }
    }

    fn word(&self) -> &'static str {
        match self.standing() {
            Standing::Ok => "ok",
            Standing::Red => "RED",
            Standing::Unknown => "UNKNOWN",
            Standing::Failed => "FAILED",
        }
    }

    fn cells(&self) -> [String; HEADER.len()] {
        let [store, lattice, durability, faults] = self.cell.words();
        let all = self.operations + self.errors;
        let available = match all {
            0 => "-".to_owned(),
            all => format!("{:.3} %", self.operations as f64 / all as f64 * 100.0),
        };
        let seconds = |ns: u64| ns as f64 / 1e9;
        let recovery = match (self.recovery_ns, self.unrecovered) {
            (None, _) => "-".to_owned(),
            (Some((median, longest)), 0) => {
                format!("{:.1} {:.1}", seconds(median), seconds(longest))
            }
            (Some((median, _)), unseen) => {
                format!("{:.1}, {unseen} not seen", seconds(median))
            }
        };
        let verdict = match self.verdict {
            VerdictWord::Valid => "valid".to_owned(),
            VerdictWord::Invalid => format!("invalid: {}", self.why),
            VerdictWord::Unknown => format!("unknown: {}", self.why),
        };
        [
            store.to_owned(),
            lattice.to_owned(),
            durability.to_owned(),
            faults.to_owned(),
            self.faults.to_string(),
            self.operations.to_string(),
            available,
            self.p99_ns
                .map_or_else(|| "-".to_owned(), |ns| format!("{:.1}", ns as f64 / 1e6)),
            recovery,
            self.lost
                .map_or_else(|| "-".to_owned(), |lost| lost.to_string()),
            verdict,
            self.cell.expected().name().to_owned(),
            self.word().to_owned(),
        ]
    }
}

/// The worst that clients noticed during any fault.
fn p99_during(windows: &[FaultWindow]) -> Option<u64> {
    windows
        .iter()
        .filter_map(|window| window.during.p99_ns)
        .max()
}

fn p99_of_all(record: &RunRecord) -> Option<u64> {
    { &record.statistics.kinds }
        .iter()
        .filter_map(|kind| kind.response.unwrap_or(kind.service).p99)
        .max()
}

/// One line, and why it is not as it must be.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        write!(f, "{:<7} {}", self.word(), cells[..4].join(" "))?;
        for (name, cell) in HEADER[4..11].iter().zip(&cells[4..11]) {
            write!(f, "; {name} {cell}")?;
        }
        for failure in &self.failures {
            write!(f, "; the nemesis failed: {failure}")?;
        }
        Ok(())
    }
}

/// The table of the screen.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| row.cells().to_vec()).collect();
    let lines = table(&HEADER.map(str::to_owned), cells);
    format!("{}\n\n{LEGEND}\n", lines.join("\n"))
}

/// The table for a page.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&HEADER.map(str::to_owned));
    text += &line(&HEADER.map(|_| "---".to_owned()));
    for row in rows {
        text += &line(&row.cells());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first cell with these words, as a run would have left it.
    fn row(words: &[&str], verdict: VerdictWord, gaps: &[&str]) -> Row {
        let cells = Cell::all().into_iter();
        let cell = { cells }.find(|cell| cell.has_words(words));
        Row {
            cell: cell.expect("a cell of the matrix"),
            faults: 1,
            failures: Vec::new(),
            operations: 1,
            errors: 0,
            p99_ns: None,
            recovery_ns: None,
            unrecovered: 0,
            lost: None,
            verdict,
            anomaly: None,
            why: String::new(),
            gaps: gaps.iter().map(|gap| (*gap).to_owned()).collect(),
        }
    }

    #[test]
    fn a_row_whose_fault_never_came_keeps_nothing() {
        let words = ["replicated", "disk", "kill"];
        let came = row(&words, VerdictWord::Valid, &[]);
        assert_eq!(came.standing(), Standing::Ok, "the control");
        let never = row(&words, VerdictWord::Unknown, &["no kill was installed"]);
        assert_eq!(never.standing(), Standing::Unknown);
        let none = Row {
            faults: 0,
            ..row(&words, VerdictWord::Valid, &[])
        };
        assert_eq!(none.standing(), Standing::Unknown);
        // A violation stays one.
        let broken = row(&words, VerdictWord::Invalid, &["no kill was installed"]);
        assert_eq!(broken.standing(), Standing::Red);
        let failed = Row {
            failures: vec!["could not heal".to_owned()],
            ..broken
        };
        assert_eq!(failed.standing(), Standing::Failed);
    }

    #[test]
    fn a_store_that_must_lose_is_red_when_it_keeps_all() {
        let words = ["local", "memory", "kill"];
        let kept = row(&words, VerdictWord::Valid, &[]);
        assert_eq!(kept.standing(), Standing::Red);
        let lost = Row {
            lost: Some(3),
            anomaly: Some(AnomalyKind::LostWrite),
            ..row(&words, VerdictWord::Invalid, &[])
        };
        assert_eq!(lost.standing(), Standing::Ok, "the control");
        let half = Row {
            gaps: vec!["no pause was installed".to_owned()],
            ..lost
        };
        assert_eq!(half.standing(), Standing::Unknown);
    }
}
