//! The arguments of `kvs-bench scale`.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;

use crate::cli::Failure;
use crate::cli::choice::choice;
use crate::cli::run::{LatticeArg, planted};
use crate::server::Architecture;
use crate::sim::{Scale, Topology};

/// Time between two digests within a LAN and between regions, in ms, unless told otherwise: some
/// round trips, so that an exchange has ended when the next begins.
const ANTI_ENTROPY_MS: (u64, u64) = (50, 500);
/// After how many rounds of anti-entropy the next put comes, unless told otherwise: most updates are
/// everywhere by then.
const EVERY_ROUNDS: u64 = 10;
/// What the version vectors that replicas keep of their peers may take in memory, in bytes.
const VECTORS_BYTES_MAX: u64 = 2 << 30;

/// The arguments of `kvs-bench scale`. Those that take several values are combined.
#[derive(Debug, Args)]
pub(in crate::cli) struct ScaleArgs {
    /// How many replicas there are in all, separated by commas.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
          default_value = "3,5,10,20,50,100,200,500,1000",
          value_parser = clap::value_parser!(u16).range(2..=2_048))]
    replicas: Vec<u16>,

    /// How many peers a rumour is pushed to.
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

    /// Into how many shards of equal size the replicas are parted: N in k shards is
    /// sharded(k, replicated(N/k)).
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "1",
          value_parser = clap::value_parser!(u16).range(1..=1_024))]
    shards: Vec<u16>,

    /// How many sessions put, each at a replica of its own: as many entries have version vectors.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "4",
          value_parser = clap::value_parser!(u32).range(1..=2_048))]
    sessions: Vec<u32>,

    /// The mean time between two puts, in ms; ten rounds of anti-entropy unless told, in which
    /// most updates are everywhere before the next one.
    #[arg(long, value_name = "MS", value_delimiter = ',')]
    every: Vec<f64>,

    /// How far apart nodes are.
    #[arg(long, value_parser = choice::<Topology>(), default_value = Topology::Lan.name())]
    topology: Topology,

    /// Time between two digests of one replica, in ms; 50, or 500 between regions, unless told.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    anti_entropy: Option<u64>,

    /// How many puts there are in each seed.
    #[arg(long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    updates: u64,

    /// Bytes of each value.
    #[arg(long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(8..=65_536))]
    value_bytes: u32,

    /// How many seeds each combination is measured with, from 0.
    #[arg(long, value_name = "COUNT", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,

    /// What replicas promise for concurrent puts.
    #[arg(long, short, value_enum, default_value_t = LatticeArg::Causal)]
    lattice: LatticeArg,

    /// Plants a known mistake in the store (see `kvs-bench bugs`).
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,

    /// How many simulations run at once; as many as there are cores unless told.
    #[arg(long, value_name = "COUNT")]
    jobs: Option<NonZero<usize>>,

    /// Prints the points as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Prints the points as CSV.
    #[arg(long)]
    csv: bool,

    /// Keeps the table, as text and as CSV, and a plot for each chance of loss there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ScaleArgs {
    /// Every combination that is asked for.
    pub(super) fn scales(&self) -> Result<Vec<Scale>, Failure> {
        let mut scales = Vec::new();
        for loss in &self.loss {
            for every_ms in self.every() {
                for sessions in &self.sessions {
                    for shards in &self.shards {
                        for fanout in &self.fanout {
                            for replicas in &self.replicas {
                                let scale = Scale {
                                    fanout: *fanout,
                                    loss: *loss,
                                    sessions: *sessions,
                                    every_ms,
                                    ..self.scale(*replicas, *shards)?
                                };
                                scales.push(scale);
                            }
                        }
                    }
                }
            }
        }
        scales
            .iter()
            .try_for_each(possible)
            .map_err(Failure::bad_arguments)?;
        Ok(scales)
    }

    /// What does not differ between combinations of one architecture.
    fn scale(&self, replicas: u16, shards: u16) -> Result<Scale, Failure> {
        let architecture = architecture(replicas, shards).map_err(Failure::bad_arguments)?;
        let lattice = self.lattice.into();
        let bug = self
            .bug
            .as_deref()
            .map(|name| planted(name, &architecture, lattice))
            .transpose()?;
        Ok(Scale {
            architecture,
            lattice,
            bug,
            fanout: 0,
            anti_entropy_ms: self.anti_entropy_ms(),
            topology: self.topology,
            loss: 0.0,
            sessions: 0,
            updates: self.updates,
            every_ms: 0.0,
            value_bytes: self.value_bytes,
        })
    }

    fn anti_entropy_ms(&self) -> u64 {
        self.anti_entropy.unwrap_or(match self.topology {
            Topology::Lan => ANTI_ENTROPY_MS.0,
            Topology::Wan => ANTI_ENTROPY_MS.1,
        })
    }

    fn every(&self) -> Vec<f64> {
        if self.every.is_empty() {
            return vec![(EVERY_ROUNDS * self.anti_entropy_ms()) as f64];
        }
        self.every.clone()
    }

    pub(super) const fn topology(&self) -> Topology {
        self.topology
    }

    pub(super) const fn seeds(&self) -> u64 {
        self.seeds
    }

    pub(super) fn jobs(&self) -> NonZero<usize> {
        super::parallel::jobs(self.jobs)
    }

    pub(super) const fn json(&self) -> bool {
        self.json
    }

    pub(super) const fn csv(&self) -> bool {
        self.csv
    }

    pub(super) fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }
}

/// `shards` groups of equal size that have `replicas` nodes together.
fn architecture(replicas: u16, shards: u16) -> anyhow::Result<Architecture> {
    if !replicas.is_multiple_of(shards) || replicas / shards < 2 {
        return Err(anyhow!(
            "{replicas} replicas cannot be parted into {shards} shards: --shards takes divisors of \
             --replicas that leave each shard at least 2"
        ));
    }
    let group = Architecture::replicated(replicas / shards)?;
    Ok(if shards == 1 {
        group
    } else {
        Architecture::sharded(shards, group)?
    })
}

/// Whether a combination can be simulated.
fn possible(scale: &Scale) -> anyhow::Result<()> {
    if !(0.0..1.0).contains(&scale.loss) {
        return Err(anyhow!("--loss takes chances from 0 to below 1"));
    }
    if !(scale.every_ms >= 0.001 && scale.every_ms <= 1e6) {
        return Err(anyhow!("--every takes times from 0.001 to 1000000 ms"));
    }
    let (nodes, groups) = scale.groups();
    let group = nodes / groups;
    let entries = u64::from(group.min(scale.sessions));
    let bytes = u64::from(nodes) * u64::from(group) * entries * size_of::<u64>() as u64;
    if bytes > VECTORS_BYTES_MAX {
        return Err(anyhow!(
            "{group} replicas of a group that {} sessions put to would keep {} MiB of version \
             vectors: take fewer --replicas or fewer --sessions",
            scale.sessions,
            bytes >> 20
        ));
    }
    Ok(())
}
