//! Crashes at any write, damage at any byte, and disks that fail: whatever happens, what was
//! acknowledged is found again, or the damage is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use redb::StorageBackend;

use super::engine::LOG_MAX;
use super::*;
use kvs_core::protocol::{
    Body, Dot, GroupId, Lattice, Message, NodeId, Operation, Origin, QuorumBody, QuorumWords,
    Record, Request, Response, Update,
};
use kvs_core::replica::{
    Effects, GossipChange, GossipTimer, Input, Persist, QuorumRule, Replica, ReplicaKind,
    ReplicaSpec, RequestId, Settings, Timer,
};

const KINDS: [ReplicaKind; 3] = [
    ReplicaKind::Local,
    ReplicaKind::Replicated(Lattice::Causal),
    ReplicaKind::Replicated(Lattice::Lww),
];
/// Crashes of each kind of replica.
const CRASHES: u64 = 2_000;
/// Bits that are flipped, one at a time: all of the engine's header, and some of all that is used.
const HEADER_BYTES: usize = 512;
/// The byte and bit that say which of the engine's two last commits is the newer one. Nothing in
/// the file tells a flip of it from a crash before the newer one was finished
/// (docs/reference/durability.md).
const NEWER_COMMIT: (usize, usize) = (9, 0);
const FLIPS: usize = HEADER_BYTES * 8 + 4_000;
/// Keys of the replicas: few, so that they are put again and have siblings.
const KEYS: u64 = 12;

/// A file in memory whose process may end at any write: of what was not synced then, any part is
/// there, in any order, and one write may be torn.
#[derive(Clone, Debug)]
struct MemoryFile(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
    /// What reads see.
    now: Vec<u8>,
    /// How many more writes and syncs succeed.
    left: Option<u64>,
    /// Whether it says that it has synced, and has not.
    lies: bool,
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

impl MemoryFile {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Contents {
            now: bytes.clone(),
            synced: bytes,
            ..Contents::default()
        })))
    }

    /// The process ends at the write or sync after so many more.
    fn crash_after(&self, operations: u64) {
        self.0.lock().unwrap().left = Some(operations);
    }

    fn lies_about_syncs(&self) {
        self.0.lock().unwrap().lies = true;
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().now.clone()
    }

    /// What a crash leaves.
    fn left_behind(&self, random: &mut Pcg64) -> Vec<u8> {
        let contents = self.0.lock().unwrap();
        let mut file = contents.synced.clone();
        for change in &contents.unsynced {
            match (change, random.random_range(0..4)) {
                (_, 0) => {}
                (Change::Write(offset, data), 1) => {
                    let torn = random.random_range(0..=data.len());
                    Change::Write(*offset, data[..torn].to_vec()).apply(&mut file);
                }
                _ => change.apply(&mut file),
            }
        }
        file
    }
}

impl Contents {
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

