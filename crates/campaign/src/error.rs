//! Why a campaign has no result.

use kvs_harness::run::Unfit;

/// Why a campaign has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of its runs cannot be had. Nothing was started.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// None of the stores that it is about can have the planted bug. Nothing was started.
    #[error("no store of these cells can have the bug: `kvs-bench bugs` says which can")]
    NoStoreForBug,
    /// A run has failed. What was recorded is kept.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}
