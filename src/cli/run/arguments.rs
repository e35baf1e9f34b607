//! The arguments of `kvs-bench run`, and the run that they ask for.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use crate::checker::Model;
use crate::measure::Slo;
use crate::node::{Durability, HostKind};
use crate::protocol::Lattice;
use crate::run::{Config, Foreign, HISTORY_LIMIT_DEFAULT, Unfit};
use crate::server::Architecture;
use crate::session::{Policy, Routing};
use crate::targets::store::{Definition, StoreConfig};
use crate::workload::Chosen;

use crate::cli::Failure;
use crate::cli::bugs::named;
use crate::cli::choice::{Choice, architectures, choice, model};
use crate::cli::engines::EngineArgs;
use crate::cli::nemesis::NemesisArgs;
use crate::cli::output::versions;
use crate::cli::words::whole;

/// The arguments of `kvs-bench run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    #[arg(long, short, value_name = "ARCH",
          help = architectures("What to run", " such as \"sharded(4, replicated(5))\""),
          default_value_t = usual().architecture.to_string())]
    arch: String,

    /// Runs another store than one of the zoo: Redis or etcd by a name that `kvs-bench list`
    /// prints, or your own by the path of a TOML file (docs/guides/your-own-store.md).
    #[arg(long, value_name = "NAME|FILE",
          conflicts_with_all = ["arch", "lattice", "durability", "bug", "trace", "context"])]
    pub(in crate::cli) store: Option<String>,

    /// The addresses at which the nodes of `--store` run already, separated by commas. Without it
    /// kvs-bench starts them.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        requires = "store"
    )]
    endpoints: Vec<String>,

    /// Deletes the keys that the run wrote, in the end, from the nodes of `--endpoints`.
    #[arg(long)]
    clean: bool,

    /// The model that the verdict is about, instead of what the store promises: any model of the
    /// ladder.
    #[arg(long, value_name = "MODEL", value_parser = model, help_heading = "Judgement")]
    promise: Option<Model>,

    /// What replicated stores promise for concurrent puts.
    #[arg(long, short, value_parser = choice::<Lattice>(), default_value = usual().lattice.word())]
    lattice: Lattice,

    /// When a node acknowledges a put: once it is in memory, or once it is synced to disk.
    #[arg(long, value_parser = choice::<Durability>(), default_value = usual().durability.word())]
    pub(in crate::cli) durability: Durability,

    /// Where the nodes run.
    #[arg(long, value_parser = choice::<HostKind>(), default_value = usual().host.word())]
    host: HostKind,

    /// The load: a name that `kvs-bench list` prints, or the path of a TOML file.
    #[arg(long, short, value_name = "NAME|FILE", default_value = usual().load.origin())]
    pub(in crate::cli) workload: String,

    /// Sets a field of the workload, whatever its file says. `store.NAME=VALUE` sets an option of
    /// the `--store` instead. You can give it more than once.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    client: ClientArgs,

    #[command(flatten)]
    nemesis: NemesisArgs,

    /// Plants a known mistake in the store, which the checks must find. `kvs-bench bugs` lists
    /// them.
    #[arg(long, value_name = "NAME", help_heading = "Store")]
    bug: Option<String>,

    #[command(flatten)]
    pub(super) output: OutputArgs,
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
    #[arg(long, value_name = "NUMBER", default_value_t = usual().seed, value_parser = whole)]
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
    /// How a session chooses among the replicas of a key. [default: round-robin, and sticky for
    /// --store]
    #[arg(long, value_parser = choice::<Routing>())]
    routing: Option<Routing>,

    /// Whether requests carry what their session has seen. `off` shows what is lost without it.
    #[arg(long, value_enum, default_value_t = usual().policy.context.into())]
    context: Switch,

    /// How many milliseconds an answer may take. After that its outcome counts as unknown.
    #[arg(long, value_name = "MS", default_value_t = usual().timeout.as_millis() as u64,
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
}

/// Where results go and how much of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
pub(super) struct OutputArgs {
    /// The directory in which the run makes a directory of its own.
    #[arg(long, value_name = "DIR", default_value_os_t = usual().results.clone())]
    results: PathBuf,

    /// Does not record the history. The verdict is then unknown.
    #[arg(long)]
    no_history: bool,

