//! Requests as plain data.

use super::{key_name, payload};
use crate::protocol::{Call, Dot, Operation, Request, Response};
use crate::session::Access;

/// A request as plain data: whoever sends it makes the bytes, when it needs them.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The client that asks.
    pub client: u16,
    /// The lane that asks.
    pub lane: u32,
    /// The key.
    pub key: u64,
    /// What is asked.
    pub ask: Ask,
    /// What the session has seen.
    pub context: &'a [Dot],
    /// Which operation of which session it is, where it may be sent again.
    pub call: Option<Call>,
}

/// What is asked of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// What it holds.
    #[default]
    Get,
    /// To hold this value.
    Put(NewValue),
    /// To hold another value, if it holds the expected one.
    Cas {
        /// What it must hold; none when it must not be there.
        expected: Option<NewValue>,
        /// The new value.
        new: NewValue,
    },
}

/// A value to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewValue {
    /// Its id, from which all its bytes are derived.
    pub id: u64,
    /// Its size.
    pub bytes: u32,
}

impl Ask {
    /// What it is to a session.
    #[must_use]
    pub const fn access(self) -> Access {
        match self {
            Self::Get => Access::Read,
            Self::Put(_) => Access::Write,
            Self::Cas { .. } => Access::CompareAndSet,
        }
    }

    /// The value that it writes.
    #[must_use]
    pub const fn new_value(self) -> Option<NewValue> {
        match self {
            Self::Get => None,
            Self::Put(new) | Self::Cas { new, .. } => Some(new),
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put(_) => "put",
            Self::Cas { .. } => "cas",
        }
    }
}

impl NewValue {
    /// The value as text that every store can print.
    #[must_use]
    pub fn to_text(self) -> Vec<u8> {
        let mut value = vec![0; self.bytes as usize];
        payload::fill_text(self.id, &mut value);
        value
    }
}

impl Order<'_> {
    /// Hands the request to `handle`. Values are made in `scratch`, which may be used again.
    pub fn with<T>(&self, scratch: &mut Vec<u8>, handle: impl FnOnce(&Request<'_>) -> T) -> T {
        let operation = match self.ask {
            Ask::Get => Operation::Get,
            Ask::Put(new) => {
                scratch.resize(new.bytes as usize, 0);
                payload::fill(new.id, scratch);
                Operation::Put { value: scratch }
            }
            Ask::Cas { expected, new } => {
                let expected_bytes = expected.map_or(0, |expected| expected.bytes as usize);
                scratch.resize(expected_bytes + new.bytes as usize, 0);
                let (before, value) = scratch.split_at_mut(expected_bytes);
                payload::fill(new.id, value);
                if let Some(expected) = expected {
                    payload::fill(expected.id, before);
                }
                Operation::Cas {
                    expected: expected.map(|_| &*before),
                    value,
                }
            }
        };
        handle(&Request {
            key: &key_name(self.key),
            operation,
            context: self.context,
            call: self.call,
        })
    }
}

/// What a compare-and-set has to expect after a get that was answered so: the one value, or that
/// the key is not there. There is nothing to expect after several values, or a corrupt one.
pub(super) fn expectation(answer: &Response<'_>) -> Option<Option<NewValue>> {
    let Response::Get { siblings, .. } = answer else {
        return None;
    };
    match siblings {
        [] => Some(None),
        [one] => Some(Some(NewValue {
            id: payload::id_of(one.value)?,
            bytes: u32::try_from(one.value.len()).ok()?,
        })),
        [_, _, ..] => None,
    }
}
