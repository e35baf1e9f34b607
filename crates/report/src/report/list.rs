//! A run as one line of a list.

use serde::Serialize;

use super::number::{self, optional};
use kvs_measure::{RunRecord, VerdictWord};

/// A run as one line of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Cells {
    /// The name of its directory.
    pub name: String,
    /// When it began.
    pub started: String,
    /// Architecture, lattice, durability.
    pub store: String,
    /// Workload and rate.
    pub workload: String,
    /// Whether the promise was kept.
    pub verdict: VerdictWord,
    /// Operations a second, for people.
    pub throughput: String,
    /// The same as a number; 0 when there is none.
    #[serde(skip)]
    pub throughput_value: f64,
    /// The largest p99 of its kinds of operation, for people.
    pub p99: String,
    /// The same in ns.
    #[serde(skip)]
    pub p99_value: Option<u64>,
    /// How many faults there were.
    pub faults: usize,
    /// The kinds of fault that there were.
    pub fault_kinds: String,
    /// What else the user should know: a planted bug, void numbers, a missed objective.
    pub notes: String,
}

impl Cells {
    /// Whether every word of `text` is somewhere in it.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let all = format!(
            "{} {} {} {} {} {}",
            self.name, self.started, self.store, self.workload, self.fault_kinds, self.notes
        );
        let all = all.to_lowercase();
        text.to_lowercase()
            .split_whitespace()
            .all(|word| all.contains(word))
    }
}

/// The line of a run whose directory has this name.
#[must_use]
pub fn cells(record: &RunRecord, name: String) -> Cells {
    let configuration = &record.configuration;
    let mut store = configuration.architecture.clone();
    if let Some(lattice) = &configuration.lattice {
        store += &format!(", {lattice}");
    }
    if configuration.durability != "memory" {
        store += &format!(", {}", configuration.durability);
    }
    let mut workload = configuration.workload.name.clone();
    if let Some(rate) = configuration.rate {
        workload += &format!(" at {}/s", number::rate(rate));
    }
    let mut notes = Vec::new();
    if let Some(bug) = &configuration.bug {
        notes.push(format!("bug {bug}"));
    }
    if !configuration.context {
        notes.push("context off".to_owned());
    }
    if !record.void.is_empty() {
        notes.push("void".to_owned());
    }
    let throughput = &record.statistics.throughput;
    if throughput.not_started > 0 {
        let share = number::percent(throughput.not_started, throughput.offered.unwrap_or(0));
        notes.push(format!("{share} of the arrivals never started"));
    }
    let missed = record
        .objectives
        .iter()
        .filter(|one| one.met == Some(false));
    notes.extend(missed.map(|one| format!("missed {}", one.objective)));
    if !record.faults.failures.is_empty() {
        notes.push("the nemesis failed".to_owned());
    }
    let statistics = &record.statistics;
    let of_kinds = statistics.kinds.iter();
    let p99_value = of_kinds
        .filter_map(|kind| kind.response.unwrap_or(kind.service).p99)
        .max()
        .filter(|_| record.void.is_empty());
    let throughput_value = statistics.throughput.achieved_per_s.unwrap_or(0.0);
    Cells {
        name,
        started: record
            .started_at
            .chars()
            .take(19)
            .collect::<String>()
            .replace('T', " "),
        store,
        workload,
        verdict: record.verdict.verdict,
        throughput: optional(statistics.throughput.achieved_per_s, number::rate),
        throughput_value,
        p99: optional(p99_value, number::time),
        p99_value,
        faults: record.faults.windows.len(),
        fault_kinds: fault_kinds(record),
        notes: notes.join(", "),
    }
}

/// The kinds of fault that there were, each once.
fn fault_kinds(record: &RunRecord) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for window in &record.faults.windows {
        if !kinds.contains(&window.kind.as_str()) {
            kinds.push(&window.kind);
        }
    }
    kinds.join(", ")
}
