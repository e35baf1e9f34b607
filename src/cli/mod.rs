//! The command line, with a file for each subcommand. A subcommand parses its arguments into plain
//! data and hands them to the part that does the work.

mod bugs;
mod check;
mod choice;
mod compare;
mod completions;
mod export;
mod glossary;
mod list;
mod matrix;
mod nemesis;
mod progress;
mod replay;
mod report;
mod run;
mod scale;
mod serve;
mod sim;
mod sweep;
mod tui;

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::measure::Versions;
use crate::run::CheckBudget;
use crate::workload::humane;

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
    /// Run a workload against an architecture and judge the history (the default).
    Run(Box<run::RunArgs>),
    /// Raise the load step by step: latency against throughput, one curve for each store.
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
    /// Say whether two runs, or two sets of repeated runs, differ, or whether it is noise.
    Compare(compare::CompareArgs),
    /// Show results in a browser: sort, filter, open, compare.
    Serve(serve::ServeArgs),
    /// List the architectures, lattices, workloads and fields that you can choose.
    List,
    /// List the planted bugs, or have them caught.
    Bugs(bugs::BugsArgs),
    /// Run every store under every fault, and compare the outcome with what theory says.
    Matrix(matrix::MatrixArgs),
    /// Explain the words of a report.
    Glossary(glossary::GlossaryArgs),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// How the program ends. The numbers are Jepsen's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// The promise was kept.
    Valid = 0,
    /// The promise was broken.
    Invalid = 1,
    /// Nobody can tell.
    Unknown = 2,
    /// Ctrl-C, after everything was healed and saved.
    Interrupted = 130,
    /// The arguments make no sense.
    BadArguments = 254,
    /// The harness itself failed: no verdict about the store follows.
    HarnessFailure = 255,
}

/// Why a subcommand could not do its work: one line, and the exit status that goes with it.
#[derive(Debug)]
struct Failure {
    status: ExitStatus,
    error: anyhow::Error,
}

impl Failure {
    fn bad_arguments(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: ExitStatus::BadArguments,
            error: error.into(),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            status: ExitStatus::HarnessFailure,
            error,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::run::one_line(&self.error))
    }
}

/// How many seconds the second engine may search, unless told otherwise.
const BUDGET_SECONDS: f64 = 2.0;

/// Which engines judge a history, and for how long.
#[derive(Debug, clap::Args)]
struct EngineArgs {
    /// Which engines judge.
    #[arg(long, value_enum, default_value_t = EngineArg::Both, help_heading = "Judgement")]
    engine: EngineArg,

    /// How many seconds the second engine, stateright, may search.
    #[arg(long, value_name = "SECONDS", default_value_t = BUDGET_SECONDS,
          allow_negative_numbers = true, help_heading = "Judgement")]
    budget: f64,

    /// How long the direct engine may check, such as 60s. `none` sets no limit. What is not decided
    /// by then is unknown. [default: as long as the run took, at least 20s]
    #[arg(long, value_name = "TIME", help_heading = "Judgement")]
    check_budget: Option<String>,
}

/// A whole number on the command line.
fn whole(text: &str) -> Result<u64, String> {
    let whole = humane::parse_count(text);
    let whole = whole.filter(|number| number.fract() == 0.0 && *number <= WHOLE_MAX);
    // Above that a double has gaps.
    let exact = text.parse().ok();
    let exact = exact.or_else(|| whole.map(|number| number as u64));
    exact.ok_or_else(|| "it takes a whole number, such as 1000 or 1k".to_owned())
}

/// The largest whole number that is read with a suffix: up to there a double has no gaps.
const WHOLE_MAX: f64 = 9e15;

impl EngineArgs {
    /// The second engine's budget.
    fn budget(&self) -> Result<Duration, Failure> {
        Duration::try_from_secs_f64(self.budget).map_err(|_| {
            Failure::bad_arguments(anyhow!(
                "--budget is a number of seconds, such as 2.5, not {}",
                self.budget
            ))
        })
    }

