//! JSON lines: the form of hand-written histories, one object a line.
//!
//! What a line leaves out has a default, so that a history written by hand shows what matters:
//! docs/reference/history-schema.md has the table. Ids are `"session:index"` or numbers, dots are
//! `"n0:5"`, `"n0.1:5"` (second incarnation) or numbers.

mod lines;
mod read;
mod text;
mod write;

#[cfg(feature = "arrow")]
pub(super) use lines::{EndRecord, end_record};
pub use read::LINE_BYTES_MAX;
pub(super) use read::{JsonError, read};
pub use text::{dot_text, id_text};
pub use write::write;
