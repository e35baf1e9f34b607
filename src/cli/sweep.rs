//! `kvs-bench sweep`: latency against offered load, and the largest rate that meets an objective.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use jiff::Timestamp;

use crate::campaign::sweep::{Range, search, tried};
use crate::measure::{Machine, Slo, VerdictWord};
use crate::report::sweep::{
    self, SWEEP_FILE, SWEEP_PAGE, SWEEP_VERSION, Sought, StoreSweep, SweepRecord, Try,
};
use crate::report::text;
use crate::run;
use crate::workload::humane;

use super::progress::Terminal;
use super::run::quoted;
use super::{ExitStatus, Failure};

/// Tries that a sweep may make of one store.
const STEPS_MAX: u32 = 100;

/// The arguments of `kvs-bench sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// A store to sweep. You can give it more than once. [default: all four architectures]
    #[arg(long, short, value_name = "ARCH")]
    arch: Vec<String>,

    /// The lattices of replicated stores, separated by commas. Each makes a store of its own.
    #[arg(
        long,
        short,
        value_name = "LATTICES",
        value_delimiter = ',',
        default_value = "causal,lww"
    )]
    lattice: Vec<String>,

    /// The load: a name that `kvs-bench list` prints, or the path of a TOML file.
    #[arg(long, short, value_name = "NAME|FILE", default_value = "zipf")]
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

    /// How long each try is measured.
    #[arg(long, short, value_name = "TIME", default_value = "3s")]
    duration: String,

    /// How long the load of each try is driven before it is measured.
    #[arg(long, value_name = "TIME", default_value = "500ms")]
    warmup: String,

    /// The directory in which those of the sweep and of its runs are made.
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// More arguments of `kvs-bench run`, for every try. They come after a double dash.
    #[arg(last = true, value_name = "RUN ARGUMENTS")]
    more: Vec<String>,
}

/// A store to sweep: what it is called, and the arguments that make it.
struct Store {
    name: String,
    words: Vec<String>,
}

pub(super) fn main(args: &SweepArgs) -> Result<ExitStatus, Failure> {
    let range = range(args)?;
    let stores = stores(args)?;
    let started = Timestamp::now();
    let directory = args
        .results
        .join(format!("{}-sweep", started.strftime("%Y%m%dT%H%M%SZ")));
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let mut swept = SweepRecord {
        version: SWEEP_VERSION,
        command: super::run::command_line(),
        started_at: started.to_string(),
        machine: Machine::probe(),
        versions: super::versions(),
        slo: args.slo.as_ref().map(ToString::to_string),
        stores: Vec::new(),
    };
    let mut interrupted = false;
    for store in &stores {
        let confirmations = args.slo.as_ref().map(|_| args.confirm);
        let found = search(range, confirmations, |rate| {
            attempt(store, args, &directory, rate)
        });
        let found = match found {
            Ok(found) => found,
            Err(Ended::Interrupted) => {
                interrupted = true;
                break;
            }
            Err(Ended::Failed(failure)) => return Err(failure),
        };
        swept.stores.push(StoreSweep {
            name: store.name.clone(),
            tries: found.tries,
            knee_per_s: found.knee,
            beyond_per_s: found.beyond,
            void_from_per_s: found.void_from,
            best: found.best,
        });
        // What is there so far is kept whatever comes.
        save(&swept, &directory)?;
    }
    super::print(&sweep::text(&swept))?;
    super::print(&format!(
        "Page        {}",
        directory.join(SWEEP_PAGE).display()
    ))?;
    if interrupted {
        return Ok(ExitStatus::Interrupted);
    }
    Ok(exit_status(&swept))
}

