//! What the command line says about the nemesis.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::nemesis::{
    FaultKind, INTERVAL_NS_MIN, Lack, PartitionShape, Plan, Schedule, Step, Target,
};
use crate::node::Durability;
use crate::protocol::NodeId;
use crate::server::Architecture;
use crate::workload::{FaultStep, Workload, humane};

use super::Failure;
use super::choice::choice;

/// The time from one fault to the next, unless told otherwise: Jepsen's.
const INTERVAL_NS: u64 = 10_000_000_000;
/// Or so many of them in a run that is short.
const FAULTS_MIN: u64 = 5;
/// Every kind of fault, as `--nemesis` takes it.
const ALL: &str = "all";

/// What goes wrong, when, and for whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Nemesis")]
pub(super) struct NemesisArgs {
    /// Faults that come at random while the load is measured, separated by commas: partition, kill,
    /// pause, packet, clock, disk. `all` means every kind that this store can have. Each kind comes
    /// at least once.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    nemesis: Vec<String>,

    /// The time from the start of one fault to the start of the next. [default: 10s, or less if the
    /// duration could not hold five faults and one of each kind]
    #[arg(long, value_name = "TIME")]
    nemesis_interval: Option<String>,

    /// On how many nodes of each group a fault of nodes acts, separated by commas. Each fault draws
    /// one of these. [default: one, minority, majority]
    #[arg(long, value_parser = choice::<Target>(), value_name = "TARGETS", value_delimiter = ',')]
    nemesis_targets: Vec<Target>,

    /// The shapes of partitions, separated by commas. Each partition draws one of these. [default:
    /// any]
    #[arg(long, value_parser = choice::<PartitionShape>(), value_name = "SHAPES",
          value_delimiter = ',')]
    nemesis_partitions: Vec<PartitionShape>,
}

impl NemesisArgs {
    /// What the nemesis is to do, if there is one.
    ///
    /// # Errors
    /// When it cannot do it, or the measured part is too short for all of it.
    pub(super) fn plan(
        &self,
        architecture: &Architecture,
        workload: &Workload,
        durability: Durability,
        seed: u64,
    ) -> Result<Option<Plan>, Failure> {
        let (kinds, left_out) = self.kinds(durability)?;
        let steps: Vec<Step> = workload.nemesis.iter().map(step).collect();
        let comes = |kind| kinds.contains(&kind) || steps.iter().any(|step| step.kind == kind);
        self.refuse_idle_flags(!kinds.is_empty(), comes)?;
        if kinds.is_empty() && steps.is_empty() {
            return Ok(None);
        }
        for kind in FaultKind::ALL.into_iter().filter(|kind| comes(*kind)) {
            if let Some(need) = need(kind, durability) {
                return Err(Failure::bad_arguments(anyhow!(
                    "this store cannot have a {kind} fault, which needs {need}"
                )));
            }
        }
        let mut plan = Plan {
            kinds,
            left_out,
            interval_ns: INTERVAL_NS,
            targets: self.nemesis_targets.clone(),
            shapes: self.nemesis_partitions.clone(),
            steps,
            seed,
        };
        let groups = architecture.groups();
        // What it cannot do is said before anything is started.
        Schedule::new(plan.clone(), groups.clone()).map_err(Failure::bad_arguments)?;
        let limit = workload.time_limit();
        let limit_ns = limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        plan.interval_ns = match (&self.nemesis_interval, limit_ns) {
            (Some(given), _) => interval(given)?,
            (None, Some(limit_ns)) => default_interval(&plan, &groups, limit_ns)?,
            (None, None) => INTERVAL_NS,
        };
        if let Some(limit_ns) = limit_ns
            && let Some(lack) = plan
                .lack(&groups, limit_ns)
                .map_err(Failure::bad_arguments)?
        {
            return Err(Failure::bad_arguments(anyhow!(
                self.refusal(&lack, limit_ns)
            )));
        }
        Ok(Some(plan))
    }

    /// What `all` stands for, for the screen; none where it was not asked for.
    pub(super) fn announcement(&self, plan: &Plan) -> Option<String> {
        if !self.nemesis.iter().any(|name| name == ALL) {
            return None;
        }
        let kinds: Vec<&str> = plan.kinds.iter().map(|kind| kind.name()).collect();
        let left_out = match &plan.left_out[..] {
            [] => String::new(),
            left_out => format!(" ({})", left_out.join(", ")),
        };
        let interval = written(plan.interval_ns);
        Some(format!(
            "all: {}{left_out}, one every {interval}",
            kinds.join(", ")
        ))
    }

