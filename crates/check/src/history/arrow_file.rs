//! Writes operations as they end to an Arrow stream on disk.
//!
//! The caller's thread only fills column buffers; a thread of its own encodes,
//! compresses and writes them. Buffers go round between the two, so that memory is bounded and a
//! disk that cannot keep up slows the caller down instead of filling memory. The file reads
//! no clock: the rows and [`ArrowFile::tick`] bring the time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, SchemaRef};

use super::arrow;
use super::columns::Columns;
use super::header::{End, Header, Limit};
use super::operation::Row;

/// Rows after which a buffer is handed to the writer.
pub const BATCH_ROWS: usize = 8_192;
/// List entries after which a buffer is handed to the writer, however few its rows.
const BATCH_ENTRIES: usize = 4 << 20;
/// The longest that a row waits in a buffer, in ns of the history's clock.
pub const BATCH_NS_MAX: u64 = 1_000_000_000;
/// How many buffers go round between the caller and the writer, at most. A buffer is made only when
/// there is no other. So there are few if the writer keeps up, and these stay in the cache.
const BUFFERS: usize = 24;

/// Why recording failed. What had been written before stays readable.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be made.
    #[error("cannot create the history {path}: {source}")]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A batch could not be written: the disk is full, for one.
    #[error(
        "cannot write the history {path}: {reason}; its batches up to here can still be checked"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The thread that writes could not be started.
    #[error("cannot start the thread that writes the history: {0}")]
    Thread(std::io::Error),
}

/// Records rows to a file while they happen. A thread of its own encodes and writes them.
///
/// ```
/// use kvs_check::{History, Row, history::{ArrowFile, Header}};
///
/// let path = std::env::temp_dir().join(format!("history-{}.arrows", std::process::id()));
/// let mut file = ArrowFile::create(&path, &Header::default())?;
/// file.push(&Row { key: 7, invoke: 1, returned: Some(2), ..Row::EMPTY })?;
/// assert_eq!(file.finish()?.operations, 1);
/// assert_eq!(History::read(&path)?.len(), 1);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ArrowFile {
    path: PathBuf,
    filling: Columns,
    /// When the oldest row of `filling` was pushed.
    oldest: Option<u64>,
    limit: Option<Limit>,
    end: End,
    full: SyncSender<Columns>,
    empty: Receiver<Columns>,
    /// Buffers that were made.
    buffers: usize,
    writer: Writer,
}

/// The other thread, or what became of it.
#[derive(Debug)]
enum Writer {
    Running(JoinHandle<Result<BufWriter<File>, ArrowError>>),
    Failed(String),
}

impl Writer {
    /// Waits for the end of the thread.
    fn join(self) -> Result<BufWriter<File>, String> {
        match self {
            Self::Running(thread) => match thread.join() {
                Ok(written) => written.map_err(|e| e.to_string()),
                Err(_) => Err("the thread that writes has panicked".to_owned()),
            },
            Self::Failed(reason) => Err(reason),
        }
    }
}

impl ArrowFile {
    /// Starts a history at `path`, over whatever was there.
    ///
    /// # Errors
    /// When the file cannot be created or its header not written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, RecordError> {
        let create = |source| RecordError::Create {
            path: path.to_owned(),
            source,
        };
        let file = BufWriter::new(File::create(path).map_err(create)?);
        let json = serde_json::to_string(header).map_err(|e| create(e.into()))?;
        let schema = arrow::schema(header, &json);
        let stream = stream(file, &schema).map_err(|e| create(std::io::Error::other(e)))?;

