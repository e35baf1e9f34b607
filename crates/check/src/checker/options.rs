//! What a caller chooses about a check.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::time::ProgressSink;
use crate::history::Dominance;

/// Which engines judge.
///
/// ```
/// use kvs_check::{Engine, Options};
///
/// let options = Options { engine: Engine::Direct, ..Options::default() };
/// # drop(options);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The direct algorithms only. The default without the feature `stateright`.
    #[cfg_attr(not(feature = "stateright"), default)]
    Direct,
    /// Stateright only, which judges the model that the verdict rests on. It needs the feature
    /// `stateright`: without that, the verdict is unknown and says so.
    Stateright,
    /// The direct algorithms on the whole history, and stateright on as much as its budget allows.
    /// The default with the feature `stateright`.
    #[cfg_attr(feature = "stateright", default)]
    Both,
}

/// What the verdict rests on.
///
/// ```
/// use kvs_check::{History, JudgedBy, Model, Options, check};
///
/// let judged_by = JudgedBy::Model(Model::Causal);
/// let report = check(&History::default(), &Options { judged_by, ..Options::default() });
/// assert_eq!(report.held_to(), "causal");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JudgedBy {
    /// The promise, or, without one, integrity and convergence.
    #[default]
    Promise,
    /// One model.
    Model(Model),
    /// The promise, or, without one, the strongest model that applies to the history.
    Ladder,
}

/// What the search may cost.
///
/// ```
/// use kvs_check::{Options, checker::Budget};
///
/// let budget = Budget { states: 5_000_000, ..Budget::default() };
/// assert_eq!(Options { budget, ..Options::default() }.budget.operations, 200_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Operations of the longest prefix that is tried.
    pub operations: usize,
    /// States that are generated at most.
    pub states: usize,
    /// Time for the search, if the options have a clock.
    pub time: Duration,
}

impl Default for Budget {
    /// 200,000 operations, 200,000 states, 2 s.
    fn default() -> Self {
        Self {
            operations: 200_000,
            states: 200_000,
            time: Duration::from_secs(2),
        }
    }
}

/// A clock lent to the checkers, which read none of their own: time since any fixed instant.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that reads `now`.
    ///
    /// ```
    /// use kvs_check::checker::Clock;
    ///
    /// let start = std::time::Instant::now();
    /// let clock = Clock::new(move || start.elapsed());
    /// assert!(clock.now() <= clock.now());
    /// ```
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How to check.
///
/// ```
/// use kvs_check::{History, JudgedBy, Model, Options, check, checker::Clock};
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let options = Options {
///     judged_by: JudgedBy::Model(Model::Causal),
///     check_budget: Some(Duration::from_secs(10)),
///     clock: Some(Clock::new(move || start.elapsed())),
///     ..Options::default()
/// };
/// assert!(!check(&History::default(), &options).is_valid());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What to hold the history to, instead of what its header promises.
    pub promise: Option<Model>,
    /// Which puts a put supersedes, instead of what the header says.
    pub dominance: Option<Dominance>,
    /// What the verdict rests on.
    pub judged_by: JudgedBy,
    /// Whether to check only what the verdict depends on, and leave out the other models of the
    /// ladder.
    pub verdict_only: bool,
    /// Which engines judge.
    pub engine: Engine,
    /// What the search may cost.
    pub budget: Budget,
    /// The time for the whole check without the search of the second engine, which has a budget of
    /// its own. None is as long as it takes. What is not decided by then is unknown.
    pub check_budget: Option<Duration>,
    /// The clock for both budgets; without one only operations, states and memory are bounded.
    pub clock: Option<Clock>,
    /// Where to say how far the check has got.
    pub progress: Option<ProgressSink>,
    /// The command that judges the history again. A verdict names it if the budget cut the check
    /// short.
    pub again: Option<String>,
}
