//! `kvs-bench check`: a stored history, judged again.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::checker::{Agreement, JudgedBy, Model, Outcome};
use crate::history::History;
use crate::run;

use super::{EngineArgs, ExitStatus, Failure};

/// The arguments of `kvs-bench check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A run directory, or a history: an Arrow stream or JSON lines (docs/history-schema.md).
    #[arg(value_name = "PATH", default_value = "results/latest")]
    path: PathBuf,

    /// The model that decides the verdict instead of what the header promises: linearizable,
    /// sequential, causal, cc, ccv, lww, eventual, ryw, mr, mw or wfr; or `all`, which leaves it to
    /// the promise, or, without one, to the strongest model that applies.
    #[arg(long, value_name = "MODEL", value_parser = judged_by)]
    model: Option<JudgedBy>,

    #[command(flatten)]
    engines: EngineArgs,

    /// Prints the judgement as JSON.
    #[arg(long)]
    json: bool,
}

fn judged_by(name: &str) -> Result<JudgedBy, String> {
    if name == "all" {
        return Ok(JudgedBy::Ladder);
    }
    Model::from_name(name).map(JudgedBy::Model).ok_or_else(|| {
        let names: Vec<&str> = Model::ALL.iter().map(|model| model.name()).collect();
        format!("it is one of {} or all", names.join(", "))
    })
}

pub(super) fn main(args: &CheckArgs) -> Result<ExitStatus, Failure> {
    let budget = args.engines.budget()?;
    let path = run::history_path(&args.path);
    let history = History::read(&path).map_err(Failure::bad_arguments)?;
    let judged_by = args.model.unwrap_or_default();
    let report = run::check_history(&history, judged_by, args.engines.engine.into(), budget);
    if args.json {
        let json = serde_json::to_string_pretty(&report).context("cannot print the judgement")?;
        super::print(&json)?;
    } else {
        super::print(&report.to_string())?;
    }
    if matches!(report.agreement, Agreement::Disagree { .. }) {
        return Err(Failure::from(anyhow::anyhow!(
            "the engines disagree, so one of the checkers has a bug: keep {} and report it with \
             the lines above",
            path.display()
        )));
    }
    Ok(match report.outcome() {
        Outcome::Valid => ExitStatus::Valid,
        Outcome::Invalid => ExitStatus::Invalid,
        Outcome::Unknown => ExitStatus::Unknown,
    })
}
