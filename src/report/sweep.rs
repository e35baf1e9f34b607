//! Latency against offered load, store by store: what consistency costs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::html::{Axis, Chart, Curve, Variant, render};
use super::layout::{labelled, table};
use super::number::{self, optional};
use super::tables::Table;
use crate::measure::{Machine, VerdictWord, Versions};

/// The version of the schema of `sweep.json`.
pub const SWEEP_VERSION: u32 = 1;
/// A sweep's record within its directory.
pub const SWEEP_FILE: &str = "sweep.json";
/// A sweep's page within its directory.
pub const SWEEP_PAGE: &str = "sweep.html";

/// A sweep, `sweep.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepRecord {
    /// [`SWEEP_VERSION`] of the program that wrote it.
    pub version: u32,
    /// The exact command that sweeps again.
    pub command: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// On what.
    pub machine: Machine,
    /// By which program.
    pub versions: Versions,
    /// The objectives, if there were any.
    pub slo: Option<String>,
    /// Every store that was swept.
    pub stores: Vec<StoreSweep>,
}

/// A store at every rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSweep {
    /// The architecture and the lattice.
    pub name: String,
    /// Every try, in the order in which they were made.
    pub tries: Vec<Try>,
    /// The knee: the largest rate that was tried and kept up with; absent when there was none.
    pub knee_per_s: Option<f64>,
    /// The least rate beyond the knee that was not kept up with; absent when all were.
    pub beyond_per_s: Option<f64>,
    /// The largest rate that meets the objectives; absent without objectives or such a rate.
    pub best: Option<Best>,
}

/// One run at one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// Arrivals a second that were offered.
    pub rate: f64,
    /// Operations a second that succeeded.
    pub achieved_per_s: f64,
    /// Response times, all kinds together, in ns.
    pub p50_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// Whether it did what was offered, and neither store nor load generator fell behind.
    pub kept_up: bool,
    /// Whether the load generator itself was late: the numbers are void.
    pub void: bool,
    /// Whether the objectives were met; absent without any.
    pub met: Option<bool>,
    /// Whether the promise was kept.
    pub verdict: VerdictWord,
    /// The run.
    pub directory: String,
}

/// The largest rate that meets the objectives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Arrivals a second.
    pub rate: f64,
    /// Tries at this rate that met them.
    pub met: u32,
    /// Tries at this rate.
    pub tries: u32,
    /// With 95 % confidence at least this share of such runs meets them (Clopper and Pearson 1934).
    pub share_at_least: f64,
}

impl StoreSweep {
    /// The verdict on all tries: the worst.
    #[must_use]
    pub fn verdict(&self) -> VerdictWord {
        let has = |word| self.tries.iter().any(|one| one.verdict == word);
        if has(VerdictWord::Invalid) {
            VerdictWord::Invalid
        } else if has(VerdictWord::Unknown) || self.tries.is_empty() {
            VerdictWord::Unknown
        } else {
            VerdictWord::Valid
        }
    }
}

const STORE_HEADER: [&str; 6] = [
    "store",
    "knee, at least",
    "below",
    "largest rate within the SLO",
    "tries",
    "verdict",
];

fn store_row(store: &StoreSweep) -> Vec<String> {
    let rate = |rate: Option<f64>| optional(rate, |rate| format!("{}/s", number::rate(rate)));
    let best = store.best.map_or_else(
        || "-".to_owned(),
        |best| {
            format!(
                "{}/s: {} of {} met, 95 % sure of {:.0} %",
                number::rate(best.rate),
                best.met,
                best.tries,
                best.share_at_least * 100.0
            )
        },
    );
    vec![
        store.name.clone(),
        rate(store.knee_per_s),
        rate(store.beyond_per_s),
        best,
        store.tries.len().to_string(),
        super::proof::word(store.verdict()).to_owned(),
    ]
}

const TRY_HEADER: [&str; 8] = [
    "offered", "achieved", "p50", "p99", "p99.9", "kept up", "SLO", "verdict",
];

fn try_row(one: &Try) -> Vec<String> {
    let time = |ns: Option<u64>| optional(ns, number::time);
    vec![
        format!("{}/s", number::rate(one.rate)),
        format!("{}/s", number::rate(one.achieved_per_s)),
        time(one.p50_ns),
        time(one.p99_ns),
        time(one.p999_ns),
        match (one.kept_up, one.void) {
            (_, true) => "void: the generator was late",
            (true, _) => "yes",
            (false, _) => "no",
        }
        .to_owned(),
        optional(one.met, |met| if met { "met" } else { "missed" }.to_owned()),
        super::proof::word(one.verdict).to_owned(),
    ]
}

