//! Crashes at any write, damage at any byte, and disks that fail: whatever happens, what was
//! acknowledged is found again, or the damage is.

mod journal;
mod memory;
mod pair;

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use self::memory::{Bytes, MemoryFiles};
use self::pair::{Out, Pair, State, spec, state_of};
use super::journal::paths as journal_paths;
use super::tables::LOG_MAX;
use super::*;
use kvs_core::protocol::{
    Body, Dot, Lattice, Message, NodeId, Origin, QuorumBody, QuorumWords, Record, Update,
};
use kvs_core::replica::{
    GossipChange, Input, Persist, QuorumRule, RaftRule, Reads, Replica, ReplicaKind, ReplicaSpec,
};

const RAFT: ReplicaKind = ReplicaKind::Raft(RaftRule {
    reads: Reads::Index,
});
const KINDS: [ReplicaKind; 4] = [
    ReplicaKind::Local,
    ReplicaKind::Replicated(Lattice::Causal),
    ReplicaKind::Replicated(Lattice::Lww),
    RAFT,
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

/// The replica that comes back from these bytes.
fn restored(bytes: Bytes, kind: ReplicaKind) -> Result<Replica, StorageError> {
    let storage = MemoryFiles::new(bytes).open(&spec(0, kind))?;
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

/// Runs until the process ends at the write or sync after so many. None when it did not get so far.
fn crashed(kind: ReplicaKind, seed: u64, after: u64, lies: bool) -> Option<Crashed> {
    let mut pair = Pair::new(kind, seed);
    let files = MemoryFiles::default();
    let mut storage = files.open(&spec(0, kind)).unwrap();
    files.crash_after(after);
    if lies {
        files.lie_about_syncs();
    }
    let mut acknowledged = state_of(&Replica::new(&spec(0, kind)));
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
            let left = files.left_behind(&mut pair.random);
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

/// One of the writes and syncs of such a run.
fn any_operation(kind: ReplicaKind, seed: u64) -> u64 {
    let most = if kind == RAFT { 250 } else { 400 };
    Pcg64::seed_from_u64(seed).random_range(0..most)
}

#[test]
fn whatever_was_acknowledged_before_a_crash_at_any_write_is_found_again() {
    for kind in KINDS {
        let (mut lost, mut whole, mut unfinished) = (0, 0, 0);
        for seed in 0..CRASHES {
            let Some(crashed) = crashed(kind, seed, any_operation(kind, seed), false) else {
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
        let nothing = state_of(&Replica::new(&spec(0, kind)));
        let seen = (0..100)
            .filter_map(|seed| crashed(kind, seed, any_operation(kind, seed), true))
            .filter(|crashed| crashed.acknowledged != nothing);
        let (caught, missed): (Vec<bool>, Vec<bool>) = seen.map(caught).partition(|caught| *caught);
        assert!(caught.len() > missed.len(), "{kind:?}: {}", caught.len());
    }
}

/// A file with a state in it, closed or as a crash would leave it, and that state.
fn stored(kind: ReplicaKind, close: bool) -> (Bytes, State) {
    let mut pair = Pair::new(kind, 1);
    let files = MemoryFiles::default();
    let mut storage = files.open(&spec(0, kind)).unwrap();
    for _ in 0..40 {
        for _ in 0..5 {
            pair.step();
        }
        let batch = pair.outs[0].changes.take(&pair.replicas[0]);
        storage.commit(&batch).unwrap();
    }
    let killed = files.bytes();
    drop(storage);
    let bytes = if close { files.bytes() } else { killed };
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
            let engine = &bytes.engine;
            let used: Vec<usize> = (0..engine.len()).filter(|at| engine[*at] != 0).collect();
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
                damaged.engine[at] ^= 1 << bit;
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
    let refused = |spec: &ReplicaSpec| match MemoryFiles::new(bytes.clone()).open(spec) {
        Err(error @ StorageError::Foreign { .. }) => error.to_string(),
        other => panic!("{other:?}"),
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
    for engine in [b"hello".to_vec(), vec![7; 10_000]] {
        let bytes = Bytes {
            engine,
            ..Bytes::default()
        };
        assert!(restored(bytes, ReplicaKind::Local).is_err());
    }
}

#[test]
fn a_full_disk_and_a_failed_sync_are_errors_and_what_was_acknowledged_is_found_again() {
    for fault in [DiskFault::Full, DiskFault::SyncFails] {
        for kind in KINDS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("n0.redb");
            let files = FaultyFiles::open(&path).unwrap();
            let mut storage = Storage::open(files.clone(), &path, &spec(0, kind)).unwrap();
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
            files.set(fault);
            let told = commit(&mut pair).expect_err("the disk fails").to_string();
            assert!(told.contains("/n0."), "{told}");
            let committing = state_of(&pair.replicas[0]);
            files.set(DiskFault::None);
            drop(storage);
            drop(files);
            let bytes = Bytes {
                engine: std::fs::read(&path).unwrap(),
                journal: journal_paths(&path).map(|path| std::fs::read(path).unwrap()),
            };
            let found = restored(bytes, kind).unwrap();
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
    let files = MemoryFiles::default();
    let mut storage = files.open(&spec(0, kind)).unwrap();
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
            sizes.insert(files.engine.bytes().len());
        }
    }
    let found = restored(files.bytes(), kind).unwrap();
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
    let mut storage = MemoryFiles::default().open(&spare).unwrap();
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
