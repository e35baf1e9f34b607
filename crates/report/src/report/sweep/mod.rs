//! Latency against offered load, store by store: what consistency costs.

mod bars;
mod fail_over;
mod page;
mod record;
#[cfg(test)]
mod tests;

pub use fail_over::{Course, FailOver, Outage};
pub use page::page;
pub use record::{
    Best, SWEEP_FILE, SWEEP_PAGE, SWEEP_VERSION, Sought, StoreSweep, SweepRecord, Try,
};

use super::layout::{labelled, table};
use super::number::{self, optional};
use super::proof;

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
        proof::word(store.verdict()).to_owned(),
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
        proof::word(one.verdict).to_owned(),
    ]
}

/// Whether a rate was kept up with, or why nobody can tell.
fn kept_up(one: &Try) -> String {
    if one.is_spoiled() {
        // Why stands below the table of the stores.
        return "void".to_owned();
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
    for store in &sweep.stores {
        let label = if store.is_void() { "VOID" } else { "Void" };
        let notice = store.void_notice();
        lines.extend(notice.iter().flat_map(|notice| labelled(label, notice)));
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
    if bars::is_wanted(sweep) {
        lines.push(String::new());
        lines.extend(labelled(
            "Fail-over",
            "for how long nobody could write when a node went",
        ));
        lines.extend(table(&bars::header(sweep), bars::rows(sweep)));
        lines.extend(labelled("", &bars::method(sweep)));
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
