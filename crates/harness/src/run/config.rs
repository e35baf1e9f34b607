//! What a run is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use kvs_check::checker::{Engine, Model};
use kvs_check::history::{History, NEVER};
use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::{Architecture, Misfit, fits};
use kvs_core::session::Policy;
use kvs_load::nemesis::{self, FaultKind, Site, Wanted};
use kvs_load::workload::{Chosen, FaultStep, Mix, Workload, WorkloadError};
use kvs_measure::{Slo, Versions};
use kvs_node::node::{Durability, HostKind, NetworkError};
use kvs_target::{Facts, FaultSupport, Operations};

use super::capacity::Capacity;
use crate::targets::store::{StoreConfig, Wrong};
use crate::targets::zoo;

/// After how many operations only a sample of the keys goes on being recorded, unless told
/// otherwise: what is still checked in seconds, in well under 10 GiB.
pub const HISTORY_LIMIT_DEFAULT: u64 = 20_000_000;
/// Beyond the limit one key in this many goes on being recorded.
pub const HISTORY_SAMPLE: u64 = 100;

/// How long a history may be checked at least, unless told otherwise.
const CHECKED_FOR_MIN: Duration = Duration::from_secs(20);
/// And at most: times of foreign histories may span years.
const CHECKED_FOR_MAX: Duration = Duration::from_secs(3600);

/// How long a history may be checked, stateright's share not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckBudget {
    /// As long as its operations took, at least 20 s and at most an hour.
    #[default]
    AsTheRun,
    /// So long.
    Time(Duration),
    /// As long as it takes.
    Unlimited,
}

impl CheckBudget {
    /// The time for a history; none for as long as it takes.
    #[must_use]
    pub fn of(self, history: &History) -> Option<Duration> {
        match self {
            Self::Unlimited => None,
            Self::Time(time) => Some(time),
            Self::AsTheRun => Some(span(history).clamp(CHECKED_FOR_MIN, CHECKED_FOR_MAX)),
        }
    }
}

/// From the first invoke to the last return; zero where times mean nothing.
fn span(history: &History) -> Duration {
    if !history.header.real_time {
        return Duration::ZERO;
    }
    let columns = &history.columns;
    let start = columns.invoke.iter().min().copied().unwrap_or(0);
    let returned = columns.returned.iter().filter(|time| **time != NEVER);
    let end = returned.max().copied().unwrap_or(0);
    Duration::from_nanos(end.saturating_sub(start))
}

/// How long an answer may take before its outcome counts as unknown, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the second engine may search, unless told otherwise.
const BUDGET: Duration = Duration::from_secs(2);
/// What decides every random choice, unless told otherwise.
const SEED: u64 = 1;
/// Where runs' directories are made, unless told otherwise.
const RESULTS: &str = "results";
/// How many replicas the store has that is run when none is named.
const REPLICAS: u16 = 3;
/// The load that is driven when none is named.
const WORKLOAD: &str = "zipf";

/// A store that is not of the zoo.
#[derive(Clone, Debug, PartialEq)]
pub enum Foreign {
    /// A file says how it is started and spoken to.
    File(Box<StoreConfig>),
    /// Whoever asks for the run starts it ([`run_on`](super::run_on)), and says what is known of
    /// it.
    Own(Box<Facts>),
}

impl Foreign {
    /// What is known of it before it is started.
    fn facts(&self) -> Facts {
        match self {
            Self::File(store) => store.facts(),
            Self::Own(facts) => Facts::clone(facts),
        }
    }

    /// Its name.
    fn name(&self) -> &str {
        match self {
            Self::File(store) => &store.definition.name,
            Self::Own(facts) => &facts.name,
        }
    }

    /// What it promises.
    const fn promise(&self) -> Model {
        match self {
            Self::File(store) => store.promise,
            Self::Own(facts) => facts.promise,
        }
    }
}

/// What a run is asked to do. [`Config::new`] has the defaults of all that is not named.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What to run of the zoo, where `store` names nothing else.
    pub architecture: Architecture,
    /// The foreign store that the run drives instead of one of the zoo.
    pub store: Option<Foreign>,
    /// The model that the verdict is about, instead of what the store promises.
    pub promise: Option<Model>,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// Where the nodes run.
    pub host: HostKind,
    /// What they acknowledge.
    pub durability: Durability,
    /// The load.
    pub load: Chosen,
    /// How sessions behave.
    pub policy: Policy,
    /// How long an answer may take before its outcome counts as unknown.
    pub timeout: Duration,
    /// Decides every random choice of the load.
    pub seed: u64,
    /// A known mistake to build the store with.
    pub bug: Option<Bug>,
    /// Whether each node records what its replica is given, in `nodes/<id>.trace`.
    pub traced: bool,
    /// Which faults come, beside those that the load has at given times.
    pub faults: Wanted,
    /// Where the run's directory is made.
    pub results: PathBuf,
    /// After how many operations only a sample of the keys is recorded; none records nothing.
    pub history_limit: Option<u64>,
    /// Which engines judge the history.
    pub engine: Engine,
    /// How long the second engine may search.
    pub budget: Duration,
    /// How long the first one may check.
    pub check_budget: CheckBudget,
    /// What the measurements must be, if anything.
    pub slo: Option<Slo>,
    /// The program that nodes run instead of this one; see [`super::ClusterConfig::program`].
    pub program: Option<PathBuf>,
    /// Which program runs it.
    pub versions: Versions,
    /// The command that the user gave; without one [`Config::command`] makes it.
    pub given: Option<String>,
}

