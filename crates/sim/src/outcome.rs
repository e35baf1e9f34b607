//! The result of a simulation.

use std::fmt;

use serde::Serialize;

use kvs_check::checker::Anomaly;
use kvs_check::history::History;

use super::counters::Counters;

/// The result of a simulation.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Whether the store kept its promise.
    pub verdict: SimVerdict,
    /// What was counted.
    pub counters: Counters,
    /// What clients saw: as much of it as there was when the simulation ended.
    pub history: History,
    /// All that happened, a line each, where the plan asked for it.
    pub trace: Option<String>,
}

/// Whether the store kept its promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum SimVerdict {
    /// It did.
    Valid,
    /// It did not.
    Invalid {
        /// What shows it.
        anomalies: Vec<Anomaly>,
    },
    /// With all faults healed, it did not come to rest in time.
    Liveness {
        /// What did not happen.
        what: String,
    },
    /// Code of the store panicked.
    Crash {
        /// What the panic said.
        message: String,
    },
    /// Nobody can tell.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl SimVerdict {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid { .. } => "invalid",
            Self::Liveness { .. } => "liveness",
            Self::Crash { .. } => "crash",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether the store has failed.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::Valid | Self::Unknown { .. } => false,
            Self::Invalid { .. } | Self::Liveness { .. } | Self::Crash { .. } => true,
        }
    }

    /// In which way it has failed: a smaller simulation that fails in the same way shows the same.
    #[must_use]
    pub fn way(&self) -> String {
        match self {
            Self::Invalid { anomalies } => match anomalies.first() {
                Some(first) => format!("invalid: {}", first.kind),
                None => "invalid".to_owned(),
            },
            Self::Valid | Self::Liveness { .. } | Self::Crash { .. } | Self::Unknown { .. } => {
                self.name().to_owned()
            }
        }
    }
}

impl fmt::Display for SimVerdict {
    /// The word, and the first anomaly or the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Valid => Ok(()),
            Self::Invalid { anomalies } => match anomalies.first() {
                Some(first) => write!(f, ": {first}"),
                None => Ok(()),
            },
            Self::Liveness { what } => write!(f, ": {what}"),
            Self::Crash { message } => write!(f, ": {message}"),
            Self::Unknown { reason } => write!(f, ": {reason}"),
        }
    }
}
