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
    /// The least rate whose every try was spoiled, so that nobody can tell whether it is kept up with;
    /// absent when there was none.
    #[serde(default)]
    pub void_from_per_s: Option<f64>,
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
    /// Response times, all kinds together, in ns. A percentile that falls among arrivals that never
    /// started is the least that it can be.
    pub p50_ns: Option<u64>,
    /// The 95th percentile.
    #[serde(default)]
    pub p95_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// Whether it did what was offered, and neither store nor load generator fell behind.
    pub kept_up: bool,
    /// Whether the numbers are void.
    pub void: bool,
    /// Why they are.
    #[serde(default)]
    pub void_reason: Option<String>,
    /// Whether they are void since more than half of the arrivals never started: that the store does not
    /// keep up is certain all the same.
    #[serde(default)]
    pub overloaded: bool,
    /// The share of the arrivals that never started, from 0 to 1.
    #[serde(default)]
    pub not_started_share: f64,
    /// Whether the objectives were met; absent when nobody can tell, and without any.
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
    /// Tries at this rate that met or missed them.
    pub tries: u32,
    /// Tries at this rate of which nobody can tell.
    #[serde(default)]
    pub undecided: u32,
    /// With 95 % confidence at least this share of such runs meets them (Clopper and Pearson 1934).
    pub share_at_least: f64,
}

/// What came of the search for the largest rate that meets the objectives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sought {
    /// This is it.
    Found(Best),
    /// They were missed at the lowest rate.
    Missed {
        /// Arrivals a second.
        lowest: f64,
    },
    /// At the lowest rate nobody can tell.
    Unknown,
}

impl Try {
    /// Whether the try says nothing of the store: the generator was late, or nothing was measured.
    #[must_use]
    pub const fn is_spoiled(&self) -> bool {
        self.void && !self.overloaded
    }
}

impl StoreSweep {
    /// Whether nothing is known of the store, since every try was spoiled.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.tries.iter().all(Try::is_spoiled)
    }

    /// What came of the search, where there were objectives.
    #[must_use]
    pub fn sought(&self) -> Sought {
        if let Some(best) = self.best {
            return Sought::Found(best);
        }
        let rates = self.tries.iter().map(|one| one.rate);
        let Some(lowest) = rates.reduce(f64::min) else {
            return Sought::Unknown;
        };
        let tries = || { self.tries.iter() }.filter(|one| one.rate.total_cmp(&lowest).is_eq());
        let met = tries().filter(|one| one.met == Some(true)).count();
        let missed = tries().filter(|one| one.met == Some(false)).count();
        if missed > 0 && missed >= met {
            Sought::Missed { lowest }
        } else {
            Sought::Unknown
        }
    }

    /// Why every try is void, where that is so.
    fn void_notice(&self) -> Option<String> {
        if !self.is_void() {
            return None;
        }
        let reason = self.tries.iter().find_map(|one| one.void_reason.as_deref());
        let reason = reason.unwrap_or("the load generator was late");
        let name = &self.name;
        Some(format!(
            "{name}: every try is void, so that nothing is known of it: {reason}"
        ))
    }

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

fn store_row(store: &StoreSweep, has_slo: bool) -> Vec<String> {
    let rate = |rate: f64| format!("{}/s", number::rate(rate));
    let void = store
        .void_from_per_s
        .map(|from| format!("void from {}", rate(from)));
    let beyond: Vec<String> = store
        .beyond_per_s
        .map(rate)
        .into_iter()
        .chain(void)
        .collect();
    let sought = match store.sought() {
        _ if !has_slo => "-".to_owned(),
        Sought::Found(best) => found(&best),
        Sought::Missed { lowest } => {
            format!("none: missed at {}, the lowest rate", rate(lowest))
        }
        Sought::Unknown => "nobody can tell".to_owned(),
    };
    vec![
        store.name.clone(),
        optional(store.knee_per_s, rate),
        if beyond.is_empty() {
            "-".to_owned()
        } else {
            beyond.join(", ")
        },
        sought,
        store.tries.len().to_string(),
        super::proof::word(store.verdict()).to_owned(),
    ]
}

