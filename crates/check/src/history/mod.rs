//! What happened in a run: every operation with its times, its result and the server's evidence.
//!
//! `ArrowFile` (with the feature `arrow`) writes a history while the run goes on. [`History`] reads
//! one back, from Arrow or from JSON lines; docs/reference/history-schema.md describes both.
//! [`read_history`] imports histories of other tools, and the writers export ours. The types are
//! this module's own, so the checkers share no code with the store that they judge. Nothing here
//! reads a clock: times come with the rows, in ns since the run began.

#![deny(clippy::disallowed_methods)]

mod agrees;
#[cfg(feature = "arrow")]
mod arrow;
#[cfg(feature = "arrow")]
mod arrow_file;
mod column;
mod columns;
pub mod edn;
mod export;
mod header;
mod import;
mod jsonl;
mod kinds;
mod model;
mod operation;
mod places;
mod read;
#[cfg(feature = "arrow")]
mod screen;
mod source;
mod staleness;

#[cfg(feature = "arrow")]
pub use arrow_file::{ArrowFile, BATCH_NS_MAX, BATCH_ROWS, RecordError};
pub use column::{Column, Lists, TooLarge};
pub use columns::{Columns, Evidence, NEVER};
pub use export::{ExportError, write_csv, write_jepsen_edn};
pub use header::{End, Group, Header, Limit, SCHEMA_VERSION};
pub use import::{FailedCas, Format, ImportOptions, read_history};
pub use jsonl::{LINE_BYTES_MAX, dot_text, id_text, write as write_json_lines};
pub use model::Model;
pub(crate) use model::kinds;
pub(crate) use operation::named;
pub use operation::{
    CORRUPT, Dominance, ErrorKind, Kind, Outcome, Phase, Row, Siblings, Version, Witness, dot,
    dot_counter, dot_origin, id_index, id_session, origin, origin_incarnation, origin_node,
    value_id,
};
pub use places::{Place, Places, Spot};
pub use read::{History, ReadError};
pub use staleness::{Staleness, staleness};
