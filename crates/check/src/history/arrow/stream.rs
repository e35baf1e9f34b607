//! A whole Arrow stream as a history: its batches, its end record, and nothing after that.

use std::io::Read;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::ArrowError;

use super::{HEADER_METADATA, decode};
use crate::history::header::Header;
use crate::history::jsonl::{self, EndRecord};
use crate::history::read::{ARROW_MAGIC, History};
use crate::history::screen::Screened;

/// The longest end record, in bytes. The reader looks at this much of what follows a stream.
const END_BYTES_MAX: u64 = 4096;

/// Reads a stream, of which the file has at most `bytes` bytes. One that was cut short gives the
/// rows up to there, and no end record.
///
/// # Errors
/// When it is no history, contradicts itself, or something follows its end record.
pub(in crate::history) fn read(reader: impl Read, bytes: u64) -> Result<History, String> {
    let reader = Screened::new(reader, bytes);
    let mut stream = StreamReader::try_new(reader, None).map_err(|e| e.to_string())?;
    let mut history = History {
        header: header(stream.schema().metadata().get(HEADER_METADATA))?,
        ..History::default()
    };
    let mut batches = 0;
    while let Some(batch) = next_batch(&mut stream) {
        batches += 1;
        match batch {
            Ok(batch) => append(&batch, &mut history)
                .map_err(|reason| format!("its batch {batches}: {reason}"))?,
            // A crash leaves half a batch; what came before is whole.
            Err(error) => {
                history.damage = Some(format!(
                    "batch {batches} is cut short or damaged, and left out with all after it: \
                     {error}"
                ));
                return Ok(history);
            }
        }
    }
    if !stream.is_finished() {
        history.damage = Some("the stream has no end marker".to_owned());
        return Ok(history);
    }
    let mut rest = Vec::new();
    stream
        .get_mut()
        .rest()
        .take(END_BYTES_MAX)
        .read_to_end(&mut rest)
        .map_err(|error| error.to_string())?;
    end(&rest, &mut history)?;
    Ok(history)
}

fn append(batch: &RecordBatch, history: &mut History) -> Result<(), String> {
    let from = history.len();
    decode(batch, &mut history.columns).map_err(|error| error.to_string())?;
    let Header {
        limit,
        keys,
        values,
        ..
    } = &history.header;
    if limit.is_none() && keys.is_empty() && values.is_empty() {
        return Ok(());
    }
    let columns = &history.columns;
    for row in from..columns.len() {
        let (kind, read) = (columns.kind[row], columns.read.at(row));
        history
            .header
            .takes(row, kind, columns.key[row], columns.written[row], read)
            .map_err(|reason| format!("its row {}: {reason}", row - from + 1))?;
    }
    Ok(())
}

/// Takes the end record from what follows the stream's end marker. Readers of Arrow stop before it,
/// and would not notice anything else there.
fn end(rest: &[u8], history: &mut History) -> Result<(), String> {
    if rest.trim_ascii().is_empty() {
        history.damage = Some("there is no end record".to_owned());
        return Ok(());
    }
    if rest.starts_with(&ARROW_MAGIC) {
        return Err(followed("stream", rest));
    }
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
    let after = rest[line.len()..].trim_ascii_start();
    match jsonl::end_record(line.trim_ascii()) {
        EndRecord::Whole(_) if !after.is_empty() => Err(followed("end record", after)),
        EndRecord::Whole(end) => {
            history.header.ends_with(end, history.len())?;
            history.end = Some(end);
            Ok(())
        }
        EndRecord::CutShort if line.len() == rest.len() => {
            history.damage = Some("its end record is cut short".to_owned());
            Ok(())
        }
        EndRecord::CutShort | EndRecord::Other => Err(followed("stream", rest)),
    }
}

/// What stands after the `last` thing that belongs to the history, and what to do.
fn followed(last: &str, rest: &[u8]) -> String {
    if rest.starts_with(&ARROW_MAGIC) {
        return format!(
            "another stream follows its {last}: split the file, each stream is a history of its own"
        );
    }
    format!(
        "there are bytes after its {last} that belong to no history: remove them, or record it again"
    )
}

/// The next batch. The Arrow reader panics on some damaged files instead of refusing them.
fn next_batch(
    stream: &mut StreamReader<Screened<impl Read>>,
) -> Option<Result<RecordBatch, ArrowError>> {
    let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stream.next()));
    next.unwrap_or_else(|_| Some(Err(ArrowError::IpcError("the batch is damaged".to_owned()))))
}

fn header(json: Option<&String>) -> Result<Header, String> {
    match json {
        Some(json) => Header::parse(json),
        None => Err("it is an Arrow stream without a history's header".to_owned()),
    }
}