    /// The kinds of fault. `all` are those that this store can have; the others are told with what
    /// they need.
    fn kinds(&self, durability: Durability) -> Result<(Vec<FaultKind>, Vec<String>), Failure> {
        let mut kinds = Vec::new();
        let mut left_out = Vec::new();
        for name in &self.nemesis {
            if name == ALL {
                for kind in FaultKind::ALL {
                    match need(kind, durability) {
                        None => kinds.push(kind),
                        Some(need) => left_out.push(format!("{kind} needs {need}")),
                    }
                }
            } else {
                let kind = FaultKind::from_word(name).ok_or_else(|| {
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
        left_out.dedup();
        Ok((kinds, left_out))
    }

    /// Refuses what would change nothing: who gives it expects faults.
    fn refuse_idle_flags(
        &self,
        random: bool,
        comes: impl Fn(FaultKind) -> bool,
    ) -> Result<(), Failure> {
        let mut of_nodes = { FaultKind::ALL.into_iter() }
            .filter(|kind| *kind != FaultKind::Partition && comes(*kind));
        let idle = if self.nemesis_interval.is_some() && !random {
            "--nemesis-interval says how often faults come at random, and none do: add --nemesis"
        } else if !self.nemesis_targets.is_empty() && of_nodes.next().is_none() {
            "--nemesis-targets says which nodes faults of nodes meet, and there are none: add \
             --nemesis with kill, pause, packet, clock or disk"
        } else if !self.nemesis_partitions.is_empty() && !comes(FaultKind::Partition) {
            "--nemesis-partitions says how partitions look, and there are none: add --nemesis \
             partition"
        } else {
            return Ok(());
        };
        Err(Failure::bad_arguments(anyhow!(idle)))
    }

    /// What is lacking, and what would do.
    fn refusal(&self, lack: &Lack, limit_ns: u64) -> String {
        let limit = written(limit_ns);
        match lack {
            Lack::Kinds {
                missing,
                duration_ns,
                interval_ns,
            } => {
                let mut flags = format!("--nemesis {}", self.nemesis.join(","));
                if let Some(given) = &self.nemesis_interval {
                    flags += &format!(" --nemesis-interval {given}");
                }
                let or = interval_ns.map_or_else(String::new, |ns| {
                    format!(" (or `--nemesis-interval {}`)", written(ns))
                });
                let missing: Vec<&str> = missing.iter().map(|kind| kind.name()).collect();
                format!(
                    "`{flags}` needs `--duration {}`{or} to have each kind once: in {limit} there is \
                     no room for {}",
                    written(*duration_ns),
                    missing.join(", ")
                )
            }
            Lack::Step { step, duration_ns } => format!(
                "the {} at {} never comes, since the load is measured for {limit}: it needs \
                 `--duration {}`, or an earlier time",
                step.kind,
                written(step.at_ns),
                written(*duration_ns)
            ),
        }
    }
}

/// What a store needs to have faults of a kind; none when it can have them.
fn need(kind: FaultKind, durability: Durability) -> Option<&'static str> {
    match kind {
        FaultKind::Disk => (durability == Durability::Memory).then_some("--durability disk"),
        // A group of one is cut off from its clients.
        FaultKind::Partition
        | FaultKind::Kill
        | FaultKind::Pause
        | FaultKind::Packet
        | FaultKind::Clock => None,
    }
}

fn step(step: &FaultStep) -> Step {
    Step {
        at_ns: step.at.as_nanos() as u64,
        lasts_ns: step.lasts.as_nanos() as u64,
        kind: step.fault,
        what: step.what.clone(),
        nodes: step.nodes.iter().copied().map(NodeId).collect(),
    }
}

/// Ten seconds, or less where a run of `limit_ns` could not hold five faults and one of each kind.
fn default_interval(plan: &Plan, groups: &[Vec<NodeId>], limit_ns: u64) -> Result<u64, Failure> {
    let fits = plan
        .interval_ns_within(groups, limit_ns)
        .map_err(Failure::bad_arguments)?;
    let few = (limit_ns / FAULTS_MIN).max(INTERVAL_NS_MIN);
    Ok(fits.unwrap_or(INTERVAL_NS_MIN).min(few).min(INTERVAL_NS))
}

fn interval(given: &str) -> Result<u64, Failure> {
    humane::parse_duration(given)
        .and_then(|interval| u64::try_from(interval.as_nanos()).ok())
        .filter(|interval_ns| *interval_ns >= INTERVAL_NS_MIN)
        .ok_or_else(|| {
            Failure::bad_arguments(anyhow!(
                "--nemesis-interval takes a time with its unit of at least {}, such as 10s, not \
                 {given:?}",
                written(INTERVAL_NS_MIN)
            ))
        })
}

/// A time in ns as people write it.
fn written(ns: u64) -> String {
    humane::format_duration(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::config_of;
    use crate::run::Config;

    fn config(words: &str) -> Result<Config, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        config_of(&words).map_err(|failure| failure.to_string())
    }

    /// What a command does, as far as faults go.
    #[track_caller]
    fn plan(words: &str) -> Plan {
        let config = config(words).unwrap_or_else(|refused| panic!("{words}: {refused}"));
        config.nemesis.expect("faults were asked for")
    }

    /// The commands of a page that have a nemesis, without the program's name.
    fn commands(page: &str) -> Vec<String> {
        let page = page.replace("\\\n", " ");
        { page.lines() }
            .filter(|line| line.contains("--nemesis ") && !line.contains("error:"))
            .filter_map(|line| line.split_once("kvs-bench --"))
            .map(|(_, words)| {
                let end = words.find(['`', '#']).unwrap_or(words.len());
                format!("--{}", &words[..end])
            })
            .collect()
    }

    #[test]
    fn every_command_of_the_pages_holds_its_faults() {
        let pages = [
            (include_str!("../../README.md"), 1),
            (include_str!("../../docs/guides/commands.md"), 4),
            (include_str!("../../docs/guides/faults.md"), 2),
        ];
        for (page, least) in pages {
            let commands = commands(page);
            assert!(commands.len() >= least, "{commands:?}");
            for command in commands {
                // The one that shows a refusal.
                if command.contains("--nemesis-interval 10s") {
                    assert!(config(&command).is_err(), "{command}");
                } else {
                    plan(&command);
                }
            }
        }
    }

    #[test]
    fn every_script_holds_its_faults_whatever_the_seed() {
        let scripts = [
            "--arch sharded_replicated --durability disk --nemesis all --nemesis-interval 1s --duration 8s",
            "--arch sharded_replicated --durability disk --nemesis all --duration 10s",
            "--arch sharded_replicated --durability disk --nemesis all --duration 1h",
            "--arch sharded_replicated --nemesis partition,kill --nemesis-interval 2s --duration 10s",
            "--arch local --durability disk --nemesis kill --nemesis-interval 250ms --duration 30s",
        ];
        for script in scripts {
            for seed in 1..50 {
                plan(&format!("{script} --seed {seed}"));
            }
        }
    }

    #[test]
    fn all_is_what_the_store_can_have_and_the_default_interval_holds_one_of_each() {
        let names = |plan: &Plan| {
            plan.kinds
                .iter()
                .map(|kind| kind.name())
                .collect::<Vec<_>>()
        };
        for arch in ["local", "replicated", "sharded", "sharded_replicated"] {
            for duration in ["100ms", "2s", "5s", "20s", "60s", "1h"] {
                let memory = plan(&format!("--arch {arch} --nemesis all -d {duration}"));
                assert_eq!(
                    names(&memory),
                    ["partition", "kill", "pause", "packet", "clock"]
                );
                assert_eq!(memory.left_out, ["disk needs --durability disk"]);
                let disk = format!("--arch {arch} --durability disk --nemesis all -d {duration}");
                let disk = plan(&disk);
                assert_eq!(disk.kinds, FaultKind::ALL);
                assert_eq!(disk.left_out, [""; 0]);
                assert!(disk.interval_ns <= INTERVAL_NS);
            }
        }
        assert_eq!(plan("--nemesis kill -d 1h").interval_ns, INTERVAL_NS);
        assert_eq!(
            plan("--nemesis kill -d 20s").interval_ns,
            INTERVAL_NS * 2 / 5
        );
    }

    #[test]
    fn a_kind_that_is_named_and_cannot_be_had_is_refused_beside_all_too() {
        for words in ["--nemesis disk", "--nemesis all,disk"] {
            let refused = config(words).expect_err(words);
            assert!(refused.contains("--durability disk"), "{refused}");
        }
    }

    #[test]
    fn a_run_of_so_many_operations_cannot_be_foretold() {
        plan("--operations 10 --nemesis kill --nemesis-interval 1h");
        let both = "--operations 10 --duration 2s --nemesis kill --nemesis-interval 1h";
        assert!(config(both).is_err(), "its duration is known");
    }
}
