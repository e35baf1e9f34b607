//! The results as Markdown tables.

use crate::cell::{Answer, Form, Measured};
use crate::generate::{Store, Variant};

/// The targets that a plain implementation on the machine of numbers.md sets, for valid
/// histories of one million operations, reading included.
fn target(measured: &Measured) -> Option<&'static str> {
    let shape = &measured.shape;
    if shape.operations != 1_000_000 || measured.form != Form::Arrow {
        return None;
    }
    match (shape.store, shape.sessions) {
        (Store::Linearizable, _) => Some("0.5 s, 150 MB"),
        (_, 16) => Some("1.5 s of CPU, 200 MB"),
        (_, 1_000) => Some("20 s"),
        (_, _) => None,
    }
}

/// Begins the first table.
pub(crate) fn begin() {
    println!("\n### Reading from Arrow and judging, direct engine\n");
    println!(
        "| store | history | operations | sessions | keys | read, s of CPU | check, s of CPU | \
         both, s | ns an operation | peak MB | verdict | target |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|");
}

/// Adds the rows of one cell to the first table: a run that is stopped has shown what it measured.
pub(crate) fn add(measured: &[Measured]) {
    for measured in measured.iter().filter(|m| m.form == Form::Arrow) {
        let (shape, cost) = (&measured.shape, &measured.cost);
        let verdict = match cost.answer {
            Answer::Right => "right",
            Answer::Wrong => "WRONG",
            Answer::Unknown => "unknown",
            Answer::None => "no such check",
        };
        println!(
            "| {} | {} | {} | {} | {} | {:.3} | {:.3} | {:.3} | {:.0} | {:.0} | {verdict} | {} |",
            shape.store.name(),
            shape.variant.name(),
            cost.operations,
            shape.sessions,
            shape.keys,
            cost.read_cpu_s,
            cost.check_cpu_s,
            cost.read_wall_s + cost.check_wall_s,
            each_ns(measured),
            cost.peak_mb,
            target(measured).unwrap_or_default()
        );
    }
}

/// Prints the tables that compare cells.
pub(crate) fn end(results: &[Measured]) {
    growth(results);
    reading(results);
}

/// CPU time an operation.
fn each_ns(measured: &Measured) -> f64 {
    measured.cpu_s() * 1e9 / measured.cost.operations as f64
}

/// Time an operation at the largest size against that at 100,000.
fn growth(results: &[Measured]) {
    println!("\n### CPU time an operation, against 100,000 operations (target: at most 1.5)\n");
    println!("| store | history | sessions | keys | operations | ratio |");
    println!("|---|---|--:|--:|--:|--:|");
    for measured in results.iter().filter(|m| m.form == Form::Arrow) {
        let shape = measured.shape;
        let mut small = shape;
        small.operations = 100_000;
        let base = results
            .iter()
            .find(|m| m.form == Form::Arrow && m.shape == small);
        if let Some(base) = base.filter(|_| shape.operations > small.operations) {
            println!(
                "| {} | {} | {} | {} | {} | {:.2} |",
                shape.store.name(),
                shape.variant.name(),
                shape.sessions,
                shape.keys,
                shape.operations,
                each_ns(measured) / each_ns(base)
            );
        }
    }
}

fn reading(results: &[Measured]) {
    println!("\n### Reading alone, operations a second of CPU\n");
    println!("| store | operations | keys | form | million a second | target |");
    println!("|---|--:|--:|---|--:|--:|");
    let valid = |m: &&Measured| m.shape.variant == Variant::Valid && m.shape.sessions == 16;
    for measured in results.iter().filter(valid) {
        let shape = &measured.shape;
        let target = match measured.form {
            Form::Arrow => 5,
            Form::Json => 1,
        };
        println!(
            "| {} | {} | {} | {} | {:.2} | {target} |",
            shape.store.name(),
            shape.operations,
            shape.keys,
            measured.form.name(),
            f64::from(shape.operations) / measured.cost.read_cpu_s / 1e6
        );
    }
}
