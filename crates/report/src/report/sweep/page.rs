//! A sweep as a page: one picture of all stores.

use std::collections::BTreeSet;

use serde::Serialize;

use super::record::{StoreSweep, SweepRecord, Try};
use super::{STORE_HEADER, TRY_HEADER, by_rate, store_row, try_row};
use crate::report::html::{Axis, Chart, Curve, Variant, render};
use crate::report::tables::Table;

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
