//! Writes the state into the engine's tables, and reads it back.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, Table,
    TableDefinition,
};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use super::StorageError;
use super::backend::FaultyFile;
use super::batch::{Batch, encode};
use kvs_core::protocol::{GroupId, NodeId};
use kvs_core::replica::{Persist, ReplicaKind, ReplicaSpec, ShardStep};

/// The version of the layout. A program refuses every other.
const VERSION: u32 = 2;
/// Entries of the log that are kept, at most. At this bound the older half goes, in exchange for the
/// replica's summary of it.
pub(super) const LOG_MAX: u64 = 1 << 14;
/// Memory for the engine's pages, in bytes. The replica has everything in memory anyway.
const CACHE_BYTES: usize = 64 << 20;

/// Keys, each with what the replica has of it and a checksum.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// The last entries of the log, by their place, each with a checksum.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// Notes by their slots, each with a checksum.
const NOTES: TableDefinition<'_, u16, &[u8]> = TableDefinition::new("notes");
/// Whose it is, and a summary of the other tables.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const OWNER: &str = "owner";
const SUMMARY: &str = "summary";

/// Whose state it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    version: u32,
    node: NodeId,
    incarnation: u16,
    group: GroupId,
    kind: ReplicaKind,
    shards: Vec<ShardStep>,
}

impl Owner {
    fn of(spec: &ReplicaSpec) -> Self {
        Self {
            version: VERSION,
            node: spec.node,
            incarnation: spec.incarnation,
            group: spec.group,
            kind: spec.kind,
            shards: spec.shards.clone(),
        }
    }

    fn describe(&self) -> String {
        format!(
            "life {} of node {} ({:?}, layout {})",
            self.incarnation, self.node, self.kind, self.version
        )
    }
}

/// What the other tables hold, so that nothing can go missing unnoticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Summary {
    /// How many keys there are.
    keys: u64,
    /// The sum of their checksums.
    sum: u64,
    /// The place of the first entry of the log, and of the one after the last.
    first: u64,
    next: u64,
    /// The sum of the checksums of its entries.
    log_sum: u64,
    /// How many notes there are, and the sum of their checksums.
    notes: u64,
    notes_sum: u64,
    /// What may take the place of the first entries of the log.
    checkpoint: Option<Checkpoint>,
}

/// A summary that the replica made of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    /// The place of the first entry that it does not stand for.
    place: u64,
    /// The note that it is.
    slot: u16,
    bytes: Vec<u8>,
}

/// What was found again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Keys.
    pub keys: u64,
    /// Entries of the log.
    pub entries: u64,
}

/// The durable state of one life of a node.
#[derive(Debug)]
pub struct Storage {
    database: Database,
    path: PathBuf,
    summary: Summary,
}

impl Storage {
    /// The state of this replica in that file, which is made when it is missing.
    ///
    /// # Errors
    /// When the file cannot be used, is damaged, or is another replica's.
    pub fn open(file: FaultyFile, path: &Path, spec: &ReplicaSpec) -> Result<Self, StorageError> {
        Self::open_on(file, path, spec)
    }

    /// The same on any kind of file.
    pub(super) fn open_on(
        file: impl StorageBackend,
        path: &Path,
        spec: &ReplicaSpec,
    ) -> Result<Self, StorageError> {
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(file)
            .map_err(|error| unusable(path, error))?;
        let mut storage = Self {
            database,
            path: path.to_owned(),
            summary: Summary::default(),
        };
        storage.claim(&Owner::of(spec))?;
        Ok(storage)
    }

    /// Reads whose it is, or says so in a new one.
    fn claim(&mut self, owner: &Owner) -> Result<(), StorageError> {
        let reading = self.database.begin_read().map_err(|e| self.damaged(&e))?;
        let meta = match reading.open_table(META) {
            Ok(meta) => meta,
            Err(redb::TableError::TableDoesNotExist(_)) => {
                drop(reading);
                return self.found(owner);
            }
            Err(error) => return Err(self.damaged(&error)),
        };
        let found: Owner = self.read_meta(&meta, OWNER)?;
        if found != *owner {
            return Err(StorageError::Foreign {
                path: self.path.clone(),
                found: found.describe(),
                expected: owner.describe(),
            });
        }
        self.summary = self.read_meta(&meta, SUMMARY)?;
        Ok(())
    }

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

