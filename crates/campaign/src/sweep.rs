//! Latency against offered load: the rates that the sweep tries for each store, and their results.

mod fail_over;
mod kept;
mod search;
mod tried;

use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;

use kvs_core::protocol::Lattice;
use kvs_core::server::Architecture;
use kvs_core::session::Policy;
use kvs_harness::run::{self, Config, Foreign};
use kvs_measure::{Machine, VerdictWord, shell};
use kvs_node::node::Durability;
use kvs_report::report::sweep::{
    FailOver, Outage, SWEEP_VERSION, Sought, StoreSweep, SweepRecord, Try,
};

use crate::recorded::recorded;
use crate::{Error, Observer};

use fail_over::{WAYS, Way};
pub use search::{Found, Range, search};
pub use tried::tried;

/// A store to sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// What it is called.
    pub name: String,
    /// What it is made of.
    pub architecture: Architecture,
    /// What it promises for concurrent puts, where it is replicated.
    pub lattice: Option<Lattice>,
    /// The foreign store that it is instead, and how its sessions behave.
    pub foreign: Option<(Foreign, Policy)>,
}

impl Store {
    /// The stores of each architecture: one with each of the lattices that make a difference to it.
    /// All of the zoo where none is named.
    #[must_use]
    pub fn of(architectures: &[Architecture], lattices: &[Lattice]) -> Vec<Self> {
        let zoo = Architecture::zoo();
        let architectures = match architectures {
            [] => &zoo[..],
            named => named,
        };
        let stores = architectures.iter().flat_map(|it| Self::with(it, lattices));
        stores.collect()
    }

    /// The store of such a run, which is not of the zoo.
    #[must_use]
    pub fn foreign(config: &Config) -> Self {
        Self {
            name: config.store_name(),
            architecture: config.architecture.clone(),
            lattice: None,
            foreign: config.store.clone().map(|store| (store, config.policy)),
        }
    }

    fn with(architecture: &Architecture, lattices: &[Lattice]) -> Vec<Self> {
        let store = |lattice: Option<Lattice>| Self {
            name: match lattice {
                Some(lattice) => format!("{architecture} {}", lattice.name()),
                None => architecture.to_string(),
            },
            architecture: architecture.clone(),
            lattice,
            foreign: None,
        };
        if architecture.has_lattice() {
            lattices.iter().copied().map(Some).map(store).collect()
        } else {
            vec![store(None)]
        }
    }
}

/// A sweep.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The stores, one after the other.
    pub stores: Vec<Store>,
    /// From which rate to which.
    pub range: Range,
    /// Tries that confirm the largest rate, where the runs have objectives.
    pub confirmations: u32,
    /// How many nodes of each store are to go in each way, at the lowest rate; none where no node
    /// is.
    pub fail_overs: Option<u32>,
    /// What its tries have in common; the sweep's directory is made where their results would go.
    pub common: Config,
    /// The command that sweeps again.
    pub command: String,
}

/// What came of a sweep.
#[derive(Debug)]
pub struct Outcome {
    /// All of it, as it is saved.
    pub record: SweepRecord,
    /// Where it is saved.
    pub directory: PathBuf,
    /// Whether it was interrupted: then stores are missing.
    pub interrupted: bool,
}

/// Why the search for one store's rates ended early.
enum Ended {
    Interrupted,
    Failed(anyhow::Error),
}

