//! Files in memory that a crash may leave in any state.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::RngExt;
use rand_pcg::Pcg64;
use redb::StorageBackend;

use crate::storage::journal::Slots;
use crate::storage::{Storage, StorageError};
use kvs_core::replica::ReplicaSpec;

/// A file in memory whose process may end at any write: of what was not synced then, any part is
/// there, in any order, and one write may be torn.
#[derive(Clone, Debug)]
pub(super) struct MemoryFile {
    contents: Arc<Mutex<Contents>>,
    process: Arc<Mutex<Process>>,
}

/// The files of a node, whose process ends at a write or sync of any of them.
#[derive(Clone, Debug)]
pub(super) struct MemoryFiles {
    pub(super) engine: MemoryFile,
    pub(super) journal: [MemoryFile; 2],
}

/// What they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) engine: Vec<u8>,
    pub(super) journal: [Vec<u8>; 2],
}

#[derive(Debug, Default)]
struct Process {
    /// How many more writes and syncs succeed.
    left: Option<u64>,
    /// Whether the disk says that it has synced, and has not.
    is_lied_to: bool,
}

#[derive(Debug, Default)]
struct Contents {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
    /// What reads see.
    now: Vec<u8>,
    writes: u64,
    syncs: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Length(len) => file.resize(usize::try_from(*len).unwrap(), 0),
            Self::Write(offset, data) => {
                let start = usize::try_from(*offset).unwrap();
                let end = start + data.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[start..end].copy_from_slice(data);
            }
        }
    }
}

impl Default for MemoryFiles {
    fn default() -> Self {
        Self::new(Bytes::default())
    }
}

impl MemoryFiles {
    pub(super) fn new(bytes: Bytes) -> Self {
        let process = Arc::default();
        Self {
            engine: MemoryFile::new(bytes.engine, &process),
            journal: bytes.journal.map(|it| MemoryFile::new(it, &process)),
        }
    }

    pub(super) fn open(&self, spec: &ReplicaSpec) -> Result<Storage, StorageError> {
        let [first, second] = self.journal.clone();
        let slots: Slots = [Box::new(first), Box::new(second)];
        Storage::open_on(self.engine.clone(), slots, Path::new("memory"), spec)
    }

    /// The process ends at the write or sync after so many more.
    pub(super) fn crash_after(&self, operations: u64) {
        self.engine.process.lock().unwrap().left = Some(operations);
    }

    pub(super) fn lie_about_syncs(&self) {
        self.engine.process.lock().unwrap().is_lied_to = true;
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.each(MemoryFile::bytes)
    }

    /// What a crash leaves.
    pub(super) fn left_behind(&self, random: &mut Pcg64) -> Bytes {
        self.each(|file| file.left_behind(random))
    }

    fn each(&self, mut of: impl FnMut(&MemoryFile) -> Vec<u8>) -> Bytes {
        Bytes {
            engine: of(&self.engine),
            journal: self.journal.each_ref().map(of),
        }
    }
}

impl MemoryFile {
    fn new(bytes: Vec<u8>, process: &Arc<Mutex<Process>>) -> Self {
        let contents = Contents {
            now: bytes.clone(),
            synced: bytes,
            ..Contents::default()
        };
        Self {
            contents: Arc::new(Mutex::new(contents)),
            process: Arc::clone(process),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.contents.lock().unwrap().now.clone()
    }

    /// How many writes, changes of its length included, and syncs it has seen.
    pub(super) fn operations(&self) -> (u64, u64) {
        let contents = self.contents.lock().unwrap();
        (contents.writes, contents.syncs)
    }

    fn left_behind(&self, random: &mut Pcg64) -> Vec<u8> {
        let contents = self.contents.lock().unwrap();
        let mut file = contents.synced.clone();
        for change in &contents.unsynced {
            match (change, random.random_range(0..4)) {
                (_, 0) => {}
                (Change::Write(offset, data), 1) => {
                    let torn = random.random_range(0..=data.len());
                    Change::Write(*offset, data[..torn].to_vec()).apply(&mut file);
                }
                (Change::Write(offset, data), 2) => {
                    // The end is there and the beginning is not.
                    let torn = random.random_range(0..=data.len());
                    let offset = *offset + torn as u64;
                    Change::Write(offset, data[torn..].to_vec()).apply(&mut file);
                }
                _ => change.apply(&mut file),
            }
        }
        file
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut process = self.process.lock().unwrap();
        let mut contents = self.contents.lock().unwrap();
        // The last one may be torn too.
        contents.unsynced.push(change.clone());
        contents.writes += 1;
        process.operate()?;
        change.apply(&mut contents.now);
        Ok(())
    }
}

impl Process {
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => Err(io::Error::other("the process has ended")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.contents.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let contents = self.contents.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = contents.now.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut process = self.process.lock().unwrap();
        process.operate()?;
        let mut contents = self.contents.lock().unwrap();
        contents.syncs += 1;
        if !process.is_lied_to {
            contents.synced = contents.now.clone();
            contents.unsynced.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, data.to_vec()))
    }
}
