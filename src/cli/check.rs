//! `kvs-bench check`: a stored history, judged again.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::checker::Outcome;
use crate::history::{History, Promise};
use crate::run;

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A run directory, or a history: an Arrow stream or JSON lines (docs/history-schema.md).
    #[arg(value_name = "PATH", default_value = "results/latest")]
    path: PathBuf,

    /// What to hold it to, instead of what its header promises.
    #[arg(long, value_enum)]
    model: Option<Model>,

    /// How many seconds the second engine (stateright) may search for its verdict.
    #[arg(long, value_name = "SECONDS", default_value_t = super::BUDGET_SECONDS,
          allow_negative_numbers = true)]
    budget: f64,

    /// Prints every kind of anomaly with its count, and the first few of each with the operations
    /// that prove them; without it the first of each broken property is printed.
    #[arg(long, conflicts_with = "json")]
    explain: bool,

    /// Prints the judgement as JSON.
    #[arg(long)]
    json: bool,
}

/// What a history can be held to.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Model {
    /// Every key is a linearizable register.
    Linearizable,
    /// Causal, with concurrent puts kept as siblings, session guarantees and convergence.
    Causal,
    /// A last-write-wins register, and convergence.
    Lww,
}

pub(super) fn main(args: &CheckArgs) -> Result<ExitStatus, Failure> {
    let budget = super::budget(args.budget)?;
    let path = run::history_path(&args.path);
    let history = History::read(&path).map_err(Failure::bad_arguments)?;
    let promise = args.model.map(|model| match model {
        Model::Linearizable => Promise::Linearizable,
        Model::Causal => Promise::Causal,
        Model::Lww => Promise::Lww,
    });
    let report = run::check_history(&history, promise, budget);
    if args.json {
        let json = serde_json::to_string_pretty(&report).context("cannot print the judgement")?;
        super::print(&json)?;
    } else if args.explain {
        super::print(&report.explained().to_string())?;
    } else {
        super::print(&report.to_string())?;
    }
    Ok(match report.outcome() {
        Outcome::Valid => ExitStatus::Valid,
        Outcome::Invalid => ExitStatus::Invalid,
        Outcome::Unknown => ExitStatus::Unknown,
    })
}
