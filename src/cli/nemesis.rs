//! What the command line says about the nemesis.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::nemesis::{FaultKind, PartitionShape, Refusal, Target, Wanted};
use crate::run::Config;
use crate::workload::humane;

use super::Failure;
use super::choice::choice;

/// Every kind of fault, as `--nemesis` takes it.
const ALL: &str = "all";

/// What goes wrong, when, and for whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Nemesis")]
pub(super) struct NemesisArgs {
    #[arg(long, value_name = "FAULTS", value_delimiter = ',', help = kinds_help())]
    nemesis: Vec<String>,

    /// The time from the start of one fault to the start of the next. [default: 10s, or less if the
    /// duration would have no room for five faults and for one of each kind]
    #[arg(long, value_name = "TIME")]
    nemesis_interval: Option<String>,

    /// How many nodes of each group a fault hits, or which one, separated by commas. Each fault draws
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
    /// The faults that are wanted.
    pub(super) fn wanted(&self) -> Result<Wanted, Failure> {
        let mut wanted = Wanted {
            interval: { self.nemesis_interval.as_deref() }
                .map(interval)
                .transpose()?,
            targets: self.nemesis_targets.clone(),
            shapes: self.nemesis_partitions.clone(),
            ..Wanted::default()
        };
        for name in &self.nemesis {
            if name == ALL {
                wanted.all = true;
            } else {
                wanted.kinds.insert(kind(name)?);
            }
        }
        Ok(wanted)
    }
}

/// The time from one fault to the next that is written like this.
pub(super) fn interval(given: &str) -> Result<Duration, Failure> {
    humane::parse_duration(given).ok_or_else(|| {
        Failure::bad_arguments(Refusal::Interval {
            given: given.to_owned(),
        })
    })
}

/// The names of all kinds.
fn known_kinds() -> String {
    FaultKind::ALL.map(FaultKind::name).join(", ")
}

/// What `--help` says of `--nemesis`.
fn kinds_help() -> String {
    format!(
        "Kinds of fault that come at random while the load is measured, separated by commas: {}. \
         `{ALL}` means every kind that this store can have. Each kind comes at least once",
        known_kinds()
    )
}

/// The kind of fault of this name.
fn kind(name: &str) -> Result<FaultKind, Failure> {
    let meant = FaultKind::meant(name).map_err(Failure::bad_arguments)?;
    meant.ok_or_else(|| {
        Failure::bad_arguments(anyhow!(
            "there is no fault {name:?}: --nemesis takes {} or {ALL}",
            known_kinds()
        ))
    })
}

/// What `all` stands for in a run; none where it was not asked for.
pub(super) fn announcement(config: &Config) -> Option<String> {
    if !config.faults.all {
        return None;
    }
    let plan = config.plan().ok()??;
    let kinds: Vec<&str> = plan.kinds.iter().map(|kind| kind.name()).collect();
    let left_out: Vec<String> = { plan.left_out.iter() }
        .map(|(kind, need)| format!("{kind} needs {need}"))
        .collect();
    let left_out = match &left_out[..] {
        [] => String::new(),
        left_out => format!(" ({})", left_out.join(", ")),
    };
    let interval = humane::format_duration(Duration::from_nanos(plan.interval_ns));
    Some(format!(
        "all: {}{left_out}, one every {interval}",
        kinds.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::asked;
    use crate::nemesis::{INTERVAL, Plan};

    fn config(words: &str) -> Result<Config, String> {
        let config = asked(words.split_whitespace())?;
        config.check().map_err(|unfit| unfit.to_string())?;
        Ok(config)
    }

    /// What a command does, as far as faults go.
    #[track_caller]
    fn plan(words: &str) -> Plan {
        let config = config(words).unwrap_or_else(|refused| panic!("{words}: {refused}"));
        let plan = config.plan().expect("it was checked");
        plan.expect("faults were asked for")
    }

    /// The commands of a page that have a nemesis, without the program's name.
    fn commands(page: &str) -> Vec<String> {
        // Whoever reads the page has a store of their own; here is one.
        let own = "examples/adapters/http-store.toml";
        let page = page.replace("\\\n", " ").replace("./my-store.toml", own);
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
        let usual_ns = INTERVAL.as_nanos() as u64;
        for arch in ["local", "replicated", "sharded", "sharded_replicated"] {
            for duration in ["100ms", "2s", "5s", "20s", "60s", "1h"] {
                let memory = plan(&format!("--arch {arch} --nemesis all -d {duration}"));
                let others = FaultKind::ALL.into_iter();
                let others = others.filter(|kind| *kind != FaultKind::DISK);
                assert_eq!(memory.kinds, others.collect::<Vec<_>>());
                let disk = (FaultKind::DISK, "--durability disk".to_owned());
                assert_eq!(memory.left_out, [disk]);
                let disk = format!("--arch {arch} --durability disk --nemesis all -d {duration}");
                let disk = plan(&disk);
                assert_eq!(disk.kinds, FaultKind::ALL);
                assert_eq!(disk.left_out, []);
                assert!(disk.interval_ns <= usual_ns);
            }
        }
        assert_eq!(plan("--nemesis kill -d 1h").interval_ns, usual_ns);
        assert_eq!(plan("--nemesis kill -d 20s").interval_ns, usual_ns * 2 / 5);
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
