//! A sweep as a page: one picture of all stores.

use std::collections::BTreeSet;

use serde::Serialize;

use super::bars::{self, Bars};
use super::fail_over::{Course, FailOver};
use super::record::{StoreSweep, SweepRecord, Try};
use super::{STORE_HEADER, TRY_HEADER, by_rate, store_row, try_row};
use crate::report::html::{Axis, Chart, Curve, Variant, render};
use crate::report::proof;
use crate::report::tables::Table;
use kvs_measure::VerdictWord;

#[derive(Serialize)]
struct Facts<'a> {
    sweep: &'a SweepRecord,
    stores: Table,
    /// What is void.
    notices: Vec<String>,
    /// Absent when there is nothing to draw.
    chart: Option<&'a Chart>,
    tries: Vec<StoreFacts>,
    /// What was judged of each store.
    verdicts: String,
    /// Absent when no node was to go.
    fail_over: Option<FailOverFacts<'a>>,
}

#[derive(Serialize)]
struct FailOverFacts<'a> {
    bars: Vec<Bars>,
    charts: &'a [Chart],
    table: Table,
    method: String,
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
    let courses = courses(sweep);
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
        verdicts: verdicts(sweep),
        fail_over: bars::is_wanted(sweep).then(|| FailOverFacts {
            bars: bars::bars(sweep),
            charts: &courses,
            table: Table {
                header: bars::header(sweep),
                rows: bars::rows(sweep),
            },
            method: bars::method(sweep),
        }),
    };
    render(
        "sweep.html",
        "What consistency costs (kvs-zoo)",
        &courses.iter().chain(drawn).collect::<Vec<_>>(),
        &[],
        facts,
    )
}

/// How many points of each store have which verdict.
fn verdicts(sweep: &SweepRecord) -> String {
    let of_store = |store: &StoreSweep| {
        let all = store.tries.len();
        let count = |word| store.tries.iter().filter(|one| one.verdict == word).count();
        let words = [
            VerdictWord::Valid,
            VerdictWord::Unknown,
            VerdictWord::Invalid,
        ]
        .into_iter();
        let counts = words.map(|word| (count(word), proof::word(word)));
        let counts = counts.filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(count, word)| format!("{count} of {all} {word}"))
            .collect();
        (all > 0).then(|| format!("{} {}", store.name, counts.join(" and ")))
    };
    let stores: Vec<String> = sweep.stores.iter().filter_map(of_store).collect();
    stores.join(", ")
}

/// Which percentile, and where a try has it.
type Percentile = (&'static str, fn(&Try) -> Option<u64>);

/// Latency over offered load, a curve a store; of several tries at a rate the median, and none
/// whose numbers are void.
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

/// Where a course has a value of each bin.
type Values = fn(&Course) -> Vec<Option<f64>>;

/// The seconds around a fault, a curve a store: writes a second above, and what writes took below.
/// Each kind of fault is a variant.
fn courses(sweep: &SweepRecord) -> Vec<Chart> {
    let all: Vec<&FailOver> = { sweep.stores.iter() }
        .flat_map(|store| &store.fail_overs)
        .collect();
    let Some(course) = all.first().map(|one| &one.course) else {
        return Vec::new();
    };
    let middle = |bin: usize| {
        let at_ns = (bin as f64 + 0.5) * course.bin_ns as f64 - course.before_ns as f64;
        at_ns / 1e9
    };
    let xs: Vec<f64> = (0..course.writes_per_s.len()).map(middle).collect();
    let mut ways: Vec<&str> = Vec::new();
    for one in &all {
        if !ways.contains(&one.way.as_str()) {
            ways.push(&one.way);
        }
    }
    let variants = |y: Axis, log: bool, values: Values| -> Vec<Variant> {
        let series = |way: &str| {
            let of_way = |store: &StoreSweep| {
                let one = store.fail_overs.iter().find(|one| one.way == way)?;
                Some(Curve {
                    name: store.name.clone(),
                    values: values(&one.course),
                })
            };
            sweep.stores.iter().filter_map(of_way).collect()
        };
        { ways.iter() }
            .map(|way| Variant {
                name: (*way).to_owned(),
                y,
                log,
                series: series(way),
            })
            .collect()
    };
    let chart = |id: &str, title: &str, note: &str, variants| Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        note: note.to_owned(),
        x: Axis::Seconds,
        x_label: "seconds since the fault",
        x_log: false,
        sync: Some("fail-over"),
        shaded: false,
        points: false,
        xs: xs.clone(),
        variants,
    };
    vec![
        chart(
            "writes",
            "Writes a second when a node goes",
            "Writes that were acknowledged, on average over the faults.",
            variants(Axis::Rate, false, |course| {
                course.writes_per_s.iter().copied().map(Some).collect()
            }),
        ),
        chart(
            "waits",
            "How long writes took, p99",
            "By when they were meant to start. A curve has a hole where more than one of a hundred \
             was never acknowledged.",
            variants(Axis::Latency, true, |course| {
                let values = course.p99_ns.iter();
                values.map(|ns| ns.map(|ns| ns as f64)).collect()
            }),
        ),
    ]
}
