//! The list of runs: sorted and filtered as the address says, so that it can be kept and sent.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Trouble, files};
use crate::report::html::plain_page;
use crate::report::{Cells, cells};
use kvs_measure::VerdictWord;

/// Runs that are listed at once, the newest first whatever they are sorted by.
const RUNS_MAX: usize = 2_000;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// A column.
    sort: String,
    /// Whether the smallest is first.
    up: bool,
    /// A text that a run must have.
    q: String,
    /// A verdict that a run must have.
    verdict: String,
    /// The set of repeated runs that is listed; all of the results when empty.
    set: String,
}

/// A directory of repeated runs.
#[derive(Serialize)]
struct Set {
    name: String,
    runs: usize,
}

#[derive(Serialize)]
struct Facts<'a> {
    wanted: &'a Wanted,
    columns: Vec<Column>,
    runs: Vec<Cells>,
    sets: Vec<Set>,
    unreadable: Vec<String>,
    sweeps: Vec<String>,
    left_out: usize,
    total: usize,
}

/// A column's heading, which sorts by it.
#[derive(Serialize)]
struct Column {
    id: &'static str,
    name: &'static str,
    /// Whether a click turns the order round to the smallest first.
    up: bool,
    arrow: &'static str,
}

const COLUMNS: [(&str, &str); 8] = [
    ("started", "started (UTC)"),
    ("store", "store"),
    ("workload", "workload"),
    ("verdict", "verdict"),
    ("throughput", "ops/s"),
    ("p99", "p99"),
    ("faults", "faults"),
    ("notes", "notes"),
];

/// The page of a results directory.
pub(super) fn page(results: &Path, wanted: &Wanted) -> Result<String, Trouble> {
    let mut names = names(results, &wanted.set)?;
    names.reverse();
    let (mut runs, mut unreadable, mut sweeps) = (Vec::new(), Vec::new(), Vec::new());
    let mut sets = Vec::new();
    let mut left_out = 0;
    for name in names {
        let Some(directory) = files::run(results, &name) else {
            continue;
        };
        if directory.join("sweep.html").exists() {
            sweeps.push(name);
        } else if !files::is_run(&directory) {
            match files::runs_within(&directory) {
                // A run that is under way, or was cut short.
                0 => unreadable.push(format!("{name}: no run.json, so it is partial")),
                runs => sets.push(Set { name, runs }),
            }
        } else if runs.len() == RUNS_MAX {
            left_out += 1;
        } else {
            match crate::report::load(&directory) {
                Ok(record) => runs.push(cells(&record, name)),
                Err(error) => unreadable.push(error.to_string()),
            }
        }
    }
    let total = runs.len();
    runs.retain(|run| run.matches(&wanted.q));
    if !wanted.verdict.is_empty() {
        runs.retain(|run| word(run.verdict) == wanted.verdict);
    }
    let by = |one: &Cells, other: &Cells| match wanted.sort.as_str() {
        "store" => one.store.cmp(&other.store),
        "workload" => one.workload.cmp(&other.workload),
        "verdict" => word(one.verdict).cmp(word(other.verdict)),
        "throughput" => one.throughput_value.total_cmp(&other.throughput_value),
        "p99" => one.p99_value.cmp(&other.p99_value),
        "faults" => one.faults.cmp(&other.faults),
        "notes" => one.notes.cmp(&other.notes),
        _ => one.started.cmp(&other.started),
    };
    runs.sort_by(|one, other| {
        let order = by(one, other);
        if wanted.up { order } else { order.reverse() }
    });
    let columns = COLUMNS.iter().map(|(id, name)| {
        let current = *id == wanted.sort || (wanted.sort.is_empty() && *id == "started");
        Column {
            id,
            name,
            up: current && !wanted.up,
            arrow: match (current, wanted.up) {
                (false, _) => "",
                (true, true) => " ▲",
                (true, false) => " ▼",
            },
        }
    });
    let facts = Facts {
        wanted,
        columns: columns.collect(),
        runs,
        sets,
        unreadable,
        sweeps,
        left_out,
        total,
    };
    Ok(plain_page("list.html", "Runs (kvs-zoo)", facts))
}

/// The names of what is listed: in the results, or, as `SET/RUN`, in one set.
fn names(results: &Path, set: &str) -> Result<Vec<String>, Trouble> {
    if set.is_empty() {
        return Ok(files::names(results));
    }
    let directory = files::run(results, set).ok_or_else(Trouble::not_found)?;
    let names = files::names(&directory).into_iter();
    Ok(names.map(|name| format!("{set}/{name}")).collect())
}

const fn word(verdict: VerdictWord) -> &'static str {
    match verdict {
        VerdictWord::Valid => "valid",
        VerdictWord::Invalid => "invalid",
        VerdictWord::Unknown => "unknown",
    }
}
