//! `kvs-bench sim`: many seeds at once, each a world of its own; a seed that fails is shown with
//! the command that replays it.

mod arguments;
mod screen;
mod seeds;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::history::write_json_lines;
use crate::sim::{self, Counters, Options, Outcome, Plan, Verdict};

use super::{ExitStatus, Failure};

use arguments::command;
pub(super) use arguments::{SimArgs, faults};
use screen::{SEEDS_WITH_EVERY_FAULT, Summary};

/// How many seeds run before a failure is looked for; twice as many the next time.
const BATCH_FIRST: u64 = 8;

/// Simulates, and prints the result.
pub(super) fn main(args: &SimArgs) -> Result<ExitStatus, Failure> {
    let options = args.options()?;
    let range = args.seeds()?;
    if args.trace() {
        return trace(range.start, &options);
    }
    let start = Instant::now();
    let ran = quietly(|| seeds::run(&options, range.clone(), args.jobs()));
    let seconds = start.elapsed().as_secs_f64();
    let mut summary = Summary::new(&options, range, args.jobs(), seconds, ran);
    let failed = summary.first_failure();
    let failed = failed.map(|(seed, verdict)| (seed, verdict.is_failure()));
    if let Some((seed, true)) = failed
        && args.shrink()
    {
        let smaller = quietly(|| sim::shrink(seed, &options));
        summary.set_shrunk(command(seed, &smaller));
    }
    if args.json() {
        super::print(&summary.to_json()?)?;
    } else {
        super::print(&summary.to_string())?;
    }
    if let (Some((seed, _)), Some(directory)) = (failed, args.out()) {
        keep(directory, seed, &options)?;
    }
    Ok(summary.exit_status())
}

/// What came of a search for a seed that fails.
#[derive(Debug)]
pub(super) struct Search {
    /// The first seed that fails, and in which way.
    pub(super) failure: Option<(u64, String)>,
    /// How many seeds were simulated and could not be judged.
    pub(super) unknown: u64,
    /// Kinds of fault that never came, though there were seeds enough for each.
    pub(super) never_came: Vec<&'static str>,
}

/// Simulates what the arguments ask for, but seed after seed from 0 to `seeds`, and only until one
/// fails.
pub(super) fn search(args: &SimArgs, seeds: u64) -> Result<Search, Failure> {
    let options = args.options()?;
    let mut unknown = 0;
    let mut counters = Counters::default();
    let mut batch = BATCH_FIRST;
    let mut from = 0;
    while from < seeds {
        let to = from.saturating_add(batch).min(seeds);
        for ran in quietly(|| seeds::run(&options, from..to, args.jobs())) {
            if ran.verdict.is_failure() {
                let failure = Some((ran.seed, ran.verdict.way()));
                return Ok(Search {
                    failure,
                    unknown,
                    never_came: Vec::new(),
                });
            }
            counters.add(&ran.counters);
            unknown += u64::from(ran.verdict != Verdict::Valid);
        }
        (from, batch) = (to, batch.saturating_mul(2));
    }
    let never_came = if seeds < SEEDS_WITH_EVERY_FAULT {
        Vec::new()
    } else {
        options.never_came(&counters)
    };
    Ok(Search {
        failure: None,
        unknown,
        never_came: never_came.iter().map(|fault| fault.name()).collect(),
    })
}

/// Does it without printing what panics say: a panic of the store is a result, which is printed
/// with its seed.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let done = work();
    std::panic::set_hook(hook);
    done
}

/// Prints all that happens in one seed, and its verdict.
fn trace(seed: u64, options: &Options) -> Result<ExitStatus, Failure> {
    let (_, outcome) = traced(seed, options);
    let trace = outcome.trace.unwrap_or_default();
    super::print(&format!("{trace}{}", outcome.verdict))?;
    Ok(match outcome.verdict {
        Verdict::Valid => ExitStatus::Valid,
        Verdict::Unknown { .. } => ExitStatus::Unknown,
        Verdict::Invalid { .. } | Verdict::Liveness { .. } | Verdict::Crash { .. } => {
            ExitStatus::Invalid
        }
    })
}

fn traced(seed: u64, options: &Options) -> (Plan, Outcome) {
    let plan = Plan::draw(
        seed,
        &Options {
            trace: true,
            ..options.clone()
        },
    );
    let outcome = sim::run(&plan);
    (plan, outcome)
}

/// Keeps what a seed did.
fn keep(directory: &Path, seed: u64, options: &Options) -> Result<(), Failure> {
    let (plan, outcome) = traced(seed, options);
    let kept = || -> anyhow::Result<()> {
        std::fs::create_dir_all(directory)?;
        let plan = serde_json::to_string_pretty(&plan)?;
        std::fs::write(directory.join("plan.json"), plan)?;
        let mut history = Vec::new();
        write_json_lines(&outcome.history, &mut history)?;
        std::fs::write(directory.join("history.jsonl"), history)?;
        if let Some(trace) = &outcome.trace {
            std::fs::write(directory.join("trace.txt"), trace)?;
        }
        Ok(())
    };
    kept()
        .with_context(|| format!("cannot keep the failing seed in {}", directory.display()))
        .map_err(Failure::from)
}
