//! One put's lasting content, packed into one shared buffer.
//!
//! The store, the update log and every message that carries a put share the buffer, so a put costs
//! one allocation and is copied once. The layout is little-endian: key length (2 bytes), number of
//! vector entries (2 bytes), key, entries (8 bytes each), value. The put's own dot is kept beside
//! the record, and its own origin is left out of the entries.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Dot, KEY_BYTES_MAX, Origin, VALUE_BYTES_MAX, Vector};

/// Bytes before the key.
const HEADER_BYTES: usize = 4;
/// Bytes of one vector entry.
const ENTRY_BYTES: usize = 8;

/// A put as it is kept and sent: its key, what it covered beside itself, and its value.
///
/// Cloning shares the buffer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(Arc<[u8]>);

/// Bytes that are not a record; the peer that sent them is faulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed record: {0}")]
pub struct MalformedRecord(&'static str);

impl Record {
    /// Packs a put. `vector` is all that the put covers; the entry of `origin`, its own, is left
    /// out.
    ///
    /// # Panics
    /// When the key is longer than [`KEY_BYTES_MAX`] or the vector has more than 65,535 entries.
    #[must_use]
    pub fn new(key: &[u8], origin: Origin, vector: &[Dot], value: &[u8]) -> Self {
        assert!(
            key.len() <= KEY_BYTES_MAX,
            "key longer than the codec lets in"
        );
        let others = || vector.iter().filter(|dot| dot.origin() != origin);
        let entries = others().count();
        let key_len = u16::try_from(key.len()).expect("bounded by KEY_BYTES_MAX");
        let entry_count = u16::try_from(entries).expect("a vector has at most 65,535 origins");
        let len = HEADER_BYTES + key.len() + entries * ENTRY_BYTES + value.len();
        // One allocation: the iterator's length is trusted by the standard library.
        let mut buffer: Arc<[u8]> = std::iter::repeat_n(0, len).collect();
        let bytes = Arc::get_mut(&mut buffer).expect("the buffer was made here");
        bytes[..2].copy_from_slice(&key_len.to_le_bytes());
        bytes[2..HEADER_BYTES].copy_from_slice(&entry_count.to_le_bytes());
        let (key_bytes, rest) = bytes[HEADER_BYTES..].split_at_mut(key.len());
        key_bytes.copy_from_slice(key);
        let (vector_bytes, value_bytes) = rest.split_at_mut(entries * ENTRY_BYTES);
        for (entry, dot) in vector_bytes.chunks_exact_mut(ENTRY_BYTES).zip(others()) {
            entry.copy_from_slice(&dot.0.to_le_bytes());
        }
        value_bytes.copy_from_slice(value);
        Self(buffer)
    }

    /// Puts another value of the same length in the place of this one, which spares an allocation.
    /// Does nothing and answers false where the buffer is shared or the lengths differ.
    #[inline]
    pub fn overwrite(&mut self, value: &[u8]) -> bool {
        let start = self.value_start();
        if self.packed_len() - start != value.len() {
            return false;
        }
        Arc::get_mut(&mut self.0).is_some_and(|bytes| {
            bytes[start..].copy_from_slice(value);
            true
        })
    }

    /// Takes bytes that came from elsewhere.
    ///
    /// # Errors
    /// When they are not what [`Record::as_bytes`] gives, with a key of at most [`KEY_BYTES_MAX`]
    /// and a value of at most [`VALUE_BYTES_MAX`] bytes and at most one entry an origin, ascending.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedRecord> {
        if bytes.len() < HEADER_BYTES {
            return Err(MalformedRecord("shorter than its header"));
        }
        let key_len = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let entries = usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
        let value_start = HEADER_BYTES + key_len + entries * ENTRY_BYTES;
        if key_len > KEY_BYTES_MAX {
            return Err(MalformedRecord("key too long"));
        }
        if bytes.len() < value_start {
            return Err(MalformedRecord("shorter than its key and vector"));
        }
        if bytes.len() - value_start > VALUE_BYTES_MAX {
            return Err(MalformedRecord("value too long"));
        }
        let record = Self(bytes.into());
        let ascending = record
            .vector()
            .zip(record.vector().skip(1))
            .all(|(a, b)| a.origin() < b.origin());
        if ascending {
            Ok(record)
        } else {
            Err(MalformedRecord("vector out of order"))
        }
    }

    /// The packed form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes of the packed form.
    #[inline]
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.0.len()
    }

    /// The key that was put.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0[HEADER_BYTES..self.vector_start()]
    }

    /// The value that was put.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.0[self.value_start()..]
    }

    /// What the put covered beside its own origin's puts, in ascending order.
    #[inline]
    pub fn vector(&self) -> impl Iterator<Item = Dot> + '_ {
        self.0[self.vector_start()..self.value_start()]
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| {
                Dot(u64::from_le_bytes(
                    entry.try_into().expect("chunks of eight"),
                ))
            })
    }

    /// All that the put covered, itself included: the vector of its witness.
    #[must_use]
    pub fn vector_with(&self, own: Dot) -> Vector {
        let mut vector: Vector = self.vector().collect();
        let place = vector.partition_point(|dot| dot.origin() < own.origin());
        vector.insert(place, own);
        vector
    }

    #[inline]
    fn vector_start(&self) -> usize {
        HEADER_BYTES + usize::from(u16::from_le_bytes([self.0[0], self.0[1]]))
    }

    #[inline]
    fn value_start(&self) -> usize {
        let entries = usize::from(u16::from_le_bytes([self.0[2], self.0[3]]));
        self.vector_start() + entries * ENTRY_BYTES
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vector: Vector = self.vector().collect();
        write!(
            f,
            "{}={} after {vector:?}",
            self.key().escape_ascii(),
            self.value().escape_ascii()
        )
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a record")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Record, E> {
                Record::from_bytes(bytes).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Record, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Record::from_bytes(&bytes).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::NodeId;

    fn dot(node: u16, counter: u64) -> Dot {
        Dot::new(Origin::new(NodeId(node), 0), counter)
    }

    #[test]
    fn a_record_gives_back_what_was_packed_without_its_own_origin() {
        let vector = [dot(0, 4), dot(1, 7), dot(2, 9)];
        let record = Record::new(b"key", dot(1, 7).origin(), &vector, b"value");
        assert_eq!(record.key(), b"key");
        assert_eq!(record.value(), b"value");
        assert_eq!(record.vector().collect::<Vec<_>>(), [dot(0, 4), dot(2, 9)]);
        assert_eq!(record.vector_with(dot(1, 7)).as_slice(), vector);
        assert_eq!(Record::from_bytes(record.as_bytes()), Ok(record));
    }

    #[test]
    fn a_value_is_overwritten_only_where_nobody_else_sees_it_and_it_fits() {
        let mut record = Record::new(b"key", dot(9, 1).origin(), &[dot(0, 4)], b"before");
        assert!(record.overwrite(b"behind"));
        assert_eq!(record.key(), b"key");
        assert_eq!(record.vector().collect::<Vec<_>>(), [dot(0, 4)]);
        assert!(!record.overwrite(b"longer than before"));
        let shared = record.clone();
        assert!(!record.overwrite(b"hidden"));
        assert_eq!(record.value(), b"behind");
        assert_eq!(shared.value(), b"behind");
    }

    #[test]
    fn malformed_bytes_are_refused() {
        let good = Record::new(b"key", dot(9, 1).origin(), &[dot(0, 4), dot(2, 9)], b"");
        let bytes = good.as_bytes();
        for len in 0..bytes.len() {
            assert!(Record::from_bytes(&bytes[..len]).is_err(), "cut at {len}");
        }
        let swapped = Record::new(b"key", dot(9, 1).origin(), &[dot(2, 9), dot(0, 4)], b"");
        assert!(Record::from_bytes(swapped.as_bytes()).is_err());
        let long = Record::new(b"", dot(0, 1).origin(), &[], &vec![0; VALUE_BYTES_MAX + 1]);
        assert!(Record::from_bytes(long.as_bytes()).is_err());
    }
}