fn found(best: &Best) -> String {
    let undecided = match best.undecided {
        0 => String::new(),
        count => format!(", {count} undecided"),
    };
    format!(
        "{}/s: {} of {} met{undecided}, 95 % sure of {:.0} %",
        number::rate(best.rate),
        best.met,
        best.tries,
        best.share_at_least * 100.0
    )
}

const TRY_HEADER: [&str; 9] = [
    "offered", "achieved", "p50", "p95", "p99", "p99.9", "kept up", "SLO", "verdict",
];

fn try_row(one: &Try, has_slo: bool) -> Vec<String> {
    let time = |ns: Option<u64>, quantile: f64| {
        let is_bound = quantile > 1.0 - one.not_started_share;
        let mark = if is_bound { "≥ " } else { "" };
        optional(ns, |ns| mark.to_owned() + &number::time(ns))
    };
    let slo = match one.met {
        _ if !has_slo => "-",
        Some(true) => "met",
        Some(false) => "missed",
        None => "nobody can tell",
    };
    vec![
        format!("{}/s", number::rate(one.rate)),
        format!("{}/s", number::rate(one.achieved_per_s)),
        time(one.p50_ns, 0.5),
        time(one.p95_ns, 0.95),
        time(one.p99_ns, 0.99),
        time(one.p999_ns, 0.999),
        kept_up(one),
        slo.to_owned(),
        super::proof::word(one.verdict).to_owned(),
    ]
}

