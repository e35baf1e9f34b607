//! The arguments of `kvs-bench sim`.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use crate::campaign::parallel;
use crate::recording::lattice_name;
use crate::server::Architecture;
use crate::session::Routing;
use crate::sim::{Fault, Options, STEPS_DEFAULT, Topology};

use crate::cli::Failure;
use crate::cli::choice::choice;
use crate::cli::run::{LatticeArg, Switch, planted, quoted};

/// Every kind of fault, as `--without` takes it.
const ALL: &str = "all";

/// The arguments of `kvs-bench sim`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SimArgs {
    /// What to simulate: local, replicated, sharded, sharded_replicated, or a nesting.
    #[arg(long, short, value_name = "ARCH", default_value = "replicated")]
    arch: String,

    /// What replicated stores promise for concurrent puts.
    #[arg(long, short, value_enum, default_value_t = LatticeArg::Causal)]
    lattice: LatticeArg,

    /// The seeds, from the first number up to but not including the second.
    #[arg(long, value_name = "FROM..TO", default_value = "0..100")]
    seeds: String,

    /// One seed instead of many.
    #[arg(long, value_name = "NUMBER", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// How many steps of the workload there are while faults come. A read-modify-write is one step.
    #[arg(long, value_name = "COUNT", default_value_t = STEPS_DEFAULT)]
    steps: u64,

    /// How many replicas each group has. [default: what the architecture says]
    #[arg(long, value_name = "COUNT")]
    nodes: Option<u16>,

    /// How many sessions there are at a time. [default: the seed draws it]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=4096))]
    sessions: Option<u32>,

    /// How many keys there are at first. [default: the seed draws it]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    keys: Option<u64>,

    /// How a session chooses among replicas. [default: the seed draws it]
    #[arg(long, value_parser = choice::<Routing>())]
    routing: Option<Routing>,

    /// Whether requests carry what their session has seen.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    context: Switch,

    /// How far apart nodes are.
    #[arg(long, value_parser = choice::<Topology>(), default_value = Topology::Lan.name())]
    topology: Topology,

    /// Kinds of fault that do not come, separated by commas. `all` is every kind.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    without: Vec<String>,

    /// Plants a known mistake in the store. `kvs-bench bugs` lists them.
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,

    /// How many seeds run at once. [default: as many as there are cores]
    #[arg(long, value_name = "COUNT")]
    jobs: Option<NonZero<usize>>,

    /// Makes the first seed that fails smaller, and prints the command that replays it.
    #[arg(long)]
    shrink: bool,

    /// The directory that keeps the plan, the history and the events of the first seed that fails.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Prints everything that happens in the first seed, one event a line.
    #[arg(long)]
    trace: bool,

    /// Prints the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl SimArgs {
    /// What the arguments decide.
    pub(in crate::cli) fn options(&self) -> Result<Options, Failure> {
        let bad = |error: anyhow::Error| Failure::bad_arguments(error);
        let architecture: Architecture = self
            .arch
            .parse()
            .map_err(|error| bad(anyhow!("--arch: {error}")))?;
        let architecture = match self.nodes {
            None => architecture,
            Some(nodes) => architecture
                .with_replicas(nodes)
                .map_err(|error| bad(anyhow!("--nodes: {error}")))?,
        };
        let lattice = self.lattice.into();
        let bug = self
            .bug
            .as_deref()
            .map(|name| planted(name, &architecture, lattice))
            .transpose()?;
        Ok(Options {
            bug,
            steps: self.steps,
            sessions: self.sessions,
            keys: self.keys,
            routing: self.routing,
            context: self.context == Switch::On,
            topology: self.topology,
            without: faults(&self.without).map_err(bad)?,
            ..Options::new(architecture, lattice)
        })
    }

    /// Which seeds are asked for.
    pub(super) fn seeds(&self) -> Result<Range<u64>, Failure> {
        if let Some(seed) = self.seed {
            return Ok(seed..seed.saturating_add(1));
        }
        let wrong = || {
            Failure::bad_arguments(anyhow!(
                "--seeds takes two numbers, the second one larger, such as 0..1000"
            ))
        };
        let (from, to) = self.seeds.split_once("..").ok_or_else(wrong)?;
        let (from, to) = from.parse().ok().zip(to.parse().ok()).ok_or_else(wrong)?;
        if from >= to {
            return Err(wrong());
        }
        Ok(from..to)
    }

    pub(in crate::cli) fn jobs(&self) -> NonZero<usize> {
        parallel::jobs(self.jobs)
    }

    pub(super) const fn json(&self) -> bool {
        self.json
    }

    pub(super) const fn shrink(&self) -> bool {
        self.shrink
    }

    pub(super) const fn trace(&self) -> bool {
        self.trace
    }

    pub(super) fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }
}

/// The kinds of fault of these names, `all` among them.
pub(in crate::cli) fn faults(names: &[String]) -> anyhow::Result<BTreeSet<Fault>> {
    let mut faults = BTreeSet::new();
    for name in names {
        if name == ALL {
            faults.extend(Fault::ALL);
            continue;
        }
        faults.insert(Fault::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            anyhow!(
                "there is no fault {name:?}: --without takes {} or {ALL}",
                names.join(", ")
            )
        })?);
    }
    Ok(faults)
}

/// The command that simulates exactly this.
pub(super) fn command(seed: u64, options: &Options) -> String {
    let arch = options.architecture.to_string();
    let mut words = vec!["kvs-bench sim".to_owned()];
    let mut option = |name: &str, value: &str| words.push(format!("--{name} {}", quoted(value)));
    option("arch", &arch);
    if options.architecture.is_replicated() {
        option("lattice", lattice_name(options.lattice));
    }
    option("seed", &seed.to_string());
    option("steps", &options.steps.to_string());
    if let Some(sessions) = options.sessions {
        option("sessions", &sessions.to_string());
    }
    if let Some(keys) = options.keys {
        option("keys", &keys.to_string());
    }
    if let Some(routing) = options.routing {
        option("routing", routing.name());
    }
    if !options.context {
        option("context", "off");
    }
    if options.topology != Topology::default() {
        option("topology", options.topology.name());
    }
    if options.without.len() == Fault::COUNT {
        option("without", ALL);
    } else if !options.without.is_empty() {
        let names: Vec<&str> = options.without.iter().map(|fault| fault.name()).collect();
        option("without", &names.join(","));
    }
    if let Some(bug) = options.bug {
        option("bug", bug.name());
    }
    words.join(" ")
}
