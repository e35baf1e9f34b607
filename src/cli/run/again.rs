//! Tests that the command which the program makes of a run asks for that same run.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{asked, usual};
use crate::bug::Bug;
use crate::checker::Engine;
use crate::cli::choice::Choice;
use crate::cli::output::versions;
use crate::nemesis::{FaultKind, PartitionShape, Target, Wanted};
use crate::node::{Durability, HostKind};
use crate::protocol::Lattice;
use crate::run::{CheckBudget, Config};
use crate::server::Architecture;
use crate::session::{Policy, Routing};
use crate::workload::{Chosen, catalogue};

/// A workload of a file, from the folder in which tests run.
const FILE: &str = "workloads/latest.toml";

/// The words that a shell makes of a command, without its program.
fn words(command: &str) -> Vec<String> {
    let script = format!("printf '%s\\0' {command}");
    let output = Command::new("sh").args(["-c", &script]).output();
    let output = output.expect("a shell").stdout;
    let text = String::from_utf8(output).expect("Unicode");
    let words = text.split_terminator('\0').skip(1);
    words.map(str::to_owned).collect()
}

/// The run that the command of this one asks for.
fn again(config: &Config) -> Result<Config, String> {
    asked(words(&config.command()).iter().map(String::as_str))
}

/// One of all choices.
fn any_of<T: Choice + std::fmt::Debug>() -> impl Strategy<Value = T> {
    select(T::ALL)
}

/// Some of them.
fn some_of<T: Clone + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = Vec<T>> {
    subsequence(all, 0..=all.len())
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..1_000_u64).prop_map(Duration::from_secs),
        (1..100_000_u64).prop_map(Duration::from_millis),
        (1..1_000_000_000_000_u64).prop_map(Duration::from_nanos),
    ]
}

/// A field of a workload, and what it is set to.
fn setting() -> impl Strategy<Value = String> {
    const FIXED: [&str; 16] = [
        "mix.read=0.125",
        "mix.update=1",
        "mix.read_modify_write=0",
        "mix.insert=0.3",
        "distribution=uniform",
        "distribution=sequential",
        "distribution.kind=hotspot",
        "distribution.theta=1.05",
        "distribution.keys=0.1",
        "value_size=64",
        "value_size.max=5000",
        "value_size.kind=zipfian",
        "arrivals=constant",
        "nemesis=[]",
        r#"nemesis=[{ at = "1s", for = "1500ms", fault = "kill" }]"#,
        r#"nemesis=[{ at = "0s", for = "1s", fault = "clock", what = "drift", nodes = [1, 2] }]"#,
    ];
    prop_oneof![
        select(&FIXED[..]).prop_map(str::to_owned),
        (1..1_000_000_000_u64).prop_map(|records| format!("records={records}")),
        (1..65_536_u32).prop_map(|sessions| format!("sessions={sessions}")),
        (1e-3..1e9_f64).prop_map(|rate| format!("rate={rate}")),
        (1..1_000_000_u64).prop_map(|operations| format!("operations={operations}")),
        time().prop_map(|time| format!("warmup={}ns", time.as_nanos())),
        time().prop_map(|time| format!("duration={}ns", time.as_nanos())),
    ]
}

fn load() -> impl Strategy<Value = Chosen> {
    let names = catalogue().iter().map(|known| known.name.to_owned());
    let origins: Vec<String> = names.chain([FILE.to_owned()]).collect();
    let counted = option::weighted(0.2, 1..1_000_000_u64);
    (select(origins), vec(setting(), 0..5), counted).prop_map(|(origin, settings, counted)| {
        let mut load = Chosen::load(&origin).expect("a workload");
        for setting in settings {
            // A parameter may belong to another distribution.
            let _ = load.set(&setting);
        }
        match counted {
            Some(operations) => load.of_operations(operations),
            None => load,
        }
    })
}

fn faults() -> impl Strategy<Value = Wanted> {
    let kinds = btree_set(select(&FaultKind::ALL[..]), 0..3);
    let targets = some_of::<Target>(&Target::ALL);
    let shapes = some_of::<PartitionShape>(&PartitionShape::ALL);
    let some = (any::<bool>(), kinds, option::of(time()), targets, shapes);
    some.prop_map(|(all, kinds, interval, targets, shapes)| Wanted {
        all,
        kinds,
        interval,
        targets,
        shapes,
    })
}

/// A run of some store under some load, and what is usual for all else.
fn loaded() -> impl Strategy<Value = Config> {
    const ARCHITECTURES: [&str; 6] = [
        "local",
        "sharded",
        "replicated",
        "replicated(5)",
        "sharded_replicated",
        "sharded(2, sharded(4, replicated(2)))",
    ];
    let store = (
        select(&ARCHITECTURES[..]),
        any_of::<Lattice>(),
        any_of::<Durability>(),
        any_of::<HostKind>(),
        option::weighted(0.3, select(&Bug::ALL[..])),
    );
    (store, load(), faults()).prop_map(
        |((architecture, lattice, durability, host, bug), load, faults)| {
            let architecture: Architecture = architecture.parse().expect("an architecture");
            Config {
                lattice,
                durability,
                host,
                bug,
                faults,
                versions: versions(),
                ..Config::new(architecture, load)
            }
        },
    )
}

fn check_budget() -> impl Strategy<Value = CheckBudget> {
    prop_oneof![
        Just(CheckBudget::AsTheRun),
        Just(CheckBudget::Unlimited),
        time().prop_map(CheckBudget::Time),
    ]
}

/// A run in which anything may be as nobody would expect it.
fn config() -> impl Strategy<Value = Config> {
    let clients = (any_of::<Routing>(), any::<bool>(), 1..=600_000_u64);
    let slo = select(&["p99<5ms", "read:p99.9<20ms,errors<0.1%", "throughput>20k"][..]);
    let output = (
        option::of("[-a-z '\"$&/éß]{1,12}"),
        option::of(any::<u64>()),
        any::<bool>(),
        any_of::<Engine>(),
        time(),
        check_budget(),
        option::of(slo),
    );
    (loaded(), clients, any::<u64>(), output).prop_map(|(config, clients, seed, output)| {
        let (routing, context, timeout_ms) = clients;
        let (results, history_limit, traced, engine, budget, check_budget, slo) = output;
        Config {
            policy: Policy { routing, context },
            timeout: Duration::from_millis(timeout_ms),
            seed,
            results: results.map_or_else(|| usual().results.clone(), PathBuf::from),
            history_limit,
            traced,
            engine,
            budget,
            check_budget,
            slo: slo.map(|slo| slo.parse().expect("an objective")),
            ..config
        }
    })
}

proptest! {
    #[test]
    fn the_command_of_a_run_asks_for_the_same_run(config in config()) {
        prop_assert_eq!(again(&config), Ok(config));
    }
}

#[test]
fn a_command_that_leaves_something_out_asks_for_another_run() {
    let config = Config {
        seed: 7,
        versions: versions(),
        ..Config::default()
    };
    assert_eq!(again(&config).as_ref(), Ok(&config), "the control");
    let forgotten = config.command().replace("--seed 7", "");
    let other = asked(words(&forgotten).iter().map(String::as_str));
    assert_ne!(other, Ok(config));
}

#[test]
fn a_run_against_a_store_that_runs_already_is_asked_for_again_with_its_nodes() {
    let given = "--store redis --endpoints a:1,b:2 --clean --set store.appendfsync=no";
    let config = asked(given.split(' ')).expect("a run");
    assert_eq!(again(&config).as_ref(), Ok(&config));
    let command = config.command();
    assert!(command.contains("--endpoints a:1,b:2 --clean"), "{command}");
}