impl Sweep {
    /// Sweeps store by store, and saves what there is after each.
    ///
    /// # Errors
    /// When a try cannot be had, which is said before any is run, when one fails, or when the
    /// result cannot be saved.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        for store in &self.stores {
            self.config(store, self.range.low).check()?;
            for (_, config) in self.fail_over_configs(store)? {
                config.check()?;
            }
        }
        let started = Timestamp::now();
        let name = format!("{}-sweep", started.strftime("%Y%m%dT%H%M%SZ"));
        let directory = self.common.results.join(name);
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let mut outcome = Outcome {
            record: self.record(&started.to_string()),
            directory,
            interrupted: false,
        };
        for store in &self.stores {
            match self.sweep(store, &outcome, observer) {
                Ok(swept) => outcome.record.stores.push(swept),
                Err(Ended::Interrupted) => {
                    outcome.interrupted = true;
                    break;
                }
                Err(Ended::Failed(error)) => return Err(error.into()),
            }
            // What is there so far is kept whatever comes.
            kept::save(&outcome.record, &outcome.directory)?;
        }
        Ok(outcome)
    }

    fn record(&self, started_at: &str) -> SweepRecord {
        SweepRecord {
            version: SWEEP_VERSION,
            command: self.command.clone(),
            started_at: started_at.to_owned(),
            machine: Machine::probe(),
            versions: self.common.versions.clone(),
            slo: self.common.slo.as_ref().map(ToString::to_string),
            stores: Vec::new(),
        }
    }

    fn sweep(
        &self,
        store: &Store,
        outcome: &Outcome,
        observer: &mut dyn Observer,
    ) -> Result<StoreSweep, Ended> {
        let confirmations = self.common.slo.as_ref().map(|_| self.confirmations);
        let kept = |config: Config| Config {
            results: outcome.directory.clone(),
            ..config
        };
        let found = search(self.range, confirmations, |rate| {
            attempt(store, &kept(self.config(store, rate)), rate, observer)
        })?;
        let configs = self.fail_over_configs(store).map_err(Ended::Failed)?;
        let fail_overs = configs.into_iter().map(|(way, config)| {
            let rate = self.range.low.round_ties_even();
            fail_over(store, way, &kept(config), rate, observer)
        });
        Ok(StoreSweep {
            name: store.name.clone(),
            tries: found.tries,
            knee_per_s: found.knee,
            beyond_per_s: found.beyond,
            void_from_per_s: found.void_from,
            best: found.best,
            promise: self
                .config(store, self.range.low)
                .promised()
                .name()
                .to_owned(),
            fail_overs: fail_overs.collect::<Result<_, _>>()?,
        })
    }

    /// The runs in which nodes of a store go, with the way of each.
    fn fail_over_configs(&self, store: &Store) -> anyhow::Result<Vec<(Way, Config)>> {
        let Some(faults) = self.fail_overs else {
            return Ok(Vec::new());
        };
        let mut configs = Vec::new();
        for way in WAYS {
            let common = self.config(store, self.range.low);
            let config = fail_over::config(common, way, faults)?;
            configs.extend(config.map(|config| (way, config)));
        }
        Ok(configs)
    }

    /// The run of a store at a rate, which is a whole number there.
    fn config(&self, store: &Store, rate: f64) -> Config {
        // A foreign store keeps what it keeps.
        let (foreign, policy, durability) = match &store.foreign {
            Some((foreign, policy)) => (Some(foreign.clone()), *policy, Durability::default()),
            None => (None, self.common.policy, self.common.durability),
        };
        Config {
            policy,
            durability,
            architecture: store.architecture.clone(),
            lattice: store.lattice.unwrap_or_default(),
            store: foreign,
            load: self.common.load.clone().at_rate(rate.round_ties_even()),
            ..self.common.clone()
        }
    }
}

/// One run.
fn attempt(
    store: &Store,
    config: &Config,
    rate: f64,
    observer: &mut dyn Observer,
) -> Result<Try, Ended> {
    let name = format!("{} at {rate:.0}/s", store.name);
    let record = recorded(config, &name, observer).map_err(Ended::Failed)?;
    let one = tried(&record.ok_or(Ended::Interrupted)?, rate);
    let p99 = one
        .p99_ns
        .map_or_else(|| "-".to_owned(), |ns| format!("{:.2} ms", ns as f64 / 1e6));
    observer.found(&format!(
        "{}: {:.0}/s offered, {:.0}/s achieved, p99 {p99} ({})",
        store.name,
        one.rate,
        one.achieved_per_s,
        written(config)
    ));
    Ok(one)
}

