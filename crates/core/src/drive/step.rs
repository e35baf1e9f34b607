//! The steps that a lane does.

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Get a key that exists.
    Read,
    /// Put a key that exists.
    Update,
    /// Put a key that does not exist yet. Its outcome must be told to whoever drew it.
    Insert,
    /// Get a key that exists, then put it, in one session.
    ReadModifyWrite,
    /// Get a key that exists, then put it if it still holds what the get found, in one session.
    CompareAndSet,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub kind: StepKind,
    /// With which key.
    pub key: u64,
    /// The size of the value to put, in bytes; 0 for a read.
    pub value_bytes: u32,
}

impl StepKind {
    /// Whether its first operation is a put.
    #[must_use]
    pub const fn begins_with_put(self) -> bool {
        match self {
            Self::Update | Self::Insert => true,
            Self::Read | Self::ReadModifyWrite | Self::CompareAndSet => false,
        }
    }
}
