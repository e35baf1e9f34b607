//! `kvs-bench run`, the main job: its arguments become a [`Config`], the run does the work, and
//! the result is one screen.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Parser, ValueEnum};

use crate::bug::Bug;
use crate::campaign::bugs::fits;
use crate::measure::Slo;
use crate::node::{Durability, HostKind};
use crate::protocol::Lattice;
use crate::report;
use crate::run::{self, Capacity, Config};
use crate::server::Architecture;
use crate::session::{Policy, Routing};
use crate::workload::Workload;

use super::choice::choice;
use super::progress::Terminal;
use super::tui::Tui;
use super::{Cli, ExitStatus, Failure};

/// The arguments of `kvs-bench run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// What to run: local, replicated, sharded, sharded_replicated, or a nesting such as
    /// "sharded(4, replicated(5))".
    #[arg(long, short, value_name = "ARCH", default_value = "replicated")]
    arch: String,

    /// What replicated stores promise for concurrent puts.
    #[arg(long, short, value_enum, default_value_t = LatticeArg::Causal)]
    lattice: LatticeArg,

    /// What nodes acknowledge: what is in memory, or what is synced to disk.
    #[arg(long, value_parser = choice::<Durability>(), default_value = Durability::Memory.name())]
    durability: Durability,

    /// Where the nodes run.
    #[arg(long, value_parser = choice::<HostKind>(), default_value = HostKind::Process.name())]
    host: HostKind,

    /// The load: a name that `kvs-bench list` prints, or the path of a TOML file.
    #[arg(long, short, value_name = "NAME|FILE", default_value = "zipf")]
    workload: String,

    /// Sets a field of the workload, whatever its file says. You can give it more than once.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    client: ClientArgs,

    #[command(flatten)]
    nemesis: super::nemesis::NemesisArgs,

    /// Plants a known mistake in the store, which the checks must find. `kvs-bench bugs` lists
    /// them.
    #[arg(long, value_name = "NAME", help_heading = "Store")]
    bug: Option<String>,

    #[command(flatten)]
    output: OutputArgs,
}

/// Shorthands for fields of the workload.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct LoadArgs {
    /// How long the load is measured, after the warm-up (such as 10s).
    #[arg(long, short, value_name = "TIME")]
    duration: Option<String>,

    /// How many operations are measured, instead of a duration.
    #[arg(long, value_name = "COUNT")]
    operations: Option<String>,

    /// How long the load is driven before it is measured.
    #[arg(long, value_name = "TIME")]
    warmup: Option<String>,

    /// How many sessions drive the load. Each has one operation under way at a time.
    #[arg(long, short, value_name = "COUNT")]
    sessions: Option<String>,

    /// How many operations start each second, such as 20k. They start whether or not earlier ones
    /// have ended: this is an open loop. Latency then counts from the time at which an operation
    /// was meant to start.
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,

    /// How the operations of an open loop are spaced: poisson or constant.
    #[arg(long, value_name = "KIND")]
    arrivals: Option<String>,

    /// How many keys are loaded before the load starts.
    #[arg(long, value_name = "COUNT")]
    records: Option<String>,

    /// How many bytes each value has.
    #[arg(long, value_name = "BYTES")]
    value_size: Option<String>,

    /// The number that decides every random choice of the load: keys, kinds, sizes, arrivals.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = super::whole)]
    seed: u64,
}

impl LoadArgs {
    /// The workload's fields that the arguments set.
    fn settings(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("duration", &self.duration),
            ("operations", &self.operations),
            ("warmup", &self.warmup),
            ("sessions", &self.sessions),
            ("rate", &self.rate),
            ("arrivals", &self.arrivals),
            ("records", &self.records),
            ("value_size", &self.value_size),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value.as_ref()?)))
    }
}

/// How clients behave.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clients")]
struct ClientArgs {
    /// How a session chooses among the replicas of a key.
    #[arg(long, value_parser = choice::<Routing>(), default_value = Routing::RoundRobin.name())]
    routing: Routing,

