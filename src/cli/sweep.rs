//! `kvs-bench sweep`: latency against offered load, and the largest rate that meets an objective.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::campaign::sweep::{self, Range, Store, Sweep};
use crate::measure::{Slo, VerdictWord};
use crate::node::Durability;
use crate::protocol::Lattice;
use crate::report::sweep::{SWEEP_PAGE, SweepRecord, text};
use crate::run::Config;
use crate::server::Architecture;
use crate::workload::humane;

use super::choice::Choice;
use super::progress::Screen;
use super::run::{RunArgs, usual};
use super::words::command_line;
use super::{ExitStatus, Failure};

/// Tries that a sweep may make of one store.
const STEPS_MAX: u32 = 100;

/// Times that a node of one store may go in one way.
const FAULTS_MAX: u32 = 1_000;

/// What a sweep decides of its tries itself.
const DECIDED: [&str; 8] = [
    "arch", "store", "lattice", "workload", "rate", "duration", "warmup", "results",
];

/// What it decides of them besides where nodes are to go.
const DECIDED_OF_FAULTS: [&str; 4] = [
    "nemesis",
    "nemesis_interval",
    "nemesis_targets",
    "nemesis_partitions",
];

/// The arguments of `kvs-bench sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// A store to sweep. You can give it more than once. [default: each architecture that `kvs-bench list` names]
    #[arg(long, short, value_name = "ARCH")]
    arch: Vec<String>,

    /// A store that is not of the zoo, as `kvs-bench run` takes it. You can give it more than once.
    #[arg(long, value_name = "NAME|FILE")]
    store: Vec<String>,

    /// The lattices of replicated stores, separated by commas. Each makes a store of its own.
    #[arg(
        long,
        short,
        value_name = "LATTICES",
        value_delimiter = ',',
        default_value = "causal,lww",
        value_parser = lattice
    )]
    lattice: Vec<Lattice>,

    /// The load: a name that `kvs-bench list` prints, or the path of a TOML file.
    #[arg(long, short, value_name = "NAME|FILE", default_value = usual().load.origin())]
    workload: String,

    /// The lowest and the highest rate, in operations a second.
    #[arg(long, value_name = "FROM..TO", default_value = "1k..200k")]
    rate: String,

    /// How many rates there are, each larger than the last by the same ratio. The sweep of a store
    /// ends at a rate with which it cannot keep up.
    #[arg(long, value_name = "COUNT", default_value_t = 8,
          value_parser = clap::value_parser!(u32).range(2..=i64::from(STEPS_MAX)))]
    steps: u32,

    /// Objectives such as "p99<5ms". The sweep searches for the largest rate that meets them.
    #[arg(long, value_name = "OBJECTIVES")]
    slo: Option<Slo>,

    /// How many more tries confirm the largest rate.
    #[arg(long, value_name = "COUNT", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(STEPS_MAX)))]
    confirm: u32,

    /// Has the node go that takes the writes, or else any: so many times each it is killed, paused
    /// and cut off, at the lowest rate. The sweep then also tells for how long nobody could write.
    /// Nodes keep what they acknowledge on disk, unless `-- --durability memory` says otherwise.
    #[arg(long, value_name = "COUNT", num_args = 0..=1, default_missing_value = "20",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(FAULTS_MAX)))]
    fail_over: Option<u32>,

    /// How long each try is measured.
    #[arg(long, short, value_name = "TIME", default_value = "3s")]
    duration: String,

    /// How long the load of each try is driven before it is measured.
    #[arg(long, value_name = "TIME", default_value = "500ms")]
    warmup: String,

    /// The directory in which the sweep makes one for itself and one for each run.
    #[arg(long, value_name = "DIR", default_value_os_t = usual().results.clone())]
    results: PathBuf,

    /// More arguments of `kvs-bench run`, for every try. They come after a double dash.
    #[arg(last = true, value_name = "RUN ARGUMENTS")]
    more: Vec<String>,
}

/// More arguments of `kvs-bench run`.
#[derive(Debug, Parser)]
#[command(name = "kvs-bench")]
struct MoreArgs {
    #[command(flatten)]
    run: RunArgs,
}

