//! `kvs-bench report`: the result screen of a finished run again, from its directory alone.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::measure::{RunRecord, VerdictWord};
use crate::report::sweep::{self, SWEEP_FILE, SWEEP_PAGE, SweepRecord};
use crate::report::{self, html};

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The directory of a run or of a sweep, such as results/latest.
    #[arg(value_name = "DIR", default_value = "results/latest")]
    directory: PathBuf,

    /// Prints the run record as JSON.
    #[arg(long)]
    json: bool,

    /// Makes the directory's report.html again, and prints its path.
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

pub(super) fn main(args: &ReportArgs) -> Result<ExitStatus, Failure> {
    if args.directory.join(SWEEP_FILE).exists() {
        return report_sweep(args);
    }
    let record = report::load(&args.directory).map_err(Failure::bad_arguments)?;
    if args.html {
        let page = write_page(&record).context("cannot make the page")?;
        super::print(&page.display().to_string())?;
    } else if args.json {
        super::print(&record.to_json())?;
    } else {
        super::print(&report::text(&record))?;
    }
    Ok(exit_status(&record))
}

/// The result of a sweep again.
fn report_sweep(args: &ReportArgs) -> Result<ExitStatus, Failure> {
    let path = args.directory.join(SWEEP_FILE);
    let json = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::bad_arguments)?;
    let swept: SweepRecord = serde_json::from_str(&json)
        .with_context(|| format!("{} is not a sweep of this version", path.display()))
        .map_err(Failure::bad_arguments)?;
    if args.html {
        let path = args.directory.join(SWEEP_PAGE);
        fs::write(&path, sweep::page(&swept))
            .with_context(|| format!("cannot write {}", path.display()))?;
        super::print(&path.display().to_string())?;
    } else if args.json {
        super::print(&json)?;
    } else {
        super::print(&sweep::text(&swept))?;
    }
    Ok(super::sweep::exit_status(&swept))
}

/// Makes the page of a run in its directory, and says where it is.
pub(super) fn write_page(record: &RunRecord) -> anyhow::Result<PathBuf> {
    let directory = PathBuf::from(&record.directory);
    let page = html::run_page(record, &directory)?;
    let path = directory.join(html::RUN_PAGE);
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// How a run with this record ends. Its verdict decides, but a valid run whose numbers are void is
/// unknown. When engines disagree the harness has failed, whatever the verdicts. When the nemesis
/// failed the harness has failed too, unless the store broke its promise. A run that missed an
/// objective has failed. If nobody can tell about an objective, the run is unknown.
pub(super) fn exit_status(record: &RunRecord) -> ExitStatus {
    if record.verdict.disagreement {
        return ExitStatus::HarnessFailure;
    }
    let has = |met| {
        record
            .objectives
            .iter()
            .any(|objective| objective.met == met)
    };
    let missed = has(Some(false));
    let usable = record.void.is_empty() && !has(None);
    match record.verdict.verdict {
        VerdictWord::Valid if missed && record.faults.failures.is_empty() => ExitStatus::Invalid,
        VerdictWord::Valid | VerdictWord::Unknown if !record.faults.failures.is_empty() => {
            ExitStatus::HarnessFailure
        }
        VerdictWord::Valid if usable => ExitStatus::Valid,
        VerdictWord::Invalid => ExitStatus::Invalid,
        VerdictWord::Valid | VerdictWord::Unknown => ExitStatus::Unknown,
    }
}