/// The run that is asked for when nothing is named.
impl Default for Config {
    fn default() -> Self {
        let architecture = Architecture::replicated(REPLICAS).expect("a possible size");
        Self::new(architecture, Chosen::of_catalogue(WORKLOAD))
    }
}

impl Config {
    /// A run of this store under this load, and the defaults for all else.
    #[must_use]
    pub fn new(architecture: Architecture, load: Chosen) -> Self {
        Self {
            architecture,
            store: None,
            promise: None,
            lattice: Lattice::default(),
            host: HostKind::default(),
            durability: Durability::default(),
            load,
            policy: Policy::default(),
            timeout: TIMEOUT,
            seed: SEED,
            bug: None,
            traced: false,
            faults: Wanted::default(),
            results: PathBuf::from(RESULTS),
            history_limit: Some(HISTORY_LIMIT_DEFAULT),
            engine: Engine::Both,
            budget: BUDGET,
            check_budget: CheckBudget::default(),
            slo: None,
            program: None,
            versions: Versions::default(),
            given: None,
        }
    }

    /// The foreign store that a file describes, if the run is to have one.
    pub(super) const fn file(&self) -> Option<&StoreConfig> {
        match &self.store {
            Some(Foreign::File(store)) => Some(store),
            Some(Foreign::Own(_)) | None => None,
        }
    }

    /// The load as it is driven.
    #[must_use]
    pub const fn workload(&self) -> &Workload {
        self.load.workload()
    }

    /// What is known of the store before it is started.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.store.as_ref().map_or_else(
            || zoo::facts(&self.architecture, self.lattice, self.durability),
            Foreign::facts,
        )
    }

    /// Whether faults of a kind can come to it.
    #[must_use]
    pub fn can_have(&self, kind: FaultKind) -> bool {
        self.facts().fault(kind) == FaultSupport::Yes
    }

    /// The store by its name: an architecture, or a foreign store.
    #[must_use]
    pub fn store_name(&self) -> String {
        self.store.as_ref().map_or_else(
            || self.architecture.to_string(),
            |store| store.name().to_owned(),
        )
    }

    /// The model that the verdict is about: the store's promise, or the model that was named
    /// instead.
    #[must_use]
    pub fn promised(&self) -> Model {
        let own = self.store.as_ref().map(Foreign::promise);
        let zoo = || kvs_recording::promise(&self.architecture, self.lattice);
        self.promise.or(own).unwrap_or_else(zoo)
    }

    /// What the nemesis does, if there is one.
    ///
    /// # Errors
    /// When the store cannot have the faults, or the run has no room for them.
    pub fn plan(&self) -> Result<Option<nemesis::Plan>, nemesis::Refusal> {
        let workload = self.workload();
        let facts = self.facts();
        // A kind that the facts do not name is one that the store cannot have.
        let lacks = FaultKind::ALL
            .into_iter()
            .filter_map(|kind| match facts.fault(kind) {
                FaultSupport::Yes => None,
                FaultSupport::Needs(need) => Some((kind, need)),
            });
        self.faults.plan(&Site {
            lacks: lacks.collect(),
            packets: { self.file() }.map_or_else(Vec::new, StoreConfig::packets),
            has_primary: facts.has_primary,
            has_leader: facts.has_leader,
            groups: { facts.ports.groups().iter() }
                .map(|group| group.members().collect())
                .collect(),
            steps: workload.nemesis.iter().map(FaultStep::step).collect(),
            limit: workload.time_limit(),
            seed: self.seed,
        })
    }

    /// Whether such a run is possible on this machine. Call it before anything is started.
    ///
    /// # Errors
    /// When it cannot, with the remedy.
    pub fn check(&self) -> Result<(), Unfit> {
        if let Some(bug) = self.bug {
            fits(bug, &self.architecture, self.lattice)?;
        }
        if self.store.is_none()
            && let Capacity::Short(why) = Capacity::of(&self.architecture)
        {
            return Err(Unfit::Machine(why));
        }
        self.workload().validate()?;
        if { self.file() }.is_some_and(|store| store.clean && store.endpoints.is_empty()) {
            return Err(Unfit::NothingToClean);
        }
        if let Some(store) = self.file() {
            store.check()?;
        }
        self.suits(&self.facts())?;
        let with_faults = self.plan()?.is_some_and(|plan| plan.has_network_faults());
        self.host.can_be_had(with_faults)?;
        Ok(())
    }

    /// Whether a store of which this is known can be asked for all of it.
    ///
    /// # Errors
    /// When it cannot; the message says what to choose instead.
    pub(super) fn suits(&self, facts: &Facts) -> Result<(), Unfit> {
        can_be_asked(&facts.name, facts.operations, &self.workload().mix)?;
        if { self.file() }.is_some_and(|store| store.clean) && !facts.operations.delete {
            return Err(Unfit::NoDelete(facts.name.clone()));
        }
        Ok(())
    }

    /// The command that repeats the run: the one that the user gave, or else one that asks for the
    /// same.
    #[must_use]
    pub fn command(&self) -> String {
        let given = self.given.clone();
        given.unwrap_or_else(|| super::command::rendered(self))
    }
}