    /// The first engine's budget.
    fn check_budget(&self) -> Result<CheckBudget, Failure> {
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

/// `Engine`, as the command line has it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum EngineArg {
    /// The direct algorithms.
    Direct,
    /// A search by stateright.
    Stateright,
    /// Both. They have to agree.
    Both,
}

impl From<EngineArg> for crate::checker::Engine {
    fn from(engine: EngineArg) -> Self {
        match engine {
            EngineArg::Direct => Self::Direct,
            EngineArg::Stateright => Self::Stateright,
            EngineArg::Both => Self::Both,
        }
    }
}

/// Prints to standard output. A reader who has seen enough, or whose terminal is gone, is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let gone = Some(rustix::io::Errno::IO.raw_os_error());
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) if error.raw_os_error() == gone => Ok(()),
        outcome => outcome.context("cannot print the result"),
    }
}

/// What is wrong with a negative number after an option that takes none: the parser takes it for an
/// option of its own.
fn negative(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    words.windows(2).find_map(|pair| {
        let [option, value] = pair else { return None };
        let number = value.strip_prefix('-')?;
        let is_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let is_option = option.starts_with('-') && !option.contains('=');
        (is_option && is_number)
            .then(|| format!("{option} takes nothing below 0, and {value} is: leave the sign out"))
    })
}

/// Which program this is, as far as it was known when it was built.
fn versions() -> Versions {
    Versions {
        kvs_zoo: env!("CARGO_PKG_VERSION").to_owned(),
        rustc: option_env!("KVS_ZOO_RUSTC").map(str::to_owned),
        commit: option_env!("KVS_ZOO_COMMIT").map(str::to_owned),
    }
}

/// Parses the command line, does what it says, prints what went wrong, and says how to exit.
pub fn main() -> ExitStatus {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.kind() == ErrorKind::UnknownArgument
                && let Some(complaint) = negative(std::env::args())
            {
                eprintln!("error: {complaint}");
                return ExitStatus::BadArguments;
            }
            let asked_for_help = !error.use_stderr();
            // A closed pipe is the reader's choice, not a failure.
            let _ = error.print();
            return if asked_for_help {
                ExitStatus::Valid
            } else {
                ExitStatus::BadArguments
            };
        }
    };
    let result = match cli
        .command
        .unwrap_or_else(|| Command::Run(Box::new(cli.run)))
    {
        Command::Run(args) => run::main(&args),
        Command::Sweep(args) => sweep::main(&args),
        Command::Sim(args) => sim::main(&args),
        Command::Scale(args) => scale::main(&args),
        Command::Check(args) => check::main(&args),
        Command::Export(args) => export::main(&args),
        Command::Report(args) => report::main(&args),
        Command::Compare(args) => compare::main(&args),
        Command::Serve(args) => serve::main(&args),
        Command::List => list::main(),
        Command::Bugs(args) => bugs::main(&args),
        Command::Matrix(args) => matrix::main(&args),
        Command::Glossary(args) => glossary::main(&args),
        Command::Completions(args) => completions::main(&args),
    };
    match result {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.status
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_after_an_option_is_told_as_one() {
        let told = |words: &[&str]| negative(words.iter().map(|word| (*word).to_owned()));
        let rate = told(&["kvs-bench", "--rate", "-5"]).expect("a complaint");
        assert!(rate.contains("--rate") && rate.contains("-5"), "{rate}");
        assert!(told(&["kvs-bench", "matrix", "-d", "-1s"]).is_some());
        assert!(told(&["kvs-bench", "--warmup", "-.5s"]).is_some());
        assert_eq!(told(&["kvs-bench", "--rate", "--frobnicate"]), None);
        assert_eq!(told(&["kvs-bench", "--rate=5", "-3"]), None);
        assert_eq!(told(&["kvs-bench", "-x"]), None);
    }
}
