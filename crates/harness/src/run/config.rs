//! What a run is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use kvs_check::checker::Engine;
use kvs_check::history::{History, NEVER};
use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::Architecture;
use kvs_core::session::Policy;
use kvs_load::nemesis;
use kvs_load::workload::Workload;
use kvs_measure::{Slo, Versions};
use kvs_node::node::{Durability, HostKind};

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

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to run.
    pub architecture: Architecture,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// Where the nodes run.
    pub host: HostKind,
    /// What they acknowledge.
    pub durability: Durability,
    /// The load; it must be valid.
    pub workload: Workload,
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
    /// What the nemesis does, if there is one.
    pub nemesis: Option<nemesis::Plan>,
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
    /// The command that runs it again.
    pub command: String,
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
}
