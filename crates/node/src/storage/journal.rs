//! The journal: lines that are durable after one write and one sync, in a file of their own.
//!
//! A file begins with whose it is. After that it has a frame for each batch of lines: how long it
//! is, checksums, and the lines. The checksums depend on the place and on the file, so that a frame
//! that stands elsewhere is found as well.
//!
//! A new journal is written into the other one of two files. Then the engine's transaction names it,
//! so that all of a batch is committed by that transaction.

use std::io;
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use super::StorageError;
use super::frame::{FRAME_BYTES_MAX, HEAD_BYTES, Head, frame, seed_at, split_line};
use super::owner::Owner;
use super::seal::encode;

const MAGIC: [u8; 8] = *b"kvs-jrnl";
/// Which journal goes with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// How many there were before it. It is in the first file if that is even.
    generation: u64,
    /// How many bytes it had when it was new: these are there after any crash.
    bytes: u64,
}

/// What a file begins with.
#[derive(Serialize, Deserialize)]
struct Beginning {
    owner: Owner,
    generation: u64,
}

/// The files that take turns.
pub(super) type Slots = [Box<dyn StorageBackend>; 2];

/// Their names.
pub(super) fn paths(engine: &Path) -> [PathBuf; 2] {
    ["0.journal", "1.journal"].map(|extension| engine.with_extension(extension))
}

/// The lines that are durable.
#[derive(Debug)]
pub(super) struct Journal {
    owner: Owner,
    slots: Slots,
    paths: [PathBuf; 2],
    /// None before the first line.
    current: Option<Current>,
}

/// A journal that is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    pub(super) mark: Mark,
    /// What its checksums begin with.
    seed: u64,
    /// The place of the first batch, and of the next.
    first: u64,
    end: u64,
}

impl Current {
    const fn slot(&self) -> usize {
        (self.mark.generation % 2) as usize
    }
}

/// What stands where a frame should.
enum Found {
    Frame(Vec<u8>),
    /// Its head is right, and the lines are not.
    Head {
        end: u64,
    },
    Nothing,
}

impl Journal {
    /// The journal of a state that is new.
    pub(super) fn begin(slots: Slots, path: &Path, owner: &Owner) -> Result<Self, StorageError> {
        let journal = Self::without(slots, path, owner);
        for slot in 0..journal.slots.len() {
            if journal.length(slot)? > 0 {
                return Err(journal.damaged(slot, "a journal without the state it goes with"));
            }
        }
        Ok(journal)
    }

    /// The journal that a state goes with. What a crash has left of a batch that was not finished is
    /// cut off.
    pub(super) fn open(
        slots: Slots,
        path: &Path,
        owner: &Owner,
        mark: Option<Mark>,
    ) -> Result<Self, StorageError> {
        let mut journal = Self::without(slots, path, owner);
        // What is there without a mark was never finished.
        if let Some(mark) = mark {
            journal.current = Some(journal.find(mark)?);
        }
        Ok(journal)
    }

    fn without(slots: Slots, path: &Path, owner: &Owner) -> Self {
        Self {
            owner: owner.clone(),
            slots,
            paths: paths(path),
            current: None,
        }
    }

    /// Whether there is none yet.
    pub(super) const fn is_missing(&self) -> bool {
        self.current.is_none()
    }

