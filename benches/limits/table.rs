//! The medians and their ratios as Markdown.

use super::load::Mix;
use super::servers::System;
use super::{
    CONNECTIONS_ARCHITECTURES, Cell, Measured, OUTSTANDING, OUTSTANDING_ARCHITECTURES, Placement,
    Results,
};

pub(crate) fn print(results: &Results) {
    for placement in Placement::ALL {
        println!("\n### {}\n", placement.name());
        against_limits(results, placement);
        println!();
        architectures(results, placement);
    }
    println!(
        "\nThousand operations a second, medians, in brackets half the distance of the quartiles in \
         percent of the median; ratios are medians of the ratios within each round."
    );
}

fn against_limits(results: &Results, placement: Placement) {
    println!(
        "| outstanding | echo | local | TCP | Redis | local / echo (≥ 0.85) | p50 µs echo, local | \
         p50 ratio at 1 (≤ 1.15) | local / Redis | server CPU µs/op echo, local | client CPU µs/op |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for outstanding in OUTSTANDING {
        let cell = |system| Cell {
            placement,
            outstanding,
            mix: Mix::Half,
            system,
        };
        let (echo, local) = (cell(System::Echo), cell(System::Local));
        let (tcp, redis) = (cell(System::Tcp), cell(System::Redis));
        let p50_ratio = if outstanding == 1 {
            ratio(results, local, echo, |measured| measured.sample.p50_us)
        } else {
            String::new()
        };
        let redis_target = match (placement, outstanding) {
            (_, 1) => " (≥ 0.6)",
            (Placement::OneCpu, 64..) => " (≥ 1.3)",
            (Placement::Unpinned, 64..) => " (≥ 1.1)",
            _ => "",
        };
        println!(
            "| {outstanding} | {} | {} | {} | {} | {} | {}, {} | {p50_ratio} | {}{} | {}, {} | {} |",
            throughput(results, echo),
            throughput(results, local),
            throughput(results, tcp),
            throughput(results, redis),
            ratio(results, local, echo, per_second),
            median_of(results, echo, |measured| Some(measured.sample.p50_us)),
            median_of(results, local, |measured| Some(measured.sample.p50_us)),
            ratio(results, local, redis, per_second),
            if results.contains_key(&redis) {
                redis_target
            } else {
                ""
            },
            median_of(results, echo, |measured| measured.server_cpu_us),
            median_of(results, local, |measured| measured.server_cpu_us),
            median_of(results, local, |measured| Some(
                measured.sample.client_cpu_us
            )),
        );
    }
}

fn architectures(results: &Results, placement: Placement) {
    println!(
        "| {CONNECTIONS_ARCHITECTURES} connections, {OUTSTANDING_ARCHITECTURES} outstanding | one node | three | three / one | target | nodes' CPU \
         µs/op one, three |"
    );
    println!("|---|---|---|---|---|---|");
    let rows = [
        (
            "bare echo: what the placement allows",
            System::Echo,
            System::Echoes,
            Mix::Half,
            "",
        ),
        (
            "sharded against local, half gets",
            System::Local,
            System::Sharded,
            Mix::Half,
            "≥ 0.9",
        ),
        (
            "replicated causal against local, gets",
            System::Local,
            System::Replicated,
            Mix::Gets,
            "≥ 0.8",
        ),
        (
            "replicated causal against local, puts",
            System::Local,
            System::Replicated,
            Mix::Puts,
            "≥ 0.4",
        ),
        (
            "quorum against local, gets",
            System::Local,
            System::Quorum,
            Mix::Gets,
            "≥ 0.4, or below",
        ),
        (
            "quorum against local, puts",
            System::Local,
            System::Quorum,
            Mix::Puts,
            "≥ 0.4, or below",
        ),
        (
            "quorum against bare servers that exchange its messages, gets",
            System::Relays,
            System::Quorum,
            Mix::Gets,
            "≥ 0.77",
        ),
        (
            "quorum against bare servers that exchange its messages, puts",
            System::Relays,
            System::Quorum,
            Mix::Puts,
            "≥ 0.77",
        ),
    ];
    for (name, one, three, mix, target) in rows {
        let cell = |system| Cell {
            placement,
            outstanding: OUTSTANDING_ARCHITECTURES,
            mix,
            system,
        };
        let (one, three) = (cell(one), cell(three));
        println!(
            "| {name} | {} | {} | {} | {target} | {}, {} |",
            throughput(results, one),
            throughput(results, three),
            ratio(results, three, one, per_second),
            median_of(results, one, |measured| measured.server_cpu_us),
            median_of(results, three, |measured| measured.server_cpu_us),
        );
    }
}

fn per_second(measured: &Measured) -> f64 {
    measured.sample.per_second
}

fn throughput(results: &Results, cell: Cell) -> String {
    let Some(rounds) = results.get(&cell) else {
        return "not installed".to_owned();
    };
    let sorted = sorted(rounds.iter().map(per_second));
    let half = (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / 2.0;
    let median = quantile(&sorted, 0.5);
    format!("{:.1} (±{:.0} %)", median / 1e3, 100.0 * half / median)
}

fn ratio(results: &Results, a: Cell, b: Cell, of: impl Fn(&Measured) -> f64) -> String {
    let (Some(a), Some(b)) = (results.get(&a), results.get(&b)) else {
        return "–".to_owned();
    };
    let ratios = sorted(a.iter().zip(b).map(|(a, b)| of(a) / of(b)));
    format!("{:.2}", quantile(&ratios, 0.5))
}

fn median_of(results: &Results, cell: Cell, of: impl Fn(&Measured) -> Option<f64>) -> String {
    let rounds = results
        .get(&cell)
        .map(|rounds| rounds.iter().filter_map(of));
    match rounds.map(sorted) {
        Some(values) if !values.is_empty() => format!("{:.1}", quantile(&values, 0.5)),
        _ => "–".to_owned(),
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Between the two nearest values, in proportion.
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of rounds")]
    let place = fraction * (sorted.len() - 1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in the slice"
    )]
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}