    fn change(&mut self, change: Change) -> io::Result<()> {
        // The last one may be torn too.
        self.unsynced.push(change);
        self.operate()?;
        let change = self.unsynced.last().unwrap().clone();
        change.apply(&mut self.now);
        Ok(())
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let contents = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = contents.now.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut contents = self.0.lock().unwrap();
        contents.operate()?;
        if !contents.lies {
            contents.synced = contents.now.clone();
            contents.unsynced.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut contents = self.0.lock().unwrap();
        contents.change(Change::Write(offset, data.to_vec()))
    }
}

fn spec(node: u16, kind: ReplicaKind) -> ReplicaSpec {
    let peers = match kind {
        ReplicaKind::Local => Vec::new(),
        ReplicaKind::Replicated(_) | ReplicaKind::Quorum(_) => vec![NodeId(1 - node)],
    };
    ReplicaSpec {
        node: NodeId(node),
        incarnation: 0,
        group: GroupId(0),
        peers,
        spares: Vec::new(),
        kind,
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    }
}

/// Where effects go: changes to the disk, messages to the peer.
#[derive(Default)]
struct Out {
    changes: Changes,
    noted: usize,
    messages: Vec<Message>,
}

impl Effects for Out {
    fn persist(&mut self, change: &Persist<'_>) {
        self.noted += 1;
        self.changes.note(change);
    }
    fn reply(&mut self, _: RequestId, _: &Response<'_>) {}
    fn send(&mut self, _: NodeId, message: Message) {
        self.messages.push(message);
    }
    fn set_timer(&mut self, _: Timer, _: u64) {}
}

/// All that a replica has.
#[derive(Debug, PartialEq, Eq)]
struct State {
    applied: Vec<Dot>,
    /// Each with all that the replica has of it, encoded.
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn state_of(replica: &Replica) -> State {
    let keys = (0..KEYS).filter_map(|number| {
        let key = key(number);
        let kept = replica.kept(&key)?.into_owned();
        Some((key, kept))
    });
    State {
        applied: replica.status().applied().to_vec(),
        keys: keys.collect(),
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

/// Two replicas that take puts and gossip; the first has a disk.
struct Pair {
    replicas: [Replica; 2],
    outs: [Out; 2],
    random: Pcg64,
    puts: u64,
}

impl Pair {
    fn new(kind: ReplicaKind, seed: u64) -> Self {
        Self {
            replicas: [0, 1].map(|node| Replica::new(&spec(node, kind))),
            outs: Default::default(),
            random: Pcg64::seed_from_u64(seed),
            puts: 0,
        }
    }

    /// One put, or some gossip.
    fn step(&mut self) {
        let at = self.random.random_range(0..2);
        let input = |peers| Input {
            wall_ns: 1_000,
            peers,
            random: 0,
        };
        let other = [NodeId(1), NodeId(0)];
        if self.random.random_bool(0.7) {
            self.puts += 1;
            let key = key(self.random.random_range(0..KEYS));
            let value = format!("value {}", self.puts);
            let request = Request {
                key: &key,
                context: &[],
                operation: Operation::Put {
                    value: value.as_bytes(),
                },
            };
            let id = RequestId(self.puts);
            self.replicas[at].handle_request(id, &request, &input(&[]), &mut self.outs[at]);
        } else {
            let timer =
                [GossipTimer::Rumour, GossipTimer::AntiEntropy][self.random.random_range(0..2)];
            let timer = Timer::Gossip(timer);
            if matches!(self.replicas[at], Replica::Local(_)) {
                return;
            }
            let peers = &other[at..=at];
            self.replicas[at].handle_timer(timer, &input(peers), &mut self.outs[at]);
        }
        for message in std::mem::take(&mut self.outs[at].messages) {
            if self.random.random_bool(0.8) {
                let (from, to) = (NodeId(at as u16), 1 - at);
                let out = &mut self.outs[to];
                self.replicas[to].handle_message(from, message, &input(&[]), out);
            }
        }
    }
}

fn open(file: MemoryFile, kind: ReplicaKind) -> Result<Storage, StorageError> {
    Storage::open_on(file, Path::new("memory"), &spec(0, kind))
}

/// The replica that comes back from these bytes.
fn restored(bytes: Vec<u8>, kind: ReplicaKind) -> Result<Replica, StorageError> {
    let storage = open(MemoryFile::new(bytes), kind)?;
    let mut replica = Replica::new(&spec(0, kind));
    storage.restore(|change| replica.restore(change))?;
    Ok(replica)
}

/// What was acknowledged last before a crash, what was being committed, and what is found again.
struct Crashed {
    acknowledged: State,
    committing: State,
    found: Result<State, StorageError>,
}

/// Runs until the process ends at its `crash`-th write or sync, which the disk may lie about. None
/// when it did not get so far.
fn crashed(kind: ReplicaKind, seed: u64, lies: bool) -> Option<Crashed> {
    let mut pair = Pair::new(kind, seed);
    let file = MemoryFile::new(Vec::new());
    let mut storage = open(file.clone(), kind).unwrap();
    file.crash_after(Pcg64::seed_from_u64(seed).random_range(0..400));
    if lies {
        file.lies_about_syncs();
    }
    let mut acknowledged = state_of(&pair.replicas[0]);
    for _ in 0..60 {
        for _ in 0..pair.random.random_range(1..8) {
            pair.step();
        }
        if pair.outs[0].changes.is_empty() {
            continue;
        }
        let batch = pair.outs[0].changes.take(&pair.replicas[0]);
        let committing = state_of(&pair.replicas[0]);
        if storage.commit(&batch).is_err() {
            let left = file.left_behind(&mut pair.random);
            drop(storage);
            return Some(Crashed {
                acknowledged,
                committing,
                found: restored(left, kind).map(|replica| state_of(&replica)),
            });
        }
        acknowledged = committing;
    }
    None
}

#[test]
fn whatever_was_acknowledged_before_a_crash_at_any_write_is_found_again() {
    for kind in KINDS {
        let (mut lost, mut whole, mut unfinished) = (0, 0, 0);
        for seed in 0..CRASHES {
            let Some(crashed) = crashed(kind, seed, false) else {
                unfinished += 1;
                continue;
            };
            let Crashed {
                acknowledged,
                committing,
                found,
            } = crashed;
            let found = found.expect("a crash is no damage");
            assert!(
                found == acknowledged || found == committing,
                "{kind:?}, seed {seed}: {found:?} is neither {acknowledged:?} nor {committing:?}"
            );
            lost += u64::from(found == acknowledged);
            whole += u64::from(found == committing && committing != acknowledged);
        }
        println!("{kind:?}: {lost} without the last batch, {whole} with it, {unfinished} no crash");
        assert!(lost > 100 && whole > 100, "both happen: {lost}, {whole}");
        assert!(unfinished < CRASHES / 2, "most crash");
    }
}

/// The negative control.
#[test]
fn a_disk_that_lies_about_syncs_is_seen_to_lose_what_was_acknowledged() {
    for kind in KINDS {
        let caught = |crashed: Crashed| match crashed.found {
            Ok(found) => found != crashed.acknowledged && found != crashed.committing,
            Err(_) => true,
        };
        let seen = (0..100)
            .filter_map(|seed| crashed(kind, seed, true))
            .filter(|crashed| !crashed.acknowledged.keys.is_empty());
        let (caught, missed): (Vec<bool>, Vec<bool>) = seen.map(caught).partition(|caught| *caught);
        assert!(caught.len() > missed.len(), "{kind:?}: {}", caught.len());
    }
}

/// A file with a state in it, closed or as a crash would leave it, and that state.
fn stored(kind: ReplicaKind, close: bool) -> (Vec<u8>, State) {
    let mut pair = Pair::new(kind, 1);
    let file = MemoryFile::new(Vec::new());
    let mut storage = open(file.clone(), kind).unwrap();
    for _ in 0..40 {
        for _ in 0..5 {
            pair.step();
        }
        let batch = pair.outs[0].changes.take(&pair.replicas[0]);
        storage.commit(&batch).unwrap();
    }
    let killed = file.bytes();
    drop(storage);
    let bytes = if close { file.bytes() } else { killed };
    (bytes, state_of(&pair.replicas[0]))
}

#[test]
fn a_flipped_bit_is_an_error_or_changes_nothing() {
    for kind in KINDS {
        for close in [true, false] {
            let (bytes, state) = stored(kind, close);
            let untouched = restored(bytes.clone(), kind).expect("the control");
            assert_eq!(state_of(&untouched), state, "the control");
            // Most of a file is free; what is used is where the bytes are.
            let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            let mut random = Pcg64::seed_from_u64(9);
            let mut errors = 0;
            for flip in 0..FLIPS {
                let (at, bit) = if flip < HEADER_BYTES * 8 {
                    (flip / 8, flip % 8)
                } else {
                    let at = used[random.random_range(0..used.len())];
                    (at, random.random_range(0..8))
                };
                if !close && (at, bit) == NEWER_COMMIT {
                    continue;
                }
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let opened =
                    std::panic::catch_unwind(|| restored(damaged, kind)).unwrap_or_else(|_| {
                        panic!("{kind:?}, closed {close}: bit {bit} of byte {at} panics")
                    });
                match opened {
                    Ok(replica) => assert_eq!(
                        state_of(&replica),
                        state,
                        "{kind:?}, closed {close}: bit {bit} of byte {at} is not noticed"
                    ),
                    Err(_) => errors += 1,
                }
            }
            println!("{kind:?}, closed {close}: {errors} of {FLIPS} flips are errors");
            assert!(errors > FLIPS / 10, "damage is noticed: {errors}");
        }
    }
}

#[test]
fn a_file_of_another_node_life_or_kind_is_refused_by_name() {
    let kind = ReplicaKind::Local;
    let (bytes, _) = stored(kind, true);
    let refused = |spec: &ReplicaSpec| {
        let file = MemoryFile::new(bytes.clone());
        match Storage::open_on(file, Path::new("memory"), spec) {
            Err(error @ StorageError::Foreign { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let other_node = spec(1, kind);
    assert!(refused(&other_node).contains("node n1"));
    let next_life = ReplicaSpec {
        incarnation: 1,
        ..spec(0, kind)
    };
    assert!(refused(&next_life).contains("life 1"));
    let other_kind = spec(0, ReplicaKind::Replicated(Lattice::Lww));
    assert!(refused(&other_kind).contains("Replicated"));
}

#[test]
fn a_file_that_is_no_store_is_an_error() {
    for bytes in [b"hello".to_vec(), vec![7; 10_000]] {
        assert!(restored(bytes, ReplicaKind::Local).is_err());
    }
}

#[test]
fn a_full_disk_and_a_failed_sync_are_errors_and_what_was_acknowledged_is_found_again() {
    for fault in [DiskFault::Full, DiskFault::SyncFails] {
        for kind in KINDS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("n0.redb");
            let file = FaultyFile::open(&path).unwrap();
            let mut storage = Storage::open(file.clone(), &path, &spec(0, kind)).unwrap();
            let mut pair = Pair::new(kind, 3);
            let mut commit = |pair: &mut Pair| {
                while pair.outs[0].changes.is_empty() {
                    pair.step();
                }
                let batch = pair.outs[0].changes.take(&pair.replicas[0]);
                storage.commit(&batch)
            };
            commit(&mut pair).unwrap();
            let acknowledged = state_of(&pair.replicas[0]);
            file.set(fault);
            let told = commit(&mut pair).expect_err("the disk fails").to_string();
            assert!(told.contains("n0.redb"), "{told}");
            let committing = state_of(&pair.replicas[0]);
            file.set(DiskFault::None);
            drop(storage);
            drop(file);
            let found = restored(std::fs::read(&path).unwrap(), kind).unwrap();
            let found = state_of(&found);
            assert!(
                found == acknowledged || found == committing,
                "{fault:?} {kind:?}"
            );
        }
    }
}

#[test]
fn a_file_that_is_put_to_for_ever_does_not_grow_for_ever() {
    let kind = ReplicaKind::Replicated(Lattice::Causal);
    let file = MemoryFile::new(Vec::new());
    let mut storage = open(file.clone(), kind).unwrap();
    let mut pair = Pair::new(kind, 5);
    let mut sizes = BTreeSet::new();
    // More updates than are kept in their order.
    for round in 0..30 {
        for _ in 0..1_500 {
            pair.step();
        }
        let batch = pair.outs[0].changes.take(&pair.replicas[0]);
        storage.commit(&batch).unwrap();
        if round >= 20 {
            sizes.insert(file.bytes().len());
        }
    }
    let found = restored(file.bytes(), kind).unwrap();
    assert_eq!(state_of(&found), state_of(&pair.replicas[0]));
    let log = storage.restore(|_| {}).unwrap().entries;
    let batch = 1_500;
    assert!((LOG_MAX / 2..LOG_MAX + batch).contains(&log), "{log}");
    let (least, most) = (sizes.first().unwrap(), sizes.last().unwrap());
    assert!(*most < 2 * least, "{sizes:?}");
    assert!(*most < 16 << 20, "{sizes:?}");
}

#[test]
fn what_a_replica_has_no_more_is_gone_from_its_file() {
    let rule = QuorumRule {
        sloppy: true,
        write_back: false,
        ..QuorumRule::majorities(2)
    };
    let spare = ReplicaSpec {
        peers: vec![NodeId(0), NodeId(1)],
        spares: vec![NodeId(2)],
        ..spec(2, ReplicaKind::Quorum(rule))
    };
    let file = MemoryFile::new(Vec::new());
    let mut storage = Storage::open_on(file, Path::new("memory"), &spare).unwrap();
    let (mut replica, mut out) = (Replica::new(&spare), Out::default());
    let origin = Origin::new(NodeId(0), 0);
    let (dot, home) = (Dot::new(origin, 7), NodeId(1));
    let hint = QuorumWords::Hint {
        operation: dot,
        home,
        update: Update {
            dot,
            time: 7,
            record: Record::new(b"k", origin, &[], b"v"),
        },
    };
    let handed_over = QuorumWords::HandedOver {
        puts: vec![(b"k"[..].into(), dot)],
    };
    for (from, words, keys) in [(NodeId(0), hint, 1), (home, handed_over, 0)] {
        let message = Message {
            incarnation: 0,
            body: Body::Quorum(QuorumBody {
                lives: Default::default(),
                words,
            }),
        };
        replica.handle_message(from, message, &Input::default(), &mut out);
        storage.commit(&out.changes.take(&replica)).unwrap();
        let mut found = Replica::new(&spare);
        let restored = storage.restore(|change| found.restore(change)).unwrap();
        assert_eq!((restored.keys, found.status()), (keys, replica.status()));
    }
}

#[test]
fn a_state_that_was_merged_counts_with_its_values_towards_what_may_wait() {
    const BYTES: usize = 4_000;
    let origin = Origin::new(NodeId(1), 0);
    let update = Update {
        dot: Dot::new(origin, 1),
        time: 1,
        record: Record::new(b"k", origin, &[], &[7; BYTES]),
    };
    let mut changes = Changes::default();
    changes.note(&Persist::Gossip(GossipChange::State {
        vector: [].as_slice().into(),
        updates: vec![update].into(),
    }));
    assert!(changes.bytes() > BYTES);
}