    fn find(&self, mark: Mark) -> Result<Current, StorageError> {
        let mut current = Current {
            mark,
            seed: 0,
            first: MAGIC.len() as u64,
            end: 0,
        };
        let slot = current.slot();
        let length = self.length(slot)?;
        if length == 0 {
            return Err(self.damaged(slot, "the journal is missing"));
        }
        let begin = self.read(slot, 0, MAGIC.len().min(length as usize))?;
        if begin != MAGIC {
            return Err(self.damaged(slot, "this is no journal"));
        }
        let Found::Frame(payload) = self.find_frame(&current, current.first, length)? else {
            return Err(self.damaged(slot, "the beginning of the journal is not what it was"));
        };
        let beginning: Beginning =
            postcard::from_bytes(&payload).map_err(|error| self.damaged(slot, error))?;
        self.owner.expect(&beginning.owner, &self.paths[slot])?;
        if beginning.generation != mark.generation {
            let (found, wanted) = (beginning.generation, mark.generation);
            let what = format!("journal {found} is there, and the state goes with {wanted}");
            return Err(self.damaged(slot, what));
        }
        if length < mark.bytes {
            return Err(self.damaged(slot, "the end of the journal is missing"));
        }
        current.first += (HEAD_BYTES + payload.len()) as u64;
        current.seed = XxHash64::oneshot(0, &payload);
        current.end = self.walk(&current, length, |_| {})?;
        if current.end < length {
            self.cut(&current)?;
        }
        Ok(current)
    }

