//! The arguments of `kvs-bench sim`.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use crate::checker::Model;
use crate::nemesis::Target;
use crate::node::Durability;
use crate::protocol::Lattice;
use crate::run::can_be_asked;
use crate::server::{Architecture, fits};
use crate::session::Routing;
use crate::sim::{Options, STEPS_DEFAULT, SimFault, Topology};
use crate::targets::zoo;
use crate::workload::Workload;

use crate::cli::Failure;
use crate::cli::choice::{Choice, architectures, choice, model};
use crate::cli::run::{Switch, usual};
use crate::cli::simulated::SimulatedArgs;

/// The workload of this name or file, if the store can be asked for what is in it.
fn workload(
    name: &str,
    architecture: &Architecture,
    lattice: Lattice,
) -> Result<Workload, Failure> {
    let workload = Workload::load(name).map_err(Failure::bad_arguments)?;
    let facts = zoo::facts(architecture, lattice, Durability::default());
    can_be_asked(&facts.name, facts.operations, &workload.mix).map_err(Failure::bad_arguments)?;
    // The command that simulates it again has to find it.
    let name = name.to_owned();
    Ok(Workload { name, ..workload })
}

/// Every kind of fault, as `--without` takes it.
const ALL: &str = "all";

/// The arguments of `kvs-bench sim`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SimArgs {
    #[arg(long, short, value_name = "ARCH",
          help = architectures("What to simulate", ""),
          default_value_t = usual().architecture.to_string())]
    arch: String,

    /// What replicated stores promise for concurrent puts.
    #[arg(long, short, value_parser = choice::<Lattice>(), default_value = usual().lattice.word())]
    lattice: Lattice,

    /// The model that the verdict is about, instead of what the store promises: any model of the
    /// ladder.
    #[arg(long, value_name = "MODEL", value_parser = model)]
    promise: Option<Model>,

    /// The seeds, from the first number up to but not including the second.
    #[arg(long, value_name = "FROM..TO", default_value = "0..100")]
    seeds: String,

    /// One seed instead of many.
    #[arg(long, value_name = "NUMBER", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// How many steps of the workload there are while faults come. A read-modify-write is one step.
    #[arg(long, value_name = "COUNT", default_value_t = STEPS_DEFAULT)]
    steps: u64,

    /// What clients do: the mix, keys and sizes of a workload, by name or as a TOML file. [default:
    /// the seed draws it]
    #[arg(long, value_name = "NAME|FILE")]
    workload: Option<String>,

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
    #[arg(long, value_enum, default_value_t = usual().policy.context.into())]
    context: Switch,

    /// How far apart nodes are.
    #[arg(long, value_parser = choice::<Topology>(), default_value = Topology::Lan.name())]
    topology: Topology,

    /// Kinds of fault that do not come, separated by commas. `all` is every kind.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    without: Vec<String>,

    /// Has the faults that come from time to time hit the node that leads its group when they come.
    #[arg(long, value_name = "TARGET", value_parser = [Target::Leader.name()])]
    nemesis_targets: Option<String>,

    #[command(flatten)]
    simulated: SimulatedArgs,

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
    pub(super) fn options(&self) -> Result<Options, Failure> {
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
        let lattice = self.lattice;
        let bug = self.simulated.bug()?;
        if let Some(bug) = bug {
            fits(bug, &architecture, lattice).map_err(Failure::bad_arguments)?;
        }
        let at_leader = self.nemesis_targets.is_some();
        if at_leader && !architecture.kind().facts().has_leader() {
            return Err(bad(anyhow!(
                "--nemesis-targets leader aims at the node that leads its group, and {architecture} \
                 has no such node"
            )));
        }
        let workload = { self.workload.as_deref() }
            .map(|name| workload(name, &architecture, lattice))
            .transpose()?;
        Ok(Options {
            promise: self.promise,
            bug,
            workload,
            steps: self.steps,
            sessions: self.sessions,
            keys: self.keys,
            routing: self.routing,
            context: self.context == Switch::On,
            topology: self.topology,
            without: faults(&self.without).map_err(bad)?,
            at_leader,
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

    /// How many run at once.
    pub(super) fn jobs(&self) -> NonZero<usize> {
        self.simulated.jobs()
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
pub(in crate::cli) fn faults(names: &[String]) -> anyhow::Result<BTreeSet<SimFault>> {
    let mut faults = BTreeSet::new();
    for name in names {
        if name == ALL {
            faults.extend(SimFault::ALL);
            continue;
        }
        let meant = SimFault::meant(name)?;
        if meant.is_empty() {
            let names: Vec<&str> = SimFault::ALL.iter().map(|fault| fault.name()).collect();
            return Err(anyhow!(
                "there is no fault {name:?}: --without takes {} or {ALL}",
                names.join(", ")
            ));
        }
        faults.extend(meant);
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bug::Bug;
    use crate::campaign::seeds::{command, replay};
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        sim: SimArgs,
    }

    /// The simulation that a command asks for, and its seeds.
    fn asked(command: &str) -> (Options, Range<u64>) {
        let words = command.replace('\'', "");
        let words = words.strip_prefix("kvs-bench ").expect("the program");
        let args = Words::try_parse_from(words.split(' '))
            .expect("a command")
            .sim;
        let options = args.options().expect("a possible simulation");
        (options, args.seeds().expect("seeds"))
    }

    #[test]
    fn the_command_of_a_simulation_asks_for_the_same_simulation() {
        let local = Options::new(Architecture::local(), Lattice::Causal);
        let large = Options {
            promise: Some(Model::Eventual),
            bug: Some(Bug::OverwritingMerge),
            steps: 33,
            sessions: Some(5),
            keys: Some(2),
            routing: Some(Routing::Sticky),
            context: false,
            topology: Topology::Wan,
            without: BTreeSet::from([SimFault::LOSS, SimFault::DISK]),
            ..Options::new("replicated(5)".parse().expect("a store"), Lattice::Lww)
        };
        let calm = Options {
            without: SimFault::ALL.iter().copied().collect(),
            ..local.clone()
        };
        let aimed = Options {
            at_leader: true,
            ..local.clone()
        };
        let told = replay(7, &aimed);
        assert!(told.contains("--nemesis-targets leader"), "{told}");
        for options in [local, large, calm] {
            assert_eq!(asked(&replay(7, &options)), (options.clone(), 7..8));
            assert_eq!(
                asked(&command(&options, Some(50))),
                (options.clone(), 0..50)
            );
        }
    }
}