    /// Whether requests carry what their session has seen. `off` shows what is lost without it.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    context: Switch,

    /// How many milliseconds an answer may take. After that its outcome counts as unknown.
    #[arg(long, value_name = "MS", default_value_t = 2000,
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
}

/// Where results go and how much of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
struct OutputArgs {
    /// The directory in which the run's own directory is made.
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// Does not record the history. The verdict is then unknown.
    #[arg(long)]
    no_history: bool,

    /// Records every operation up to this many. From then on it records only a sample of the keys,
    /// and these completely.
    #[arg(long, value_name = "COUNT", default_value_t = run::HISTORY_LIMIT_DEFAULT,
          value_parser = super::whole)]
    history_limit: u64,

    /// Records what each replica is given and does, in nodes/<id>.trace of the run's directory.
    /// `kvs-bench check --trace` replays it. This costs throughput.
    #[arg(long)]
    trace: bool,

    #[command(flatten)]
    engines: super::EngineArgs,

    /// Service level objectives, such as "p99<5ms" or "read:p99.9<20ms,errors<0.1%". A run that
    /// misses one ends with exit status 1. In an open loop latency is response time.
    #[arg(long, value_name = "OBJECTIVES", help_heading = "Judgement")]
    slo: Option<Slo>,

    /// Prints the run record as JSON instead of the result screen.
    #[arg(long)]
    json: bool,

    /// Shows the run while it goes on, on the whole terminal: rates, percentiles, nodes, faults.
    #[arg(long)]
    tui: bool,
}

/// `Lattice`, as the command line has it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LatticeArg {
    /// Concurrent puts are kept side by side. A session never sees less than it saw before.
    Causal,
    /// Last write wins: the put with the largest version stays.
    Lww,
}