    /// Hands over every batch of lines. Where the last of them ends.
    fn walk(
        &self,
        current: &Current,
        length: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<u64, StorageError> {
        let mut place = current.first;
        while place < length {
            let is_torn = match self.find_frame(current, place, length)? {
                Found::Frame(payload) => {
                    take(&payload);
                    place += (HEAD_BYTES + payload.len()) as u64;
                    continue;
                }
                // A batch is written once the one before it is durable: so nothing is behind one
                // that a crash cut short.
                Found::Head { end } => length <= end,
                Found::Nothing => !self.has_head_behind(current, place, length)?,
            };
            if place < current.mark.bytes || !is_torn {
                let what = format!("a checksum is wrong at byte {place}");
                return Err(self.damaged(current.slot(), what));
            }
            break;
        }
        Ok(place)
    }

    fn find_frame(
        &self,
        current: &Current,
        place: u64,
        length: u64,
    ) -> Result<Found, StorageError> {
        let begin = place + HEAD_BYTES as u64;
        if begin > length {
            return Ok(Found::Nothing);
        }
        let seed = seed_at(current.seed, place);
        let Some(head) = Head::read(seed, &self.read(current.slot(), place, HEAD_BYTES)?) else {
            return Ok(Found::Nothing);
        };
        let end = begin + head.length as u64;
        if end > length {
            return Ok(Found::Head { end });
        }
        let payload = self.read(current.slot(), begin, head.length)?;
        Ok(if head.is_of(seed, &payload) {
            Found::Frame(payload)
        } else {
            Found::Head { end }
        })
    }

    /// Whether a frame begins anywhere behind this place.
    fn has_head_behind(
        &self,
        current: &Current,
        place: u64,
        length: u64,
    ) -> Result<bool, StorageError> {
        let rest = usize::try_from(length - place).unwrap_or(usize::MAX);
        if rest > HEAD_BYTES + FRAME_BYTES_MAX {
            // It cannot be one batch.
            return Ok(true);
        }
        let rest = self.read(current.slot(), place, rest)?;
        let is_head = |(at, head): (u64, &[u8])| {
            Head::read(seed_at(current.seed, place + at), head).is_some()
        };
        Ok((0..).zip(rest.windows(HEAD_BYTES)).any(is_head))
    }

    /// What a crash has left of a batch goes, before anything can come behind it.
    fn cut(&self, current: &Current) -> Result<(), StorageError> {
        let file = &self.slots[current.slot()];
        let cut = file.set_len(current.end).and_then(|()| file.sync_data());
        cut.map_err(|error| self.failed(current.slot(), error))
    }

    /// Hands over each line. How many there were.
    pub(super) fn restore(&self, mut take: impl FnMut(&[u8])) -> Result<u64, StorageError> {
        let Some(current) = &self.current else {
            return Ok(0);
        };
        let (mut lines, mut is_whole) = (0, true);
        let end = self.walk(current, current.end, |payload| {
            let mut rest = payload;
            while let Some((line, behind)) = split_line(rest) {
                take(line);
                lines += 1;
                rest = behind;
            }
            is_whole &= rest.is_empty();
        })?;
        if end != current.end || !is_whole {
            return Err(self.damaged(current.slot(), "lines are missing"));
        }
        Ok(lines)
    }

    /// Makes more lines durable.
    ///
    /// # Panics
    /// When there is no journal yet.
    pub(super) fn append(&mut self, lines: &[Vec<u8>]) -> Result<(), StorageError> {
        let current = self.current.expect("the first lines make a journal");
        let slot = current.slot();
        let frame = self.frame(&current, lines)?;
        let file = &self.slots[slot];
        let written = file.write(current.end, &frame);
        written
            .and_then(|()| file.sync_data())
            .map_err(|error| self.failed(slot, error))?;
        let end = current.end + frame.len() as u64;
        self.current = Some(Current { end, ..current });
        Ok(())
    }

    /// Writes a new journal beside the one that there is. [`Self::replace`] has it take that one's
    /// place.
    pub(super) fn write_next(&self, lines: &[Vec<u8>]) -> Result<Current, StorageError> {
        let generation = self.current.map_or(0, |it| it.mark.generation + 1);
        let beginning = encode(&Beginning {
            owner: self.owner.clone(),
            generation,
        });
        let mut next = Current {
            mark: Mark {
                generation,
                bytes: 0,
            },
            seed: XxHash64::oneshot(0, &beginning),
            first: (MAGIC.len() + HEAD_BYTES + beginning.len()) as u64,
            end: (MAGIC.len() + HEAD_BYTES + beginning.len()) as u64,
        };
        let slot = next.slot();
        let mut bytes = MAGIC.to_vec();
        let seed = seed_at(0, MAGIC.len() as u64);
        bytes.extend(Head::of(seed, &beginning).encode(seed));
        bytes.extend(beginning);
        bytes.extend(self.frame(&next, lines)?);
        let file = &self.slots[slot];
        let written = file.set_len(0).and_then(|()| file.write(0, &bytes));
        written
            .and_then(|()| file.sync_data())
            .map_err(|error| self.failed(slot, error))?;
        next.end = bytes.len() as u64;
        next.mark.bytes = next.end;
        Ok(next)
    }

    /// The state goes with that one from now on. The other takes no more room.
    pub(super) fn replace(&mut self, next: Current) -> Result<(), StorageError> {
        self.current = Some(next);
        let old = 1 - next.slot();
        let emptied = self.slots[old].set_len(0);
        emptied.map_err(|error| self.failed(old, error))
    }

    /// A frame with these lines, which is to stand at the end of a journal.
    fn frame(&self, current: &Current, lines: &[Vec<u8>]) -> Result<Vec<u8>, StorageError> {
        let frame = frame(seed_at(current.seed, current.end), lines);
        frame.ok_or_else(|| self.failed(current.slot(), "a batch is too large for a journal"))
    }

    fn read(&self, slot: usize, place: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let mut bytes = vec![0; length];
        let read = self.slots[slot].read(place, &mut bytes);
        read.map_err(|source| self.unreadable(slot, source))?;
        Ok(bytes)
    }

    fn length(&self, slot: usize) -> Result<u64, StorageError> {
        let length = self.slots[slot].len();
        length.map_err(|source| self.unreadable(slot, source))
    }

    fn unreadable(&self, slot: usize, source: io::Error) -> StorageError {
        StorageError::Open {
            path: self.paths[slot].clone(),
            source,
        }
    }

    fn damaged(&self, slot: usize, what: impl ToString) -> StorageError {
        StorageError::Damaged {
            path: self.paths[slot].clone(),
            what: what.to_string(),
        }
    }

    fn failed(&self, slot: usize, reason: impl ToString) -> StorageError {
        StorageError::Write {
            path: self.paths[slot].clone(),
            reason: reason.to_string(),
        }
    }
}