/// A run in which nodes go.
fn fail_over(
    store: &Store,
    way: Way,
    config: &Config,
    rate: f64,
    observer: &mut dyn Observer,
) -> Result<FailOver, Ended> {
    let name = format!("{}: {}", store.name, way.name);
    let record = recorded(config, &name, observer).map_err(Ended::Failed)?;
    let record = record.ok_or(Ended::Interrupted)?;
    let seen = fail_over::measured(&record, way, rate).map_err(Ended::Failed)?;
    let outage = seen.outage().map_or_else(
        || "no fault came".to_owned(),
        |(median, worst)| {
            let ms = |one: Outage| one.without_writes_ns as f64 / 1e6;
            format!(
                "nobody could write for {:.0} ms (median), {:.0} ms at worst of {}",
                ms(median),
                ms(worst),
                seen.outages.len()
            )
        },
    );
    observer.found(&format!("{name}: {outage} ({})", written(config)));
    Ok(seen)
}

/// The arguments of `kvs-bench run` for this.
fn written(config: &Config) -> String {
    let words = run::arguments(config).into_iter();
    let words: Vec<String> = words.map(|word| shell::quoted(&word)).collect();
    words.join(" ")
}

/// How a sweep ends: by the worst verdict of its tries, and by whether each store has an answer. A
/// store that misses the objectives at the lowest rate has failed them; of one whose every try is
/// void, or whose objectives nobody can judge, nothing is known.
#[must_use]
pub fn verdict(swept: &SweepRecord) -> VerdictWord {
    let any = |is: fn(&StoreSweep) -> bool| swept.stores.iter().any(is);
    let has_slo = swept.slo.is_some();
    let missed = has_slo && any(|store| matches!(store.sought(), Sought::Missed { .. }));
    let open = has_slo && any(|store| store.sought() == Sought::Unknown);
    if missed || any(|store| store.verdict() == VerdictWord::Invalid) {
        VerdictWord::Invalid
    } else if open || any(|store| store.is_void() || store.verdict() == VerdictWord::Unknown) {
        VerdictWord::Unknown
    } else {
        VerdictWord::Valid
    }
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
    fn a_store_is_swept_once_with_each_lattice_that_makes_a_difference_to_it() {
        let both = [Lattice::Causal, Lattice::Lww];
        let names = |architectures: &[Architecture]| {
            let stores = Store::of(architectures, &both).into_iter();
            stores.map(|store| store.name).collect::<Vec<_>>()
        };
        let zoo = [
            "local",
            "sharded",
            "replicated causal",
            "replicated lww",
            "sharded_replicated causal",
            "sharded_replicated lww",
            "quorum",
            "sharded_quorum",
            "sloppy",
            "sharded_sloppy",
            "raft",
            "sharded_raft",
        ];
        assert_eq!(names(&[]), zoo);
        assert_eq!(names(&[Architecture::local()]), ["local"]);
    }

    #[test]
    fn a_sweep_without_an_answer_is_not_green() {
        let ends = |slo: bool, tries: Vec<Try>| {
            verdict(&SweepRecord {
                version: SWEEP_VERSION,
                command: String::new(),
                started_at: String::new(),
                machine: Machine::probe(),
                versions: kvs_measure::Versions::default(),
                slo: slo.then(|| "p99<5ms".to_owned()),
                stores: vec![StoreSweep {
                    name: "local".to_owned(),
                    tries,
                    knee_per_s: None,
                    beyond_per_s: None,
                    void_from_per_s: None,
                    best: None,
                    promise: String::new(),
                    fail_overs: Vec::new(),
                }],
            })
        };
        let valid = VerdictWord::Valid;
        assert_eq!(
            ends(false, vec![one(false, None, valid)]),
            VerdictWord::Valid
        );
        assert_eq!(
            ends(false, vec![one(true, None, valid)]),
            VerdictWord::Unknown
        );
        assert_eq!(ends(false, Vec::new()), VerdictWord::Unknown);
        let missed = one(false, Some(false), valid);
        assert_eq!(ends(true, vec![missed]), VerdictWord::Invalid);
        let open = one(false, None, valid);
        assert_eq!(ends(true, vec![open]), VerdictWord::Unknown);
        let broken = one(false, None, VerdictWord::Invalid);
        assert_eq!(ends(false, vec![broken]), VerdictWord::Invalid);
    }
}
