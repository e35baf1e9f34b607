//! Writes the state into the engine's tables, and reads it back.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend};

use super::StorageError;
use super::backend::FaultyFiles;
use super::batch::Batch;
use super::journal::{Journal, Mark, Slots};
use super::owner::Owner;
use super::seal::{encode, sealed, unsealed};
use super::tables::{LOG, META, NOTES, RECORDS, Summary, Tables};
use kvs_core::replica::{Persist, ReplicaSpec};

/// Memory for the engine's pages, in bytes. The replica has everything in memory anyway.
const CACHE_BYTES: usize = 64 << 20;
const OWNER: &str = "owner";
const SUMMARY: &str = "summary";

/// What was found again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Keys.
    pub keys: u64,
    /// Entries of the log.
    pub entries: u64,
    /// Lines of the journal.
    pub lines: u64,
}

/// The durable state of one life of a node.
#[derive(Debug)]
pub struct Storage {
    engine: Engine,
    journal: Journal,
}

/// All but the journal.
#[derive(Debug)]
struct Engine {
    database: Database,
    path: PathBuf,
    summary: Summary,
}

impl Storage {
    /// The state of this replica in these files, of which that is the engine's.
    ///
    /// # Errors
    /// When a file cannot be used, is damaged, or is another replica's.
    pub fn open(files: FaultyFiles, path: &Path, spec: &ReplicaSpec) -> Result<Self, StorageError> {
        let [first, second] = files.journal;
        let slots: Slots = [Box::new(first), Box::new(second)];
        Self::open_on(files.engine, slots, path, spec)
    }

    /// The same on any kind of file.
    pub(super) fn open_on(
        file: impl StorageBackend,
        slots: Slots,
        path: &Path,
        spec: &ReplicaSpec,
    ) -> Result<Self, StorageError> {
        let owner = Owner::of(spec);
        let mut engine = Engine::open(file, path)?;
        let journal = if engine.claim(&owner)? {
            Journal::open(slots, path, &owner, engine.summary.journal)?
        } else {
            let journal = Journal::begin(slots, path, &owner)?;
            engine.found(&owner)?;
            journal
        };
        Ok(Self { engine, journal })
    }

    /// Hands over all that was committed, as the replica once persisted it, for
    /// [`kvs_core::replica::Replica::restore`].
    ///
    /// # Errors
    /// When anything is damaged: what was handed over until then must not be used.
    pub fn restore(&self, mut take: impl FnMut(&Persist<'_>)) -> Result<Restored, StorageError> {
        let restored = self.engine.restore(&mut take)?;
        let lines = self.journal.restore(|line| {
            take(&Persist::Entry {
                bytes: Cow::Borrowed(line),
            });
        })?;
        Ok(Restored { lines, ..restored })
    }

    /// Makes a batch durable: it is when this returns. One that has only lines goes to the journal
    /// alone. Any other is durable whole or not at all, but for lines that go with keys, and not
    /// with a new journal: these come after the rest.
    ///
    /// # Errors
    /// When the disk fails. What of the batch will be found again is then unknown, and nothing may
    /// be committed any more.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StorageError> {
        let is_first = self.journal.is_missing() && !batch.lines.is_empty();
        let first = is_first.then_some(&batch.lines);
        if let Some(lines) = batch.journal.as_ref().or(first) {
            let next = self.journal.write_next(lines)?;
            self.engine.commit(batch, Some(next.mark))?;
            return self.journal.replace(next);
        }
        if batch.changes_state() {
            self.engine.commit(batch, self.engine.summary.journal)?;
        }
        if batch.lines.is_empty() {
            return Ok(());
        }
        self.journal.append(&batch.lines)
    }
}

impl Engine {
    fn open(file: impl StorageBackend, path: &Path) -> Result<Self, StorageError> {
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(file)
            .map_err(|error| unusable(path, error))?;
        Ok(Self {
            database,
            path: path.to_owned(),
            summary: Summary::default(),
        })
    }

    /// Reads whose it is, and what it holds. Whether it is anybody's yet.
    fn claim(&mut self, owner: &Owner) -> Result<bool, StorageError> {
        let reading = self.database.begin_read().map_err(|e| self.damaged(&e))?;
        let meta = match reading.open_table(META) {
            Ok(meta) => meta,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(false),
            Err(error) => return Err(self.damaged(&error)),
        };
        let found: Owner = self.read_meta(&meta, OWNER)?;
        owner.expect(&found, &self.path)?;
        self.summary = self.read_meta(&meta, SUMMARY)?;
        Ok(true)
    }

    /// Says in a new one whose it is.
    fn found(&self, owner: &Owner) -> Result<(), StorageError> {
        self.write(|tables| {
            tables
                .meta
                .insert(OWNER, &*sealed(b"owner", encode(owner)))?;
            let summary = encode(&Summary::default());
            tables.meta.insert(SUMMARY, &*sealed(b"summary", summary))?;
            Ok(())
        })
    }

