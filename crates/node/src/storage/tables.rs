//! The engine's tables, their summary, and how a batch changes them.

use redb::{Table, TableDefinition};
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::journal::Mark;
use super::seal::{checksum_of, sealed};

/// Entries of the log that are kept, at most. At this bound the older half goes, in exchange for the
/// replica's summary of it.
pub(super) const LOG_MAX: u64 = 1 << 14;

/// Keys, each with what the replica has of it and a checksum.
pub(super) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// The last entries of the log, by their place, each with a checksum.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// Notes by their slots, each with a checksum.
pub(super) const NOTES: TableDefinition<'_, u16, &[u8]> = TableDefinition::new("notes");
/// Whose it is, and a summary of the other tables.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// What the other tables hold, so that nothing can go missing unnoticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary {
    /// How many keys there are.
    pub(super) keys: u64,
    /// The sum of their checksums.
    pub(super) sum: u64,
    /// The place of the first entry of the log, and of the one after the last.
    pub(super) first: u64,
    pub(super) next: u64,
    /// The sum of the checksums of its entries.
    pub(super) log_sum: u64,
    /// How many notes there are, and the sum of their checksums.
    pub(super) notes: u64,
    pub(super) notes_sum: u64,
    /// What may take the place of the first entries of the log.
    checkpoint: Option<Checkpoint>,
    /// The journal that goes with all this; none before the first line.
    pub(super) journal: Option<Mark>,
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

pub(super) struct Tables<'t> {
    pub(super) records: Table<'t, &'static [u8], &'static [u8]>,
    pub(super) log: Table<'t, u64, &'static [u8]>,
    pub(super) notes: Table<'t, u16, &'static [u8]>,
    pub(super) meta: Table<'t, &'static str, &'static [u8]>,
}

impl Tables<'_> {
    /// Takes in all of a batch that is no line.
    pub(super) fn keep(
        &mut self,
        batch: &Batch,
        summary: &mut Summary,
    ) -> Result<(), redb::StorageError> {
        for (key, value) in &batch.records {
            self.keep_record(key, value.as_ref(), summary)?;
        }
        for (slot, note) in &batch.notes {
            self.keep_note(*slot, note.clone(), summary)?;
        }
        if let (Some(_), Some((slot, note))) = (&batch.journal, &batch.summary) {
            self.keep_note(*slot, note.clone(), summary)?;
        }
        self.keep_log(batch, summary)
    }

    fn keep_record(
        &mut self,
        key: &[u8],
        value: Option<&Vec<u8>>,
        summary: &mut Summary,
    ) -> Result<(), redb::StorageError> {
        let before = match value {
            Some(value) => {
                let sealed = sealed(key, value.clone());
                summary.keys += 1;
                summary.sum = summary.sum.wrapping_add(checksum_of(&sealed));
                self.records.insert(key, &*sealed)?
            }
            None => self.records.remove(key)?,
        };
        if let Some(before) = before {
            summary.keys -= 1;
            summary.sum = summary.sum.wrapping_sub(checksum_of(before.value()));
        }
        Ok(())
    }

    fn keep_note(
        &mut self,
        slot: u16,
        note: Vec<u8>,
        summary: &mut Summary,
    ) -> Result<(), redb::StorageError> {
        let sealed = sealed(&slot.to_be_bytes(), note);
        summary.notes_sum = summary.notes_sum.wrapping_add(checksum_of(&sealed));
        match self.notes.insert(slot, &*sealed)? {
            Some(old) => {
                let old = checksum_of(old.value());
                summary.notes_sum = summary.notes_sum.wrapping_sub(old);
            }
            None => summary.notes += 1,
        }
        Ok(())
    }

    /// Appends the entries of a batch, and lets the older half go beyond [`LOG_MAX`].
    fn keep_log(&mut self, batch: &Batch, summary: &mut Summary) -> Result<(), redb::StorageError> {
        if batch.restarts {
            // The replica's summary stands for everything by now, the entries of this batch included.
            self.log.retain(|_, _| false)?;
            summary.first = summary.next;
            summary.log_sum = 0;
            summary.checkpoint = None;
            if let Some((slot, bytes)) = &batch.summary {
                self.keep_note(*slot, bytes.clone(), summary)?;
            }
            return Ok(());
        }
        for entry in &batch.entries {
            let sealed = sealed(&summary.next.to_be_bytes(), entry.clone());
            summary.log_sum = summary.log_sum.wrapping_add(checksum_of(&sealed));
            self.log.insert(summary.next, &*sealed)?;
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
                if let Some(oldest) = self.log.remove(summary.first)? {
                    let gone = checksum_of(oldest.value());
                    summary.log_sum = summary.log_sum.wrapping_sub(gone);
                }
                summary.first += 1;
            }
            self.keep_note(before.slot, before.bytes, summary)?;
        }
        Ok(())
    }
}
