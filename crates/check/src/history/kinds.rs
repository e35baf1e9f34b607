//! Files that are no histories, though somebody gives them as such. Their first bytes tell what
//! they are.

/// A kind of file: what it begins with, what it is, and what to do instead.
struct Kind {
    start: &'static [u8],
    what: &'static str,
    instead: &'static str,
}

const OURS: &str = "give a run directory, its history.arrows, or the history as JSON lines";
const TABLE: &str = "the servers' evidence is not in it, so give the history that it was made of";
const AS_STREAM: &str = "write it as an Arrow IPC stream, like the history.arrows of a run";

const KINDS: [Kind; 17] = [
    kind(b"ARROW1", "an Arrow file and no Arrow stream", AS_STREAM),
    kind(b"PAR1", "a Parquet file", AS_STREAM),
    kind(b"\x89PNG", "a picture", OURS),
    kind(b"\xff\xd8\xff", "a picture", OURS),
    kind(b"GIF8", "a picture", OURS),
    kind(b"%PDF", "a PDF document", OURS),
    kind(b"\x7fELF", "a program", OURS),
    kind(b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    kind(b"SQLite format 3", "a database", OURS),
    kind(b"<!doctype", "a page in HTML", OURS),
    kind(b"<!DOCTYPE", "a page in HTML", OURS),
    kind(b"<html", "a page in HTML", OURS),
    kind(b"<?xml", "a document in XML", OURS),
    kind(b"#[Histogram log", "a log of latencies", OURS),
    kind(b"session,index,kind", "a history as a table", TABLE),
    kind(b"start_s,end_s,", "a series of measurements", OURS),
    kind(
        b"kvs-zoo trace",
        "a replica's trace",
        "replay it with `kvs-bench check --trace`",
    ),
];

const fn kind(start: &'static [u8], what: &'static str, instead: &'static str) -> Kind {
    Kind {
        start,
        what,
        instead,
    }
}

/// Bytes within which a run record names its first fields.
const RECORD_START_BYTES: usize = 512;
/// What only run records have, both of it, near their beginning.
const RECORD_FIELDS: [&str; 2] = ["\"configuration\"", "\"architecture\""];

/// What a file is that begins like that, and what to do instead, if it is known to be no history.
pub(super) fn other_than_history(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let begins = start.trim_ascii_start();
    if let Some(kind) = KINDS.iter().find(|kind| begins.starts_with(kind.start)) {
        return Some((kind.what, kind.instead));
    }
    let text = String::from_utf8_lossy(&start[..start.len().min(RECORD_START_BYTES)]);
    let is_record = begins.starts_with(b"{") && RECORD_FIELDS.iter().all(|it| text.contains(it));
    is_record.then_some(("a run record, run.json", OURS))
}
