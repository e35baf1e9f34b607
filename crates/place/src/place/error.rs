//! Why a place does not do what was asked.

use std::time::Duration;

/// Why a place does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The agent could not be started.
    #[error("cannot start the agent of a place by running `{command}`")]
    Start {
        /// What was run.
        command: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The agent is gone, and with it all that it had started.
    #[error("the agent of the place (`{command}`) is gone, and all that it had started: {status}")]
    Gone {
        /// What was run.
        command: String,
        /// How it ended, as far as that is known.
        status: String,
    },
    /// The agent did not answer.
    #[error("the agent of the place did not answer within {0:?}")]
    Silent(Duration),
    /// A program is not installed.
    #[error("{program} is not installed")]
    Missing {
        /// Which.
        program: String,
    },
    /// An attached program leaves so much unread that it can be told no more, or all of the place's
    /// orders wait.
    #[error("too much waits to be read")]
    Unread,
    /// The agent could not.
    #[error("{0}")]
    Refused(String),
}
