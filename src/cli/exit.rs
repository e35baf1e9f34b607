//! How the program ends, and why a subcommand could not do its work.

use std::fmt;

use crate::campaign;

/// How the program ends. The numbers are Jepsen's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// The promise was kept.
    Valid = 0,
    /// The promise was broken.
    Invalid = 1,
    /// Nobody can tell.
    Unknown = 2,
    /// Ctrl-C, after everything was healed and saved.
    Interrupted = 130,
    /// The arguments make no sense.
    BadArguments = 254,
    /// The harness itself failed: no verdict about the store follows.
    HarnessFailure = 255,
}

/// Why a subcommand could not do its work: one line, and the exit status that goes with it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: ExitStatus,
    pub(super) error: anyhow::Error,
}

impl Failure {
    pub(super) fn bad_arguments(error: impl Into<anyhow::Error>) -> Self {
        Self {
            status: ExitStatus::BadArguments,
            error: error.into(),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            status: ExitStatus::HarnessFailure,
            error,
        }
    }
}

impl From<campaign::Error> for Failure {
    fn from(error: campaign::Error) -> Self {
        match error {
            campaign::Error::Unfit(unfit) => Self::bad_arguments(unfit),
            campaign::Error::NoStoreForBug => Self::bad_arguments(error),
            campaign::Error::Failed(error) => error.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::run::one_line(&self.error))
    }
}