impl From<LatticeArg> for Lattice {
    fn from(lattice: LatticeArg) -> Self {
        match lattice {
            LatticeArg::Causal => Self::Causal,
            LatticeArg::Lww => Self::Lww,
        }
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// They do.
    On,
    /// They do not.
    Off,
}

/// Runs, and prints the result.
pub(super) fn main(args: &RunArgs) -> Result<ExitStatus, Failure> {
    let config = config(args, command_line())?;
    let nemesis = config.nemesis.as_ref();
    // For whoever looks on; the screen says which faults came, and which could not.
    if let Some(faults) = nemesis.and_then(|plan| args.nemesis.announcement(plan))
        && std::io::stderr().is_terminal()
    {
        eprintln!("Nemesis     {faults}");
    }
    if let Capacity::Strained(why) = Capacity::of(&config.architecture) {
        eprintln!("warning: {why}");
    }
    let finished = if args.output.tui {
        if !std::io::stdout().is_terminal() {
            return Err(Failure::bad_arguments(anyhow!("--tui needs a terminal")));
        }
        let title = format!("{}: {}", config.architecture, config.workload);
        let mut tui = Tui::start(title).context("cannot take the terminal over")?;
        run::run(&config, &mut tui)
    } else {
        run::run(&config, &mut Terminal::new())
    };
    let finished = finished.context("the run has no result")?;
    let record = &finished.record;
    let screen = report::text(record);
    let saved = finished.save(&screen);
    if args.output.json {
        super::print(&record.to_json())?;
    } else {
        super::print(&screen)?;
    }
    saved.context("the run has a result")?;
    // The result stands without it.
    if let Err(error) = super::report::write_page(record) {
        eprintln!("warning: there is no page of this run: {error:#}");
    }
    if let Err(error) = finished.link_latest() {
        eprintln!(
            "warning: {}/latest is not this run: {error}",
            args.output.results.display()
        );
    }
    if finished.interrupted {
        return Ok(ExitStatus::Interrupted);
    }
    Ok(super::report::exit_status(record))
}

/// The run that the arguments ask for, which `command` runs again.
pub(super) fn config(args: &RunArgs, command: String) -> Result<Config, Failure> {
    let architecture: Architecture = args.arch.parse().map_err(Failure::bad_arguments)?;
    if let Capacity::Short(why) = Capacity::of(&architecture) {
        return Err(Failure::bad_arguments(anyhow!(why)));
    }
    let lattice = args.lattice.into();
    let bug = args
        .bug
        .as_deref()
        .map(|name| planted(name, &architecture, lattice))
        .transpose()?;
    let OutputArgs {
        results,
        no_history,
        history_limit,
        engines,
        trace,
        slo,
        ..
    } = &args.output;
    let workload = workload(args)?;
    let nemesis = args
        .nemesis
        .plan(&architecture, &workload, args.durability, args.load.seed)?;
    let with_faults = (nemesis.as_ref()).is_some_and(crate::nemesis::Plan::has_network_faults);
    args.host
        .can_be_had(with_faults)
        .map_err(Failure::bad_arguments)?;
    Ok(Config {
        workload,
        nemesis,
        policy: Policy {
            routing: args.client.routing,
            context: args.client.context == Switch::On,
        },
        timeout: Duration::from_millis(args.client.timeout_ms),
        seed: args.load.seed,
        results: results.clone(),
        history_limit: (!no_history).then_some(*history_limit),
        engine: engines.engine.into(),
        budget: engines.budget()?,
        check_budget: engines.check_budget()?,
        slo: slo.clone(),
        program: None,
        versions: super::versions(),
        command,
        architecture,
        lattice,
        bug,
        host: args.host,
        durability: args.durability,
        traced: *trace,
    })
}

/// The run that these words of a command line ask for.
pub(super) fn config_of(words: &[String]) -> Result<Config, Failure> {
    let program = "kvs-bench".to_owned();
    let mut command = program.clone();
    for word in words {
        command.push(' ');
        command += &quoted(word);
    }
    let cli = Cli::try_parse_from(std::iter::once(&program).chain(words))
        .map_err(Failure::bad_arguments)?;
    config(&cli.run, command)
}

/// The workload with everything that the arguments set, judged as a whole.
fn workload(args: &RunArgs) -> Result<Workload, Failure> {
    let mut workload = Workload::load(&args.workload).map_err(Failure::bad_arguments)?;
    for setting in &args.settings {
        workload.set(setting).map_err(Failure::bad_arguments)?;
    }
    for (field, value) in args.load.settings() {
        workload
            .set(&format!("{field}={value}"))
            .map_err(Failure::bad_arguments)?;
    }
    if args.load.operations.is_some() && args.load.duration.is_none() {
        // The count alone ends the run, whatever duration the file has.
        workload.duration = None;
    }
    workload.validate().map_err(Failure::bad_arguments)?;
    Ok(workload)
}

/// The bug of this name, if the store that is asked for can have it.
pub(super) fn planted(
    name: &str,
    architecture: &Architecture,
    lattice: Lattice,
) -> Result<Bug, Failure> {
    let bug = super::bugs::named(name)?;
    fits(bug, architecture, lattice).map_err(Failure::bad_arguments)?;
    Ok(bug)
}

/// The command that runs this again, quoted for a shell.
pub(super) fn command_line() -> String {
    command_of(std::env::args_os().skip(1))
}

/// The command of these arguments, quoted for a shell.
pub(super) fn command_of(arguments: impl Iterator<Item = std::ffi::OsString>) -> String {
    let words = arguments.map(|word| quoted(&word.to_string_lossy()));
    let words: Vec<String> = std::iter::once("kvs-bench".to_owned())
        .chain(words)
        .collect();
    words.join(" ")
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        assert_eq!(quoted("--arch"), "--arch");
        assert_eq!(quoted("sharded(2, local)"), "'sharded(2, local)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
