//! `kvs-bench report`: the result screen of a finished run again, from its directory alone.

use std::path::PathBuf;

use clap::Args;

use crate::measure::{RunRecord, VerdictWord};
use crate::report;

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The run directory, such as results/latest.
    #[arg(value_name = "DIR", default_value = "results/latest")]
    directory: PathBuf,

    /// Prints the run record as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &ReportArgs) -> Result<ExitStatus, Failure> {
    let record = report::load(&args.directory).map_err(Failure::bad_arguments)?;
    if args.json {
        super::print(&record.to_json())?;
    } else {
        super::print(&report::text(&record))?;
    }
    Ok(exit_status(&record))
}

/// How a run with this record ends: by its verdict; a valid run whose numbers are void is unknown.
/// Engines that disagree are the harness's mistake, whatever the verdicts; a nemesis that failed is
/// so unless the store broke its promise all the same.
pub(super) fn exit_status(record: &RunRecord) -> ExitStatus {
    if record.verdict.disagreement {
        return ExitStatus::HarnessFailure;
    }
    match record.verdict.verdict {
        VerdictWord::Valid | VerdictWord::Unknown if !record.faults.failures.is_empty() => {
            ExitStatus::HarnessFailure
        }
        VerdictWord::Valid if record.void.is_empty() => ExitStatus::Valid,
        VerdictWord::Invalid => ExitStatus::Invalid,
        VerdictWord::Valid | VerdictWord::Unknown => ExitStatus::Unknown,
    }
}
