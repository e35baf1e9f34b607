//! `kvs-bench sim`: simulates many seeds at once. It shows a seed that fails with the command that
//! replays it.

mod arguments;
mod screen;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::campaign::seeds;
use crate::history::write_json_lines;
use crate::sim::{self, Options, Plan, SimVerdict, Simulated};

use super::progress::Screen;
use super::{ExitStatus, Failure};

pub(super) use arguments::{SimArgs, faults};
use screen::Summary;

/// Simulates, and prints the result.
pub(super) fn main(args: &SimArgs) -> Result<ExitStatus, Failure> {
    let options = args.options()?;
    let range = args.seeds()?;
    if args.trace() {
        return trace(range.start, &options);
    }
    let start = Instant::now();
    let ran = seeds::run(&options, range.clone(), args.jobs(), &mut Screen::default());
    let seconds = start.elapsed().as_secs_f64();
    let mut summary = Summary::new(&options, range, args.jobs(), seconds, ran);
    let failed = summary.first_failure();
    let failed = failed.map(|(seed, verdict)| (seed, verdict.is_failure()));
    if let Some((seed, true)) = failed
        && args.shrink()
    {
        let smaller = seeds::quietly(|| sim::shrink(seed, &options));
        summary.set_shrunk(seeds::replay(seed, &smaller));
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

/// Prints all that happens in one seed, and its verdict.
fn trace(seed: u64, options: &Options) -> Result<ExitStatus, Failure> {
    let (_, outcome) = traced(seed, options);
    let trace = outcome.trace.unwrap_or_default();
    super::print(&format!("{trace}{}", outcome.verdict))?;
    Ok(match outcome.verdict {
        SimVerdict::Valid => ExitStatus::Valid,
        SimVerdict::Unknown { .. } => ExitStatus::Unknown,
        SimVerdict::Invalid { .. } | SimVerdict::Liveness { .. } | SimVerdict::Crash { .. } => {
            ExitStatus::Invalid
        }
    })
}

fn traced(seed: u64, options: &Options) -> (Plan, Simulated) {
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