    fn restore(&self, take: &mut impl FnMut(&Persist<'_>)) -> Result<Restored, StorageError> {
        let reading = self.database.begin_read().map_err(|e| self.damaged(&e))?;
        let summary = &self.summary;
        self.restore_notes(&reading, take)?;
        let records = reading.open_table(RECORDS).map_err(|e| self.damaged(&e))?;
        let (mut keys, mut sum) = (0, 0u64);
        for entry in records.iter().map_err(|e| self.damaged(&e))? {
            let (key, value) = entry.map_err(|e| self.damaged(&e))?;
            let payload = self.unsealed(key.value(), value.value(), &mut sum)?;
            keys += 1;
            take(&Persist::Record {
                key: Cow::Borrowed(key.value()),
                value: Cow::Borrowed(payload),
            });
        }
        if (keys, sum) != (summary.keys, summary.sum) {
            return Err(self.missing("keys"));
        }
        let entries = self.restore_log(&reading, take)?;
        Ok(Restored {
            keys,
            entries,
            lines: 0,
        })
    }

    fn restore_notes(
        &self,
        reading: &redb::ReadTransaction,
        take: &mut impl FnMut(&Persist<'_>),
    ) -> Result<(), StorageError> {
        let notes = reading.open_table(NOTES).map_err(|e| self.damaged(&e))?;
        let (mut count, mut sum) = (0, 0u64);
        for entry in notes.iter().map_err(|e| self.damaged(&e))? {
            let (slot, value) = entry.map_err(|e| self.damaged(&e))?;
            let slot = slot.value();
            let payload = self.unsealed(&slot.to_be_bytes(), value.value(), &mut sum)?;
            take(&Persist::Note {
                slot,
                bytes: Cow::Borrowed(payload),
            });
            count += 1;
        }
        if (count, sum) != (self.summary.notes, self.summary.notes_sum) {
            return Err(self.missing("notes"));
        }
        Ok(())
    }

    fn restore_log(
        &self,
        reading: &redb::ReadTransaction,
        take: &mut impl FnMut(&Persist<'_>),
    ) -> Result<u64, StorageError> {
        let log = reading.open_table(LOG).map_err(|e| self.damaged(&e))?;
        let (mut next, mut sum) = (self.summary.first, 0u64);
        for entry in log.iter().map_err(|e| self.damaged(&e))? {
            let (place, value) = entry.map_err(|e| self.damaged(&e))?;
            if place.value() != next {
                return Err(self.missing("entries"));
            }
            let payload = self.unsealed(&next.to_be_bytes(), value.value(), &mut sum)?;
            take(&Persist::Entry {
                bytes: Cow::Borrowed(payload),
            });
            next += 1;
        }
        if (next, sum) != (self.summary.next, self.summary.log_sum) {
            return Err(self.missing("entries"));
        }
        Ok(next - self.summary.first)
    }

    /// Makes all of a batch durable that is no line, whole, and that it goes with this journal.
    fn commit(&mut self, batch: &Batch, journal: Option<Mark>) -> Result<(), StorageError> {
        let mut summary = self.summary.clone();
        self.write(|tables| {
            tables.keep(batch, &mut summary)?;
            summary.journal = journal;
            let encoded = encode(&summary);
            tables.meta.insert(SUMMARY, &*sealed(b"summary", encoded))?;
            Ok(())
        })?;
        self.summary = summary;
        Ok(())
    }

    fn write(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), redb::StorageError>,
    ) -> Result<(), StorageError> {
        let writing = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            // The newest commit is then known to be whole, so that damage to it is damage, and not
            // taken for a write that a crash cut short.
            transaction.set_two_phase_commit(true);
            {
                let mut tables = Tables {
                    records: transaction.open_table(RECORDS)?,
                    log: transaction.open_table(LOG)?,
                    notes: transaction.open_table(NOTES)?,
                    meta: transaction.open_table(META)?,
                };
                change(&mut tables)?;
            }
            transaction.commit()?;
            Ok(())
        };
        writing().map_err(|error| StorageError::Write {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn read_meta<T: serde::de::DeserializeOwned>(
        &self,
        meta: &impl ReadableTable<&'static str, &'static [u8]>,
        name: &str,
    ) -> Result<T, StorageError> {
        let value = meta.get(name).map_err(|e| self.damaged(&e))?;
        let value = value.ok_or_else(|| self.missing(name))?;
        let payload = self.unsealed(name.as_bytes(), value.value(), &mut 0)?;
        self.decoded(payload)
    }

    fn unsealed<'a>(
        &self,
        key: &[u8],
        value: &'a [u8],
        sum: &mut u64,
    ) -> Result<&'a [u8], StorageError> {
        let Some((payload, checksum)) = unsealed(key, value) else {
            return Err(self.damaged(&"a checksum is wrong"));
        };
        *sum = sum.wrapping_add(checksum);
        Ok(payload)
    }

    fn decoded<T: serde::de::DeserializeOwned>(&self, payload: &[u8]) -> Result<T, StorageError> {
        postcard::from_bytes(payload).map_err(|error| self.damaged(&error))
    }

    fn damaged(&self, what: &dyn std::fmt::Display) -> StorageError {
        StorageError::Damaged {
            path: self.path.clone(),
            what: what.to_string(),
        }
    }

    fn missing(&self, what: &str) -> StorageError {
        self.damaged(&format!("{what} are missing"))
    }
}

fn unusable(path: &Path, error: DatabaseError) -> StorageError {
    if let DatabaseError::Storage(redb::StorageError::Io(source)) = error {
        StorageError::Open {
            path: path.to_owned(),
            source,
        }
    } else {
        StorageError::Damaged {
            path: path.to_owned(),
            what: error.to_string(),
        }
    }
}
