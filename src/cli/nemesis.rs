//! What the command line says about the nemesis.

use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use crate::nemesis::{FaultKind, PartitionShape, Plan, Schedule, Step, Target};
use crate::node::Durability;
use crate::protocol::NodeId;
use crate::server::Architecture;
use crate::workload::{Workload, humane};

use super::Failure;

/// The time from one fault to the next, unless told otherwise: Jepsen's.
const INTERVAL: Duration = Duration::from_secs(10);
/// The least time: the launcher tells nodes of faults no faster.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// Or so many of them in a run that is short.
const FAULTS_MIN: u32 = 5;
/// Every kind of fault, as `--nemesis` takes it.
const ALL: &str = "all";

/// What goes wrong, when, and for whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Nemesis")]
pub(super) struct NemesisArgs {
    /// Faults that come at random while the load is measured, separated by commas: partition, kill,
    /// pause, packet, clock, disk, or all.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    nemesis: Vec<String>,

    /// The time from the start of one fault to the start of the next [default: 10s, or a fifth of
    /// the duration where that is less].
    #[arg(long, value_name = "TIME")]
    nemesis_interval: Option<String>,

    /// How many nodes of each group a fault of nodes acts on, separated by commas; drawn from
    /// these each time [default: one, minority, majority].
    #[arg(long, value_enum, value_name = "TARGETS", value_delimiter = ',')]
    nemesis_targets: Vec<Target>,

    /// How partitions look, separated by commas; drawn from these each time [default: any].
    #[arg(long, value_enum, value_name = "SHAPES", value_delimiter = ',')]
    nemesis_partitions: Vec<PartitionShape>,
}

impl NemesisArgs {
    /// What the nemesis is to do, if there is one.
    pub(super) fn plan(
        &self,
        architecture: &Architecture,
        workload: &Workload,
        durability: Durability,
        seed: u64,
    ) -> Result<Option<Plan>, Failure> {
        let kinds = self.kinds(durability)?;
        if kinds.is_empty() && workload.nemesis.is_empty() {
            return Ok(None);
        }
        let disks = kinds.contains(&FaultKind::Disk)
            || workload
                .nemesis
                .iter()
                .any(|step| step.fault == FaultKind::Disk);
        if disks && durability == Durability::Memory {
            return Err(Failure::bad_arguments(anyhow!(
                "there is no disk that could fail: add --durability disk"
            )));
        }
        let steps = workload.nemesis.iter().map(|step| Step {
            at_ns: step.at.as_nanos() as u64,
            lasts_ns: step.lasts.as_nanos() as u64,
            kind: step.fault,
            what: step.what.clone(),
            nodes: step.nodes.iter().copied().map(NodeId).collect(),
        });
        let plan = Plan {
            kinds,
            interval_ns: self.interval(workload)?.as_nanos() as u64,
            targets: self.nemesis_targets.clone(),
            shapes: self.nemesis_partitions.clone(),
            steps: steps.collect(),
            seed,
        };
        // What it cannot do is said before anything is started.
        Schedule::new(plan.clone(), architecture.groups()).map_err(Failure::bad_arguments)?;
        Ok(Some(plan))
    }

    /// The kinds of fault. `all` are those that there can be: memory has no disk that fails.
    fn kinds(&self, durability: Durability) -> Result<Vec<FaultKind>, Failure> {
        let mut kinds = Vec::new();
        for name in &self.nemesis {
            if name == ALL {
                let possible =
                    |kind: &FaultKind| *kind != FaultKind::Disk || durability == Durability::Disk;
                kinds.extend(FaultKind::ALL.into_iter().filter(possible));
            } else {
                let kind = FaultKind::from_str(name, true).map_err(|_| {
                    let known = FaultKind::ALL.map(FaultKind::name).join(", ");
                    Failure::bad_arguments(anyhow!(
                        "there is no fault {name:?}: --nemesis takes {known} or {ALL}"
                    ))
                })?;
                kinds.push(kind);
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }

    fn interval(&self, workload: &Workload) -> Result<Duration, Failure> {
        match &self.nemesis_interval {
            None => {
                let part = workload.time_limit().map(|limit| limit / FAULTS_MIN);
                Ok(part.unwrap_or(INTERVAL).min(INTERVAL))
            }
            Some(given) => humane::parse_duration(given)
                .filter(|interval| *interval >= INTERVAL_MIN)
                .ok_or_else(|| {
                    Failure::bad_arguments(anyhow!(
                        "--nemesis-interval takes a time with its unit, from 10ms on, such as 10s: \
                         {given:?} is none"
                    ))
                }),
        }
    }
}
