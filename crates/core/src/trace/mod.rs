//! Traces: the inputs of a replica and the effects of each. This module has the format, the
//! recording and the replay (docs/reference/traces.md).
//!
//! A model explores the replica's code, and a run drives it. A trace closes the gap between the
//! two. A fresh replica that is given the recorded inputs must have the recorded effects. Otherwise
//! what ran was not the state machine that was modelled. Nothing here opens a file: a host brings
//! something to write to, and a reader something to read from. Neighbours: `replica`, which is
//! wrapped; `node`, which records; `cli`, which replays.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod effect;
mod event;
mod reader;
mod replay;
mod tracer;

#[cfg(test)]
mod tests;

pub use effect::{Effect, PutId, Replied};
pub use event::{Bytes, Ending, Event, Given};
pub use reader::{Reader, TraceError, TraceRecord};
pub use replay::{Difference, Replayed, replay};
pub use tracer::{Stopped, Tee, TracedReplica, Tracer};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::replica::ReplicaSpec;

/// The version of the format. A reader refuses every other.
pub const SCHEMA_VERSION: u32 = 2;
/// How large a node's trace may become, in bytes; then it ends with a note. At the fastest that a
/// node has been seen to go, at 2 million requests a second, it lasts for 17 seconds.
pub const TRACE_BYTES_MAX: u64 = 4 << 30;
/// The longest record, in bytes: a message of the longest kind and the effects of it.
pub const RECORD_BYTES_MAX: usize = 32 << 20;

/// What a trace starts with, before its version and the end of the line.
const MAGIC: &str = "kvs-zoo trace ";
/// What comes before a record: its length and its checksum, little-endian `u32` each.
const PREFIX_BYTES: usize = 8;

/// What a trace says of itself: its first record, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the program that recorded it, and the commit if it is known.
    pub program: String,
    /// What the replica was made from. Its node and incarnation say which life of which node.
    pub spec: ReplicaSpec,
}

/// Tells a record that was damaged from a whole one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "32 bits of the hash are enough"
)]
fn checksum(record: &[u8]) -> u32 {
    XxHash64::oneshot(0, record) as u32
}

/// The most letters of a message or response that a difference shows.
const WORDS_MAX: usize = 600;

/// The start of a long text.
fn clipped(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(WORDS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}
