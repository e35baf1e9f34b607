//! `kvs-bench bugs`: the planted bugs, and whether the three views catch them.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use crate::bug::Bug;
use crate::campaign::bugs::{self, End, Limits, View};

use super::choice::choice;
use super::output::versions;
use super::progress::Screen;
use super::sim::faults;
use super::{ExitStatus, Failure};

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
    /// Test that the checks catch a bug, or all bugs in turn.
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
    #[arg(long, value_parser = choice::<View>(), value_delimiter = ',', value_name = "VIEWS",
          default_values = View::ALL.map(View::name))]
    view: Vec<View>,

    /// How many seeds to simulate until one fails. Without a bug all of them run.
    #[arg(long, value_name = "COUNT", default_value_t = SEEDS,
          value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,

    /// Kinds of fault that the simulator leaves out, separated by commas. This shows which ones a
    /// bug needs.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    without: Vec<String>,

    /// The directory that keeps the directories of real runs. Without it they are deleted.
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Prints what was found as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &BugsArgs) -> Result<ExitStatus, Failure> {
    match &args.command {
        None | Some(BugsCommand::List) => {
            super::print(&bugs::text())?;
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
    let is_all = args.name == ALL;
    let found = if is_all {
        Bug::ALL.to_vec()
    } else {
        vec![named(&args.name)?]
    };
    let without = faults(&args.without).map_err(Failure::bad_arguments)?;
    // Deleted when dropped.
    let scratch = tempfile::tempdir().context("making a directory for the results of real runs")?;
    let results = args.results.as_deref().unwrap_or_else(|| scratch.path());
    let limits = Limits {
        seeds: args.seeds,
        without,
        results: results.to_owned(),
        versions: versions(),
    };
    let views = args.view.iter().copied().collect();
    let hunt = bugs::hunt(&found, &views, is_all, &limits, &mut Screen::default());
    if args.json {
        let json = serde_json::to_string_pretty(&hunt.to_json());
        super::print(&json.context("cannot print what was found")?)?;
    } else {
        super::print(&hunt.to_string())?;
    }
    Ok(match hunt.end() {
        End::Passed => ExitStatus::Valid,
        End::Missed => ExitStatus::Invalid,
        End::Failed => ExitStatus::HarnessFailure,
        End::Interrupted => ExitStatus::Interrupted,
    })
}
