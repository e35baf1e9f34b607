//! What each store costs and for how long nobody could write: the table, and the bars of the page.

use serde::Serialize;

use super::fail_over::{FailOver, Outage};
use super::record::{StoreSweep, SweepRecord};
use crate::report::number::{self, optional};
use crate::report::proof;

/// The store that costs are relative to.
const PLAIN: &str = "local";

/// The ways of all stores, each once.
fn ways(sweep: &SweepRecord) -> Vec<&str> {
    let mut ways: Vec<&str> = Vec::new();
    for one in sweep.stores.iter().flat_map(|store| &store.fail_overs) {
        if !ways.contains(&one.way.as_str()) {
            ways.push(&one.way);
        }
    }
    ways
}

/// Whether a node was to go.
pub(super) fn is_wanted(sweep: &SweepRecord) -> bool {
    { sweep.stores.iter() }.any(|store| !store.fail_overs.is_empty())
}

fn of<'a>(store: &'a StoreSweep, way: &str) -> Option<&'a FailOver> {
    store.fail_overs.iter().find(|one| one.way == way)
}

/// The header of the table of a sweep.
pub(super) fn header(sweep: &SweepRecord) -> Vec<String> {
    let ways = { ways(sweep).into_iter() }.map(|way| format!("{way}: median, worst"));
    ["store", "promise", "p50", "knee"]
        .map(str::to_owned)
        .into_iter()
        .chain(ways)
        .chain(["calm", "verdict"].map(str::to_owned))
        .collect()
}

/// A row for each store.
pub(super) fn rows(sweep: &SweepRecord) -> Vec<Vec<String>> {
    let ways = ways(sweep);
    { sweep.stores.iter() }
        .map(|store| {
            let cells = ways.iter().map(|way| cell(of(store, way)));
            let calm = store.fail_overs.iter().filter_map(FailOver::calm_ns).max();
            [
                store.name.clone(),
                promise(store).to_owned(),
                wait(store, sweep),
                knee(store, sweep),
            ]
            .into_iter()
            .chain(cells)
            .chain([
                optional(calm, number::time),
                proof::word(store.verdict()).to_owned(),
            ])
            .collect()
        })
        .collect()
}

fn promise(store: &StoreSweep) -> &str {
    if store.promise.is_empty() {
        "-"
    } else {
        &store.promise
    }
}

fn plain(sweep: &SweepRecord) -> Option<&StoreSweep> {
    sweep.stores.iter().find(|store| store.name == PLAIN)
}

/// What clients wait at the lowest rate, and how much that is of what they wait for the plain store.
fn wait(store: &StoreSweep, sweep: &SweepRecord) -> String {
    let of_plain = plain(sweep).and_then(StoreSweep::at_rest);
    optional(store.at_rest(), |(rate, ns)| {
        let same = of_plain.filter(|(at, _)| at.total_cmp(&rate).is_eq());
        number::time(ns) + &times(ns as f64, same.map(|(_, plain_ns)| plain_ns as f64))
    })
}

fn knee(store: &StoreSweep, sweep: &SweepRecord) -> String {
    let of_plain = plain(sweep).and_then(|plain| plain.knee_per_s);
    optional(store.knee_per_s, |knee| {
        format!("{}/s{}", number::rate(knee), times(knee, of_plain))
    })
}

fn times(value: f64, plain: Option<f64>) -> String {
    let known = plain.filter(|plain| *plain > 0.0);
    known.map_or_else(String::new, |plain| format!(" ({:.2}×)", value / plain))
}

fn outage(one: Outage) -> String {
    let mark = if one.ended { "" } else { "≥ " };
    mark.to_owned() + &number::time(one.without_writes_ns)
}

/// The median outage and the worst.
fn cell(one: Option<&FailOver>) -> String {
    optional(one.and_then(FailOver::outage), |(median, worst)| {
        format!("{}, {}", outage(median), outage(worst))
    })
}

/// The bars of one store.
#[derive(Debug, Serialize)]
pub(super) struct Bars {
    name: String,
    promise: String,
    bars: Vec<Bar>,
}

#[derive(Debug, Serialize)]
struct Bar {
    /// What it stands for: `kill`.
    name: String,
    /// How long it is, in percent of the longest.
    width: f64,
    /// Where its worst is, likewise.
    worst: f64,
    text: String,
    verdict: &'static str,
    /// Whether the run's numbers are void.
    void: bool,
}

/// How long nobody could write: bars for each store, on one scale.
pub(super) fn bars(sweep: &SweepRecord) -> Vec<Bars> {
    let all = || sweep.stores.iter().flat_map(|store| &store.fail_overs);
    let worst = all().filter_map(|one| Some(one.outage()?.1.without_writes_ns));
    let longest_ns = worst.max().unwrap_or(1).max(1);
    let percent = |one: Outage| 100.0 * one.without_writes_ns as f64 / longest_ns as f64;
    { sweep.stores.iter() }
        .filter(|store| !store.fail_overs.is_empty())
        .map(|store| Bars {
            name: store.name.clone(),
            promise: store.promise.clone(),
            bars: { store.fail_overs.iter() }
                .filter_map(|one| {
                    let (median, worst) = one.outage()?;
                    Some(Bar {
                        name: one.way.clone(),
                        width: percent(median),
                        worst: percent(worst),
                        text: format!("{}, worst {}", outage(median), outage(worst)),
                        verdict: proof::word(one.verdict),
                        void: one.void,
                    })
                })
                .collect(),
        })
        .collect()
}

/// How many faults of a kind there were at least, and at most.
fn faults(sweep: &SweepRecord) -> String {
    let all = sweep.stores.iter().flat_map(|store| &store.fail_overs);
    let counts: Vec<usize> = all.map(|one| one.outages.len()).collect();
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "no".to_owned(),
    }
}

/// What the numbers mean.
pub(super) fn method(sweep: &SweepRecord) -> String {
    format!(
        "the longest time without an acknowledged write in the group of the node that went, median and \
         worst of {} faults a kind, each up to the next. Faults hit whoever takes the writes, or else \
         any node. ≥: no write ended it. Calm: the same in the second before each fault. p50 is at \
         the lowest rate; × is relative to {PLAIN}",
        faults(sweep)
    )
}
