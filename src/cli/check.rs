//! `kvs-bench check`: a stored history, judged again.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
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
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,

    #[command(flatten)]
    engines: EngineArgs,

    /// Prints the judgement as JSON.
    #[arg(long)]
    json: bool,
}

fn judged_by(name: &str) -> Result<JudgedBy, Failure> {
    if name == "all" {
        return Ok(JudgedBy::Ladder);
    }
    Model::from_name(name).map(JudgedBy::Model).ok_or_else(|| {
        let names: Vec<&str> = Model::ALL.iter().map(|model| model.name()).collect();
        Failure::bad_arguments(anyhow!(
            "there is no model `{name}`: --model is one of {} or all",
            names.join(", ")
        ))
    })
}

pub(super) fn main(args: &CheckArgs) -> Result<ExitStatus, Failure> {
    let budget = args.engines.budget()?;
    let judged_by = args
        .model
        .as_deref()
        .map(judged_by)
        .transpose()?
        .unwrap_or_default();
    let path = run::history_path(&args.path);
    let history = History::read(&path).map_err(Failure::bad_arguments)?;
    let report = run::check_history(&history, judged_by, args.engines.engine.into(), budget);
    if args.json {
        let json = serde_json::to_string_pretty(&report).context("cannot print the judgement")?;
        super::print(&json)?;
    } else {
        super::print(&report.to_string())?;
    }
    if matches!(report.agreement, Agreement::Disagree { .. }) {
        return Err(Failure::from(anyhow!(
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
