//! `kvs-models`: the replicas of the zoo, explored exhaustively with stateright.
//!
//! Succeeds when every property of the model holds in every state that can be reached. To try:
//! `kvs-models check replicated-causal`.

mod adapter;
mod cluster;
mod recording;
mod replicated;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stateright::report::WriteReporter;
use stateright::{Checker, Model};

use crate::adapter::ClusterModel;

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
    List,
    /// Explores a model and says which properties hold; exit status 1 if one does not.
    Check {
        /// The model, as `list` names it.
        name: String,
    },
    /// Opens a model in stateright's Explorer, a web page on this machine.
    Explore {
        /// The model, as `list` names it.
        name: String,
        /// Where to serve it.
        #[arg(long, default_value = "127.0.0.1:3000")]
        address: String,
    },
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
        Command::List => {
            for entry in replicated::MODELS {
                println!("{:26} {}", entry.name, entry.describe);
            }
            ExitCode::SUCCESS
        }
        Command::Check { name } => with_model(&name, check),
        Command::Explore { name, address } => with_model(&name, |model| explore(model, &address)),
    }
}

fn with_model(name: &str, then: impl FnOnce(ClusterModel) -> ExitCode) -> ExitCode {
    if let Some(entry) = replicated::MODELS.iter().find(|entry| entry.name == name) {
        return then((entry.model)());
    }
    let known: Vec<&str> = replicated::MODELS.iter().map(|entry| entry.name).collect();
    eprintln!(
        "error: unknown model `{name}`; there are {}",
        known.join(", ")
    );
    ExitCode::from(BAD_ARGUMENTS)
}

fn check(model: ClusterModel) -> ExitCode {
    let checker = model.checker().threads(threads()).spawn_bfs();
    let checker = checker.report(&mut WriteReporter::new(&mut std::io::stdout()));
    let failed = checker.model().properties().iter().any(|property| {
        let is_found = checker.discovery(property.name).is_some();
        is_found == property.expectation.discovery_is_failure()
    });
    if failed {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

fn explore(model: ClusterModel, address: &str) -> ExitCode {
    println!("The Explorer is at http://{address}; Ctrl-C ends it.");
    model.checker().serve(address);
    ExitCode::SUCCESS
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
