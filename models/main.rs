//! `kvs-models`: explores the replicas of the zoo exhaustively with stateright.
//!
//! Succeeds when every property of the model holds in every state that can be reached. To try:
//! `kvs-models check replicated-causal`.

#[cfg(test)]
mod abd;
mod action;
mod adapter;
mod catalogue;
mod catches;
mod chronicle;
mod client;
mod cluster;
mod crashes;
mod disk;
mod disks;
mod eventual;
mod explore;
mod healing;
mod local;
mod lww;
mod nodes;
mod properties;
mod quorum;
mod raft;
mod recording;
mod regular;
mod replicated;
mod reply;
mod sharded;
mod shared;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kvs_core::bug::Bug;
use stateright::Model;

use crate::catalogue::{Entry, Size};
use crate::catches::{Catch, catches};
use crate::explore::{Found, explore};

/// The exit status when a property does not hold.
const BROKEN: u8 = 1;
/// The exit status after arguments that cannot be used, as in kvs-bench.
const BAD_ARGUMENTS: u8 = 254;

/// Explores every interleaving of small clusters of the zoo's own replicas.
#[derive(Parser)]
#[command(name = "kvs-models", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the models.
    List {
        /// One JSON object a model and line.
        #[arg(long)]
        json: bool,
    },
    /// Explores a model and says which properties hold; exit status 1 if one does not, or if the
    /// number of states is not the one that is pinned.
    Check {
        /// The model, as `list` names it.
        #[arg(value_parser = model)]
        model: &'static Entry,
        /// The planted bug that its nodes are built with.
        #[arg(long, value_parser = bug)]
        bug: Option<Bug>,
    },
    /// Lists the planted bugs that models catch, each with its model, or has one caught.
    Bugs {
        /// The bug to look for; exit status 1 when it is caught, as it has to be.
        #[arg(long, value_parser = bug)]
        check: Option<Bug>,
    },
    /// Explores all models of a size and prints the table of `models/README.md`; exit status as of
    /// `check`.
    Table {
        /// Which models.
        #[arg(long, value_enum)]
        size: Option<SizeArg>,
    },
    /// Opens a model in stateright's Explorer, a web page on this machine.
    Explore {
        /// The model, as `list` names it.
        #[arg(value_parser = model)]
        model: &'static Entry,
        /// Where to serve it.
        #[arg(long, default_value = "127.0.0.1:3000")]
        address: String,
    },
}

/// `Size`, as the command line has it.
#[derive(Clone, Copy, clap::ValueEnum)]
enum SizeArg {
    /// Every `cargo test`.
    Small,
    /// `scripts/models.sh`.
    Large,
}

impl From<SizeArg> for Size {
    fn from(size: SizeArg) -> Self {
        match size {
            SizeArg::Small => Self::Small,
            SizeArg::Large => Self::Large,
        }
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let is_help = !error.use_stderr();
            // A closed pipe is the reader's choice, not a failure.
            let _ = error.print();
            return ExitCode::from(if is_help { 0 } else { BAD_ARGUMENTS });
        }
    };
    match args.command {
        Command::List { json } => list(json),
        Command::Check { model, bug } => check(model, bug),
        Command::Bugs { check: None } => bugs(),
        Command::Bugs { check: Some(bug) } => catch(bug),
        Command::Table { size } => table(size.map(Size::from)),
        Command::Explore { model, address } => {
            println!("The Explorer is at http://{address}; Ctrl-C ends it.");
            (model.model)(None).checker().serve(address);
            ExitCode::SUCCESS
        }
    }
}

fn model(name: &str) -> Result<&'static Entry, String> {
    catalogue::find(name).ok_or_else(|| {
        let known: Vec<&str> = catalogue::models().map(|entry| entry.name).collect();
        format!("unknown model; there are {}", known.join(", "))
    })
}

fn bug(name: &str) -> Result<Bug, String> {
    Bug::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        format!("unknown bug; there are {}", known.join(", "))
    })
}

fn list(json: bool) -> ExitCode {
    for entry in catalogue::models() {
        if json {
            let line = serde_json::json!({
                "name": entry.name,
                "size": entry.size.name(),
                "describe": entry.describe,
                "bounds": entry.bounds,
                "states": entry.states,
            });
            println!("{line}");
        } else {
            println!(
                "{:28} {:6} {}",
                entry.name,
                entry.size.name(),
                entry.describe
            );
        }
    }
    ExitCode::SUCCESS
}

fn check(entry: &Entry, bug: Option<Bug>) -> ExitCode {
    let found = explore((entry.model)(bug), threads(), |progress| {
        eprintln!("{progress}")
    });
    let (states, depth, seconds) = (found.states, found.depth, found.time.as_secs());
    println!(
        "{}: {states} states, depth {depth}, {seconds} s",
        entry.name
    );
    let is_pinned = bug.is_some() || is_pinned(entry, &found);
    show(&found);
    status(found.broken.is_empty() && is_pinned)
}

/// Whether the model has as many states as it should, or has not been explored to the end.
fn is_pinned(entry: &Entry, found: &Found) -> bool {
    let is_same = found.states == entry.states || !found.broken.is_empty();
    if !is_same {
        let (name, pinned, states) = (entry.name, entry.states, found.states);
        println!("{name} has {states} states and not {pinned}: find out why, then pin them");
    }
    is_same
}

fn show(found: &Found) {
    for broken in &found.broken {
        match &broken.path {
            None => println!("\n\"{}\" never happens", broken.property),
            Some(path) => {
                println!("\n\"{}\" does not hold after", broken.property);
                for (place, step) in (1..).zip(path) {
                    println!("{place:4}. {step}");
                }
            }
        }
    }
    if found.broken.is_empty() {
        println!("every property holds");
    }
}

fn bugs() -> ExitCode {
    for Catch { bug, model, .. } in catches() {
        println!("{bug} {model}");
    }
    ExitCode::SUCCESS
}

/// Looks for a bug where it is known to show, and there only.
fn catch(bug: Bug) -> ExitCode {
    let Some(catch) = catches().find(|catch| catch.bug == bug) else {
        eprintln!("error: no model catches `{bug}`; `kvs-models bugs` lists those that are caught");
        return ExitCode::from(BAD_ARGUMENTS);
    };
    let found = catch.explore();
    println!("{bug} in {}: {} states", catch.model, found.states);
    show(&found);
    if found
        .broken
        .iter()
        .all(|broken| broken.path.as_deref().is_none_or(|way| way != catch.path))
    {
        println!("the pinned way is another: {}", catch.path.join(", "));
    }
    status(found.broken.is_empty())
}

fn table(size: Option<Size>) -> ExitCode {
    println!("| model | cluster | what goes wrong | size | states | depth | seconds |");
    println!("|---|---|---|---|--:|--:|--:|");
    let mut is_well = true;
    for entry in catalogue::models().filter(|entry| size.is_none_or(|size| entry.size == size)) {
        let found = explore((entry.model)(None), threads(), |progress| {
            eprintln!("{progress}")
        });
        println!(
            "| `{}` | {} | {} | {} | {} | {} | {:.0} |",
            entry.name,
            entry.describe,
            entry.bounds,
            entry.size.name(),
            found.states,
            found.depth,
            found.time.as_secs_f64().ceil(),
        );
        if !found.broken.is_empty() {
            show(&found);
        }
        is_well &= found.broken.is_empty() && is_pinned(entry, &found);
    }
    status(is_well)
}

fn status(is_well: bool) -> ExitCode {
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