/// A lattice by its name.
fn lattice(name: &str) -> Result<Lattice, String> {
    let named = <Lattice as Choice>::ALL.iter().find(|it| it.word() == name);
    named.copied().ok_or_else(|| {
        let known = <Lattice as Choice>::ALL.iter().map(|it| it.word());
        format!("it is one of {}", known.collect::<Vec<_>>().join(", "))
    })
}

pub(super) fn main(args: &SweepArgs) -> Result<ExitStatus, Failure> {
    let sweep = Sweep {
        range: range(args)?,
        stores: stores(args)?,
        confirmations: args.confirm,
        fail_overs: args.fail_over,
        common: common(args)?,
        command: command_line(),
    };
    let swept = sweep.run(&mut Screen::default())?;
    super::print(&text(&swept.record))?;
    super::print(&format!(
        "Page        {}",
        swept.directory.join(SWEEP_PAGE).display()
    ))?;
    if swept.interrupted {
        return Ok(ExitStatus::Interrupted);
    }
    Ok(exit_status(&swept.record))
}

/// How the program ends after this sweep.
pub(super) fn exit_status(swept: &SweepRecord) -> ExitStatus {
    match sweep::verdict(swept) {
        VerdictWord::Valid => ExitStatus::Valid,
        VerdictWord::Invalid => ExitStatus::Invalid,
        VerdictWord::Unknown => ExitStatus::Unknown,
    }
}

fn range(args: &SweepArgs) -> Result<Range, Failure> {
    let parsed = args.rate.split_once("..").and_then(|(low, high)| {
        let range = Range {
            low: humane::parse_count(low)?,
            high: humane::parse_count(high)?,
            steps: args.steps,
        };
        (range.low > 0.0 && range.low < range.high).then_some(range)
    });
    parsed.ok_or_else(|| {
        let error = anyhow!("--rate is a range such as 1k..200k, not {:?}", args.rate);
        Failure::bad_arguments(error)
    })
}

/// Every architecture with every lattice that makes a difference to it.
fn stores(args: &SweepArgs) -> Result<Vec<Store>, Failure> {
    let architectures = args.arch.iter().map(|name| name.parse());
    let architectures: Result<Vec<Architecture>, _> = architectures.collect();
    let architectures = architectures.map_err(Failure::bad_arguments)?;
    let mut stores = if args.arch.is_empty() && !args.store.is_empty() {
        Vec::new()
    } else {
        Store::of(&architectures, &args.lattice)
    };
    for name in &args.store {
        let mut run = more(args)?;
        run.store = Some(name.clone());
        stores.push(Store::foreign(&run.config()?));
    }
    Ok(stores)
}

/// What all tries have in common.
fn common(args: &SweepArgs) -> Result<Config, Failure> {
    let asked = more(args)?.config()?;
    let mut load = asked.load;
    for (field, value) in [("duration", &args.duration), ("warmup", &args.warmup)] {
        let setting = format!("{field}={value}");
        load.set(&setting).map_err(Failure::bad_arguments)?;
    }
    Ok(Config {
        load,
        results: args.results.clone(),
        slo: args.slo.clone().or(asked.slo),
        ..asked
    })
}

/// The arguments after the double dash, for the load that is swept.
fn more(args: &SweepArgs) -> Result<RunArgs, Failure> {
    let words = std::iter::once("kvs-bench").chain(args.more.iter().map(String::as_str));
    let matches = { MoreArgs::command().try_get_matches_from(words) };
    let matches = matches.map_err(Failure::bad_arguments)?;
    let slo = args.slo.as_ref().map(|_| "slo");
    let of_faults = args.fail_over.map_or(&[][..], |_| &DECIDED_OF_FAULTS);
    let is_given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    for decided in DECIDED.iter().chain(of_faults).copied().chain(slo) {
        if is_given(decided) {
            return Err(Failure::bad_arguments(anyhow!(
                "--{decided} is what the sweep decides: give it before the double dash"
            )));
        }
    }
    let more = MoreArgs::from_arg_matches(&matches).map_err(Failure::bad_arguments)?;
    let mut run = more.run;
    run.workload.clone_from(&args.workload);
    if args.fail_over.is_some() && !is_given("durability") {
        run.durability = Durability::Disk;
    }
    Ok(run)
}
