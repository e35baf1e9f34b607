//! The node's disk: commits on a thread of its own, and what has to wait for them.
//!
//! While one commit is under way, the replica's changes gather for the next. So many changes share
//! a sync (group commit). The [`Barrier`] decides what may leave when.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::mpsc;

use super::counters::DiskUsage;
use super::log;
use crate::storage::{Batch, Changes, DiskFault, FaultyFiles, Restored, Storage, StorageError};
use kvs_core::barrier::Barrier;
use kvs_core::protocol::{Message, NodeId};
use kvs_core::replica::{Persist, Replica, ReplicaSpec, RequestId};
use kvs_core::trace::TracedReplica;

/// Messages that wait for a commit; one beyond them is lost, and comes again by anti-entropy.
const MESSAGES_HELD_MAX: usize = 4_096;
/// When answers of more bytes wait for a commit, or changes of more bytes for the next, requests
/// are refused as too many.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// The longest commit that the histogram tells from longer ones, in ns.
const COMMIT_NS_MAX: u64 = 60_000_000_000;

/// How long each commit took, or why there will be no more.
pub(super) type Commits = mpsc::UnboundedReceiver<Result<Duration, StorageError>>;

/// What may not leave yet.
#[derive(Debug)]
pub(super) enum Held {
    /// The answer to a request, as a frame.
    Reply(RequestId, Vec<u8>),
    /// A message to a peer.
    Message(NodeId, Message),
}

/// A file that was opened, with what an earlier process has left in it.
#[derive(Debug)]
pub(super) struct Stored {
    files: FaultyFiles,
    storage: Storage,
}

/// A node's disk.
#[derive(Debug)]
pub(super) struct Disk {
    files: FaultyFiles,
    changes: Changes,
    barrier: Barrier<Held>,
    to_thread: SyncSender<Batch>,
    held_bytes: usize,
    messages_held: usize,
    usage: DiskUsage,
    took: Histogram<u64>,
}

impl Stored {
    /// Opens the files of a node, which are made when they are missing.
    pub(super) fn open(path: &Path, spec: &ReplicaSpec) -> Result<Self, StorageError> {
        let files = FaultyFiles::open(path).map_err(|source| StorageError::Open {
            path: path.to_owned(),
            source,
        })?;
        let storage = Storage::open(files.clone(), path, spec)?;
        Ok(Self { files, storage })
    }

    /// Brings `replica`, which is new, back to what was stored, and starts the thread that commits.
    pub(super) fn bring_back<W: std::io::Write>(
        self,
        spec: &ReplicaSpec,
        replica: &mut TracedReplica<W>,
    ) -> Result<(Disk, Commits), StorageError> {
        let began = Instant::now();
        let restored = self.storage.restore(|change| replica.restore(change))?;
        let took = began.elapsed();
        let Restored {
            keys,
            entries,
            lines,
        } = restored;
        if keys + lines > 0 {
            log(format_args!(
                "{keys} keys, {entries} entries of the log and {lines} lines of the journal are \
                 back after {took:?}"
            ));
        }
        // One batch is under way at a time.
        let (to_thread, batches) = sync_channel(1);
        let (tell, commits) = mpsc::unbounded_channel();
        let storage = self.storage;
        std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || commit_all(storage, &batches, &tell))
            .expect("the system has threads");
        let disk = Disk {
            files: self.files,
            changes: Changes::default(),
            barrier: Barrier::new(spec.bug),
            to_thread,
            held_bytes: 0,
            messages_held: 0,
            usage: DiskUsage {
                keys_restored: keys,
                restore_ns: took.as_nanos() as u64,
                ..DiskUsage::default()
            },
            took: Histogram::new_with_bounds(1, COMMIT_NS_MAX, 3).expect("legal bounds"),
        };
        Ok((disk, commits))
    }
}

/// Commits each batch in turn, until the node is gone or the disk fails.
fn commit_all(
    mut storage: Storage,
    batches: &Receiver<Batch>,
    tell: &mpsc::UnboundedSender<Result<Duration, StorageError>>,
) {
    while let Ok(batch) = batches.recv() {
        let began = Instant::now();
        let committed = storage.commit(&batch).map(|()| began.elapsed());
        let failed = committed.is_err();
        if tell.send(committed).is_err() || failed {
            return;
        }
    }
}

impl Disk {
    /// The replica has changed.
    pub(super) fn note(&mut self, change: &Persist<'_>) {
        self.barrier.note(1);
        self.changes.note(change);
    }

    /// Whether what would leave now has to wait.
    pub(super) const fn holds(&self) -> bool {
        self.barrier.holds()
    }

    /// Whether so much waits that nothing more should come.
    pub(super) const fn is_full(&self) -> bool {
        self.held_bytes > WAITING_BYTES_MAX || self.changes.bytes() > WAITING_BYTES_MAX
    }

    /// Keeps back what may not leave before all that was noted is durable. Whether there was room.
    pub(super) fn hold(&mut self, what: Held) -> bool {
        match &what {
            Held::Message(..) if self.messages_held >= MESSAGES_HELD_MAX => return false,
            Held::Message(..) => self.messages_held += 1,
            Held::Reply(_, frame) => self.held_bytes += frame.len(),
        }
        self.barrier.hold(what);
        true
    }

    /// Begins a commit if one is needed and none is under way.
    pub(super) fn begin_commit(&mut self, replica: &Replica) {
        if self.barrier.begin_commit() {
            // A thread that has ended has said why, which ends the node.
            let _ = self.to_thread.try_send(self.changes.take(replica));
        }
    }

    /// The commit under way has ended well.
    pub(super) fn committed(&mut self, took: Duration) {
        self.usage.commits += 1;
        self.usage.changes += self.barrier.end_commit();
        self.took.saturating_record(took.as_nanos() as u64);
    }

    /// The next thing that may leave now.
    pub(super) fn release(&mut self) -> Option<Held> {
        let what = self.barrier.release()?;
        match &what {
            Held::Message(..) => self.messages_held -= 1,
            Held::Reply(_, frame) => self.held_bytes -= frame.len(),
        }
        Some(what)
    }

    pub(super) fn set_fault(&self, fault: DiskFault) {
        self.files.set(fault);
    }

    pub(super) fn usage(&self) -> DiskUsage {
        DiskUsage {
            commit_ns_p50: self.took.value_at_quantile(0.5),
            commit_ns_p99: self.took.value_at_quantile(0.99),
            file_bytes: self.files.bytes(),
            ..self.usage
        }
    }
}
