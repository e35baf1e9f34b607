//! What the nemesis did to a run, and what the run's clients noticed of it.

use kvs_load::nemesis::FaultKind;
use serde::{Deserialize, Serialize};

/// The faults of a run. Empty when there was no nemesis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultsRecord {
    /// Every fault that was installed, in the order of its start. Windows may overlap.
    pub windows: Vec<FaultWindow>,
    /// Faults that could not be installed or undone, each with the reason: failures of the
    /// harness, which are no fault of the store.
    pub failures: Vec<String>,
    /// What was asked for, kind by kind, and how much of it came. Empty without a nemesis, and in
    /// records of programs that did not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<FaultCoverage>,
    /// Kinds that `all` left out, since the store cannot have them: each with what it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// How much came of the faults of one kind that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultCoverage {
    /// The kind's name.
    pub kind: String,
    /// Whether faults of this kind were to come at random.
    pub at_random: bool,
    /// Faults of this kind that were written down.
    pub written: u64,
    /// Faults of this kind that were installed.
    pub installed: u64,
    /// Those of them that were written down.
    pub written_installed: u64,
    /// Why the last that was not installed was not, if it was its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
}

impl FaultCoverage {
    /// What was asked for and never came, as a clause; none when all of it did.
    #[must_use]
    pub fn gap(&self) -> Option<String> {
        let kind = noun(&self.kind);
        let why = self.missed.as_deref();
        let why = why.unwrap_or("the run ended before it was due");
        if self.installed == 0 && (self.at_random || self.written > 0) {
            return Some(format!("no {kind} was installed: {why}"));
        }
        let missing = self.written - self.written_installed.min(self.written);
        (missing > 0).then(|| {
            format!(
                "{missing} of {} given times for a {kind} passed without one: {why}",
                self.written
            )
        })
    }
}

impl FaultsRecord {
    /// What was asked for and never came, and what the nemesis could not do: each keeps the run from
    /// being called valid.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let never_came = self.coverage.iter().filter_map(FaultCoverage::gap);
        never_came.chain(self.failed()).collect()
    }

    /// That the nemesis failed, as a clause.
    fn failed(&self) -> Option<String> {
        let (first, more) = self.failures.split_first()?;
        Some(match more.len() {
            0 => format!("the nemesis failed: {first}"),
            more => format!("the nemesis failed: {first} (and {more} more)"),
        })
    }

    /// What was installed, kind by kind, as a clause; none where nothing was.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        let installed: Vec<String> = { &self.coverage }
            .iter()
            .filter(|kind| kind.installed > 0)
            .map(|kind| {
                let ending = if kind.installed == 1 { "" } else { "s" };
                format!("{} {}{ending}", kind.installed, noun(&kind.kind))
            })
            .collect();
        if installed.is_empty() {
            // The gaps tell.
            return None;
        }
        let mut remark = format!("faults: {}", installed.join(", "));
        if !self.left_out.is_empty() {
            remark += &format!(" ({})", self.left_out.join(", "));
        }
        let idle = self
            .windows
            .iter()
            .filter(|window| window.is_idle())
            .count();
        if idle > 0 {
            remark += &format!("; no operation ran during {idle} of {}", self.windows.len());
        }
        Some(remark)
    }
}

/// A fault of a kind, in a word or two.
fn noun(kind: &str) -> String {
    FaultKind::from_word(kind).map_or_else(
        || format!("{kind} fault"),
        |known| known.row().noun.to_owned(),
    )
}

/// The colour of a kind that this program does not know.
const OTHER_COLOUR: &str = "#CCCCCC";

/// The colour of a kind of fault in charts.
#[must_use]
pub fn fault_colour(kind: &str) -> &'static str {
    FaultKind::from_word(kind).map_or(OTHER_COLOUR, |known| known.row().colour)
}

/// One fault, from its start to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultWindow {
    /// The name of its kind.
    pub kind: String,
    /// What was done, in a few words: `partition majority: n0 | n1 n2`.
    pub fault: String,
    /// The nodes that it acted on.
    pub nodes: Vec<u32>,
    /// When it was installed, in ns since the run began, on the generator's clock.
    pub from_ns: u64,
    /// When it was healed.
    pub to_ns: u64,
    /// The measured part before it, back to the end of the fault before it or the start.
    pub before: PeriodRecord,
    /// While it lasted.
    pub during: PeriodRecord,
    /// After it, up to the start of the next fault or the end.
    pub after: PeriodRecord,
    /// From its end until operations succeed again as before it (docs/reference/faults.md has the
    /// definition), in ns; absent when that was not before the next fault or the end.
    pub recovery_ns: Option<u64>,
    /// Operations that were under way when it was healed; absent in records of programs that did
    /// not count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<u64>,
}

impl FaultWindow {
    /// Whether no operation ended while it lasted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.during.operations + self.during.errors == 0
    }

    /// Whether no operation was there to notice it: none ended while it lasted, and none was under
    /// way when it was over.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_empty() && self.under_way == Some(0)
    }
}

/// What clients noticed in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeriodRecord {
    /// How long it was.
    pub seconds: f64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that failed or whose outcome is unknown.
    pub errors: u64,
    /// The 99th percentile of the latency of those that succeeded, in ns.
    pub p99_ns: Option<u64>,
    /// The largest latency of those that succeeded, in ns.
    pub max_ns: Option<u64>,
}
