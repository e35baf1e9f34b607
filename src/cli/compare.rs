//! `kvs-bench compare`: whether two runs, or two sets of repeated runs, differ.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};

use crate::measure::RunRecord;
use crate::report::compare::{self, Answer, Comparison, Thresholds};

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench compare`.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The old runs: a run directory, or a directory of repeated runs.
    #[arg(value_name = "A")]
    a: PathBuf,

    /// The new runs, in the same form.
    #[arg(value_name = "B", required_unless_present = "aa")]
    b: Option<PathBuf>,

    /// Measures false alarms instead of comparing A with B: how often runs of A are called
    /// different from other runs of A that ran between them. Each round gives one run to either
    /// side.
    #[arg(long, value_name = "ROUNDS", conflicts_with_all = ["b", "ci", "output", "gate"])]
    aa: Option<u16>,

    /// The form of the output.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// The file to write to, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Also writes summary.md, compare.html, benchmark-*.json for github-action-benchmark,
    /// bencher.json and junit.xml into this directory.
    #[arg(long, value_name = "DIR")]
    ci: Option<PathBuf>,

    /// Ends with exit status 1 if something is certainly and largely worse in B, or a run of B
    /// broke its promise. With or without it, the status is 2 if something was not decided: a run
    /// is void or partial, a verdict is unknown, there are too few runs, the machines differ, or
    /// something is missing on one side.
    #[arg(long)]
    gate: bool,

    /// From how many percent on a difference counts as large.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    large: f64,

    /// The p-value below which a difference is certain. It is corrected for the number of measures.
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    certain: f64,
}

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal.
    Text,
    /// For the summary of a CI job.
    Markdown,
    /// A self-contained page with the curves of both in one picture.
    Html,
    /// Everything, for other programs.
    Json,
}

pub(super) fn main(args: &CompareArgs) -> Result<ExitStatus, Failure> {
    let in_range = (0.0..=1000.0).contains(&args.large) && (0.0..=1.0).contains(&args.certain);
    if !in_range {
        let error = anyhow!("--large is a percentage and --certain a probability from 0 to 1");
        return Err(Failure::bad_arguments(error));
    }
    let settings = Thresholds {
        large: args.large / 100.0,
        certain: args.certain,
    };
    let load = |path: &Path| compare::load_runs(path).map_err(Failure::bad_arguments);
    let a = load(&args.a)?;
    if let Some(rounds) = args.aa {
        return alarms(&a.runs, rounds, settings);
    }
    let b = load(args.b.as_ref().expect("clap requires it without --aa"))?;
    let comparison = compare::compare(&a, &b, settings);
    let text = written(&comparison, args.format)?;
    match &args.output {
        Some(path) => write(path, &text)?,
        None => super::print(&text)?,
    }
    if let Some(directory) = &args.ci {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        write(
            &directory.join("summary.md"),
            &compare::markdown(&comparison),
        )?;
        write(
            &directory.join("compare.html"),
            &written(&comparison, Format::Html)?,
        )?;
        for file in compare::ci_files(&comparison) {
            write(&directory.join(file.name), &file.contents)?;
        }
    }
    Ok(exit_status(&comparison, args.gate))
}

/// How a comparison ends: only a gate refuses, and what was not decided is never green.
fn exit_status(comparison: &Comparison, gate: bool) -> ExitStatus {
    match comparison.answer() {
        Answer::Green => ExitStatus::Valid,
        Answer::Undecided => ExitStatus::Unknown,
        Answer::Refused if gate => ExitStatus::Invalid,
        Answer::Refused if comparison.gaps.is_empty() => ExitStatus::Valid,
        Answer::Refused => ExitStatus::Unknown,
    }
}

/// Prints how often runs of the same are called different.
fn alarms(runs: &[RunRecord], rounds: u16, settings: Thresholds) -> Result<ExitStatus, Failure> {
    let alarms = compare::false_alarms(runs, usize::from(rounds), settings).ok_or_else(|| {
        let few = runs.len();
        Failure::bad_arguments(anyhow!(
            "{rounds} rounds take twice as many runs, and there are {few}"
        ))
    })?;
    let percent = |count: u32| f64::from(count) * 100.0 / f64::from(compare::TRIALS);
    super::print(&format!(
        "{} comparisons of {rounds} with {rounds} runs of the same, out of {}: a change was called certain in {} \
         ({:.1} %), and refused by the gate in {} ({:.1} %)",
        compare::TRIALS,
        runs.len(),
        alarms.certain,
        percent(alarms.certain),
        alarms.refused,
        percent(alarms.refused)
    ))?;
    Ok(ExitStatus::Valid)
}

fn written(comparison: &Comparison, format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Text => compare::text(comparison),
        Format::Markdown => compare::markdown(comparison),
        Format::Html => compare::page(comparison).map_err(Failure::bad_arguments)?,
        Format::Json => compare::json(comparison),
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .with_context(|| format!("cannot write {}", path.display()))
        .map_err(Failure::from)
}