/// Whether a rate was kept up with, or why nobody can tell.
fn kept_up(one: &Try) -> String {
    if one.is_spoiled() {
        let reason = one.void_reason.as_deref();
        let reason = reason.unwrap_or("the load generator was late");
        // What to do about it stands below the table.
        return format!(
            "void: {}",
            reason
                .split([';', '('])
                .next()
                .unwrap_or_default()
                .trim_end()
        );
    }
    if one.not_started_share > 0.0 {
        return format!("no: {:.0} % never started", one.not_started_share * 100.0);
    }
    if one.kept_up { "yes" } else { "no" }.to_owned()
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
    let has_slo = sweep.slo.is_some();
    let rows = sweep.stores.iter().map(|store| store_row(store, has_slo));
    lines.extend(table(&header, rows.collect()));
    for notice in sweep.stores.iter().filter_map(StoreSweep::void_notice) {
        lines.extend(labelled("VOID", &notice));
    }
    for store in &sweep.stores {
        lines.push(String::new());
        lines.extend(labelled("", &store.name));
        let header = TRY_HEADER.map(str::to_owned);
        lines.extend(table(
            &header,
            { by_rate(store).into_iter() }
                .map(|one| try_row(one, has_slo))
                .collect(),
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
    /// What is void.
    notices: Vec<String>,
    /// Absent when there is nothing to draw.
    chart: Option<&'a Chart>,
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
    let drawn = Some(&chart).filter(|chart| !chart.xs.is_empty());
    let has_slo = sweep.slo.is_some();
    let rows = sweep.stores.iter().map(|store| store_row(store, has_slo));
    let facts = Facts {
        sweep,
        stores: Table::new(STORE_HEADER, rows.collect()),
        notices: { sweep.stores.iter() }
            .filter_map(StoreSweep::void_notice)
            .collect(),
        chart: drawn,
        tries: { sweep.stores.iter() }
            .map(|store| StoreFacts {
                name: store.name.clone(),
                table: Table::new(
                    TRY_HEADER,
                    { by_rate(store).into_iter() }
                        .map(|one| try_row(one, has_slo))
                        .collect(),
                ),
            })
            .collect(),
    };
    render(
        "sweep.html",
        "What consistency costs (kvs-zoo)",
        &drawn.into_iter().collect::<Vec<_>>(),
        &[],
        facts,
    )
}

/// Which percentile, and where a try has it.
type Percentile = (&'static str, fn(&Try) -> Option<u64>);

/// Latency over offered load, a curve a store; of several tries at a rate the median, and none whose
/// numbers are void.
fn chart(sweep: &SweepRecord) -> Chart {
    const PERCENTILES: [Percentile; 4] = [
        ("p99", |one| one.p99_ns),
        ("p95", |one| one.p95_ns),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn one(rate: f64, void: bool, met: Option<bool>) -> Try {
        Try {
            rate,
            achieved_per_s: rate,
            p50_ns: Some(1_000_000),
            p95_ns: Some(2_000_000),
            p99_ns: Some(3_000_000),
            p999_ns: None,
            kept_up: !void,
            void,
            void_reason: void.then(|| "nothing was measured: it is a test; try harder".to_owned()),
            overloaded: false,
            not_started_share: 0.0,
            met,
            verdict: VerdictWord::Valid,
            directory: String::new(),
        }
    }

    fn swept(tries: Vec<Try>) -> SweepRecord {
        let void_from_per_s = { tries.iter() }.find(|one| one.void).map(|one| one.rate);
        SweepRecord {
            version: SWEEP_VERSION,
            command: "kvs-bench sweep".to_owned(),
            started_at: "2026-11-30T00:00:00Z".to_owned(),
            machine: Machine::probe(),
            versions: Versions::of_this_program(),
            slo: Some("p99<5ms".to_owned()),
            stores: vec![StoreSweep {
                name: "local".to_owned(),
                knee_per_s: { tries.iter() }.find(|one| one.kept_up).map(|one| one.rate),
                beyond_per_s: None,
                void_from_per_s,
                best: None,
                tries,
            }],
        }
    }

    #[test]
    fn a_store_whose_every_try_is_void_says_so_and_has_no_rate_and_no_chart() {
        let void = swept(vec![one(1_000.0, true, None)]);
        let screen = text(&void);
        assert!(screen.contains("VOID"), "{screen}");
        assert!(screen.contains("void from 1.00k/s"), "{screen}");
        assert!(screen.contains("nobody can tell"), "{screen}");
        assert!(screen.contains("try harder"), "{screen}");
        let page = page(&void);
        assert!(page.contains("every try is void") && !page.contains("<figure"));
        // The control.
        let fine = swept(vec![one(1_000.0, false, Some(true))]);
        assert!(!text(&fine).contains("VOID"));
        assert!(super::page(&fine).contains("<figure"));
    }

    #[test]
    fn a_search_without_an_answer_says_whether_the_lowest_rate_missed_or_nobody_can_tell() {
        let sought = |met: &[Option<bool>]| {
            let tries = met.iter().map(|met| one(1_000.0, false, *met));
            swept(tries.collect()).stores[0].sought()
        };
        let missed = Sought::Missed { lowest: 1_000.0 };
        assert_eq!(sought(&[Some(false)]), missed);
        assert_eq!(sought(&[Some(true), Some(false), Some(false)]), missed);
        assert_eq!(sought(&[None, None]), Sought::Unknown);
        assert_eq!(sought(&[]), Sought::Unknown);
        let screen = text(&swept(vec![one(1_000.0, false, Some(false))]));
        assert!(
            screen.contains("none: missed at 1.00k/s, the lowest rate"),
            "{screen}"
        );
    }

    #[test]
    fn a_percentile_among_arrivals_that_never_started_is_marked_as_the_least_it_can_be() {
        let mut late = one(1_000.0, false, None);
        (late.not_started_share, late.kept_up) = (0.03, false);
        let screen = text(&swept(vec![late]));
        assert!(screen.contains("  2.00 ms  ≥ 3.00 ms"), "{screen}");
        assert!(screen.contains("no: 3 % never started"), "{screen}");
    }
}
