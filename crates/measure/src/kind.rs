//! The kinds of operation that are measured separately.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of operation. A read-modify-write and a compare-and-set are two operations of the history
/// and one sample here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// A get.
    Read,
    /// A put of an existing key.
    Update,
    /// A put of a new key.
    Insert,
    /// A get, then a put of the same key.
    ReadModifyWrite,
    /// A get, then a compare-and-set of what it found, whether or not that matched.
    CompareAndSet,
}

impl OperationKind {
    /// How many kinds there are.
    pub const COUNT: usize = 5;
    /// All of them, in the order of every table.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Read,
        Self::Update,
        Self::Insert,
        Self::ReadModifyWrite,
        Self::CompareAndSet,
    ];

    /// Its name in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Update => "update",
            Self::Insert => "insert",
            Self::ReadModifyWrite => "read-modify-write",
            Self::CompareAndSet => "compare-and-set",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