        let (full, to_write) = sync_channel(BUFFERS);
        let (recycled, empty) = sync_channel(BUFFERS);
        let writer = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || write(stream, &schema, &to_write, &recycled))
            .map_err(RecordError::Thread)?;
        Ok(Self {
            path: path.to_owned(),
            filling: Columns::with_capacity(BATCH_ROWS),
            oldest: None,
            limit: header.limit,
            end: End::default(),
            full,
            empty,
            buffers: 1,
            writer: Writer::Running(writer),
        })
    }

    /// Records one operation. Beyond the header's limit it is left out unless its key is in the
    /// sample.
    ///
    /// # Errors
    /// When the writer has failed. Nothing more is written from then on.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), RecordError> {
        if let Some(limit) = self.limit
            && self.end.operations >= limit.operations
            && !limit.samples(row.key)
        {
            self.end.left_out += 1;
            return Ok(());
        }
        self.filling.push(row);
        self.end.operations += 1;
        let now = row.returned.unwrap_or(row.invoke);
        let oldest = *self.oldest.get_or_insert(now);
        if self.filling.len() >= BATCH_ROWS
            || now.saturating_sub(oldest) >= BATCH_NS_MAX
            || self.filling.vector.values().len() >= BATCH_ENTRIES
            || self.filling.sibling_vectors.values().len() >= BATCH_ENTRIES
        {
            self.hand_over()?;
        }
        Ok(())
    }

    /// Hands a buffer over that has waited for a second at `now_ns`. Call it a few times a second,
    /// so that rows reach the disk even while no operation ends.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn tick(&mut self, now_ns: u64) -> Result<(), RecordError> {
        let running = match &self.writer {
            Writer::Running(thread) => !thread.is_finished(),
            Writer::Failed(_) => false,
        };
        if !running {
            return Err(self.failure());
        }
        match self.oldest {
            Some(oldest) if now_ns.saturating_sub(oldest) >= BATCH_NS_MAX => self.hand_over(),
            Some(_) | None => Ok(()),
        }
    }

    /// How many operations are recorded, and how many were left out.
    #[must_use]
    pub const fn counts(&self) -> End {
        self.end
    }

    /// Notes that the run ends before it was driven to its end, for the end record to say.
    pub const fn interrupted(&mut self) {
        self.end.interrupted = true;
    }

    /// Writes what is left and the end record, and waits until all is in the file.
    ///
    /// # Errors
    /// When something could not be written, now or before.
    pub fn finish(mut self) -> Result<End, RecordError> {
        if !self.filling.is_empty() {
            self.hand_over()?;
        }
        let Self {
            path,
            end,
            full,
            writer,
            ..
        } = self;
        drop(full);
        let failed = |reason| RecordError::Write {
            path: path.clone(),
            reason,
        };
        let mut file = writer.join().map_err(failed)?;
        // The stream's end marker is behind us, readers of Arrow stop there: the end record
        // follows it as one line of JSON.
        let record = serde_json::json!({ "end": end });
        writeln!(file, "{record}")
            .and_then(|()| file.flush())
            .map_err(|e| RecordError::Write {
                path: path.clone(),
                reason: e.to_string(),
            })?;
        Ok(end)
    }

    fn hand_over(&mut self) -> Result<(), RecordError> {
        self.oldest = None;
        let empty = match self.empty.try_recv() {
            Err(TryRecvError::Empty) if self.buffers < BUFFERS => {
                self.buffers += 1;
                Some(Columns::with_capacity(BATCH_ROWS))
            }
            Err(TryRecvError::Empty) => self.empty.recv().ok(),
            Ok(empty) => Some(empty),
            Err(TryRecvError::Disconnected) => None,
        };
        // The writer closes both channels when it fails.
        let Some(empty) = empty else {
            return Err(self.failure());
        };
        let full = std::mem::replace(&mut self.filling, empty);
        self.full.send(full).map_err(|_| self.failure())
    }

    /// What the writer, which has ended, failed with.
    fn failure(&mut self) -> RecordError {
        let writer = Writer::Failed("an earlier batch could not be written".to_owned());
        let reason = match std::mem::replace(&mut self.writer, writer).join() {
            Ok(_) => "its writer ended early".to_owned(),
            Err(reason) => reason,
        };
        self.writer = Writer::Failed(reason.clone());
        RecordError::Write {
            path: self.path.clone(),
            reason,
        }
    }
}

fn stream(
    file: BufWriter<File>,
    schema: &SchemaRef,
) -> Result<StreamWriter<BufWriter<File>>, ArrowError> {
    let options =
        IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
    let mut stream = StreamWriter::try_new_with_options(file, schema, options)?;
    stream.flush()?;
    Ok(stream)
}

/// Writes every buffer that comes until the recorder hangs up, and the stream's end marker.
fn write(
    mut stream: StreamWriter<BufWriter<File>>,
    schema: &SchemaRef,
    to_write: &Receiver<Columns>,
    recycled: &SyncSender<Columns>,
) -> Result<BufWriter<File>, ArrowError> {
    for mut columns in to_write {
        stream.write(&arrow::encode(&columns, schema)?)?;
        // Whole batches are what a reader finds after a crash, so each goes to the file at once.
        stream.flush()?;
        columns.clear();
        // A file that is finished takes no buffer back, and needs none.
        if recycled.send(columns).is_err() {
            break;
        }
    }
    stream.finish()?;
    stream.into_inner()
}
