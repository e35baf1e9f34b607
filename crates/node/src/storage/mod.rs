//! What a node keeps on disk, so that whatever it acknowledged is there after any crash.
//!
//! A [`Storage`] holds what a replica holds, in an embedded engine (redb): each key with its value
//! or siblings, a log of what it appended last, and notes. Beside the engine it has a journal of
//! lines, which cost one sync. It does not know what they mean. A [`Batch`] takes all changes since
//! the last one. It is committed whole or not at all, and is durable once [`Storage::commit`] has
//! returned. docs/reference/durability.md has the reasons, and says what is tested.
//!
//! It knows of no process and no clock: `node` decides when to commit and what waits for it.

mod backend;
mod batch;
mod engine;
mod frame;
mod journal;
mod owner;
mod seal;
mod tables;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use backend::{DiskFault, FaultyFiles};
pub use batch::{Batch, Changes};
pub use engine::{Restored, Storage};

/// Why a node cannot keep, or find again, what it has to.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no file, and none can be made.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not what was written to it: nothing of it is used.
    #[error("the stored state is damaged ({what}): restore {} from a copy, or remove it and let \
             the node come back empty under its next incarnation", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What was seen.
        what: String,
    },
    /// The file is of another node, another life, or another kind of replica.
    #[error("{} belongs to {found}, not to {expected}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// A change could not be made durable. Nobody can know what is, so the node must not go on.
    #[error("cannot make changes durable in {}: {reason}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}
