//! Why a run has no result.

use std::path::PathBuf;

use super::config::Unfit;
use crate::wording::one_line;

/// Why a run ended without a result. What was recorded before is kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be had.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The results directory cannot be written.
    #[error("cannot write results below {}: {source}; choose another place with --results", path.display())]
    Results {
        /// Where the results were to go.
        path: PathBuf,
        /// Why they cannot.
        source: std::io::Error,
    },
    /// The nodes could not be started.
    #[error("the nodes did not start: {}", one_line(.0))]
    Start(anyhow::Error),
    /// Nobody could connect to the nodes.
    #[error("connecting to the nodes: {}", one_line(.0))]
    Connect(anyhow::Error),
    /// The load could not be driven to its end.
    #[error("{}; what was recorded is in {}", one_line(reason), directory.display())]
    Load {
        /// Why.
        reason: anyhow::Error,
        /// The run's directory.
        directory: PathBuf,
    },
    /// A result could not be saved.
    #[error("cannot save the result in {}: {}", directory.display(), one_line(reason))]
    Save {
        /// Why.
        reason: anyhow::Error,
        /// The run's directory.
        directory: PathBuf,
    },
    /// The system refused something that every run needs.
    #[error("the system refused {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}
