//! The arguments that every command with simulations takes.

use std::num::NonZero;

use clap::Args;

use crate::bug::Bug;
use crate::campaign::parallel;

use super::Failure;
use super::bugs::named;

/// The arguments that every command with simulations takes.
#[derive(Debug, Args)]
pub(super) struct SimulatedArgs {
    /// Plants a known mistake in the store. `kvs-bench bugs` lists them.
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,

    /// How many simulations run at once. [default: as many as there are cores]
    #[arg(long, value_name = "COUNT")]
    jobs: Option<NonZero<usize>>,
}

impl SimulatedArgs {
    /// The bug, if there is to be one.
    pub(super) fn bug(&self) -> Result<Option<Bug>, Failure> {
        self.bug.as_deref().map(named).transpose()
    }

    /// How many run at once.
    pub(super) fn jobs(&self) -> NonZero<usize> {
        parallel::jobs(self.jobs)
    }
}
