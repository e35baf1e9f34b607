//! What clients put and get, as the bytes that the store keeps.

use std::fmt::Debug;
use std::hash::Hash;

/// A type that clients read the stored bytes as.
pub trait Datum: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The bytes to store.
    fn as_bytes(&self) -> &[u8];

    /// Reads stored bytes back; none when they are not of this type.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Datum for String {
    fn as_bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().map(Self::from)
    }
}

impl Datum for Vec<u8> {
    fn as_bytes(&self) -> &[u8] {
        self
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}
