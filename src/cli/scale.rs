//! `kvs-bench scale`: how updates spread among more replicas than a machine can hold as processes,
//! beside what the theory of epidemics says.

use std::num::NonZero;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::campaign::scale::{self, Grid, Point};
use crate::protocol::Lattice;
use crate::sim::Topology;

use super::choice::{Choice, choice};
use super::progress::Screen;
use super::run::usual;
use super::simulated::SimulatedArgs;
use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench scale`. Those that take several values are combined.
#[derive(Debug, Args)]
pub(super) struct ScaleArgs {
    /// How many replicas there are in all, separated by commas.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
          default_value = "3,5,10,20,50,100,200,500,1000",
          value_parser = clap::value_parser!(u16).range(2..=2_048))]
    replicas: Vec<u16>,

    /// How many peers a replica pushes a rumour to.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1,2,3,5,10",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    fanout: Vec<u16>,

    /// The chance that a message between replicas is lost, from 0 to below 1.
    #[arg(
        long,
        value_name = "CHANCES",
        value_delimiter = ',',
        default_value = "0,0.05"
    )]
    loss: Vec<f64>,

    /// How many shards of equal size the replicas form. N replicas in k shards are sharded(k,
    /// replicated(N/k)).
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1",
          value_parser = clap::value_parser!(u16).range(1..=1_024))]
    shards: Vec<u16>,

    /// How many sessions put, each at a replica of its own. A version vector has an entry for each.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "4",
          value_parser = clap::value_parser!(u32).range(1..=2_048))]
    sessions: Vec<u32>,

    /// The mean time between two puts, in ms. By default it is ten rounds of anti-entropy, in which
    /// most updates reach every replica before the next one.
    #[arg(long, value_name = "MS", value_delimiter = ',')]
    every: Vec<f64>,

    /// How far apart nodes are.
    #[arg(long, value_parser = choice::<Topology>(), default_value = Topology::Lan.word())]
    topology: Topology,

    /// The time between two digests of one replica, in ms. [default: 50, or 500 between regions]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    anti_entropy: Option<u64>,

    /// How many puts there are in each seed.
    #[arg(long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    updates: u64,

    /// How many bytes each value has.
    #[arg(long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(8..=65_536))]
    value_bytes: u32,

    /// How many seeds each combination runs with. They count from 0.
    #[arg(long, value_name = "COUNT", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,

    /// What replicas promise for concurrent puts.
    #[arg(long, short, value_parser = choice::<Lattice>(), default_value = usual().lattice.word())]
    lattice: Lattice,

    #[command(flatten)]
    simulated: SimulatedArgs,

    /// Prints the points as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Prints the points as CSV.
    #[arg(long)]
    csv: bool,

    /// The directory that keeps the table, as text and as CSV, and a plot for each chance of loss.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ScaleArgs {
    fn grid(&self) -> Result<Grid, Failure> {
        Ok(Grid {
            replicas: self.replicas.clone(),
            fanout: self.fanout.clone(),
            loss: self.loss.clone(),
            shards: self.shards.clone(),
            sessions: self.sessions.clone(),
            every_ms: self.every.clone(),
            topology: self.topology,
            anti_entropy_ms: self.anti_entropy,
            updates: self.updates,
            value_bytes: self.value_bytes,
            lattice: self.lattice,
            bug: self.simulated.bug()?,
        })
    }
}

/// Measures every combination of the parameters, and prints one line each.
pub(super) fn main(args: &ScaleArgs) -> Result<ExitStatus, Failure> {
    let scales = args.grid()?.scales().map_err(Failure::bad_arguments)?;
    let seeds = NonZero::new(args.seeds).expect("its parser takes 1 at least");
    let jobs = args.simulated.jobs();
    let measured = scale::measure(&scales, seeds, jobs, &mut Screen::default());
    let points = measured.map_err(|verdict| Failure {
        status: ExitStatus::Invalid,
        error: anyhow!("a simulated replica failed: {verdict}"),
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&points).context("cannot print the result")?;
        super::print(&json)?;
    } else if args.csv {
        super::print(&scale::csv(&points)?)?;
    } else {
        super::print(&scale::text(&points))?;
    }
    if let Some(directory) = &args.out {
        scale::keep(directory, args.topology, &points)
            .with_context(|| format!("cannot keep the result in {}", directory.display()))?;
    }
    // An update that is not everywhere at the end has not spread, which is what gossip promises.
    Ok(if points.iter().all(Point::converged) {
        ExitStatus::Valid
    } else {
        ExitStatus::Invalid
    })
}