/// Tries by rate.
fn by_rate(store: &StoreSweep) -> Vec<&Try> {
    let mut tries: Vec<&Try> = store.tries.iter().collect();
    tries.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    tries
}

/// The sweep as text.
#[must_use]
pub fn text(sweep: &SweepRecord) -> String {
    let mut lines = labelled(
        "Sweep",
        sweep.slo.as_deref().unwrap_or("without objectives"),
    );
    let header = STORE_HEADER.map(str::to_owned);
    lines.extend(table(&header, sweep.stores.iter().map(store_row).collect()));
    for store in &sweep.stores {
        lines.push(String::new());
        lines.extend(labelled("", &store.name));
        let header = TRY_HEADER.map(str::to_owned);
        lines.extend(table(
            &header,
            by_rate(store).into_iter().map(try_row).collect(),
        ));
    }
    lines.push(String::new());
    lines.extend(labelled(
        "Method",
        "open loop; latency is response time, from the intended start. A rate is kept up with when \
         95 % of it is achieved; the knee is the largest such",
    ));
    lines.push(format!("Sweep again {}", sweep.command));
    lines.join("\n") + "\n"
}

#[derive(Serialize)]
struct Facts<'a> {
    sweep: &'a SweepRecord,
    stores: Table,
    chart: &'a Chart,
    tries: Vec<StoreFacts>,
}

#[derive(Serialize)]
struct StoreFacts {
    name: String,
    table: Table,
}

/// The sweep as a page: one picture of all stores.
#[must_use]
pub fn page(sweep: &SweepRecord) -> String {
    let chart = chart(sweep);
    let facts = Facts {
        sweep,
        stores: Table::new(STORE_HEADER, sweep.stores.iter().map(store_row).collect()),
        chart: &chart,
        tries: { sweep.stores.iter() }
            .map(|store| StoreFacts {
                name: store.name.clone(),
                table: Table::new(
                    TRY_HEADER,
                    by_rate(store).into_iter().map(try_row).collect(),
                ),
            })
            .collect(),
    };
    render(
        "sweep.html",
        "What consistency costs (kvs-zoo)",
        &[&chart],
        &[],
        facts,
    )
}

/// Which percentile, and where a try has it.
type Percentile = (&'static str, fn(&Try) -> Option<u64>);

/// Latency over offered load, a curve a store; of several tries at a rate the median, and none whose
/// numbers are void.
fn chart(sweep: &SweepRecord) -> Chart {
    const PERCENTILES: [Percentile; 3] = [
        ("p99", |one| one.p99_ns),
        ("p50", |one| one.p50_ns),
        ("p99.9", |one| one.p999_ns),
    ];
    let counted = |store: &StoreSweep| -> Vec<Try> {
        let tries = store.tries.iter();
        tries.filter(|one| !one.void).cloned().collect()
    };
    // The order of the bits of positive numbers is their own.
    let rates: BTreeSet<u64> = { sweep.stores.iter() }
        .flat_map(counted)
        .map(|one| one.rate.to_bits())
        .collect();
    let variants = PERCENTILES.iter().map(|(name, of)| Variant {
        name: (*name).to_owned(),
        y: Axis::Latency,
        log: true,
        series: { sweep.stores.iter() }
            .map(|store| {
                let tries = counted(store);
                let at = |bits: &u64| {
                    let here = tries.iter().filter(|one| one.rate.to_bits() == *bits);
                    let mut all: Vec<u64> = here.filter_map(of).collect();
                    all.sort_unstable();
                    all.get(all.len() / 2).map(|ns| *ns as f64)
                };
                Curve {
                    name: store.name.clone(),
                    values: rates.iter().map(at).collect(),
                }
            })
            .collect(),
    });
    Chart {
        id: "cost".to_owned(),
        title: "Latency against offered load".to_owned(),
        note: "Each point is a rate that was offered in an open loop, and what clients waited, from the intended \
               start of an operation; of several runs at a rate the median. Where a curve turns up, the store \
               does not keep up any more."
            .to_owned(),
        x: Axis::Rate,
        x_label: "operations a second, offered",
        x_log: true,
        sync: None,
        shaded: false,
        points: true,
        variants: variants.collect(),
        xs: rates.iter().map(|bits| f64::from_bits(*bits)).collect(),
    }
}