/// How a sweep ends: by the worst verdict of its tries, and by whether each store has an answer. A store
/// that misses the objectives at the lowest rate has failed them; of one whose every try is void, or
/// whose objectives nobody can judge, nothing is known.
pub(super) fn exit_status(swept: &SweepRecord) -> ExitStatus {
    let any = |is: fn(&StoreSweep) -> bool| swept.stores.iter().any(is);
    let has_slo = swept.slo.is_some();
    let missed = has_slo && any(|store| matches!(store.sought(), Sought::Missed { .. }));
    let open = has_slo && any(|store| store.sought() == Sought::Unknown);
    if missed || any(|store| store.verdict() == VerdictWord::Invalid) {
        ExitStatus::Invalid
    } else if open || any(|store| store.is_void() || store.verdict() == VerdictWord::Unknown) {
        ExitStatus::Unknown
    } else {
        ExitStatus::Valid
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
    const ALL: [&str; 4] = ["local", "sharded", "replicated", "sharded_replicated"];
    let architectures: Vec<String> = if args.arch.is_empty() {
        ALL.map(str::to_owned).to_vec()
    } else {
        args.arch.clone()
    };
    let mut stores = Vec::new();
    for architecture in architectures {
        let parsed: crate::server::Architecture =
            architecture.parse().map_err(Failure::bad_arguments)?;
        let lattices: Vec<Option<&String>> = if parsed.is_replicated() {
            args.lattice.iter().map(Some).collect()
        } else {
            vec![None]
        };
        for lattice in lattices {
            let mut words = vec!["--arch".to_owned(), architecture.clone()];
            let mut name = architecture.clone();
            if let Some(lattice) = lattice {
                words.extend(["--lattice".to_owned(), lattice.clone()]);
                name += &format!(" {lattice}");
            }
            stores.push(Store { name, words });
        }
    }
    Ok(stores)
}

/// Why a sweep ended early.
enum Ended {
    Interrupted,
    Failed(Failure),
}

/// One run.
fn attempt(store: &Store, args: &SweepArgs, directory: &Path, rate: f64) -> Result<Try, Ended> {
    let mut words = store.words.clone();
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    add("--workload", &args.workload);
    add("--rate", &format!("{rate:.0}"));
    add("--duration", &args.duration);
    add("--warmup", &args.warmup);
    add("--results", &directory.display().to_string());
    if let Some(slo) = &args.slo {
        add("--slo", &slo.to_string());
    }
    words.extend(args.more.iter().cloned());
    let config = super::run::config_of(&words).map_err(Ended::Failed)?;
    let mut terminal = Terminal::new();
    let finished = run::run(&config, &mut terminal);
    drop(terminal);
    let failed = |error: anyhow::Error| Ended::Failed(error.into());
    let finished = finished
        .with_context(|| format!("{} at {rate:.0}/s has no result", store.name))
        .map_err(failed)?;
    if finished.interrupted {
        return Err(Ended::Interrupted);
    }
    let record = &finished.record;
    let saved = finished.save(&text(record));
    saved.context("a try has a result").map_err(failed)?;
    let one = tried(record, rate);
    // The table comes in some minutes.
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    eprintln!(
        "{}: {:.0}/s offered, {:.0}/s achieved, p99 {} ({})",
        store.name,
        one.rate,
        one.achieved_per_s,
        one.p99_ns
            .map_or_else(|| "-".to_owned(), |ns| format!("{:.2} ms", ns as f64 / 1e6)),
        words.join(" ")
    );
    Ok(one)
}

fn save(swept: &SweepRecord, directory: &Path) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(swept).expect("plain data with text keys");
    for (name, contents) in [
        (SWEEP_FILE, json + "\n"),
        ("sweep.txt", sweep::text(swept)),
        (SWEEP_PAGE, sweep::page(swept)),
    ] {
        let path = directory.join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(void: bool, met: Option<bool>, verdict: VerdictWord) -> Try {
        Try {
            rate: 1_000.0,
            achieved_per_s: 1_000.0,
            p50_ns: None,
            p95_ns: None,
            p99_ns: None,
            p999_ns: None,
            kept_up: !void,
            void,
            void_reason: None,
            overloaded: false,
            not_started_share: 0.0,
            met,
            verdict,
            directory: String::new(),
        }
    }

    #[test]
    fn a_sweep_without_an_answer_is_not_green() {
        let ends = |slo: bool, tries: Vec<Try>| {
            exit_status(&SweepRecord {
                version: SWEEP_VERSION,
                command: String::new(),
                started_at: String::new(),
                machine: Machine::probe(),
                versions: crate::measure::Versions::default(),
                slo: slo.then(|| "p99<5ms".to_owned()),
                stores: vec![StoreSweep {
                    name: "local".to_owned(),
                    tries,
                    knee_per_s: None,
                    beyond_per_s: None,
                    void_from_per_s: None,
                    best: None,
                }],
            })
        };
        let valid = VerdictWord::Valid;
        assert_eq!(
            ends(false, vec![one(false, None, valid)]),
            ExitStatus::Valid
        );
        assert_eq!(
            ends(false, vec![one(true, None, valid)]),
            ExitStatus::Unknown
        );
        assert_eq!(ends(false, Vec::new()), ExitStatus::Unknown);
        let missed = one(false, Some(false), valid);
        assert_eq!(ends(true, vec![missed]), ExitStatus::Invalid);
        let open = one(false, None, valid);
        assert_eq!(ends(true, vec![open]), ExitStatus::Unknown);
        let broken = one(false, None, VerdictWord::Invalid);
        assert_eq!(ends(false, vec![broken]), ExitStatus::Invalid);
    }
}
