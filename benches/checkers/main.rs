//! How fast and in how much memory histories are read and judged, from ten thousand operations to
//! ten million.
//!
//! `cargo bench --bench checkers [-- --quick]`, or `scripts/bench-checkers.sh`. `--store ccv`,
//! `--variant valid`, `--operations 1000000`, `--sessions 50` and `--keys 1` leave the rest out.
//! Each cell is read and judged by the direct engine in a process of its own, so that its peak
//! of memory is its own too; tables of Markdown with the targets are printed at the end.
//!
//! The stores `faulted-…` are simulated, with few keys and every kind of fault, and judged as a
//! whole within the least budget that `check` gives; `no-evidence` is the same history judged by
//! what clients saw alone.

mod cell;
mod faulted;
mod generate;
mod table;

use std::path::Path;
use std::process::ExitCode;

use cell::{Form, Measured};
use faulted::System;
use generate::{Shape, Store, Variant};

const OPERATIONS: [u32; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// The sizes of `--quick`.
const OPERATIONS_QUICK: [u32; 3] = [10_000, 100_000, 1_000_000];
const SESSIONS: [u32; 4] = [8, 16, 50, 1_000];
const KEYS: [u32; 4] = [1, 1_000, 10_000, 1_000_000];
/// What is measured in every size and variant; the other shapes are measured in one size.
const MAIN_SESSIONS: u32 = 16;
const MAIN_KEYS: u32 = 1_000;
/// The size of the other shapes.
const OTHER_OPERATIONS: u32 = 1_000_000;
/// Sessions and keys of the histories under faults: those of the workload `contended`.
const FAULTED_SESSIONS: u32 = 32;
const FAULTED_KEYS: u32 = 8;
/// Steps of their workload.
const FAULTED_STEPS: [u32; 2] = [40_000, 100_000];
/// The same with `--quick`.
const FAULTED_STEPS_QUICK: [u32; 1] = [40_000];
/// The largest history that is also written and read as JSON lines.
const JSON_OPERATIONS_MAX: u32 = 1_000_000;
/// Cells up to this size are measured several times, and the median is printed.
const REPEATED_OPERATIONS_MAX: u32 = 1_000_000;
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == cell::CHILD) {
        return cell::child(&arguments[2..]);
    }
    // Run by `cargo test` as well, with `--test`: there is nothing to test here.
    if arguments.iter().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let options = Options { arguments };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut results = Vec::new();
    let shapes = shapes(&options);
    table::begin();
    for (number, shape) in shapes.iter().enumerate() {
        eprintln!("{} of {}: {shape:?}", number + 1, shapes.len());
        let measured = measure(*shape, directory.path());
        table::add(&measured);
        results.extend(measured);
    }
    table::end(&results);
    ExitCode::SUCCESS
}

/// What the command line leaves in.
struct Options {
    arguments: Vec<String>,
}

impl Options {
    fn has(&self, flag: &str) -> bool {
        self.arguments.iter().any(|argument| argument == flag)
    }

    fn allows(&self, flag: &str, value: &str) -> bool {
        let place = self.arguments.iter().position(|argument| argument == flag);
        let wanted = place.and_then(|place| self.arguments.get(place + 1));
        wanted.is_none_or(|wanted| wanted == value)
    }

    fn wants(&self, shape: &Shape) -> bool {
        self.allows("--store", shape.store.name())
            && self.allows("--variant", shape.variant.name())
            && self.allows("--operations", &shape.operations.to_string())
            && self.allows("--sessions", &shape.sessions.to_string())
            && self.allows("--keys", &shape.keys.to_string())
    }
}

/// Every size and variant of the main shape, the ends of sizes of each other shape.
fn shapes(options: &Options) -> Vec<Shape> {
    let quick = options.has("--quick");
    let sizes: &[u32] = if quick {
        &OPERATIONS_QUICK
    } else {
        &OPERATIONS
    };
    let mut shapes = Vec::new();
    for store in Store::GENERATED {
        for sessions in SESSIONS {
            for keys in KEYS {
                for variant in Variant::GENERATED {
                    for operations in sizes {
                        shapes.push(Shape {
                            store,
                            sessions,
                            keys,
                            variant,
                            operations: *operations,
                        });
                    }
                }
            }
        }
    }
    shapes.retain(|shape| {
        let main = shape.sessions == MAIN_SESSIONS && shape.keys == MAIN_KEYS;
        let other = !quick
            && shape.operations == OTHER_OPERATIONS
            && (shape.variant == Variant::Valid || shape.keys == 1);
        options.wants(shape) && (main || other || options.has("--all"))
    });
    shapes.extend(
        faulted_shapes(quick)
            .into_iter()
            .filter(|s| options.wants(s)),
    );
    shapes
}

/// Each store under faults, with its evidence if it gives any, and without.
fn faulted_shapes(quick: bool) -> Vec<Shape> {
    let steps: &[u32] = if quick {
        &FAULTED_STEPS_QUICK
    } else {
        &FAULTED_STEPS
    };
    let mut shapes = Vec::new();
    for system in System::ALL {
        for variant in [Variant::Valid, Variant::NoEvidence] {
            if variant == Variant::NoEvidence && !system.has_evidence() {
                continue;
            }
            shapes.extend(steps.iter().map(|operations| Shape {
                store: Store::Faulted(system),
                sessions: FAULTED_SESSIONS,
                keys: FAULTED_KEYS,
                variant,
                operations: *operations,
            }));
        }
    }
    shapes
}

/// Generates a history, measures it in every form and removes it.
fn measure(shape: Shape, directory: &Path) -> Vec<Measured> {
    let json = shape.operations <= JSON_OPERATIONS_MAX
        && shape.sessions == MAIN_SESSIONS
        && shape.variant == Variant::Valid;
    let forms: &[Form] = if json {
        &[Form::Arrow, Form::Json]
    } else {
        &[Form::Arrow]
    };
    cell::generate(shape, forms, directory);
    let rounds = if shape.operations <= REPEATED_OPERATIONS_MAX {
        ROUNDS
    } else {
        1
    };
    let mut results = Vec::new();
    for form in forms {
        let mut measured: Vec<Measured> = (0..rounds)
            .filter_map(|_| cell::measure(shape, *form, directory))
            .collect();
        measured.sort_by(|a, b| a.cpu_s().total_cmp(&b.cpu_s()));
        if !measured.is_empty() {
            results.push(measured.swap_remove(measured.len() / 2));
        }
        std::fs::remove_file(directory.join(form.file())).expect("the history is there");
    }
    results
}
