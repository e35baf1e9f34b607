//! `kvs-bench bugs`: the planted bugs, and whether the three views catch them.

mod listing;
mod outcome;
mod views;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::bug::{Bug, Facts};

use super::{ExitStatus, Failure};
use outcome::{Hunt, Look};
use views::{Limits, Target};

/// Every bug, as `bugs run` takes it.
const ALL: &str = "all";

/// How many seeds are simulated, unless told otherwise.
const SEEDS: u64 = 1_000;

/// The arguments of `kvs-bench bugs`.
#[derive(Debug, Args)]
pub(super) struct BugsArgs {
    #[command(subcommand)]
    command: Option<BugsCommand>,
}

#[derive(Debug, Subcommand)]
enum BugsCommand {
    /// List the planted bugs, the views that must catch each, and the commands for it (the
    /// default).
    List,
    /// Have a bug caught, or all of them in turn.
    ///
    /// The exit status is 1 if a view misses a bug that it must catch. With `all` the same stores
    /// also run without a bug, and must be valid.
    Run(RunArgs),
}

/// The arguments of `kvs-bench bugs run`.
#[derive(Debug, Args)]
struct RunArgs {
    /// The bug, or all of them.
    #[arg(value_name = "NAME|all")]
    name: String,

    /// Where to look, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "VIEWS",
          default_values_t = View::ALL)]
    view: Vec<View>,

    /// How many seeds are simulated at most. Without a bug it is exactly so many.
    #[arg(long, value_name = "COUNT", default_value_t = SEEDS,
          value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,

    /// Kinds of fault that are not simulated, separated by commas. This shows which ones a bug
    /// needs.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    without: Vec<String>,

    /// The directory that keeps those of real runs. Without it they are deleted.
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Prints what was found as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// A way to look at the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum View {
    /// Every interleaving of a small cluster, by kvs-models.
    Model,
    /// Clusters in virtual time, under faults, seed after seed.
    Sim,
    /// Processes on this machine, as `kvs-bench run` starts them.
    Real,
}

impl View {
    const ALL: [Self; 3] = [Self::Model, Self::Sim, Self::Real];

    const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Sim => "sim",
            Self::Real => "real",
        }
    }

    /// Whether it must catch a bug of which this is known.
    const fn must_catch(self, facts: &Facts) -> bool {
        match self {
            Self::Model => facts.model,
            Self::Sim => facts.sim,
            Self::Real => facts.real.is_some(),
        }
    }
}

pub(super) fn main(args: &BugsArgs) -> Result<ExitStatus, Failure> {
    match &args.command {
        None | Some(BugsCommand::List) => {
            super::print(&listing::text())?;
            Ok(ExitStatus::Valid)
        }
        Some(BugsCommand::Run(args)) => run(args),
    }
}

/// How alike two names have to be, from 0 to 1, for one to be a slip of the other.
const ALIKE_MIN: f64 = 0.5;

/// The bug of this name.
pub(super) fn named(name: &str) -> Result<Bug, Failure> {
    Bug::from_name(name).ok_or_else(|| {
        let likeness = |known: &str| strsim::normalized_damerau_levenshtein(known, name);
        let alike = { Bug::ALL.iter() }
            .map(|bug| bug.name())
            .filter(|known| likeness(known) >= ALIKE_MIN);
        let nearest = alike.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let meant = nearest.map_or_else(String::new, |it| format!(": did you mean {it:?}?"));
        Failure::bad_arguments(anyhow!(
            "there is no planted bug {name:?}{meant} (`kvs-bench bugs` lists them)"
        ))
    })
}

fn run(args: &RunArgs) -> Result<ExitStatus, Failure> {
    let bugs = match args.name.as_str() {
        ALL => Bug::ALL.to_vec(),
        name => vec![named(name)?],
    };
    super::sim::faults(&args.without).map_err(Failure::bad_arguments)?;
    let mut views = args.view.clone();
    views.sort_unstable();
    views.dedup();
    // Deleted when dropped.
    let scratch = tempfile::tempdir().context("making a directory for the results of real runs")?;
    let limits = Limits {
        seeds: args.seeds,
        without: &args.without,
        results: args.results.as_deref().unwrap_or_else(|| scratch.path()),
    };
    let mut hunt = Hunt::new(&bugs, &views);
    // None when it was interrupted: what was found until then is printed.
    let _ = look(&mut hunt, args.name == ALL, &limits);
    if args.json {
        let json = serde_json::to_string_pretty(&hunt.to_json());
        super::print(&json.context("cannot print what was found")?)?;
    } else {
        super::print(&hunt.to_string())?;
    }
    Ok(hunt.exit_status())
}

/// Looks for every bug through every view, and with `unbroken` at the same stores without a bug.
/// None when it was interrupted.
///
/// View after view, and real runs last: they listen to Ctrl-C in their own way, and from the first
/// of them on nothing else does. Before that it ends the program at once.
fn look(hunt: &mut Hunt, unbroken: bool, limits: &Limits<'_>) -> Option<()> {
    for view in hunt.views.clone() {
        let mut targets = Vec::new();
        for bug in hunt.bugs() {
            if let Some(target) = Target::new(view, bug) {
                targets.push((Some(bug), target));
            }
        }
        if unbroken {
            for bug in hunt.bugs() {
                let target = Target::unbroken(view, bug).map(|target| (None, target));
                targets.extend(target.filter(|target| !targets.contains(target)));
            }
        }
        for (bug, target) in targets {
            let began = Instant::now();
            let target = target.within(limits);
            let finding = target.look(limits)?;
            let look = Look::new(view, bug, target.command(), finding, began.elapsed());
            // The table comes in minutes.
            eprintln!("{look}");
            hunt.looks.push(look);
        }
    }
    hunt.complete = true;
    Some(())
}
