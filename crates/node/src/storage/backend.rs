//! The files below the engine and the journal, which can fail as disks do.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use redb::StorageBackend;
use serde::{Deserialize, Serialize};

use super::journal;

/// What a disk does wrong, until it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFault {
    /// Nothing.
    #[default]
    None,
    /// It takes no more bytes.
    Full,
    /// It does not make durable what it took.
    SyncFails,
    /// The process ends in the middle of the next write, of which the first half is there.
    TornWrite,
}

impl DiskFault {
    const ALL: [Self; 4] = [Self::None, Self::Full, Self::SyncFails, Self::TornWrite];
}

/// The files of a node, which may fail. They fail together, and so do clones.
#[derive(Clone, Debug)]
pub struct FaultyFiles {
    pub(super) engine: FaultyFile,
    /// Those of the journal, which take turns.
    pub(super) journal: [FaultyFile; 2],
}

/// A file that may fail.
#[derive(Clone, Debug)]
pub(super) struct FaultyFile {
    file: Arc<File>,
    fault: Arc<AtomicU8>,
}

impl FaultyFiles {
    /// The file of that name and those of the journal beside it, which are made when they are
    /// missing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fault = Arc::default();
        let engine = FaultyFile::open(path, &fault)?;
        let [first, second] = journal::paths(path);
        let journal = [
            FaultyFile::open(&first, &fault)?,
            FaultyFile::open(&second, &fault)?,
        ];
        // A file is there after a crash once its directory is synced.
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(directory)?.sync_all()?;
        Ok(Self { engine, journal })
    }

    /// From now on this goes wrong, and nothing else.
    pub fn set(&self, fault: DiskFault) {
        self.engine.fault.store(fault as u8, Ordering::Release);
    }

    /// How many bytes they have; 0 for one of which the system does not say.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let files = self.journal.iter().chain([&self.engine]);
        files.map(|file| file.len().unwrap_or(0)).sum()
    }
}

impl FaultyFile {
    fn open(path: &Path, fault: &Arc<AtomicU8>) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        // Two nodes on one file would destroy it.
        file.try_lock()?;
        Ok(Self {
            file: Arc::new(file),
            fault: Arc::clone(fault),
        })
    }

    fn fault(&self) -> DiskFault {
        DiskFault::ALL[usize::from(self.fault.load(Ordering::Acquire))]
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.fault() == DiskFault::Full && len > self.len()? {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.fault() == DiskFault::SyncFails {
            return Err(io::Error::other("the disk failed to sync (nemesis)"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.fault() {
            DiskFault::None | DiskFault::SyncFails => self.file.write_all_at(data, offset),
            DiskFault::Full => Err(io::ErrorKind::StorageFull.into()),
            DiskFault::TornWrite => {
                // Whether the half gets there is the system's business from here on.
                let _ = self.file.write_all_at(&data[..data.len() / 2], offset);
                std::process::abort();
            }
        }
    }
}