/// Whether a store can be asked for what is in a mix.
///
/// # Errors
/// When it cannot; the message says what to choose instead.
pub fn can_be_asked(store: &str, operations: Operations, mix: &Mix) -> Result<(), Unfit> {
    if mix.compare_and_set > 0.0 && !operations.compare_and_set {
        return Err(Unfit::NoCompareAndSet(store.to_owned()));
    }
    Ok(())
}

/// Why a run cannot be had. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The store cannot have the planted bug.
    #[error(transparent)]
    Bug(#[from] Misfit),
    /// The deployment is too large for this machine.
    #[error("{0}")]
    Machine(String),
    /// The load is impossible.
    #[error(transparent)]
    Load(#[from] WorkloadError),
    /// The store cannot compare and set, and the workload has it do so.
    #[error(
        "{0} knows no compare-and-set: choose local or sharded, or leave mix.compare_and_set out"
    )]
    NoCompareAndSet(String),
    /// The store is started for the run, and what it holds ends with it.
    #[error(
        "--clean deletes what a run leaves in a store that runs already: add --endpoints, or leave \
         --clean out"
    )]
    NothingToClean,
    /// The store's adapter does not know how to delete.
    #[error(
        "{0} cannot delete keys, since its adapter does not name `delete` among its ops: teach it to \
         (docs/reference/adapters.md), or leave --clean out"
    )]
    NoDelete(String),
    /// The environment lacks what the store's file wants of it.
    #[error(transparent)]
    Store(#[from] Wrong),
    /// The faults cannot come.
    #[error(transparent)]
    Faults(#[from] nemesis::Refusal),
    /// The nodes cannot run there.
    #[error(transparent)]
    Host(#[from] NetworkError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_check::history::{Header, Row};

    fn lasting(seconds: u64) -> History {
        let row = Row {
            invoke: 5,
            returned: Some(5 + seconds * 1_000_000_000),
            ..Row::EMPTY
        };
        History::from_rows(Header::default(), [row])
    }

    #[test]
    fn a_history_is_checked_for_as_long_as_it_took_within_bounds() {
        let budget = |seconds| CheckBudget::AsTheRun.of(&lasting(seconds));
        let expected = [(0, 20), (19, 20), (90, 90), (90_000, 3_600)];
        for (took, seconds) in expected {
            assert_eq!(budget(took), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(CheckBudget::Unlimited.of(&lasting(90)), None);
        let own = Duration::from_millis(7);
        assert_eq!(CheckBudget::Time(own).of(&lasting(90)), Some(own));
    }

    #[test]
    fn places_in_sessions_are_no_times() {
        let mut history = lasting(90);
        history.header.real_time = false;
        let budget = CheckBudget::AsTheRun.of(&history);
        assert_eq!(budget, Some(CHECKED_FOR_MIN));
    }

    #[test]
    fn compare_and_set_is_refused_before_the_run_where_the_store_does_not_know_it() {
        let check = |architecture: &str, workload| {
            let architecture = architecture.parse().expect("an architecture");
            Config::new(architecture, Chosen::of_catalogue(workload)).check()
        };
        let refused = check("replicated", "cas-register").expect_err("replicas gossip");
        assert_eq!(
            refused.to_string(),
            "replicated knows no compare-and-set: choose local or sharded, or leave \
             mix.compare_and_set out"
        );
        check("replicated", "contended").expect("nothing is compared");
        for architecture in ["local", "sharded"] {
            check(architecture, "cas-register").expect("one copy of each key");
        }
    }
}
