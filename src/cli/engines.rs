//! What the command line says about the engines that judge.

use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::checker::Engine;
use crate::run::CheckBudget;
use crate::workload::humane;

use super::Failure;
use super::choice::{Choice, choice};
use super::run::usual;

/// Which engines judge a history, and for how long.
#[derive(Debug, clap::Args)]
pub(super) struct EngineArgs {
    /// Which engines judge.
    #[arg(long, value_parser = choice::<Engine>(), default_value = usual().engine.word(),
          help_heading = "Judgement")]
    pub(super) engine: Engine,

    /// How many seconds the second engine, stateright, may search.
    #[arg(long, value_name = "SECONDS", default_value_t = usual().budget.as_secs_f64(),
          allow_negative_numbers = true, help_heading = "Judgement")]
    budget: f64,

    /// How long the direct engine may check, such as 60s. `none` sets no limit. What is not decided
    /// by then is unknown. [default: as long as the run took, at least 20s]
    #[arg(long, value_name = "TIME", help_heading = "Judgement")]
    check_budget: Option<String>,
}

impl EngineArgs {
    /// The second engine's budget.
    pub(super) fn budget(&self) -> Result<Duration, Failure> {
        Duration::try_from_secs_f64(self.budget).map_err(|_| {
            Failure::bad_arguments(anyhow!(
                "--budget is a number of seconds, such as 2.5, not {}",
                self.budget
            ))
        })
    }

    /// The first engine's budget.
    pub(super) fn check_budget(&self) -> Result<CheckBudget, Failure> {
        match self.check_budget.as_deref() {
            None => Ok(CheckBudget::AsTheRun),
            Some("none") => Ok(CheckBudget::Unlimited),
            Some(text) => humane::parse_duration(text)
                .map(CheckBudget::Time)
                .with_context(|| format!("--check-budget is a time such as 60s, or none: {text:?}"))
                .map_err(Failure::bad_arguments),
        }
    }
}