    /// Records every operation up to this many. From then on it records only a sample of the keys,
    /// and these completely.
    #[arg(long, value_name = "COUNT", default_value_t = HISTORY_LIMIT_DEFAULT,
          value_parser = whole)]
    history_limit: u64,

    /// Records what each replica receives and does, in nodes/<id>.trace of the run's directory.
    /// `kvs-bench check --trace` replays it. This costs throughput.
    #[arg(long)]
    trace: bool,

    #[command(flatten)]
    engines: EngineArgs,

    /// Service level objectives, such as "p99<5ms" or "read:p99.9<20ms,errors<0.1%". A run that
    /// misses one ends with exit status 1. In an open loop latency is response time.
    #[arg(long, value_name = "OBJECTIVES", help_heading = "Judgement")]
    slo: Option<Slo>,

    /// Prints the run record as JSON instead of the result screen.
    #[arg(long)]
    pub(super) json: bool,

    /// Shows the run on the whole terminal while it goes on: rates, percentiles, nodes, faults.
    #[arg(long)]
    pub(super) tui: bool,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Switch {
    /// They do.
    On,
    /// They do not.
    Off,
}

impl From<bool> for Switch {
    fn from(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

/// The run without any argument: its values are the defaults of the arguments.
pub(in crate::cli) fn usual() -> &'static Config {
    static USUAL: LazyLock<Config> = LazyLock::new(Config::default);
    &USUAL
}

impl RunArgs {
    /// The run that the arguments ask for, whether or not it can be had.
    pub(in crate::cli) fn config(&self) -> Result<Config, Failure> {
        let architecture: Architecture = self.arch.parse().map_err(Failure::bad_arguments)?;
        let bug = self.bug.as_deref().map(named).transpose()?;
        let OutputArgs {
            results,
            no_history,
            history_limit,
            engines,
            trace,
            slo,
            json: _,
            tui: _,
        } = &self.output;
        Ok(Config {
            store: self.store()?.map(|store| Foreign::File(Box::new(store))),
            promise: self.promise,
            lattice: self.lattice,
            host: self.host,
            durability: self.durability,
            policy: Policy {
                routing: self.routing(),
                context: self.client.context == Switch::On,
            },
            timeout: Duration::from_millis(self.client.timeout_ms),
            seed: self.load.seed,
            bug,
            traced: *trace,
            faults: self.nemesis.wanted()?,
            results: results.clone(),
            history_limit: (!no_history).then_some(*history_limit),
            engine: engines.engine,
            budget: engines.budget()?,
            check_budget: engines.check_budget()?,
            slo: slo.clone(),
            versions: versions(),
            ..Config::new(architecture, self.chosen()?)
        })
    }

    fn routing(&self) -> Routing {
        let usually = match self.store {
            Some(_) => Routing::Sticky,
            None => usual().policy.routing,
        };
        self.client.routing.unwrap_or(usually)
    }

    /// The foreign store, if one is named.
    fn store(&self) -> Result<Option<StoreConfig>, Failure> {
        let options: Vec<(String, String)> = { self.settings.iter() }
            .filter_map(|setting| store_option(setting))
            .collect();
        let Some(name) = &self.store else {
            return match options.first() {
                None if self.clean => Err(Failure::bad_arguments(Unfit::NothingToClean)),
                None => Ok(None),
                Some((option, _)) => Err(Failure::bad_arguments(anyhow!(
                    "--set store.{option} sets an option of a store, and none is named: add --store"
                ))),
            };
        };
        let definition = Definition::load(name).map_err(Failure::bad_arguments)?;
        let store = StoreConfig::new(definition, name.clone(), &options);
        let store = store.map_err(Failure::bad_arguments)?;
        Ok(Some(StoreConfig {
            endpoints: self.endpoints.clone(),
            clean: self.clean,
            host: self.host,
            ..store
        }))
    }

    /// The workload with everything that the arguments set.
    fn chosen(&self) -> Result<Chosen, Failure> {
        let mut chosen = Chosen::load(&self.workload).map_err(Failure::bad_arguments)?;
        let own = { self.settings.iter() }.filter(|setting| store_option(setting).is_none());
        for setting in own {
            chosen.set(setting).map_err(Failure::bad_arguments)?;
        }
        for (field, value) in self.load.settings() {
            let setting = format!("{field}={value}");
            chosen.set(&setting).map_err(Failure::bad_arguments)?;
        }
        if self.load.operations.is_some() && self.load.duration.is_none() {
            chosen.end_by_operations();
        }
        Ok(chosen)
    }
}

/// What sets an option of a store's own: its name and its value.
fn store_option(setting: &str) -> Option<(String, String)> {
    let (name, value) = setting.strip_prefix("store.")?.split_once('=')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// The run that these words ask for, or why there is none.
#[cfg(test)]
pub(in crate::cli) fn asked<'a>(words: impl Iterator<Item = &'a str>) -> Result<Config, String> {
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        run: RunArgs,
    }

    let words = std::iter::once("kvs-bench").chain(words);
    let parsed = Words::try_parse_from(words).map_err(|error| error.to_string())?;
    parsed.run.config().map_err(|failure| failure.to_string())
}
