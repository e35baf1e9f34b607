//! What a view looks at, with a bug and without, and what it finds.

use std::num::NonZero;

use anyhow::anyhow;

use kvs_core::bug::Bug;
use kvs_harness::run::{self, Config};
use kvs_measure::shell;
use kvs_sim::{Options, SimFault, shows_at_leader};

use super::outcome::Finding;
use super::{Limits, View, model, real, sign};
use crate::recorded::recorded;
use crate::{Observer, parallel, seeds};

/// A store passes if no seed fails and at most one in so many cannot be judged.
const UNKNOWN_SEEDS_MAX: u64 = 100;

/// A store with a bug, or without one, as a view looks at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// The model that shows the bug.
    Model(Bug),
    /// A simulation, of so many seeds where that is decided.
    Sim(Box<Options>, Option<u64>),
    /// A real run.
    Real(Box<Config>),
}

impl Target {
    /// What must show this bug; none when the view cannot.
    pub(super) fn new(view: View, bug: Bug) -> Option<Self> {
        if view == View::Model {
            return bug.facts().model.then_some(Self::Model(bug));
        }
        let mut target = Self::unbroken(view, bug)?;
        match &mut target {
            Self::Model(_) => {}
            Self::Sim(options, _) => options.bug = Some(bug),
            Self::Real(config) => config.bug = Some(bug),
        }
        Some(target)
    }

    /// The same without the bug. None when the view cannot show the bug, and none for models, which
    /// the tests explore to the end without a bug.
    pub(super) fn unbroken(view: View, bug: Bug) -> Option<Self> {
        let facts = bug.facts();
        if !view.must_catch(facts) {
            return None;
        }
        match view {
            View::Model => None,
            View::Sim => {
                let mut options =
                    Options::new(facts.store.into(), facts.lattice.unwrap_or_default());
                options.at_leader = shows_at_leader(bug);
                Some(Self::Sim(Box::new(options), None))
            }
            View::Real => Some(Self::Real(Box::new(real::unbroken(bug)))),
        }
    }

    /// The same within these limits.
    pub(super) fn within(mut self, limits: &Limits) -> Self {
        if let Self::Sim(options, seeds) = &mut self {
            *seeds = Some(limits.seeds);
            options.without.clone_from(&limits.without);
        }
        self
    }

    /// The command that looks at it, quoted for a shell.
    pub(super) fn command(&self) -> String {
        match self {
            Self::Model(bug) => shell::command(model::PROGRAM, model::arguments(*bug)),
            Self::Sim(options, seeds) => seeds::command(options, *seeds),
            Self::Real(config) => config.command(),
        }
    }

    /// Looks. None when it was interrupted.
    pub(super) fn look(&self, limits: &Limits, observer: &mut dyn Observer) -> Option<Finding> {
        let found = match self {
            Self::Model(bug) => model::explored(*bug).map(Some),
            Self::Sim(options, _) => Ok(Some(simulated(options, limits.seeds, observer))),
            Self::Real(config) => self.ran(config, limits, observer),
        };
        found.unwrap_or_else(|error| {
            Some(Finding::Failed {
                reason: run::one_line(&error),
            })
        })
    }

    /// Runs the store as `kvs-bench run` does. None when it was interrupted.
    fn ran(
        &self,
        config: &Config,
        limits: &Limits,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<Option<Finding>> {
        let config = Config {
            // Where the results go is of no interest to who runs it again.
            given: Some(self.command()),
            results: limits.results.clone(),
            versions: limits.versions.clone(),
            ..config.clone()
        };
        let Some(record) = recorded(&config, "the run", observer)? else {
            return Ok(None);
        };
        if record.verdict.disagreement {
            return Err(anyhow!(
                "the engines disagree: one of the checkers has a bug"
            ));
        }
        let to_spare = config.architecture.kind().facts().memories_to_spare();
        Ok(Some(sign::finding(&record, config.durability, to_spare)))
    }
}

/// Simulates it, seed after seed, until one is not valid.
fn simulated(options: &Options, seeds: u64, observer: &mut dyn Observer) -> Finding {
    let jobs: NonZero<usize> = parallel::jobs(None);
    let search = seeds::search(options, seeds, jobs, observer);
    let unknown = search.unknown;
    match search.failure {
        Some((seed, how)) => Finding::Broken {
            how,
            seeds: Some(seed + 1),
        },
        None if !search.never_came.is_empty() => Finding::Unknown {
            reason: format!("never came: {}", names(&search.never_came)),
        },
        None if unknown > seeds / UNKNOWN_SEEDS_MAX => Finding::Unknown {
            reason: format!("{unknown} of {seeds} seeds could not be judged"),
        },
        None => Finding::Kept { unknown },
    }
}

/// The names of these kinds of fault.
fn names(faults: &[SimFault]) -> String {
    let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
    names.join(", ")
}
