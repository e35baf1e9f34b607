//! The command line, with a file for each subcommand. A subcommand parses its arguments into plain
//! data and hands them to the part that does the work.

mod adapter;
mod bugs;
mod check;
mod choice;
mod compare;
mod completions;
mod engines;
mod exit;
mod export;
mod glossary;
mod list;
mod matrix;
mod nemesis;
mod output;
mod progress;
mod replay;
mod report;
mod run;
mod scale;
mod serve;
mod sim;
mod simulated;
mod sweep;
mod tui;
mod words;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use exit::ExitStatus;

use exit::Failure;
use output::print;
use words::negative;

/// Runs a key-value store as real processes, measures what it costs, and proves or refutes that it
/// kept its promise.
///
/// Without a subcommand this is `run`. It starts the nodes on this machine, loads the keys and
/// drives the workload. Then it waits until the replicas agree and reads everything back. It checks
/// the whole history, and prints one screen of results.
#[derive(Debug, Parser)]
#[command(
    name = "kvs-bench",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100,
    after_help = EXIT_STATUS
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

const EXIT_STATUS: &str = "\
Try:
  kvs-bench --arch replicated --workload zipf
  kvs-bench --arch replicated --lattice lww --workload contended --bug overwriting-merge
  kvs-bench --arch sharded --workload ycsb-a --rate 20k --duration 10s
  kvs-bench list

Exit status:
  0 the history is valid      1 it is invalid          2 unknown or void
  254 bad arguments           255 the harness failed   130 interrupted (what was recorded is kept)";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workload against a store and judge the history (the default).
    Run(Box<run::RunArgs>),
    /// Raise the load step by step, and draw latency against throughput, one curve for each store.
    Sweep(sweep::SweepArgs),
    /// Simulate an architecture in virtual time, many seeds at once, and judge each history.
    Sim(Box<sim::SimArgs>),
    /// Measure how updates spread among up to 2,048 simulated replicas.
    Scale(Box<scale::ScaleArgs>),
    /// Judge a stored history: one of ours, or one of Jepsen, porcupine or Plume.
    Check(check::CheckArgs),
    /// Write a stored history for other programs: JSON lines, Jepsen's EDN, CSV.
    Export(export::ExportArgs),
    /// Print the result of a finished run again, or make its page again.
    Report(report::ReportArgs),
    /// Say whether two runs, or two sets of repeated runs, differ by more than noise.
    Compare(compare::CompareArgs),
    /// Show results in a browser: sort, filter, open, compare.
    Serve(serve::ServeArgs),
    /// List the architectures, stores, lattices, workloads and fields that you can choose.
    List,
    /// List the planted bugs, or test that the checks catch them.
    Bugs(bugs::BugsArgs),
    /// Run every store under every fault, and compare the outcome with what theory says.
    Matrix(matrix::MatrixArgs),
    /// Explain the words of a report.
    Glossary(glossary::GlossaryArgs),
    /// Test an adapter, the program through which kvs-bench drives a store of your own.
    Adapter(adapter::AdapterArgs),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// Parses the command line, does what it says, prints what went wrong, and says how to exit.
pub fn main() -> ExitStatus {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let command = cli
        .command
        .unwrap_or_else(|| Command::Run(Box::new(cli.run)));
    command.run().unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        failure.status
    })
}

/// Says what is wrong with the arguments, or prints the help that they ask for.
fn refused(error: &clap::Error) -> ExitStatus {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(complaint) = negative(std::env::args())
    {
        eprintln!("error: {complaint}");
        return ExitStatus::BadArguments;
    }
    // A closed pipe is the reader's choice, not a failure.
    let _ = error.print();
    if error.use_stderr() {
        ExitStatus::BadArguments
    } else {
        ExitStatus::Valid
    }
}

impl Command {
    fn run(&self) -> Result<ExitStatus, Failure> {
        match self {
            Self::Run(args) => run::main(args),
            Self::Sweep(args) => sweep::main(args),
            Self::Sim(args) => sim::main(args),
            Self::Scale(args) => scale::main(args),
            Self::Check(args) => check::main(args),
            Self::Export(args) => export::main(args),
            Self::Report(args) => report::main(args),
            Self::Compare(args) => compare::main(args),
            Self::Serve(args) => serve::main(args),
            Self::List => list::main(),
            Self::Glossary(args) => glossary::main(args),
            Self::Bugs(args) => bugs::main(args),
            Self::Matrix(args) => matrix::main(args),
            Self::Adapter(args) => adapter::main(args),
            Self::Completions(args) => completions::main(args),
        }
    }
}