    /// Hands over all that was committed, as the replica once persisted it, for
    /// [`kvs_core::replica::Replica::restore`].
    ///
    /// # Errors
    /// When anything is damaged: what was handed over until then must not be used.
    pub fn restore(&self, mut take: impl FnMut(&Persist<'_>)) -> Result<Restored, StorageError> {
        let reading = self.database.begin_read().map_err(|e| self.damaged(&e))?;
        let summary = &self.summary;
        self.restore_notes(&reading, &mut take)?;
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
        let entries = self.restore_log(&reading, &mut take)?;
        Ok(Restored { keys, entries })
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

    /// Makes a batch durable, whole: it is when this returns.
    ///
    /// # Errors
    /// When the disk fails. What of the batch will be found again is then unknown, and nothing may
    /// be committed any more.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StorageError> {
        let mut summary = self.summary.clone();
        self.write(|tables| {
            for (key, value) in &batch.records {
                let before = match value {
                    Some(value) => {
                        let sealed = sealed(key, value.clone());
                        summary.keys += 1;
                        summary.sum = summary.sum.wrapping_add(checksum_of(&sealed));
                        tables.records.insert(&**key, &*sealed)?
                    }
                    None => tables.records.remove(&**key)?,
                };
                if let Some(before) = before {
                    summary.keys -= 1;
                    summary.sum = summary.sum.wrapping_sub(checksum_of(before.value()));
                }
            }
            for (slot, note) in &batch.notes {
                keep_note(&mut tables.notes, *slot, note.clone(), &mut summary)?;
            }
            keep_log(tables, batch, &mut summary)?;
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
        let found = value.split_last_chunk::<CHECKSUM_BYTES>();
        match found {
            Some((payload, stored)) if u64::from_le_bytes(*stored) == checksum(key, payload) => {
                *sum = sum.wrapping_add(u64::from_le_bytes(*stored));
                Ok(payload)
            }
            Some(_) | None => Err(self.damaged(&"a checksum is wrong")),
        }
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

struct Tables<'t> {
    records: Table<'t, &'static [u8], &'static [u8]>,
    log: Table<'t, u64, &'static [u8]>,
    notes: Table<'t, u16, &'static [u8]>,
    meta: Table<'t, &'static str, &'static [u8]>,
}

fn keep_note(
    notes: &mut Table<'_, u16, &'static [u8]>,
    slot: u16,
    note: Vec<u8>,
    summary: &mut Summary,
) -> Result<(), redb::StorageError> {
    let sealed = sealed(&slot.to_be_bytes(), note);
    summary.notes_sum = summary.notes_sum.wrapping_add(checksum_of(&sealed));
    match notes.insert(slot, &*sealed)? {
        Some(old) => {
            let old = checksum_of(old.value());
            summary.notes_sum = summary.notes_sum.wrapping_sub(old);
        }
        None => summary.notes += 1,
    }
    Ok(())
}

/// Appends the entries of a batch, and lets the older half go beyond [`LOG_MAX`].
fn keep_log(
    tables: &mut Tables<'_>,
    batch: &Batch,
    summary: &mut Summary,
) -> Result<(), redb::StorageError> {
    if batch.restarts {
        // The replica's summary stands for everything by now, the entries of this batch included.
        tables.log.retain(|_, _| false)?;
        summary.first = summary.next;
        summary.log_sum = 0;
        summary.checkpoint = None;
        if let Some((slot, bytes)) = &batch.summary {
            keep_note(&mut tables.notes, *slot, bytes.clone(), summary)?;
        }
        return Ok(());
    }
    for entry in &batch.entries {
        let sealed = sealed(&summary.next.to_be_bytes(), entry.clone());
        summary.log_sum = summary.log_sum.wrapping_add(checksum_of(&sealed));
        tables.log.insert(summary.next, &*sealed)?;
        summary.next += 1;
    }
    let begin = summary
        .checkpoint
        .as_ref()
        .map_or(summary.first, |it| it.place);
    let Some((slot, bytes)) = &batch.summary else {
        return Ok(());
    };
    if summary.next - begin < LOG_MAX / 2 {
        return Ok(());
    }
    let next = Checkpoint {
        place: summary.next,
        slot: *slot,
        bytes: bytes.clone(),
    };
    if let Some(before) = summary.checkpoint.replace(next) {
        while summary.first < before.place {
            if let Some(oldest) = tables.log.remove(summary.first)? {
                let gone = checksum_of(oldest.value());
                summary.log_sum = summary.log_sum.wrapping_sub(gone);
            }
            summary.first += 1;
        }
        keep_note(&mut tables.notes, before.slot, before.bytes, summary)?;
    }
    Ok(())
}

const CHECKSUM_BYTES: usize = 8;

/// Of a value under its key, so that one that stands under another is found as well.
fn checksum(key: &[u8], payload: &[u8]) -> u64 {
    XxHash64::oneshot(XxHash64::oneshot(0, key), payload)
}

/// The value with its checksum behind it.
fn sealed(key: &[u8], mut payload: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(key, &payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The checksum behind a value; 0 where there is none, which reading will find.
fn checksum_of(sealed: &[u8]) -> u64 {
    sealed
        .last_chunk::<CHECKSUM_BYTES>()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
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
