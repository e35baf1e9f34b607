//! How long values are, in bytes.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::humane::parse_count;
use super::random::Stream;
use super::zipf::Zipf;
use kvs_core::drive::payload::VALUE_BYTES_MIN;
use kvs_core::protocol::VALUE_BYTES_MAX;

/// The law that value sizes are drawn from.
///
/// In a workload file it is a number of bytes (`value_size = 100`) or a table
/// (`value_size = { kind = "uniform", min = 16, max = 4096 }`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSize {
    /// Every value has this many bytes.
    Fixed(u32),
    /// Every size from `min` to `max` alike.
    Uniform {
        /// The smallest, in bytes.
        min: u32,
        /// The largest, in bytes.
        max: u32,
    },
    /// Mostly small: Zipf's law with theta 0.99 over the sizes from `min` up.
    Zipfian {
        /// The smallest and most frequent, in bytes.
        min: u32,
        /// The largest, in bytes.
        max: u32,
    },
}

impl ValueSize {
    /// One line that says what is wrong, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        let (min, max) = self.bounds();
        if min > max {
            return Some(format!(
                "value_size.min is {min}, above value_size.max, {max}: exchange them"
            ));
        }
        if (min as usize) < VALUE_BYTES_MIN {
            return Some(format!(
                "a value of {min} bytes cannot carry its id and check word: use at least \
                 {VALUE_BYTES_MIN}"
            ));
        }
        (max as usize > VALUE_BYTES_MAX).then(|| {
            format!(
                "a value of {max} bytes is longer than the protocol carries: use at most \
                 {VALUE_BYTES_MAX}"
            )
        })
    }

    /// The smallest and the largest size, in bytes.
    #[must_use]
    pub const fn bounds(&self) -> (u32, u32) {
        match *self {
            Self::Fixed(size) => (size, size),
            Self::Uniform { min, max } | Self::Zipfian { min, max } => (min, max),
        }
    }
}

impl Default for ValueSize {
    fn default() -> Self {
        Self::Fixed(100)
    }
}

impl fmt::Display for ValueSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size} B"),
            Self::Uniform { min, max } => write!(f, "{min} to {max} B uniform"),
            Self::Zipfian { min, max } => write!(f, "{min} to {max} B zipfian"),
        }
    }
}

/// Draws sizes. A fixed size draws nothing.
#[derive(Clone, Debug)]
pub(super) enum SizeSampler {
    Fixed(u32),
    Uniform { min: u32, count: u64 },
    Zipfian { min: u32, zipf: Zipf },
}

impl SizeSampler {
    pub(super) fn new(size: ValueSize) -> Self {
        match size {
            ValueSize::Fixed(size) => Self::Fixed(size),
            ValueSize::Uniform { min, max } => Self::Uniform {
                min,
                count: u64::from(max - min) + 1,
            },
            ValueSize::Zipfian { min, max } => Self::Zipfian {
                min,
                zipf: Zipf::new(u64::from(max - min) + 1, 0.99),
            },
        }
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> u32 {
        match self {
            Self::Fixed(size) => *size,
            Self::Uniform { min, count } => min + stream.below(*count) as u32,
            Self::Zipfian { min, zipf } => min + (zipf.sample(stream) - 1) as u32,
        }
    }
}

/// The table's form in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: Kind,
    min: u32,
    max: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Uniform,
    Zipfian,
}

impl Serialize for ValueSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, min, max) = match *self {
            Self::Fixed(size) => return size.serialize(serializer),
            Self::Uniform { min, max } => (Kind::Uniform, min, max),
            Self::Zipfian { min, max } => (Kind::Zipfian, min, max),
        };
        Table { kind, min, max }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ValueSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrTable;
        impl<'de> de::Visitor<'de> for NumberOrTable {
            type Value = ValueSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, or a table with kind, min and max")
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ValueSize, E> {
                u32::try_from(bytes)
                    .map(ValueSize::Fixed)
                    .map_err(|_| E::custom(format!("a value cannot have {bytes} bytes")))
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ValueSize, E> {
                u32::try_from(bytes)
                    .map(ValueSize::Fixed)
                    .map_err(|_| E::custom(format!("a value cannot have {bytes} bytes")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ValueSize, E> {
                let bytes = parse_count(text).filter(|bytes| bytes.fract() == 0.0);
                let bytes = bytes.filter(|bytes| *bytes <= f64::from(u32::MAX));
                bytes
                    .map(|bytes| ValueSize::Fixed(bytes as u32))
                    .ok_or_else(|| E::custom(format!("`{text}` is no number of bytes")))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ValueSize, A::Error> {
                let Table { kind, min, max } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(match kind {
                    Kind::Uniform => ValueSize::Uniform { min, max },
                    Kind::Zipfian => ValueSize::Zipfian { min, max },
                })
            }
        }
        deserializer.deserialize_any(NumberOrTable)
    }
}
